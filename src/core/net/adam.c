#include "core/net/adam.h"

#include <math.h>

#include "core/base/parallel.h"

/* Moments of parameters that no gradient reaches any more (units that are off) decay into numbers with which
 * arithmetic is a hundred times slower, and end here instead. */
#define NOTHING 1e-290

void adam_step(double *restrict x, double *restrict m, double *restrict v, const double *restrict gradient, size_t n,
               double t, const adam_settings *settings) {
  const double b1 = settings->beta1, b2 = settings->beta2, epsilon = settings->epsilon;
  const double rate = settings->rate / (1.0 - pow(b1, t)), correction = 1.0 / (1.0 - pow(b2, t));
  VECTORISE
  for (size_t i = 0; i < n; i++) {
    const double g = gradient[i];
    const double mean = b1 * m[i] + (1.0 - b1) * g, square = b2 * v[i] + (1.0 - b2) * g * g;
    m[i] = fabs(mean) > NOTHING || mean != mean ? mean : 0.0;
    v[i] = square > NOTHING || square != square ? square : 0.0;
    x[i] += rate * m[i] / (sqrt(v[i] * correction) + epsilon);
  }
}
