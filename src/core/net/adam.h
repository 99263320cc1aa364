/* Adam (Kingma and Ba 2015): steps scaled by running moments of the gradient. */
#ifndef PARTICLEFLOW_ADAM_H
#define PARTICLEFLOW_ADAM_H

#include <stddef.h>

typedef struct {
  double rate; /* negative to descend */
  double beta1, beta2, epsilon;
} adam_settings;

/* Update number t = 1, 2, ..:
 *   m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2,
 *   x <- x + rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon). */
void adam_step(double *x, double *m, double *v, const double *gradient, size_t n, double t,
               const adam_settings *settings);

#endif
