#include "core/pair/mesh.h"

#include <math.h>
#include <string.h>

#include "core/base/parallel.h"

#define AXES GRID_MAX_DIM
#define SPAN ((size_t)4) /* nodes that a spline reaches, along one axis */
#define TRIANGLE ((size_t)6)

/* --- sources in cells ---------------------------------------------------------------------------------------- */

size_t mesh_cells(const mesh_parts *mesh) {
  return mesh->cells[0] * mesh->cells[1] * mesh->cells[2];
}

/* The cell of x along an axis; below 0 or at least `cells` outside. */
static double cell_along(const mesh_parts *mesh, size_t c, double x) {
  return floor((x - mesh->corner[c]) / mesh->side);
}

/* The cell of column-major row i, or -1. */
static int cell_of(const mesh_parts *mesh, const double *x, size_t n, size_t i) {
  size_t cell = 0;
  for (size_t c = mesh->dim; c-- > 0;) {
    const double along = cell_along(mesh, c, x[c * n + i]);
    if (!(along >= 0.0 && along < (double)mesh->cells[c])) return -1;
    cell = cell * mesh->cells[c] + (size_t)along;
  }
  return (int)cell;
}

void mesh_sort(mesh_parts *mesh, const double *x, int *cell) {
  const size_t n = mesh->n, cells = mesh_cells(mesh), stride = n + NEAR_PADDING;
  memset(mesh->first, 0, (cells + 1) * sizeof *mesh->first);
  for (size_t i = 0; i < n; i++) {
    cell[i] = cell_of(mesh, x, n, i);
    mesh->first[cell[i] + 1]++;
  }
  /* first[k + 1] sources lie in cell k, first[0] outside: first[k + 1] becomes where cell k ends */
  for (size_t k = 0; k < cells; k++) mesh->first[k + 1] += mesh->first[k];
  memset(mesh->source, 0, stride * mesh->dim * sizeof(double));
  for (size_t i = n; i-- > 0;) {
    const size_t place = (size_t)--mesh->first[cell[i] + 1];
    for (size_t c = 0; c < mesh->dim; c++) mesh->source[c * stride + place] = x[c * n + i];
  }
  /* now first[k + 1] is where cell k begins, and first[0] is 0 */
  for (size_t k = 0; k < cells; k++) mesh->first[k] = mesh->first[k + 1];
  mesh->first[cells] = (int)n;
}

/* --- splines ------------------------------------------------------------------------------------------------- */

/* The splines that a point meets along one axis: the first node, and their values and derivatives. An axis that is not
 * used has one node with the value 1. */
typedef struct {
  size_t node, span;
  double value[SPAN], slope[SPAN], bend[SPAN];
} axis_splines;

static const axis_splines no_axis = {.node = 0, .span = 1, .value = {1.0}};

/* The point must lie a spacing within the grid at least. */
static void splines_at(const mesh_parts *mesh, size_t c, double y, axis_splines *axis) {
  const double inverse = 1.0 / mesh->grid.spacing, x = (y - mesh->start[c]) * inverse, whole = floor(x);
  const double f = x - whole, g = 1.0 - f, sixth = 1.0 / 6.0, half = 0.5 * inverse, second = inverse * inverse;
  axis->node = (size_t)whole - 1;
  axis->span = SPAN;
  axis->value[0] = sixth * g * g * g;
  axis->value[1] = sixth * (f * f * (3.0 * f - 6.0) + 4.0);
  axis->value[2] = sixth * (g * g * (3.0 * g - 6.0) + 4.0);
  axis->value[3] = sixth * f * f * f;
  axis->slope[0] = -half * g * g;
  axis->slope[1] = half * f * (3.0 * f - 4.0);
  axis->slope[2] = -half * g * (3.0 * g - 4.0);
  axis->slope[3] = half * f * f;
  axis->bend[0] = second * g;
  axis->bend[1] = second * (3.0 * f - 2.0);
  axis->bend[2] = second * (3.0 * g - 2.0);
  axis->bend[3] = second * f;
}

