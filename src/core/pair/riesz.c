#include "core/pair/riesz.h"

#include <math.h>

/* Above this the repeated product would cost more than a logarithm and an exponential. */
#define LARGEST_INTEGER_EXPONENT 256.0

pair_kernel riesz_kernel(double s, double epsilon) {
  pair_kernel potential = {.kind = WEIGHT_general, .epsilon = epsilon, .s = s, .exponent = s / 2.0 + 1.0};
  if (s == floor(s) && s >= -1.0 && s <= LARGEST_INTEGER_EXPONENT) {
    const unsigned twice = (unsigned)(s + 2.0); /* w = u^{-twice/2} */
    potential.kind = twice % 2 ? WEIGHT_odd : WEIGHT_even;
    potential.power = twice / 2;
  }
  return potential;
}

double riesz_repulsion(const pair_kernel *potential, double u) {
  if (potential->s == 0.0) return -0.5 * log(u);
  return kernel_weight(potential, u) * u / potential->s;
}

double riesz_curvature(const pair_kernel *potential) {
  const double s = potential->s;
  if (s <= -1.0) return 1.0;
  if (potential->epsilon <= 0.0) return INFINITY;
  const double q = potential->epsilon * (s + 4.0) / (s + 1.0);
  return 1.0 + 2.0 * (s + 1.0) / (s + 4.0) * pow(q, -potential->exponent);
}
