#include "core/pair/kernel.h"

#include <math.h>

pair_kernel kernel_gaussian(double bandwidth) {
  const pair_kernel kernel = {.kind = WEIGHT_gaussian, .rate = 0.5 / bandwidth / bandwidth};
  return kernel;
}

pair_kernel kernel_laplace(double bandwidth) {
  const pair_kernel kernel = {.kind = WEIGHT_laplace, .rate = 1.0 / bandwidth};
  return kernel;
}

pair_kernel kernel_distance(void) {
  const pair_kernel kernel = {.kind = WEIGHT_distance};
  return kernel;
}

static double whole_power(double base, unsigned power) {
  double result = 1.0;
  for (; power; power >>= 1, base *= base) {
    if (power & 1u) result *= base;
  }
  return result;
}

double kernel_weight(const pair_kernel *kernel, double u) {
  switch (kernel->kind) {
    case WEIGHT_even:
      return whole_power(1.0 / u, kernel->power);
    case WEIGHT_odd:
      return sqrt(1.0 / u) * whole_power(1.0 / u, kernel->power);
    case WEIGHT_gaussian:
      return exp(-u * kernel->rate);
    case WEIGHT_laplace:
      return exp(-sqrt(u) * kernel->rate);
    case WEIGHT_distance:
      return sqrt(u);
    case WEIGHT_general:
    case WEIGHT_count:
      break;
  }
  return pow(u, -kernel->exponent);
}
