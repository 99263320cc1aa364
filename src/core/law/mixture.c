#include "core/law/mixture.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/pair/pairwise.h"

#define LANES MIXTURE_LANES
/* exp(-45) of the largest term is below rounding. */
#define NEGLIGIBLE -45.0

size_t mixture_workspace(size_t n, size_t dim) {
  return LANES * (2 * n + 2 * dim);
}

void mixture_lanes(const double *points, size_t count, size_t dim, double *y) {
  for (size_t c = 0; c < dim; c++) {
    for (size_t l = 0; l < LANES; l++) y[c * LANES + l] = points[(l < count ? l : count - 1) * dim + c];
  }
}

void mixture_lengths(const double *factor, const double *offset, const double *mean, const double *y, double *z,
                     size_t dim, double *length, double *cross) {
  double sum[LANES] = {0.0}, sum_cross[LANES] = {0.0};
  for (size_t c = 0; c < dim; c++) {
    for (size_t l = 0; l < LANES; l++) z[c * LANES + l] = y[c * LANES + l] - mean[c];
  }
  for (size_t c = 0; c < dim; c++) {
    double along[LANES] = {0.0};
    for (size_t e = 0; e <= c; e++) {
      const double entry = *factor++;
      for (size_t l = 0; l < LANES; l++) along[l] += entry * z[e * LANES + l];
    }
    for (size_t l = 0; l < LANES; l++) sum[l] += along[l] * along[l];
    for (size_t l = 0; offset && l < LANES; l++) sum_cross[l] += along[l] * offset[c];
  }
  memcpy(length, sum, sizeof sum);
  if (offset) memcpy(cross, sum_cross, sizeof sum_cross);
}

/* lengths, crosses: [n, LANES]; lane l of them against every component. */
static double log_sum(const gaussian_mixture *mixture, const double *lengths, const double *crosses,
                      const double *offset2, size_t own, double width, double share) {
  const double rate = 0.5 / (width * width);
  double most = -INFINITY, sum = 0.0;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t a = 0; a < mixture->n; a++) {
      if (a == own) continue;
      double length = lengths[a * LANES];
      if (offset2) length += share * (share * offset2[a] - 2.0 * crosses[a * LANES]);
      const double term = mixture->constants[a] - rate * length;
      if (pass == 0) {
        if (term > most) most = term;
      } else if (term - most > NEGLIGIBLE) {
        sum += exp(term - most);
      }
    }
    if (!(most > -INFINITY)) return -INFINITY;
  }
  return most + log(sum) - (double)mixture->dim * log(width);
}

static void some_points(const gaussian_mixture *mixture, const double *points, size_t count, size_t own,
                        const double *offset2, const double *widths, const double *shares, size_t n_widths, double *out,
                        size_t stride, double *workspace) {
  const size_t n = mixture->n, dim = mixture->dim, triangle = dim * (dim + 1) / 2;
  double *lengths = workspace, *crosses = lengths + n * LANES, *y = crosses + n * LANES, *z = y + dim * LANES;
  mixture_lanes(points, count, dim, y);
  for (size_t a = 0; a < n; a++) {
    mixture_lengths(mixture->factors + a * triangle, mixture->offsets ? mixture->offsets + a * dim : NULL,
                    mixture->means + a * dim, y, z, dim, lengths + a * LANES, crosses + a * LANES);
  }
  for (size_t l = 0; l < count; l++) {
    for (size_t k = 0; k < n_widths; k++) {
      out[k * stride + l] = log_sum(mixture, lengths + l, crosses + l, offset2,
                                    own == NOT_A_COMPONENT ? own : own + l, widths[k], shares[k]);
    }
  }
}

