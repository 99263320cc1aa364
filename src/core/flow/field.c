#include "core/flow/field.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/pair/riesz.h"

/* Rows examined at a time; fixed, so that the answer does not depend on the number of threads. */
#define CURVATURE_BATCH 64
#define POWER_STEPS 200
#define POWER_TOLERANCE 1e-6

void mean_rows(double *mean, const double *packed, size_t n, size_t dim) {
  for (size_t c = 0; c < dim; c++) mean[c] = 0.0;
  for (size_t i = 0; i < n; i++) {
    for (size_t c = 0; c < dim; c++) mean[c] += packed[i * dim + c];
  }
  for (size_t c = 0; c < dim; c++) mean[c] /= (double)n;
}

static double pairs_of(const pair_task *task) {
  return (double)task->n_source - (task->self == NO_SELF && !task->own ? 0.0 : 1.0);
}

/* Where the sums of the pairs go; field_from_sums() makes the field of them. */
static pair_sums sums_of(const field_values *out, size_t m) {
  const pair_sums sums = {out->gradient,  1,              m,            out->weight,
                          out->curvature, out->repulsion, out->nearest, NULL};
  return sums;
}

static void field_from_sums(const pair_task *task, const double *mean, const field_values *out) {
  const size_t m = task->n_query;
  const double n = (double)task->n_source;
  for (size_t c = 0; c < task->dim; c++) {
    double *column = out->gradient + c * m;
    for (size_t i = 0; i < m; i++) {
      const double y = task->query[i * task->row_stride + c * task->column_stride];
      column[i] = (n * (y - mean[c]) - column[i]) / (n - 1.0);
    }
  }
  const double pairs = pairs_of(task);
  for (size_t i = 0; i < m; i++) {
    out->curvature[i] = (pairs - out->weight[i] + (task->kernel.s + 2.0) * out->curvature[i]) / (n - 1.0);
  }
}

void field_rows(const pair_task *task, const double *mean, const field_values *out, double *workspace,
                int threads) {
  const pair_sums sums = sums_of(out, task->n_query);
  pairwise_all(task, &sums, workspace, threads);
  field_from_sums(task, mean, out);
}

void field_of_sample(const mutual_task *task, const double *state, const double *mean, const field_values *out,
                     double *workspace) {
  const pair_sums sums = sums_of(out, task->n);
  const pair_task rows = {task->rows, task->n, task->dim, 1, task->rows, task->n, task->dim, 0, NULL, task->kernel, NULL};
  mutual_close(task, state, &sums, workspace);
  field_from_sums(&rows, mean, out);
}

/* --- the Jacobian of the field -------------------------------------------------------------------------- *
 * J(y) = 1/(n-1) [sum (1-w) I + (s+2) sum (w/u) z z'] */

/* image = A direction, A packed by rows of its lower triangle. */
static void apply_triangle(const double *a, size_t dim, const double *direction, double *image) {
  memset(image, 0, dim * sizeof(double));
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e < c; e++, a++) {
      image[c] += *a * direction[e];
      image[e] += *a * direction[c];
    }
    image[c] += *a++ * direction[c];
  }
}

/* sum (w/u) z z' as a map, without the matrix. */
typedef struct {
  const double *packed, *y;
  size_t n, dim;
  double *scale;          /* [n] w/u */
  const double *triangle; /* or the matrix, where it is there */
} pair_outer;

static void apply_outer(const pair_outer *outer, const double *direction, double *image) {
  const size_t dim = outer->dim;
  if (outer->triangle) {
    apply_triangle(outer->triangle, dim, direction, image);
    return;
  }
  memset(image, 0, dim * sizeof(double));
  for (size_t a = 0; a < outer->n; a++) {
    const double *x = outer->packed + a * dim;
    double along = 0.0;
    for (size_t c = 0; c < dim; c++) along += (outer->y[c] - x[c]) * direction[c];
    along *= outer->scale[a];
    for (size_t c = 0; c < dim; c++) image[c] += along * (outer->y[c] - x[c]);
  }
}

