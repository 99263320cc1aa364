#include "core/net/divergence.h"

#include <math.h>

#define MOST_ROUNDS 200

static double mean_above(const double *x, size_t n, double base) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += x[i] - base;
  return sum / (double)n;
}

/* log mean e^phi without overflow */
static double kullback(const double *p, size_t n_p, const double *q, size_t n_q, double top, double *weight) {
  double sum = 0.0;
  for (size_t j = 0; j < n_q; j++) {
    weight[j] = exp(q[j] - top);
    sum += weight[j];
  }
  for (size_t j = 0; j < n_q; j++) weight[j] /= sum;
  return mean_above(p, n_p, top) - log(sum / (double)n_q);
}

/* f*(y) */
static double conjugate(const divergence *d, double y) {
  switch (d->kind) {
    case DIVERGENCE_alpha: {
      const double a = d->alpha;
      return (1.0 / (a - 1.0) + pow((a - 1.0) * fmax(y, 0.0), a / (a - 1.0))) / a;
    }
    case DIVERGENCE_reverse_kl:
      return -1.0 - log(-y);
    case DIVERGENCE_js:
      return -log(2.0 - exp(y));
    default:
      return exp(y - 1.0);
  }
}

/* f*'(y), increasing, and its own derivative. f*'(f'(1)) = 1. */
static double slope_of(const divergence *d, double y, double *rise) {
  switch (d->kind) {
    case DIVERGENCE_alpha: {
      const double base = (d->alpha - 1.0) * fmax(y, 0.0), power = 1.0 / (d->alpha - 1.0), value = pow(base, power);
      *rise = base > 0.0 ? value / base : 0.0;
      return value;
    }
    case DIVERGENCE_reverse_kl:
      *rise = 1.0 / (y * y);
      return -1.0 / y;
    case DIVERGENCE_js: {
      const double e = exp(y), rest = 2.0 - e;
      *rise = 2.0 * e / (rest * rest);
      return e / rest;
    }
    default:
      *rise = exp(y - 1.0);
      return *rise;
  }
}

/* Where nu - top lies, top the largest phi: an interval on whose ends mean f*' is at least and at most 1.
 * With every phi at its top f*' is 1 at nu - top = -f'(1), with every phi at its bottom at
 * bottom - top - f'(1); where f*' ends at a pole, the largest phi alone may not exceed n. */
static void bracket(const divergence *d, double spread, double n, double *low, double *high) {
  const double start = d->kind == DIVERGENCE_alpha ? 1.0 / (d->alpha - 1.0)
                       : d->kind == DIVERGENCE_reverse_kl ? -1.0
                       : d->kind == DIVERGENCE_js ? 0.0 : 1.0;
  *high = -start;
  *low = -spread - start;
  if (d->kind == DIVERGENCE_reverse_kl) *low = fmax(*low, 1.0 / n);
  if (d->kind == DIVERGENCE_js) *low = fmax(*low, -log(2.0 * n / (n + 1.0)));
}

/* nu - top by Newton steps kept inside a shrinking bracket: mean f*'(q - nu) falls in nu. */
static double best_shift(const divergence *d, const double *q, size_t n, double top, double spread) {
  double low, high;
  bracket(d, spread, (double)n, &low, &high);
  double nu = high;
  for (int round = 0; round < MOST_ROUNDS; round++) {
    double sum = 0.0, fall = 0.0;
    for (size_t j = 0; j < n; j++) {
      double rise;
      sum += slope_of(d, q[j] - top - nu, &rise);
      fall += rise;
    }
    const double excess = sum / (double)n - 1.0;
    if (excess > 0.0) {
      low = nu;
    } else {
      high = nu;
    }
    double next = nu + excess / (fall / (double)n);
    /* a Newton step out of the bracket, or from where there is no slope, or too timid after many rounds */
    if (!(next > low && next < high) || round % 8 == 7) next = low + 0.5 * (high - low);
    if (fabs(next - nu) <= 1e-15 * (1.0 + fabs(nu)) || !(low < high)) return nu;
    nu = next;
  }
  return nu;
}

double divergence_dual(const divergence *d, const double *p, size_t n_p, const double *q, size_t n_q,
                       double *weight) {
  double top = q[0], bottom = q[0];
  for (size_t j = 0; j < n_q; j++) {
    if (!isfinite(q[j])) return NAN;
    top = fmax(top, q[j]);
    bottom = fmin(bottom, q[j]);
  }
  if (d->kind == DIVERGENCE_kl) return kullback(p, n_p, q, n_q, top, weight);
  const double nu = best_shift(d, q, n_q, top, top - bottom);
  double sum = 0.0, total = 0.0, rise;
  for (size_t j = 0; j < n_q; j++) {
    const double y = q[j] - top - nu;
    sum += conjugate(d, y);
    weight[j] = slope_of(d, y, &rise);
    total += weight[j];
  }
  /* of sum 1 but for the rounding of nu */
  for (size_t j = 0; j < n_q; j++) weight[j] /= total;
  return mean_above(p, n_p, top) - nu - sum / (double)n_q;
}