/* What the sums and their Jacobian are added up in: force [dim], triangle row by row. */
typedef struct {
  double force[AXES], triangle[TRIANGLE];
} mesh_values;

/* Gradient and second derivatives of the spline. */
static void grid_values(const mesh_parts *mesh, const double *y, mesh_values *out) {
  axis_splines axis[AXES] = {no_axis, no_axis, no_axis};
  for (size_t c = 0; c < mesh->dim; c++) splines_at(mesh, c, y[c], &axis[c]);
  const axis_splines *a = axis, *b = axis + 1, *e = axis + 2;
  const size_t *nodes = mesh->grid.nodes;
  memset(out, 0, sizeof *out);
  for (size_t k = 0; k < e->span; k++) {
    double v = 0.0, x = 0.0, xx = 0.0, z = 0.0, xz = 0.0, zz = 0.0; /* derivatives along the first and second axis */
    for (size_t j = 0; j < b->span; j++) {
      const double *c = mesh->coefficient + ((e->node + k) * nodes[1] + b->node + j) * nodes[0] + a->node;
      const double value = a->value[0] * c[0] + a->value[1] * c[1] + a->value[2] * c[2] + a->value[3] * c[3];
      const double slope = a->slope[0] * c[0] + a->slope[1] * c[1] + a->slope[2] * c[2] + a->slope[3] * c[3];
      const double bend = a->bend[0] * c[0] + a->bend[1] * c[1] + a->bend[2] * c[2] + a->bend[3] * c[3];
      v += b->value[j] * value;
      x += b->value[j] * slope;
      xx += b->value[j] * bend;
      z += b->slope[j] * value;
      xz += b->slope[j] * slope;
      zz += b->bend[j] * value;
    }
    out->force[0] += e->value[k] * x;
    out->force[1] += e->value[k] * z;
    out->force[2] += e->slope[k] * v;
    out->triangle[0] += e->value[k] * xx;
    out->triangle[1] += e->value[k] * xz;
    out->triangle[2] += e->value[k] * zz;
    out->triangle[3] += e->slope[k] * x;
    out->triangle[4] += e->slope[k] * z;
    out->triangle[5] += e->bend[k] * v;
  }
}

/* --- spreading ----------------------------------------------------------------------------------------------- */

/* Sources to the nodes [from, to) of the last axis, in the order of the sources: bits do not depend on the ranges. */
static void spread_layers(size_t from, size_t to, size_t part, void *context) {
  const mesh_parts *mesh = context;
  const size_t last = mesh->dim - 1, stride = mesh->n + NEAR_PADDING, layer = mesh_cells(mesh) / mesh->cells[last];
  const size_t *nodes = mesh->grid.nodes;
  const double h = mesh->grid.spacing, most = (double)mesh->cells[last];
  const double low = cell_along(mesh, last, mesh->start[last] + h * ((double)from - 4.0));
  const double high = cell_along(mesh, last, mesh->start[last] + h * ((double)to + 3.0)) + 1.0;
  const size_t begin = (size_t)fmin(fmax(low, 0.0), most), end = (size_t)fmin(fmax(high, 0.0), most);
  (void)part;
  for (size_t i = (size_t)mesh->first[begin * layer]; i < (size_t)mesh->first[end * layer]; i++) {
    axis_splines axis[AXES] = {no_axis, no_axis, no_axis};
    for (size_t c = 0; c < mesh->dim; c++) splines_at(mesh, c, mesh->source[c * stride + i], &axis[c]);
    for (size_t m = 0; m < SPAN; m++) {
      const size_t node = axis[last].node + m;
      if (node < from || node >= to) axis[last].value[m] = 0.0;
    }
    for (size_t k = 0; k < axis[2].span; k++) {
      for (size_t j = 0; j < axis[1].span; j++) {
        const double weight = axis[2].value[k] * axis[1].value[j];
        if (weight == 0.0) continue;
        double *value = mesh->coefficient +
                        ((axis[2].node + k) * nodes[1] + axis[1].node + j) * nodes[0] + axis[0].node;
        for (size_t m = 0; m < SPAN; m++) {
          if (mesh->dim > 1 || axis[0].value[m] != 0.0) value[m] += weight * axis[0].value[m];
        }
      }
    }
  }
}

