#include "core/pair/grid.h"

#include <math.h>
#include <string.h>

#include "core/base/fft.h"
#include "core/base/parallel.h"

#define PI 3.14159265358979323846
#define LANES FFT_LANES
#define AXES GRID_MAX_DIM

/* --- the kernel ---------------------------------------------------------------------------------------------- */

split_kernel kernel_split(pair_kernel kernel, double radius, size_t terms) {
  split_kernel split = {.kernel = kernel, .cut = radius * radius, .terms = terms};
  const double u = split.cut + kernel.epsilon;
  double term = pow(u, -kernel.exponent);
  for (size_t k = 0; k < terms; k++) {
    split.term[k] = term;
    term *= -(kernel.exponent + (double)k) / ((double)(k + 1) * u);
  }
  return split;
}

/* Half the integral of w over t from the cut on. */
double split_potential(const split_kernel *split, double t) {
  const double s = split->kernel.s, far = split->cut + split->kernel.epsilon;
  if (t >= split->cut) {
    const double growth = log((t + split->kernel.epsilon) / far);
    return s == 0.0 ? 0.5 * growth : -pow(far, -0.5 * s) * expm1(-0.5 * s * growth) / s;
  }
  const double x = t - split->cut;
  double value = 0.0;
  for (size_t k = split->terms; k-- > 0;) value = value * x + split->term[k] / (double)(k + 1);
  return 0.5 * value * x;
}

/* --- extents ------------------------------------------------------------------------------------------------- */

size_t grid_size(const grid_shape *grid) {
  return grid->nodes[0] * grid->nodes[1] * grid->nodes[2];
}

/* length: of the padded axes. half: frequencies that differ, length/2 + 1. wide: half[0] in whole sets of lanes. */
typedef struct {
  const grid_shape *grid;
  size_t length[AXES], half[AXES], wide, longest;
} grid_extent;

static grid_extent extent_of(const grid_shape *grid) {
  grid_extent e = {.grid = grid};
  for (size_t c = 0; c < AXES; c++) {
    e.length[c] = grid->nodes[c] == 1 ? 1 : fft_length(2 * grid->nodes[c]);
    e.half[c] = e.length[c] / 2 + 1;
    if (e.length[c] == 1) e.half[c] = 1;
    if (e.length[c] > e.longest) e.longest = e.length[c];
  }
  e.wide = (e.half[0] + LANES - 1) / LANES * LANES;
  return e;
}

/* Doubles of the real symbol [half, half, half] and of the spectrum [wide, length, nodes], real and imaginary. */
static size_t symbol_size(const grid_extent *e) {
  return e->half[0] * e->half[1] * e->half[2];
}

static size_t spectrum_size(const grid_extent *e) {
  return e->wide * e->length[1] * e->grid->nodes[2];
}

size_t grid_workspace(const grid_shape *grid, int threads) {
  const grid_extent e = extent_of(grid);
  return symbol_size(&e) + 2 * spectrum_size(&e) + 2 * (e.length[0] + e.length[1] + e.length[2]) +
         (size_t)threads * 4 * LANES * e.longest;
}

/* What the passes over lines share. */
typedef struct {
  grid_extent extent;
  const split_kernel *split;
  fft_plan plan[AXES];
  double *value, *symbol, *re, *im, *lines;
  size_t axis;
  int back;
} grid_plan;

/* The lines of one thread: two sets. */
static fft_lines lines_of(const grid_plan *plan, size_t part, size_t set) {
  const size_t size = LANES * plan->extent.longest;
  double *start = plan->lines + part * 4 * size + set * 2 * size;
  const fft_lines lines = {.re = start, .im = start + size};
  return lines;
}

static fft_lines exchanged(fft_lines lines) {
  const fft_lines other = {.re = lines.im, .im = lines.re};
  return other;
}

/* --- the symbol of the kernel: the transform of even lines is real ------------------------------------------- */

