#include "core/pair/slices.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/pair/pairwise.h"

#define PI 3.14159265358979323846

/* Rows that are projected together. */
#define ROWS ((size_t)64)
/* Lags of the kernel beyond the grid, at which the filter that makes coefficients of values has forgotten its ends:
 * 0.27^24 is 1e-14. */
#define MARGIN ((size_t)24)
/* Nodes of the average over one more dimension, whose error falls exponentially. */
#define ANGLES 96

/* --- the kernel ---------------------------------------------------------------------------------------------- */

/* k for odd dim, where the series of F ends. */
static double odd_kernel(size_t dim, double s, double epsilon, double t) {
  const double u = t * t + epsilon, q = t * t / u, a = s / 2.0 + 1.0, b = (1.0 - (double)dim) / 2.0;
  double term = 1.0, sum = 1.0;
  for (size_t j = 0; j < (dim - 1) / 2; j++) {
    const double i = (double)j;
    term *= (a + i) * (b + i) / ((1.5 + i) * (1.0 + i)) * q;
    sum += term;
  }
  return (double)dim * t * pow(u, -a) * sum;
}

/* In even dimensions a direction is one in dim + 1 dimensions without its last coordinate: what is left has the length
 * sin(theta) with density proportional to sin(theta)^(dim - 1). */
double slice_kernel(size_t dim, double s, double epsilon, double t) {
  if (dim % 2) return odd_kernel(dim, s, epsilon, t);
  double sum = 0.0, total = 0.0;
  for (int i = 0; i < ANGLES; i++) {
    const double length = sin(PI * (i + 0.5) / ANGLES), density = pow(length, (double)dim - 1.0);
    sum += density * length * odd_kernel(dim + 1, s, epsilon, length * t);
    total += density;
  }
  return sum / total;
}

/* Values to coefficients of cubic B-splines in place: the tridiagonal system (1, 4, 1)/6. scratch: [n] */
static void to_coefficients(double *values, size_t n, double *scratch) {
  scratch[0] = 0.25;
  values[0] *= 1.5;
  for (size_t i = 1; i < n; i++) {
    scratch[i] = 1.0 / (4.0 - scratch[i - 1]);
    values[i] = (6.0 * values[i] - values[i - 1]) * scratch[i];
  }
  for (size_t i = n - 1; i-- > 0;) values[i] -= scratch[i] * values[i + 1];
}

static size_t lags(size_t grid) {
  return 2 * (grid + MARGIN) - 1;
}

/* k at all lags, filtered once where sources are spread and once where the sum is interpolated. */
static void kernel_table(const slice_parts *parts, pair_kernel kernel, double *table, double *scratch) {
  const size_t size = lags(parts->grid), middle = size / 2;
  table[middle] = 0.0;
  for (size_t i = 1; i <= middle; i++) {
    const double value = slice_kernel(parts->dim, kernel.s, kernel.epsilon, parts->spacing * (double)i);
    table[middle + i] = value, table[middle - i] = -value;
  }
  to_coefficients(table, size, scratch);
  to_coefficients(table, size, scratch);
}

/* --- building ------------------------------------------------------------------------------------------------ */

typedef struct {
  const slice_parts *parts;
  const double *source, *table;
  double *workspace;
} slice_builder;

static void split(double f, double weight[4]) {
  const double g = 1.0 - f;
  weight[0] = g * g * g / 6.0;
  weight[1] = (f * f * (3.0 * f - 6.0) + 4.0) / 6.0;
  weight[2] = (g * g * (3.0 * g - 6.0) + 4.0) / 6.0;
  weight[3] = f * f * f / 6.0;
}

/* along[i] = <direction, row i> for `count` rows of a column-major block. */
static void project(const double *block, size_t stride, size_t dim, size_t count, const double *direction,
                    double *along) {
  for (size_t i = 0; i < ROWS; i++) along[i] = 0.0;
  for (size_t c = 0; c < dim; c++) {
    const double *column = block + c * stride, part = direction[c];
    VECTORISE
    for (size_t i = 0; i < count; i++) along[i] += part * column[i];
  }
}

/* The place of t on a grid, with the point that begins its cell; t is kept within the grid. */
static double place_of(const slice_parts *parts, double u, size_t *cell) {
  const double most = (double)(parts->grid - 3);
  const double inside = u < 1.0 ? 1.0 : u > most ? most : u;
  size_t i = (size_t)inside;
  if (i > parts->grid - 4) i = parts->grid - 4;
  *cell = i;
  return inside;
}

