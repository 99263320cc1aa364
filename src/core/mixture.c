#include "core/mixture.h"

#include <math.h>

#include "core/pairwise.h"

size_t mixture_workspace(size_t n, size_t dim) {
  return n + dim;
}

/* |A (y - x)|^2 */
static double squared_length(const double *factor, const double *y, const double *x, double *z, size_t dim) {
  double total = 0.0;
  for (size_t c = 0; c < dim; c++) z[c] = y[c] - x[c];
  for (size_t c = 0; c < dim; c++) {
    double along = z[c];
    if (factor) {
      along = 0.0;
      for (size_t e = 0; e <= c; e++) along += *factor++ * z[e];
    }
    total += along * along;
  }
  return total;
}

static void one_point(const gaussian_mixture *mixture, const double *y, size_t own, const double *widths,
                      size_t n_widths, double *out, size_t stride, double *lengths, double *z) {
  const size_t n = mixture->n, dim = mixture->dim, triangle = dim * (dim + 1) / 2;
  for (size_t a = 0; a < n; a++) {
    const double *factor = mixture->factors ? mixture->factors + a * triangle : NULL;
    lengths[a] = a == own ? INFINITY : squared_length(factor, y, mixture->means + a * dim, z, dim);
  }
  for (size_t k = 0; k < n_widths; k++) {
    const double rate = 0.5 / (widths[k] * widths[k]);
    double most = -INFINITY, sum = 0.0;
    for (size_t a = 0; a < n; a++) most = fmax(most, mixture->constants[a] - rate * lengths[a]);
    for (size_t a = 0; most > -INFINITY && a < n; a++) {
      const double term = mixture->constants[a] - rate * lengths[a] - most;
      if (term > -45.0) sum += exp(term); /* the rest is below rounding */
    }
    out[k * stride] = most > -INFINITY ? most + log(sum) - (double)dim * log(widths[k]) : -INFINITY;
  }
}

void mixture_log_density(const gaussian_mixture *mixture, const double *points, size_t m, size_t first,
                         const double *widths, size_t n_widths, double *out, double *workspace, int threads) {
  const size_t dim = mixture->dim, per_thread = mixture_workspace(mixture->n, dim);
  const int team = pairwise_threads(m, mixture->n, mixture->factors ? dim * dim : dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(mixture, points, m, first, widths, n_widths, out, workspace, dim, per_thread, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    double *lengths = workspace + part * per_thread;
    for (size_t i = m * part / (size_t)team; i < m * (part + 1) / (size_t)team; i++) {
      const size_t own = first == NOT_A_COMPONENT ? NOT_A_COMPONENT : first + i;
      one_point(mixture, points + i * dim, own, widths, n_widths, out + i, m, lengths, lengths + mixture->n);
    }
  }
}
