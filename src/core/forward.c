#include "core/forward.h"

#include <math.h>
#include <stdlib.h>

#include "core/linalg.h"

/* Rows examined at a time; fixed, so that the answer does not depend on the number of threads. */
#define CURVATURE_BATCH 8
#define POWER_STEPS 40
#define POWER_TOLERANCE 1e-3

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

size_t curvature_workspace(size_t n, size_t dim) {
  return n + 2 * dim;
}

/* Largest eigenvalue of the Jacobian at particle i: [sum (1-w) + (s+2) max eig sum (w/u) z z'] / (n-1),
 * by power iteration without forming the matrix. */
static double row_curvature(const double *packed, size_t n, size_t dim, const riesz *potential, size_t i,
                            double *workspace) {
  double *scale = workspace, *direction = workspace + n, *image = direction + dim;
  const double *y = packed + i * dim;
  double repulsion = 0.0, largest = -1.0;
  size_t strongest = i;
  for (size_t a = 0; a < n; a++) {
    scale[a] = 0.0;
    if (a == i) continue;
    double distance2 = 0.0;
    for (size_t c = 0; c < dim; c++) {
      const double z = y[c] - packed[a * dim + c];
      distance2 += z * z;
    }
    const double u = distance2 + potential->epsilon;
    const double weight = riesz_weight(potential, u);
    scale[a] = weight / u;
    repulsion += weight;
    if (scale[a] * distance2 > largest) {
      largest = scale[a] * distance2;
      strongest = a;
    }
  }
  /* start along the strongest pair, which alone decides where a close pair dominates */
  for (size_t c = 0; c < dim; c++) direction[c] = y[c] - packed[strongest * dim + c];
  double length = norm(direction, dim), eigenvalue = 0.0;
  for (int step = 0; step < POWER_STEPS && length > 0.0; step++) {
    for (size_t c = 0; c < dim; c++) {
      direction[c] /= length;
      image[c] = 0.0;
    }
    for (size_t a = 0; a < n; a++) {
      const double *x = packed + a * dim;
      double along = 0.0;
      for (size_t c = 0; c < dim; c++) along += (y[c] - x[c]) * direction[c];
      along *= scale[a];
      for (size_t c = 0; c < dim; c++) image[c] += along * (y[c] - x[c]);
    }
    length = norm(image, dim);
    const int settled = fabs(length - eigenvalue) <= POWER_TOLERANCE * length;
    eigenvalue = length;
    for (size_t c = 0; c < dim; c++) direction[c] = image[c];
    if (settled) break;
  }
  const double pairs = (double)(n - 1);
  return (pairs - repulsion + (potential->s + 2.0) * eigenvalue) / pairs;
}

static int by_bound(const void *left, const void *right) {
  const ranked_row *a = left, *b = right;
  if (a->bound != b->bound) return a->bound > b->bound ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

double largest_curvature(const double *packed, size_t n, size_t dim, const riesz *potential,
                         const double *bounds, ranked_row *ranking, double *workspace, int threads) {
  const size_t per_thread = curvature_workspace(n, dim);
  size_t most = n / (8 * dim);
  if (most < 2 * CURVATURE_BATCH) most = 2 * CURVATURE_BATCH;
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