/* The masses of directions [from, to), then their splines. */
static void build_directions(size_t from, size_t to, size_t part, void *context) {
  const slice_builder *b = context;
  const slice_parts *parts = b->parts;
  const size_t grid = parts->grid, dim = parts->dim, n = parts->n, middle = lags(grid) / 2;
  const double inverse = 1.0 / parts->spacing;
  double *folded = b->workspace + part * grid, along[ROWS], weight[4];
  memset(parts->spline + from * grid, 0, (to - from) * grid * sizeof(double));
  for (size_t first = 0; first < n; first += ROWS) {
    const size_t count = n - first < ROWS ? n - first : ROWS;
    for (size_t l = from; l < to; l++) {
      double *mass = parts->spline + l * grid;
      project(b->source + first, n, dim, count, parts->direction + l * dim, along);
      for (size_t i = 0; i < count; i++) {
        size_t cell;
        const double u = place_of(parts, (along[i] - parts->start[l]) * inverse, &cell);
        split(u - (double)cell, weight);
        for (size_t k = 0; k < 4; k++) mass[cell - 1 + k] += weight[k];
      }
    }
  }
  for (size_t l = from; l < to; l++) {
    double *mass = parts->spline + l * grid;
    memset(folded, 0, grid * sizeof(double));
    for (size_t i = 0; i < grid; i++) {
      const double *shifted = b->table + middle - i, with = mass[i];
      if (with == 0.0) continue;
      VECTORISE
      for (size_t j = 0; j < grid; j++) folded[j] += with * shifted[j];
    }
    memcpy(mass, folded, grid * sizeof(double));
  }
}

size_t slices_workspace(const slice_parts *parts, int threads) {
  return 2 * lags(parts->grid) + (size_t)threads * parts->grid;
}

void slices_build(const slice_parts *parts, const double *source, pair_kernel kernel, double *workspace, int threads) {
  const size_t size = lags(parts->grid);
  kernel_table(parts, kernel, workspace, workspace + size);
  slice_builder b = {.parts = parts, .source = source, .table = workspace, .workspace = workspace + 2 * size};
  const double work = (double)parts->count * ((double)parts->n * ((double)parts->dim + 10.0) +
                                              (double)parts->grid * (double)parts->grid);
  parallel_ranges(parts->count, threads_worth(work, threads), build_directions, &b);
}

/* --- summing ------------------------------------------------------------------------------------------------- */

/* Room for ROWS points; each array has rows of ROWS doubles. */
typedef struct {
  double *query, *force, *triangle; /* [dim], [dim], [dim (dim+1) / 2] rows */
  double *along, *slope;            /* value and slope of the spline of one direction */
  double *trace, *above, *below;    /* sums of slopes: all, the positive and the negative ones */
} slice_room;

static slice_room carve(double *workspace, size_t dim) {
  const slice_room room = {.query = workspace,
                           .force = workspace + dim * ROWS,
                           .along = workspace + 2 * dim * ROWS,
                           .slope = workspace + (2 * dim + 1) * ROWS,
                           .trace = workspace + (2 * dim + 2) * ROWS,
                           .above = workspace + (2 * dim + 3) * ROWS,
                           .below = workspace + (2 * dim + 4) * ROWS,
                           .triangle = workspace + (2 * dim + 5) * ROWS};
  return room;
}

/* The value and the slope of a spline a share f behind the second of four coefficients. */
static double spline_at(const double *at, double f, double *slope) {
  const double g = 1.0 - f;
  double weight[4];
  split(f, weight);
  *slope = 0.5 * (f * f * at[3] - g * (3.0 * g - 4.0) * at[2] + f * (3.0 * f - 4.0) * at[1] - g * g * at[0]);
  return weight[0] * at[0] + weight[1] * at[1] + weight[2] * at[2] + weight[3] * at[3];
}

/* From places along a direction to the values of its spline there, and their slopes. */
static void interpolate(const slice_parts *parts, size_t l, double *along, double *slope) {
  const double inverse = 1.0 / parts->spacing, *spline = parts->spline + l * parts->grid;
  for (size_t i = 0; i < ROWS; i++) {
    size_t cell;
    const double u = (along[i] - parts->start[l]) * inverse, inside = place_of(parts, u, &cell);
    double change;
    const double value = spline_at(spline + cell - 1, inside - (double)cell, &change);
    along[i] = value + change * (u - inside);
    slope[i] = change * inverse;
  }
}

static void add_direction(const slice_parts *parts, size_t l, const slice_room *room, int slopes, int triangle) {
  const double *direction = parts->direction + l * parts->dim;
  project(room->query, ROWS, parts->dim, ROWS, direction, room->along);
  interpolate(parts, l, room->along, room->slope);
  for (size_t c = 0; c < parts->dim; c++) {
    double *force = room->force + c * ROWS, part = direction[c];
    VECTORISE
    for (size_t i = 0; i < ROWS; i++) force[i] += part * room->along[i];
  }
  if (!slopes) return;
  for (size_t i = 0; i < ROWS; i++) {
    room->trace[i] += room->slope[i];
    if (room->slope[i] > 0.0) room->above[i] += room->slope[i];
    else room->below[i] += room->slope[i];
  }
  double *entry = room->triangle;
  for (size_t c = 0; triangle && c < parts->dim; c++) {
    for (size_t e = 0; e <= c; e++, entry += ROWS) {
      const double part = direction[c] * direction[e];
      VECTORISE
      for (size_t i = 0; i < ROWS; i++) entry[i] += part * room->slope[i];
    }
  }
}