/* The kernel at the nodes [half, half, half]; from..to: rows along the first axis. */
static void sample_rows(size_t from, size_t to, size_t part, void *context) {
  const grid_plan *plan = context;
  const size_t *half = plan->extent.half;
  const double h2 = plan->extent.grid->spacing * plan->extent.grid->spacing;
  (void)part;
  for (size_t row = from; row < to; row++) {
    const double j = (double)(row % half[1]), k = (double)(row / half[1]);
    for (size_t i = 0; i < half[0]; i++) {
      plan->symbol[row * half[0] + i] = split_potential(plan->split, h2 * ((double)(i * i) + j * j + k * k));
    }
  }
}

/* Doubles from one entry of a line of the symbol along the axis to the next, and to the first one of line `line`. */
static size_t symbol_stride(const grid_plan *plan) {
  const size_t *half = plan->extent.half;
  return plan->axis == 0 ? 1 : plan->axis == 1 ? half[0] : half[0] * half[1];
}

static size_t symbol_line(const grid_plan *plan, size_t line) {
  const size_t stride = symbol_stride(plan), half = plan->extent.half[plan->axis];
  return line % stride + line / stride * stride * half;
}

/* Sets of 2 LANES lines along the axis: two real even lines are one complex line. Over b^2 at the frequency. */
static void symbol_sets(size_t from, size_t to, size_t part, void *context) {
  const grid_plan *plan = context;
  const size_t length = plan->extent.length[plan->axis], half = plan->extent.half[plan->axis];
  const size_t lines = symbol_size(&plan->extent) / half, stride = symbol_stride(plan);
  const fft_lines x = lines_of(plan, part, 0), room = lines_of(plan, part, 1);
  for (size_t set = from; set < to; set++) {
    size_t start[2 * LANES];
    for (size_t l = 0; l < 2 * LANES; l++) {
      const size_t line = set * 2 * LANES + l;
      start[l] = symbol_line(plan, line < lines ? line : lines - 1);
    }
    for (size_t k = 0; k < length; k++) {
      const size_t at = (k < half ? k : length - k) * stride;
      for (size_t l = 0; l < LANES; l++) {
        x.re[k * LANES + l] = plan->symbol[start[2 * l] + at];
        x.im[k * LANES + l] = plan->symbol[start[2 * l + 1] + at];
      }
    }
    const fft_lines out = fft_transform(&plan->plan[plan->axis], x, room);
    for (size_t k = 0; k < half; k++) {
      const double b = (2.0 + cos(2.0 * PI * (double)k / (double)length)) / 3.0;
      const double scale = 1.0 / (b * b * (double)length);
      for (size_t l = 0; l < LANES; l++) {
        plan->symbol[start[2 * l] + k * stride] = scale * out.re[k * LANES + l];
        plan->symbol[start[2 * l + 1] + k * stride] = scale * out.im[k * LANES + l];
      }
    }
  }
}

/* --- the first axis: rows of the grid, of which two are one complex line ------------------------------------- */

/* Where row `row` of the grid begins in the spectrum. */
static size_t spectrum_row(const grid_plan *plan, size_t row) {
  const size_t nodes = plan->extent.grid->nodes[1];
  return (row / nodes * plan->extent.length[1] + row % nodes) * plan->extent.wide;
}

static void rows_forward(const grid_plan *plan, const fft_lines *x, const fft_lines *room, size_t first,
                         size_t rows) {
  const size_t nodes = plan->extent.grid->nodes[0], length = plan->extent.length[0], half = plan->extent.half[0];
  memset(x->re, 0, length * LANES * sizeof(double));
  memset(x->im, 0, length * LANES * sizeof(double));
  for (size_t r = 0; r < rows; r++) {
    double *line = r % 2 ? x->im : x->re;
    const double *value = plan->value + (first + r) * nodes;
    for (size_t k = 0; k < nodes; k++) line[k * LANES + r / 2] = value[k];
  }
  const fft_lines out = fft_transform(&plan->plan[0], *x, *room);
  for (size_t r = 0; r < rows; r++) {
    double *re = plan->re + spectrum_row(plan, first + r), *im = plan->im + spectrum_row(plan, first + r);
    const double *zr = out.re + r / 2, *zi = out.im + r / 2;
    for (size_t k = 0; k < half; k++) {
      const size_t a = k * LANES, b = (length - k) % length * LANES;
      re[k] = 0.5 * (r % 2 ? zi[a] + zi[b] : zr[a] + zr[b]);
      im[k] = 0.5 * (r % 2 ? zr[b] - zr[a] : zi[a] - zi[b]);
    }
  }
}

