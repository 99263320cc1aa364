#include "core/forward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"

/* Rows examined at a time; fixed, so that the answer does not depend on the number of threads. */
#define CURVATURE_BATCH 8
#define POWER_STEPS 40
#define POWER_TOLERANCE 1e-3
/* Up to here the matrix of outer products is formed. */
#define FORMED_MAX_DIM 64

void mean_rows(double *mean, const double *packed, size_t n, size_t dim) {
  for (size_t c = 0; c < dim; c++) mean[c] = 0.0;
  for (size_t i = 0; i < n; i++) {
    for (size_t c = 0; c < dim; c++) mean[c] += packed[i * dim + c];
  }
  for (size_t c = 0; c < dim; c++) mean[c] /= (double)n;
}

void field_rows(const pair_task *task, const double *mean, const field_values *out, double *workspace,
                int threads) {
  const size_t m = task->n_query;
  const double n = (double)task->n_source;
  const pair_sums sums = {out->gradient,  1,              m,           out->weight,
                          out->curvature, out->repulsion, out->nearest};
  pairwise_all(task, &sums, workspace, threads);
  for (size_t c = 0; c < task->dim; c++) {
    double *column = out->gradient + c * m;
    for (size_t i = 0; i < m; i++) {
      const double y = task->query[i * task->row_stride + c * task->column_stride];
      column[i] = (n * (y - mean[c]) - column[i]) / (n - 1.0);
    }
  }
  const double pairs = task->self == NO_SELF ? n : n - 1.0;
  for (size_t i = 0; i < m; i++) {
    out->curvature[i] = (pairs - out->weight[i] + (task->potential.s + 2.0) * out->curvature[i]) / (n - 1.0);
  }
}

/* sum (w/u) z z' over the sources: formed where that costs less than a few passes over them. */
typedef struct {
  const double *packed, *y;
  size_t n, dim;
  double *scale;  /* [n] w/u */
  double *matrix; /* [dim, dim], lower triangle; null: not formed */
} pair_outer;

static double *matrix_place(double *workspace, size_t dim) {
  return dim <= FORMED_MAX_DIM ? workspace : NULL;
}

size_t curvature_workspace(size_t n, size_t dim) {
  return n + 2 * dim + (dim <= FORMED_MAX_DIM ? dim * dim : 0);
}

static void add_outer(double *matrix, const double *y, const double *x, double scale, size_t dim) {
  for (size_t c = 0; c < dim; c++) {
    const double row = scale * (y[c] - x[c]);
    for (size_t e = 0; e <= c; e++) matrix[c * dim + e] += row * (y[e] - x[e]);
  }
}

static void apply_outer(const pair_outer *outer, const double *direction, double *image) {
  const size_t dim = outer->dim;
  memset(image, 0, dim * sizeof(double));
  if (outer->matrix) {
    for (size_t c = 0; c < dim; c++) {
      for (size_t e = 0; e < c; e++) {
        image[c] += outer->matrix[c * dim + e] * direction[e];
        image[e] += outer->matrix[c * dim + e] * direction[c];
      }
      image[c] += outer->matrix[c * dim + c] * direction[c];
    }
    return;
  }
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

/* Largest eigenvalue of the Jacobian at particle i: [sum (1-w) + (s+2) max eig sum (w/u) z z'] / (n-1). */
static double row_curvature(const double *packed, size_t n, size_t dim, const riesz *potential, size_t i,
                            double *workspace) {
  double *direction = workspace + n, *image = direction + dim;
  const double *y = packed + i * dim;
  const pair_outer outer = {packed, y, n, dim, workspace, matrix_place(image + dim, dim)};
  if (outer.matrix) memset(outer.matrix, 0, dim * dim * sizeof(double));
  double repulsion = 0.0, largest = -1.0;
  size_t strongest = i;
  for (size_t a = 0; a < n; a++) {
    outer.scale[a] = 0.0;
    if (a == i) continue;
    const double *x = packed + a * dim;
    double distance2 = 0.0;
    for (size_t c = 0; c < dim; c++) distance2 += (y[c] - x[c]) * (y[c] - x[c]);
    const double u = distance2 + potential->epsilon;
    const double weight = riesz_weight(potential, u);
    outer.scale[a] = weight / u;
    repulsion += weight;
    if (outer.matrix) add_outer(outer.matrix, y, x, weight / u, dim);
    if (weight / u * distance2 > largest) {
      largest = weight / u * distance2;
      strongest = a;
    }
  }
  /* start along the strongest pair, which alone decides where a close pair dominates */
  for (size_t c = 0; c < dim; c++) direction[c] = y[c] - packed[strongest * dim + c];
  const double eigenvalue = largest_eigenvalue(&outer, direction, image);
  const double pairs = (double)(n - 1);
  return (pairs - repulsion + (potential->s + 2.0) * eigenvalue) / pairs;
}

static int by_bound(const void *left, const void *right) {
  const ranked_row *a = left, *b = right;
  if (a->bound != b->bound) return a->bound > b->bound ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

/* As many rows as cost about a tenth of the field (5 d + 16 operations a pair there, in vectors, against
 * d^2/2 + 3 d + 20 here, one by one), and a few dozen in any case. */
static size_t rows_worth_a_look(size_t n, size_t dim) {
  const double d = (double)dim;
  const double share = 0.0075 * (5.0 * d + 16.0) / (0.5 * d * d + 3.0 * d + 20.0);
  const size_t least = (dim <= FORMED_MAX_DIM ? 8 : 2) * CURVATURE_BATCH;
  const size_t worth = (size_t)(share * (double)n);
  return worth > least ? worth : least;
}

double largest_curvature(const double *packed, size_t n, size_t dim, const riesz *potential,
                         const double *bounds, ranked_row *ranking, double *workspace, int threads) {
  const size_t per_thread = curvature_workspace(n, dim);
  size_t most = rows_worth_a_look(n, dim);
  if (most > n) most = n;
  for (size_t i = 0; i < n; i++) {
    ranking[i].bound = bounds[i];
    ranking[i].row = i;
  }
  qsort(ranking, n, sizeof(ranked_row), by_bound);
  double found = -INFINITY;
  const int team = pairwise_threads(CURVATURE_BATCH, n, 4 * dim, threads);
  for (size_t first = 0; first < most && found < ranking[first].bound; first += CURVATURE_BATCH) {
    const size_t batch = most - first < CURVATURE_BATCH ? most - first : CURVATURE_BATCH;
    double value[CURVATURE_BATCH];
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(packed, n, dim, potential, ranking, workspace, per_thread, batch, value, first, team)
#endif
    for (size_t part = 0; part < (size_t)team; part++) {
      for (size_t b = part; b < batch; b += (size_t)team) {
        value[b] = row_curvature(packed, n, dim, potential, ranking[first + b].row, workspace + part * per_thread);
      }
    }
    for (size_t b = 0; b < batch; b++) found = fmax(found, value[b]);
  }
  return found;
}
