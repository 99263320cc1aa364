#include "core/flow/volume.h"

#include <math.h>

#include "core/base/linalg.h"

/* Rows whose triangles are made at a time. */
#define LOG_DET_BATCH ((size_t)256)

size_t step_log_det_workspace(size_t dim, int threads) {
  return LOG_DET_BATCH * (1 + triangle_size(dim)) + dim * dim + (size_t)threads * pairwise_hessian_workspace(dim);
}

/* The log-determinant of the symmetric [dim, dim] matrix a, which is overwritten; NaN if it is not positive
 * definite. */
static double log_det_of(double *a, size_t dim) {
  if (!cholesky_factor(a, dim)) return NAN;
  double total = 0.0;
  for (size_t c = 0; c < dim; c++) total += 2.0 * log(a[c * dim + c]);
  return total;
}

double log_det_from_sums(double pairs, double scale, double s, double weight, const double *triangle, size_t dim,
                         double *jacobian) {
  const double *entry = triangle;
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e <= c; e++) jacobian[c * dim + e] = -scale * (s + 2.0) * *entry++;
    jacobian[c * dim + c] += 1.0 - scale * (pairs - weight);
  }
  return log_det_of(jacobian, dim);
}

void step_log_det(const pair_task *task, double gamma, double *log_det, double *workspace, int threads) {
  const size_t dim = task->dim;
  const double scale = gamma / ((double)task->n_source - 1.0), s = task->kernel.s;
  double *weight = workspace, *triangles = weight + LOG_DET_BATCH;
  double *jacobian = triangles + LOG_DET_BATCH * triangle_size(dim);
  const pair_sums sums = {.weight = weight, .hessian = triangles};
  for (size_t first = 0; first < task->n_query; first += LOG_DET_BATCH) {
    const size_t left = task->n_query - first, count = left < LOG_DET_BATCH ? left : LOG_DET_BATCH;
    const pair_task batch = pairwise_rows(task, first, count);
    pairwise_all(&batch, &sums, jacobian + dim * dim, threads);
    for (size_t i = 0; i < count; i++) {
      log_det[first + i] = log_det_from_sums(pairwise_count(task), scale, s, weight[i],
                                             triangles + i * triangle_size(dim), dim, jacobian);
    }
  }
}