static void rows_back(const grid_plan *plan, const fft_lines *x, const fft_lines *room, size_t first, size_t rows) {
  const size_t nodes = plan->extent.grid->nodes[0], length = plan->extent.length[0], half = plan->extent.half[0];
  memset(x->re, 0, length * LANES * sizeof(double));
  memset(x->im, 0, length * LANES * sizeof(double));
  for (size_t r = 0; r < rows; r++) {
    const double *re = plan->re + spectrum_row(plan, first + r), *im = plan->im + spectrum_row(plan, first + r);
    double *zr = x->re + r / 2, *zi = x->im + r / 2;
    for (size_t k = 0; k < half; k++) {
      const size_t a = k * LANES, b = (length - k) % length * LANES;
      zr[a] += r % 2 ? -im[k] : re[k];
      zi[a] += r % 2 ? re[k] : im[k];
      if (a == b) continue;
      zr[b] += r % 2 ? im[k] : re[k];
      zi[b] += r % 2 ? re[k] : -im[k];
    }
  }
  const fft_lines out = exchanged(fft_transform(&plan->plan[0], exchanged(*x), *room));
  for (size_t r = 0; r < rows; r++) {
    const double *line = r % 2 ? out.im : out.re;
    double *value = plan->value + (first + r) * nodes;
    for (size_t k = 0; k < nodes; k++) value[k] = line[k * LANES + r / 2];
  }
}

static void row_sets(size_t from, size_t to, size_t part, void *context) {
  const grid_plan *plan = context;
  const size_t rows = grid_size(plan->extent.grid) / plan->extent.grid->nodes[0];
  const fft_lines x = lines_of(plan, part, 0), room = lines_of(plan, part, 1);
  for (size_t set = from; set < to; set++) {
    const size_t first = set * 2 * LANES, left = rows - first, count = left < 2 * LANES ? left : 2 * LANES;
    (plan->back ? rows_back : rows_forward)(plan, &x, &room, first, count);
  }
}

/* --- the other axes: LANES neighbours along the first ones together ------------------------------------------ */

/* Entries k < count of lines with the stride, from the spectrum or, with `store`, to it. */
static void move_lines(const grid_plan *plan, size_t start, size_t stride, fft_lines lines, size_t count, int store) {
  for (size_t k = 0; k < count; k++) {
    double *re = plan->re + start + k * stride, *im = plan->im + start + k * stride;
    if (store) {
      memcpy(re, lines.re + k * LANES, LANES * sizeof(double));
      memcpy(im, lines.im + k * LANES, LANES * sizeof(double));
    } else {
      memcpy(lines.re + k * LANES, re, LANES * sizeof(double));
      memcpy(lines.im + k * LANES, im, LANES * sizeof(double));
    }
  }
}

/* The second axis there or back; a set lies at one place along the third. */
static void second_sets(size_t from, size_t to, size_t part, void *context) {
  const grid_plan *plan = context;
  const grid_extent *e = &plan->extent;
  const size_t sets = e->wide / LANES, length = e->length[1], nodes = e->grid->nodes[1];
  const fft_lines x = lines_of(plan, part, 0), room = lines_of(plan, part, 1);
  for (size_t set = from; set < to; set++) {
    const size_t start = set / sets * length * e->wide + set % sets * LANES, given = plan->back ? length : nodes;
    move_lines(plan, start, e->wide, x, given, 0);
    memset(x.re + given * LANES, 0, (length - given) * LANES * sizeof(double));
    memset(x.im + given * LANES, 0, (length - given) * LANES * sizeof(double));
    const fft_lines out = plan->back ? exchanged(fft_transform(&plan->plan[1], exchanged(x), room))
                                     : fft_transform(&plan->plan[1], x, room);
    move_lines(plan, start, e->wide, out, plan->back ? nodes : length, 1);
  }
}