/* psi and its derivative at q. */
static double radial_at(const slice_parts *parts, double q, double *slope) {
  const double steps = (double)(parts->radials - 3), v = q / (q + parts->scale), u = v * steps;
  size_t cell = (size_t)u;
  if (cell > parts->radials - 4) cell = parts->radials - 4;
  const double value = spline_at(parts->radial + cell, u - (double)cell, slope);
  *slope *= steps * parts->scale / ((q + parts->scale) * (q + parts->scale));
  return value;
}

/* One row: psi, its derivative, the trace of the Jacobian A of the force, and bounds of its eigenvalues. */
typedef struct {
  double psi, change, trace, low, high;
} slice_row;

static slice_row look_at_row(const slice_parts *parts, const slice_room *room, size_t i) {
  const double mean = 1.0 / (double)parts->count, d = (double)parts->dim;
  double q = 0.0;
  slice_row row;
  for (size_t c = 0; c < parts->dim; c++) {
    const double z = room->query[c * ROWS + i] - parts->mean[c];
    q += z * z;
  }
  row.psi = radial_at(parts, q, &row.change);
  const double across = row.psi, along = row.psi + 2.0 * row.change * q;
  row.trace = room->trace[i] * mean + (d - 1.0) * across + along;
  row.low = room->below[i] * mean + fmin(across, along);
  row.high = room->above[i] * mean + fmax(across, along);
  if (parts->dim == 1) row.low = row.high = row.trace;
  return row;
}

/* A = mean xi xi' slope + psi I + 2 psi' z z'. What pair_sums asks for is `weight` and a triangle H with
 * A = weight I - (s+2) H. With an upper bound of the eigenvalues for `weight`, H is positive semidefinite. Without the
 * triangle, weight and bound are chosen so that
 *   -weight + (s+2) bound       = -low, a lower bound of the eigenvalues of A
 *   -weight + (s+2) bound / dim = -trace A / dim. */
static void store_row(const slice_parts *parts, const slice_room *room, double s, size_t i, const pair_sums *out,
                      size_t at) {
  const size_t dim = parts->dim;
  const double mean = 1.0 / (double)parts->count, d = (double)dim;
  const slice_row row = look_at_row(parts, room, i);
  for (size_t c = 0; out->force && c < dim; c++) {
    const double z = room->query[c * ROWS + i] - parts->mean[c];
    out->force[at * out->row_stride + c * out->column_stride] = room->force[c * ROWS + i] * mean + row.psi * z;
  }
  double weight = row.high, bound = (d * row.high - row.trace) / (s + 2.0);
  if (!out->hessian) {
    bound = dim == 1 ? 0.0 : (row.trace / d - row.low) / ((s + 2.0) * (1.0 - 1.0 / d));
    weight = (s + 2.0) * bound + row.low;
  }
  if (out->weight) out->weight[at] = weight;
  if (out->bound) out->bound[at] = bound;
  if (!out->hessian) return;
  double *entry = out->hessian + at * triangle_size(dim);
  const double *from = room->triangle + i;
  for (size_t c = 0; c < dim; c++) {
    const double z = 2.0 * row.change * (room->query[c * ROWS + i] - parts->mean[c]);
    for (size_t e = 0; e <= c; e++, from += ROWS) {
      const double other = room->query[e * ROWS + i] - parts->mean[e];
      *entry++ = ((c == e ? weight - row.psi : 0.0) - z * other - *from * mean) / (s + 2.0);
    }
  }
}

static void slice_sums(const sums_engine *engine, const double *query, size_t n, size_t row_stride,
                       size_t column_stride, const pair_sums *out, double *workspace) {
  const slice_parts *parts = engine->data;
  const size_t dim = parts->dim, triangle = out->hessian ? triangle_size(dim) : 0;
  const slice_room room = carve(workspace, dim);
  const int slopes = out->weight || out->bound || out->hessian;
  for (size_t first = 0; first < n; first += ROWS) {
    const size_t count = n - first < ROWS ? n - first : ROWS;
    for (size_t c = 0; c < dim; c++) {
      for (size_t i = 0; i < ROWS; i++) {
        const size_t row = first + (i < count ? i : count - 1); /* beyond the rows the last one is repeated */
        room.query[c * ROWS + i] = query[row * row_stride + c * column_stride];
      }
    }
    memset(room.force, 0, dim * ROWS * sizeof(double));
    memset(room.trace, 0, (3 + triangle) * ROWS * sizeof(double));
    for (size_t l = 0; l < parts->count; l++) add_direction(parts, l, &room, slopes, out->hessian != NULL);
    for (size_t i = 0; i < count; i++) store_row(parts, &room, engine->kernel.s, i, out, first + i);
  }
  engine_unknown(out, n);
}

sums_engine slices_engine(const slice_parts *parts, pair_kernel kernel) {
  const size_t dim = parts->dim, triangle = dim <= TILE_HESSIAN_DIM ? triangle_size(dim) : 0;
  const sums_engine engine = {.sums = slice_sums,
                              .data = parts,
                              .workspace = (2 * dim + 5 + triangle) * ROWS,
                              .n = parts->n,
                              .dim = dim,
                              .kernel = kernel};
  return engine;
}
