#include "core/net/adam.h"

#include <math.h>

#include "core/net/products.h"

void adam_step(double *x, double *m, double *v, const double *gradient, size_t n, double t,
               const adam_settings *settings) {
  const adam_update update = {.beta1 = settings->beta1,
                              .beta2 = settings->beta2,
                              .epsilon = settings->epsilon,
                              .rate = settings->rate / (1.0 - pow(settings->beta1, t)),
                              .correction = 1.0 / (1.0 - pow(settings->beta2, t))};
  product_current()->adam(x, m, v, gradient, n, &update);
}
