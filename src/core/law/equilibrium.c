#include "core/law/equilibrium.h"

#include <math.h>

#define LOG_PI 1.1447298858494001741434273513531
#define LOG_2 0.69314718055994530941723212145818

static int on_sphere(size_t dim, double s) {
  return s <= (double)dim - 4.0;
}

double equilibrium_radius(size_t dim, double s) {
  const double d = (double)dim;
  if (dim < 1 || !(s > -2.0) || !(s < d)) return NAN;
  double log_power; /* log R^{s+2} */
  if (on_sphere(dim, s)) {
    log_power = (d - 3.0 - s) * LOG_2 + lgamma(d / 2.0) + lgamma((d - 1.0 - s) / 2.0) - 0.5 * LOG_PI -
                lgamma(d - 1.0 - s / 2.0);
  } else {
    log_power = lgamma((d - s) / 2.0) + lgamma(s / 2.0 + 2.0) - lgamma(d / 2.0 + 1.0);
  }
  return exp(log_power / (s + 2.0));
}

static double draw_radius(rng_sequence *seq, double d, double s, shell kind) {
  if (kind == SHELL_ball) return pow(rng_uniform(seq), 1.0 / d);
  return sqrt(rng_beta(seq, d / 2.0, (s - d) / 2.0 + 2.0));
}

status draw_shell(double *out, size_t n, size_t dim, const double *centre, double radius, shell kind,
                  double s, rng_key key, int threads) {
  if (dim < 1 || !isfinite(radius)) return STATUS_bad_argument;
  if (kind == SHELL_equilibrium && !(s > -2.0 && s < (double)dim)) return STATUS_bad_argument;
  const int sphere = kind == SHELL_sphere || (kind == SHELL_equilibrium && on_sphere(dim, s));
  const double d = (double)dim;
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) default(none) schedule(static) \
    shared(out, n, dim, centre, radius, kind, s, key, sphere, d)
#else
  (void)threads;
#endif
  for (size_t i = 0; i < n; i++) {
    rng_sequence seq;
    rng_start(&seq, key, 0, i);
    double norm2 = 0.0;
    for (size_t c = 0; c < dim; c++) {
      const double z = rng_normal(&seq);
      out[c * n + i] = z;
      norm2 += z * z;
    }
    double scale = radius / sqrt(norm2);
    if (!sphere) scale *= draw_radius(&seq, d, s, kind);
    for (size_t c = 0; c < dim; c++) out[c * n + i] = centre[c] + scale * out[c * n + i];
  }
  return STATUS_ok;
}
