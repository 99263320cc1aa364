#include "core/moments.h"

#include <string.h>

#include "core/pairwise.h"

static void weighted_mean(const double *points, size_t n, size_t dim, const double *weight, double *mean) {
  double total = 0.0;
  memset(mean, 0, dim * sizeof(double));
  for (size_t i = 0; i < n; i++) {
    total += weight[i];
    for (size_t c = 0; c < dim; c++) mean[c] += weight[i] * points[i * dim + c];
  }
  for (size_t c = 0; total > 0.0 && c < dim; c++) mean[c] /= total;
}

static void weighted_scatter(const double *points, size_t n, size_t dim, const double *weight, const double *mean,
                             double *scatter, double *z) {
  memset(scatter, 0, dim * (dim + 1) / 2 * sizeof(double));
  for (size_t i = 0; i < n; i++) {
    const double w = weight[i];
    if (w == 0.0) continue;
    for (size_t c = 0; c < dim; c++) z[c] = points[i * dim + c] - mean[c];
    double *row = scatter;
    for (size_t c = 0; c < dim; row += ++c) {
      const double wz = w * z[c];
      for (size_t e = 0; e <= c; e++) row[e] += wz * z[e];
    }
  }
}

void weighted_moments(const double *points, size_t n, size_t dim, const double *weights, size_t sets, double *means,
                      double *scatters, double *workspace, int threads) {
  const size_t triangle = dim * (dim + 1) / 2;
  const int team = pairwise_threads(n, sets, triangle, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(points, n, dim, weights, sets, means, scatters, workspace, triangle, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    for (size_t k = part; k < sets; k += (size_t)team) {
      weighted_mean(points, n, dim, weights + k * n, means + k * dim);
      weighted_scatter(points, n, dim, weights + k * n, means + k * dim, scatters + k * triangle, workspace + part * dim);
    }
  }
}