void mesh_solve(mesh_parts *mesh, double *workspace, int threads) {
  memset(mesh->coefficient, 0, grid_size(&mesh->grid) * sizeof(double));
  parallel_ranges(mesh->grid.nodes[mesh->dim - 1], threads_worth(100.0 * (double)mesh->n, threads), spread_layers,
                  mesh);
  grid_solve(&mesh->grid, &mesh->split, mesh->coefficient, workspace, threads);
}

/* --- near sources -------------------------------------------------------------------------------------------- */

/* Cells along an axis that come within `reach` of y: [from, to). */
static void cells_within(const mesh_parts *mesh, size_t c, double y, double reach, size_t *from, size_t *to) {
  const double most = (double)mesh->cells[c];
  *from = (size_t)fmin(fmax(cell_along(mesh, c, y - reach), 0.0), most);
  *to = (size_t)fmin(fmax(cell_along(mesh, c, y + reach) + 1.0, 0.0), most);
}

/* How far y is from cell k of an axis. */
static double gap_to(const mesh_parts *mesh, size_t c, double y, size_t k) {
  if (c >= mesh->dim) return 0.0;
  const double low = mesh->corner[c] + mesh->side * (double)k - y;
  return fmax(fmax(low, -low - mesh->side), 0.0);
}

#define MOST_RUNS ((size_t)101) /* of ten by ten rows of cells, and of the sources outside */

/* The runs of sources in cells within the radius: along the first axis cells follow each other. */
static size_t runs_near(const mesh_parts *mesh, const double *y, near_run *run) {
  const size_t *cells = mesh->cells;
  const double radius = sqrt(mesh->split.cut);
  size_t from[AXES] = {0, 0, 0}, to[AXES] = {1, 1, 1}, runs = 0;
  for (size_t c = 1; c < mesh->dim; c++) cells_within(mesh, c, y[c], radius, &from[c], &to[c]);
  for (size_t k = from[2]; k < to[2]; k++) {
    const double third = gap_to(mesh, 2, y[2], k);
    for (size_t j = from[1]; j < to[1]; j++) {
      const double second = gap_to(mesh, 1, y[1], j), left = mesh->split.cut - third * third - second * second;
      if (!(left >= 0.0)) continue;
      cells_within(mesh, 0, y[0], sqrt(left), &from[0], &to[0]);
      if (from[0] >= to[0]) continue;
      const int *first = mesh->first + (k * cells[1] + j) * cells[0];
      const near_run found = {.from = (size_t)first[from[0]], .to = (size_t)first[to[0]]};
      if (found.from < found.to && found.to <= mesh->n && runs < MOST_RUNS) run[runs++] = found;
    }
  }
  return runs;
}

/* --- sums ---------------------------------------------------------------------------------------------------- */

typedef struct {
  const mesh_parts *mesh;
  near_kernel pairs;
  near_mode mode;
  split_kernel whole;
} mesh_plan;

static void add_near(const mesh_plan *plan, const double *y, const near_run *run, size_t runs,
                     const split_kernel *split, mesh_values *out) {
  const mesh_parts *mesh = plan->mesh;
  const size_t dim = mesh->dim;
  double sums[NEAR_MAX_ROWS];
  plan->pairs(y, sums, mesh->source, mesh->n + NEAR_PADDING, run, runs, split);
  for (size_t c = 0; c < dim; c++) out->force[c] += sums[c];
  if (plan->mode != NEAR_jacobian) return;
  for (size_t e = 0; e < dim * (dim + 1) / 2; e++) out->triangle[e] += sums[dim + 1 + e];
  for (size_t c = 0; c < dim; c++) out->triangle[c * (c + 3) / 2] += sums[dim];
}

