#include "core/base/exponentials.h"

#include <math.h>

static double largest(const double *l, size_t n, size_t stride) {
  double most = -INFINITY;
  for (size_t i = 0; i < n; i++) {
    if (l[i * stride] > most) most = l[i * stride];
  }
  return most;
}

double log_sum_exp(const double *l, size_t n) {
  const double most = largest(l, n, 1);
  if (!(most > -INFINITY)) return -INFINITY;
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) {
    if (l[i] - most > EXP_NEGLIGIBLE) sum += exp(l[i] - most);
  }
  return most + log(sum);
}

double log_mean_exp(const double *l, size_t n) {
  const double most = largest(l, n, 1);
  if (isinf(most)) return most;
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += exp(l[i] - most);
  return most + log(sum / (double)n);
}

double log_to_shares(double *l, size_t n, size_t stride) {
  const double most = largest(l, n, stride);
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += l[i * stride] = exp(l[i * stride] - most);
  for (size_t i = 0; i < n; i++) l[i * stride] /= sum;
  return most + log(sum);
}
