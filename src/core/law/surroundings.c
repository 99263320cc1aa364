#include "core/law/surroundings.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"

size_t local_gaussians_workspace(size_t dim) {
  return dim * dim + 2 * dim;
}

/* Row j of the surroundings of point i: its neighbours, then the point itself. */
static const double *member(const surroundings *of, size_t i, size_t j) {
  return of->points + (j < of->k ? (size_t)of->index[j * of->n + i] : i) * of->dim;
}

static void mean_of(const surroundings *of, size_t i, double *centre) {
  const size_t dim = of->dim;
  memcpy(centre, of->points + i * dim, dim * sizeof(double));
  for (size_t j = 0; j < of->k; j++) {
    const double *x = member(of, i, j);
    for (size_t c = 0; c < dim; c++) centre[c] += x[c];
  }
  for (size_t c = 0; c < dim; c++) centre[c] /= (double)of->k + 1.0;
}

/* shape [dim, dim], its lower triangle: C. z [dim]: scratch. */
static void covariance_of(const surroundings *of, size_t i, const double *centre, double *shape, double *z) {
  const size_t dim = of->dim;
  memset(shape, 0, dim * dim * sizeof(double));
  for (size_t j = 0; j <= of->k; j++) {
    const double *x = member(of, i, j);
    for (size_t c = 0; c < dim; c++) z[c] = x[c] - centre[c];
    for (size_t c = 0; c < dim; c++) {
      for (size_t e = 0; e <= c; e++) shape[c * dim + e] += z[c] * z[e] / ((double)of->k + 1.0);
    }
  }
  double level = 0.0;
  for (size_t c = 0; c < dim; c++) level += shape[c * dim + c] / (double)dim;
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e <= c; e++) shape[c * dim + e] *= 1.0 - of->shrinkage;
    shape[c * dim + c] += of->shrinkage * level + fmax(of->least, 1e-8 * level);
  }
}

static void one_gaussian(const surroundings *of, size_t i, const local_gaussians_out *out, double *workspace) {
  const size_t dim = of->dim, triangle = triangle_size(dim);
  double *shape = workspace, *z = shape + dim * dim, *centre = out->centres + i * dim;
  double *root = out->roots + i * triangle, *factor = out->factors + i * triangle, *log_det = out->log_det + i;
  mean_of(of, i, centre);
  covariance_of(of, i, centre, shape, z);
  *log_det = 0.0;
  if (!cholesky_factor(shape, dim)) {
    *log_det = NAN;
    for (size_t e = 0; e < triangle; e++) root[e] = factor[e] = NAN;
    return;
  }
  for (size_t c = 0; c < dim; c++) {
    *log_det -= log(shape[c * dim + c]);
    for (size_t e = 0; e <= c; e++) *root++ = shape[c * dim + e];
  }
  invert_factor(shape, dim, factor);
}

typedef struct {
  const surroundings *of;
  const local_gaussians_out *out;
  double *workspace;
} local_plan;

static void run_points(size_t from, size_t to, size_t part, void *context) {
  const local_plan *plan = context;
  double *workspace = plan->workspace + part * local_gaussians_workspace(plan->of->dim);
  for (size_t i = from; i < to; i++) one_gaussian(plan->of, i, plan->out, workspace);
}

void local_gaussians(const surroundings *of, const local_gaussians_out *out, double *workspace, int threads) {
  const size_t dim = of->dim;
  local_plan plan = {of, out, workspace};
  parallel_ranges(of->n, threads_worth_pairs(of->n, of->k + dim, dim * dim / 2, threads), run_points, &plan);
}