/* The weight chi of the grid at y and its slope. */
static double grid_share(const mesh_parts *mesh, const double *y, double *slope) {
  double share[AXES], change[AXES], chi = 1.0;
  for (size_t c = 0; c < mesh->dim; c++) {
    const double h = mesh->grid.spacing, low = (y[c] - mesh->start[c]) / h - 1.0;
    const double high = (double)mesh->grid.nodes[c] - 2.0 - 1e-9 - (low + 1.0), x = fmin(low, high) / MESH_BAND;
    share[c] = x <= 0.0 ? 0.0 : x >= 1.0 ? 1.0 : x * x * x * (10.0 + x * (6.0 * x - 15.0));
    change[c] = x > 0.0 && x < 1.0 ? 30.0 * x * x * (1.0 - x) * (1.0 - x) / (MESH_BAND * h) : 0.0;
    if (high < low) change[c] = -change[c];
    if (!(x > 0.0)) share[c] = 0.0; /* not a number */
    chi *= share[c];
  }
  for (size_t c = 0; c < mesh->dim; c++) {
    slope[c] = change[c];
    for (size_t e = 0; e < mesh->dim; e++) {
      if (e != c) slope[c] *= share[e];
    }
  }
  return chi;
}

/* The grid with near sources and those outside the cells. */
static void inner_values(const mesh_plan *plan, const double *y, mesh_values *out) {
  near_run run[MOST_RUNS];
  grid_values(plan->mesh, y, out);
  add_near(plan, y, run, runs_near(plan->mesh, y, run), &plan->mesh->split, out);
  const near_run outside = {.from = 0, .to = (size_t)plan->mesh->first[0]};
  if (outside.to > 0 && outside.to <= plan->mesh->n) add_near(plan, y, &outside, 1, &plan->whole, out);
}

/* As in a tree, the Jacobian has the symmetric half of force slope' where two descriptions are blended. */
static void values_at(const mesh_plan *plan, const double *y, mesh_values *out) {
  const mesh_parts *mesh = plan->mesh;
  double slope[AXES] = {0.0, 0.0, 0.0};
  const double chi = grid_share(mesh, y, slope);
  if (chi > 0.0) inner_values(plan, y, out);
  if (chi >= 1.0) return;
  const near_run all = {.from = 0, .to = mesh->n};
  mesh_values pairs = {.force = {0.0}};
  add_near(plan, y, &all, 1, &plan->whole, &pairs);
  if (!(chi > 0.0)) {
    *out = pairs;
    return;
  }
  for (size_t c = 0, entry = 0; c < mesh->dim; c++) {
    for (size_t e = 0; e <= c; e++, entry++) {
      out->triangle[entry] = chi * out->triangle[entry] + (1.0 - chi) * pairs.triangle[entry] +
                             0.5 * ((out->force[c] - pairs.force[c]) * slope[e] +
                                    (out->force[e] - pairs.force[e]) * slope[c]);
    }
  }
  for (size_t c = 0; c < mesh->dim; c++) out->force[c] = chi * out->force[c] + (1.0 - chi) * pairs.force[c];
}