void mixture_log_density(const gaussian_mixture *mixture, const double *points, size_t m, size_t first,
                         const double *widths, const double *shares, size_t n_widths, double *out, double *workspace,
                         int threads) {
  const size_t dim = mixture->dim, n = mixture->n, per_thread = mixture_workspace(n, dim);
  /* an exponential costs as much as ten products */
  const int team = pairwise_threads(m, n, dim * dim / 2 + 10 * n_widths, threads);
  /* |q_a|^2, behind the threads' room */
  double *offset2 = mixture->offsets ? workspace + (size_t)threads * per_thread : NULL;
  for (size_t a = 0; offset2 && a < n; a++) {
    offset2[a] = dot(mixture->offsets + a * dim, mixture->offsets + a * dim, dim);
  }
  const size_t groups = (m + LANES - 1) / LANES;
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static)                                        \
    shared(mixture, points, m, first, widths, shares, n_widths, out, workspace, dim, per_thread, team, offset2, groups)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    for (size_t g = groups * part / (size_t)team; g < groups * (part + 1) / (size_t)team; g++) {
      const size_t i = g * LANES, count = m - i < LANES ? m - i : LANES;
      some_points(mixture, points + i * dim, count, first == NOT_A_COMPONENT ? first : first + i, offset2, widths,
                  shares, n_widths, out + i, m, workspace + part * per_thread);
    }
  }
}

size_t local_gaussians_workspace(size_t dim) {
  return dim * dim + 2 * dim;
}

static void one_gaussian(const double *points, size_t n, size_t dim, const int *index, size_t k, size_t i,
                         double shrinkage, double least, double *centre, double *root, double *factor, double *log_det,
                         double *workspace) {
  double *shape = workspace, *z = shape + dim * dim;
  memcpy(centre, points + i * dim, dim * sizeof(double));
  for (size_t j = 0; j < k; j++) {
    for (size_t c = 0; c < dim; c++) centre[c] += points[(size_t)index[j * n + i] * dim + c];
  }
  for (size_t c = 0; c < dim; c++) centre[c] /= (double)k + 1.0;
  memset(shape, 0, dim * dim * sizeof(double));
  for (size_t j = 0; j <= k; j++) {
    const double *x = points + (j < k ? (size_t)index[j * n + i] : i) * dim;
    for (size_t c = 0; c < dim; c++) z[c] = x[c] - centre[c];
    for (size_t c = 0; c < dim; c++) {
      for (size_t e = 0; e <= c; e++) shape[c * dim + e] += z[c] * z[e] / ((double)k + 1.0);
    }
  }
  double level = 0.0;
  for (size_t c = 0; c < dim; c++) level += shape[c * dim + c] / (double)dim;
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e <= c; e++) shape[c * dim + e] *= 1.0 - shrinkage;
    shape[c * dim + c] += shrinkage * level + fmax(least, 1e-8 * level);
  }
  *log_det = NAN;
  if (!cholesky_factor(shape, dim)) return;
  *log_det = 0.0;
  for (size_t c = 0; c < dim; c++) {
    *log_det -= log(shape[c * dim + c]);
    for (size_t e = 0; e <= c; e++) *root++ = shape[c * dim + e];
  }
  invert_factor(shape, dim, factor);
}

void local_gaussians(const double *points, size_t n, size_t dim, const int *index, size_t k, double shrinkage,
                     double least, double *centres, double *roots, double *factors, double *log_det,
                     double *workspace, int threads) {
  const size_t triangle = dim * (dim + 1) / 2, per_thread = local_gaussians_workspace(dim);
  const int team = pairwise_threads(n, k + dim, dim * dim / 2, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static)                                         \
    shared(points, n, dim, index, k, shrinkage, least, centres, roots, factors, log_det, workspace, triangle, per_thread, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    for (size_t i = n * part / (size_t)team; i < n * (part + 1) / (size_t)team; i++) {
      one_gaussian(points, n, dim, index, k, i, shrinkage, least, centres + i * dim, roots + i * triangle,
                   factors + i * triangle, log_det + i, workspace + part * per_thread);
    }
  }
}
