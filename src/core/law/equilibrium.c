#include "core/law/equilibrium.h"

#include <math.h>

#include "core/base/parallel.h"

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

typedef struct {
  double *out;
  size_t n, dim;
  const double *centre;
  double radius, s;
  shell kind;
  int sphere;
  rng_key key;
} shell_plan;

static void draw_rows(size_t from, size_t to, size_t part, void *context) {
  const shell_plan *plan = context;
  const size_t n = plan->n, dim = plan->dim;
  (void)part;
  for (size_t i = from; i < to; i++) {
    double *row = plan->out + i;
    rng_sequence seq;
    rng_start(&seq, plan->key, 0, i);
    double norm2 = 0.0;
    for (size_t c = 0; c < dim; c++) {
      const double z = rng_normal(&seq);
      row[c * n] = z;
      norm2 += z * z;
    }
    double scale = plan->radius / sqrt(norm2);
    if (!plan->sphere) scale *= draw_radius(&seq, (double)dim, plan->s, plan->kind);
    for (size_t c = 0; c < dim; c++) row[c * n] = plan->centre[c] + scale * row[c * n];
  }
}

status draw_shell(double *out, size_t n, size_t dim, const double *centre, double radius, shell kind,
                  double s, rng_key key, int threads) {
  if (dim < 1 || !isfinite(radius)) return STATUS_bad_argument;
  if (kind == SHELL_equilibrium && !(s > -2.0 && s < (double)dim)) return STATUS_bad_argument;
  shell_plan plan = {
      .out = out,
      .n = n,
      .dim = dim,
      .centre = centre,
      .radius = radius,
      .s = s,
      .kind = kind,
      .sphere = kind == SHELL_sphere || (kind == SHELL_equilibrium && on_sphere(dim, s)),
      .key = key,
  };
  parallel_ranges(n, threads_worth((double)n * (double)dim * RNG_WORK, threads), draw_rows, &plan);
  return STATUS_ok;
}