/* The largest eigenvalue of a symmetric matrix of up to three rows. */
static double largest_eigenvalue(const double *t, size_t dim) {
  if (dim == 1) return t[0];
  if (dim == 2) return 0.5 * (t[0] + t[2]) + hypot(0.5 * (t[0] - t[2]), t[1]);
  const double mean = (t[0] + t[2] + t[5]) / 3.0, a = t[0] - mean, b = t[2] - mean, c = t[5] - mean;
  const double size = sqrt((a * a + b * b + c * c + 2.0 * (t[1] * t[1] + t[3] * t[3] + t[4] * t[4])) / 6.0);
  if (!(size > 0.0)) return mean;
  const double determinant =
      a * (b * c - t[4] * t[4]) - t[1] * (t[1] * c - t[4] * t[3]) + t[3] * (t[1] * t[4] - b * t[3]);
  const double r = 0.5 * determinant / (size * size * size);
  return mean + 2.0 * size * cos(acos(fmin(fmax(r, -1.0), 1.0)) / 3.0);
}

static void store_values(const mesh_plan *plan, const mesh_values *v, const pair_sums *out, size_t i) {
  const size_t dim = plan->mesh->dim, triangle = dim * (dim + 1) / 2;
  for (size_t c = 0; out->force && c < dim; c++) {
    out->force[i * out->row_stride + c * out->column_stride] = v->force[c];
  }
  if (plan->mode != NEAR_jacobian) {
    if (out->weight) out->weight[i] = NAN;
    return;
  }
  const double weight = largest_eigenvalue(v->triangle, dim), scale = 1.0 / (plan->whole.kernel.s + 2.0);
  double trace = 0.0;
  for (size_t c = 0, entry = 0; c < dim; c++) {
    for (size_t e = 0; e <= c; e++, entry++) {
      const double value = scale * ((e == c ? weight : 0.0) - v->triangle[entry]);
      if (e == c) trace += value;
      if (out->hessian) out->hessian[i * triangle + entry] = value;
    }
  }
  if (out->weight) out->weight[i] = weight;
  if (out->bound) out->bound[i] = trace;
}

void mesh_sums(const sums_engine *engine, const double *query, size_t n, size_t row_stride, size_t column_stride,
               const pair_sums *out, double *workspace) {
  const near_mode mode = out->hessian || out->bound ? NEAR_jacobian : NEAR_force;
  const mesh_plan plan = {.mesh = engine->data,
                          .pairs = near_kernel_for(mode, engine->kernel.kind, engine->dim),
                          .mode = mode,
                          .whole = kernel_unsplit(engine->kernel)};
  (void)workspace;
  for (size_t i = 0; i < n; i++) {
    double y[AXES] = {0.0, 0.0, 0.0};
    mesh_values values;
    for (size_t c = 0; c < engine->dim; c++) y[c] = query[i * row_stride + c * column_stride];
    values_at(&plan, y, &values);
    store_values(&plan, &values, out, i);
  }
  engine_unknown(out, n);
}

sums_engine mesh_engine(const mesh_parts *mesh, pair_kernel kernel) {
  const sums_engine engine = {
      .sums = mesh_sums, .data = mesh, .workspace = 1, .n = mesh->n, .dim = mesh->dim, .kernel = kernel,
      .cheap_jacobian = 1};
  return engine;
}

/* --- order --------------------------------------------------------------------------------------------------- */

typedef struct {
  const mesh_parts *mesh;
  const double *query;
  size_t n;
  int *place;
} place_plan;

static void place_rows(size_t from, size_t to, size_t part, void *context) {
  const place_plan *plan = context;
  (void)part;
  for (size_t i = from; i < to; i++) {
    size_t cell = 0;
    for (size_t c = plan->mesh->dim; c-- > 0;) {
      const double along = cell_along(plan->mesh, c, plan->query[c * plan->n + i]);
      const double most = (double)(plan->mesh->cells[c] - 1);
      cell = cell * plan->mesh->cells[c] + (size_t)fmin(fmax(along, 0.0), most);
    }
    plan->place[i] = (int)cell;
  }
}

void mesh_places(const mesh_parts *mesh, const double *query, size_t n, int *place, int threads) {
  place_plan plan = {.mesh = mesh, .query = query, .n = n, .place = place};
  parallel_ranges(n, threads_worth(10.0 * (double)n, threads), place_rows, &plan);
}