/* The largest eigenvalue by power iteration from `direction`. */
static double largest_eigenvalue(const pair_outer *outer, double *direction, double *image) {
  const size_t dim = outer->dim;
  double length = norm(direction, dim), eigenvalue = 0.0;
  for (int step = 0; step < POWER_STEPS && length > 0.0; step++) {
    for (size_t c = 0; c < dim; c++) direction[c] /= length;
    apply_outer(outer, direction, image);
    length = norm(image, dim);
    const int settled = fabs(length - eigenvalue) <= POWER_TOLERANCE * length;
    eigenvalue = length;
    if (settled) break;
    memcpy(direction, image, dim * sizeof(double));
  }
  return eigenvalue;
}

/* The eigenvalue of the matrix, from its steepest column. */
static double triangle_eigenvalue(const double *triangle, size_t dim, double *direction, double *image) {
  const pair_outer outer = {NULL, NULL, 0, dim, NULL, triangle};
  size_t steepest = 0;
  double most = -1.0;
  for (size_t c = 0; c < dim; c++) {
    const double diagonal = triangle[c * (c + 1) / 2 + c];
    if (diagonal > most) most = diagonal, steepest = c;
  }
  for (size_t c = 0; c < dim; c++) {
    const size_t row = c > steepest ? c : steepest, column = c > steepest ? steepest : c;
    direction[c] = triangle[row * (row + 1) / 2 + column];
  }
  return largest_eigenvalue(&outer, direction, image);
}

/* sum w and the largest eigenvalue of sum (w/u) z z' at particle i, in any dimension. */
typedef struct {
  double weight, eigenvalue;
} row_steepness;

static row_steepness steepness_without_matrix(const double *packed, size_t n, size_t dim,
                                              const pair_kernel *potential, size_t i, double *workspace) {
  double *direction = workspace + n, *image = direction + dim;
  const double *y = packed + i * dim;
  const pair_outer outer = {packed, y, n, dim, workspace, NULL};
  double repulsion = 0.0, largest = -1.0;
  size_t strongest = i;
  for (size_t a = 0; a < n; a++) {
    outer.scale[a] = 0.0;
    if (a == i) continue;
    const double *x = packed + a * dim;
    double distance2 = 0.0;
    for (size_t c = 0; c < dim; c++) distance2 += (y[c] - x[c]) * (y[c] - x[c]);
    const double u = distance2 + potential->epsilon;
    const double weight = kernel_weight(potential, u);
    outer.scale[a] = weight / u;
    repulsion += weight;
    if (weight / u * distance2 > largest) {
      largest = weight / u * distance2;
      strongest = a;
    }
  }
  /* start along the strongest pair, which alone decides where a close pair dominates */
  for (size_t c = 0; c < dim; c++) direction[c] = y[c] - packed[strongest * dim + c];
  const row_steepness out = {repulsion, largest_eigenvalue(&outer, direction, image)};
  return out;
}

static size_t triangle_size(size_t dim) {
  return dim * (dim + 1) / 2;
}

/* A batch of rows: their coordinates, sums of weights and triangles; then what the engine needs. */
size_t curvature_workspace(size_t n, size_t dim, int threads) {
  if (dim > TILE_HESSIAN_DIM) return (size_t)threads * (n + 2 * dim);
  const size_t batch = CURVATURE_BATCH * (dim + 1 + triangle_size(dim)) + 2 * dim;
  return batch + (size_t)threads * pairwise_hessian_workspace(dim);
}