/* The third axis there, times the symbol, and back; a set lies at one frequency of the second. */
static void third_sets(size_t from, size_t to, size_t part, void *context) {
  const grid_plan *plan = context;
  const grid_extent *e = &plan->extent;
  const size_t sets = e->wide / LANES, length = e->length[2], nodes = e->grid->nodes[2];
  const size_t stride = e->wide * e->length[1];
  const fft_lines x = lines_of(plan, part, 0), room = lines_of(plan, part, 1);
  for (size_t set = from; set < to; set++) {
    const size_t second = set / sets, first = set % sets * LANES, start = second * e->wide + first;
    const size_t row = second < e->half[1] ? second : e->length[1] - second;
    move_lines(plan, start, stride, x, nodes, 0);
    memset(x.re + nodes * LANES, 0, (length - nodes) * LANES * sizeof(double));
    memset(x.im + nodes * LANES, 0, (length - nodes) * LANES * sizeof(double));
    fft_lines out = fft_transform(&plan->plan[2], x, room);
    for (size_t k = 0; k < length; k++) {
      const size_t plane = k < e->half[2] ? k : length - k;
      const double *symbol = plan->symbol + (plane * e->half[1] + row) * e->half[0] + first;
      for (size_t l = 0; l < LANES && first + l < e->half[0]; l++) {
        out.re[k * LANES + l] *= symbol[l];
        out.im[k * LANES + l] *= symbol[l];
      }
    }
    const fft_lines other = out.re == x.re ? room : x;
    out = exchanged(fft_transform(&plan->plan[2], exchanged(out), exchanged(other)));
    move_lines(plan, start, stride, out, nodes, 1);
  }
}

/* --- all of it ----------------------------------------------------------------------------------------------- */

static double *take(double **rest, size_t size) {
  double *place = *rest;
  *rest += size;
  return place;
}

/* `count` sets of lines along an axis, on threads. */
static void run_sets(grid_plan *plan, size_t axis, size_t count, range_function run, int threads) {
  plan->axis = axis;
  parallel_ranges(count, threads_worth(50.0 * (double)(count * LANES * plan->extent.length[axis]), threads), run,
                  plan);
}

void grid_solve(const grid_shape *grid, const split_kernel *split, double *value, double *workspace, int threads) {
  grid_plan plan = {.extent = extent_of(grid), .split = split, .value = value};
  const grid_extent *e = &plan.extent;
  double *rest = workspace;
  plan.symbol = take(&rest, symbol_size(e));
  plan.re = take(&rest, spectrum_size(e));
  plan.im = take(&rest, spectrum_size(e));
  for (size_t c = 0; c < AXES; c++) {
    plan.plan[c].length = e->length[c];
    plan.plan[c].turn = take(&rest, 2 * e->length[c]);
    fft_prepare(&plan.plan[c]);
  }
  plan.lines = rest;
  /* the lanes behind the last frequency are transformed with the others */
  memset(plan.re, 0, 2 * spectrum_size(e) * sizeof(double));
  run_sets(&plan, 0, e->half[1] * e->half[2], sample_rows, threads);
  for (size_t c = 0; c < AXES; c++) {
    const size_t lines = symbol_size(e) / e->half[c];
    if (e->length[c] > 1) run_sets(&plan, c, (lines + 2 * LANES - 1) / (2 * LANES), symbol_sets, threads);
  }
  const size_t rows = grid->nodes[1] * grid->nodes[2], row_count = (rows + 2 * LANES - 1) / (2 * LANES);
  run_sets(&plan, 0, row_count, row_sets, threads);
  run_sets(&plan, 1, e->wide / LANES * grid->nodes[2], second_sets, threads);
  run_sets(&plan, 2, e->wide / LANES * e->length[1], third_sets, threads);
  plan.back = 1;
  run_sets(&plan, 1, e->wide / LANES * grid->nodes[2], second_sets, threads);
  run_sets(&plan, 0, row_count, row_sets, threads);
}