static void steepness_of_rows(const double *packed, size_t n, size_t dim, const pair_kernel *potential,
                              const ranked_row *rows, size_t count, row_steepness *out, double *workspace,
                              int threads) {
  if (dim > TILE_HESSIAN_DIM) {
    const size_t per_thread = n + 2 * dim;
    const int team = pairwise_threads(count, n, 4 * dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(packed, n, dim, potential, rows, count, out, workspace, per_thread, team)
#endif
    for (size_t part = 0; part < (size_t)team; part++) {
      for (size_t b = part; b < count; b += (size_t)team) {
        out[b] = steepness_without_matrix(packed, n, dim, potential, rows[b].row, workspace + part * per_thread);
      }
    }
    return;
  }
  double *query = workspace, *weight = query + CURVATURE_BATCH * dim, *triangles = weight + CURVATURE_BATCH;
  double *direction = triangles + CURVATURE_BATCH * triangle_size(dim), *image = direction + dim;
  size_t own[CURVATURE_BATCH];
  for (size_t b = 0; b < count; b++) {
    own[b] = rows[b].row;
    memcpy(query + b * dim, packed + own[b] * dim, dim * sizeof(double));
  }
  pair_task task = {query, count, dim, 1, packed, n, dim, NO_SELF, own, *potential, NULL};
  pairwise_prepare(&task);
  const pair_sums sums = {NULL, 0, 0, weight, NULL, NULL, NULL, triangles};
  pairwise_all(&task, &sums, image + dim, threads);
  for (size_t b = 0; b < count; b++) {
    out[b].weight = weight[b];
    out[b].eigenvalue = triangle_eigenvalue(triangles + b * triangle_size(dim), dim, direction, image);
  }
}

static int by_bound(const void *left, const void *right) {
  const ranked_row *a = left, *b = right;
  if (a->bound != b->bound) return a->bound > b->bound ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

/* As many rows as cost about a tenth of the field (2.5 d + 12 operations a pair there, d^2/2 + 5 d + 20 here),
 * and one batch in any case. */
static size_t rows_worth_a_look(size_t n, size_t dim) {
  const double d = (double)dim;
  const double share = 0.1 * (2.5 * d + 12.0) / (0.5 * d * d + 5.0 * d + 20.0);
  const size_t least = dim <= TILE_HESSIAN_DIM ? CURVATURE_BATCH : CURVATURE_BATCH / 4;
  const size_t worth = (size_t)(share * (double)n);
  return worth > least ? worth : least;
}

double largest_curvature(const double *packed, size_t n, size_t dim, const pair_kernel *potential,
                         const double *bounds, ranked_row *ranking, double *workspace, int threads) {
  size_t most = rows_worth_a_look(n, dim);
  if (most > n) most = n;
  for (size_t i = 0; i < n; i++) {
    ranking[i].bound = bounds[i];
    ranking[i].row = i;
  }
  qsort(ranking, n, sizeof(ranked_row), by_bound);
  const double pairs = (double)(n - 1);
  double found = -INFINITY;
  for (size_t first = 0; first < most && found < ranking[first].bound; first += CURVATURE_BATCH) {
    const size_t batch = most - first < CURVATURE_BATCH ? most - first : CURVATURE_BATCH;
    row_steepness steepness[CURVATURE_BATCH];
    steepness_of_rows(packed, n, dim, potential, ranking + first, batch, steepness, workspace, threads);
    for (size_t b = 0; b < batch; b++) {
      const double value = (pairs - steepness[b].weight + (potential->s + 2.0) * steepness[b].eigenvalue) / pairs;
      found = fmax(found, value);
    }
  }
  return found;
}

/* --- the volume that a step makes of a volume -------------------------------------------------------------- */

size_t step_log_det_workspace(size_t dim, int threads) {
  return LOG_DET_BATCH * (1 + triangle_size(dim)) + dim * dim + (size_t)threads * pairwise_hessian_workspace(dim);
}

void step_log_det(const pair_task *task, double gamma, double *log_det, double *workspace, int threads) {
  const size_t dim = task->dim;
  const double scale = gamma / ((double)task->n_source - 1.0), s = task->kernel.s;
  double *weight = workspace, *triangles = weight + LOG_DET_BATCH;
  double *jacobian = triangles + LOG_DET_BATCH * triangle_size(dim);
  for (size_t first = 0; first < task->n_query; first += LOG_DET_BATCH) {
    pair_task batch = *task;
    batch.query += first * task->row_stride;
    if (task->own) batch.own += first;
    if (task->self != NO_SELF) batch.self += first;
    if (batch.n_query - first < LOG_DET_BATCH) batch.n_query -= first;
    else batch.n_query = LOG_DET_BATCH;
    const pair_sums sums = {NULL, 0, 0, weight, NULL, NULL, NULL, triangles};
    pairwise_all(&batch, &sums, jacobian + dim * dim, threads);
    for (size_t i = 0; i < batch.n_query; i++) {
      const double *entry = triangles + i * triangle_size(dim);
      for (size_t c = 0; c < dim; c++) {
        for (size_t e = 0; e <= c; e++) jacobian[c * dim + e] = -scale * (s + 2.0) * *entry++;
        jacobian[c * dim + c] += 1.0 - scale * (pairs_of(task) - weight[i]);
      }
      double total = NAN;
      if (cholesky_factor(jacobian, dim)) {
        total = 0.0;
        for (size_t c = 0; c < dim; c++) total += 2.0 * log(jacobian[c * dim + c]);
      }
      log_det[first + i] = total;
    }
  }
}
