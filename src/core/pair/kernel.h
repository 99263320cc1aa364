/* The weight w(u) of a pair, u = |z|^2 + eps: what distinguishes one pairwise sum from another. */
#ifndef PARTICLEFLOW_KERNEL_H
#define PARTICLEFLOW_KERNEL_H

#include <stddef.h>

typedef enum {
  WEIGHT_even = 0,     /* Riesz, s an even integer: (1/u)^power */
  WEIGHT_odd = 1,      /* Riesz, s an odd integer: u^{-1/2} (1/u)^power */
  WEIGHT_general = 2,  /* Riesz, any other s: exp(-exponent log u) */
  WEIGHT_gaussian = 3, /* exp(-rate u) */
  WEIGHT_laplace = 4,  /* exp(-rate u^{1/2}) */
  WEIGHT_distance = 5, /* u^{1/2} */
  WEIGHT_count = 6
} weight_kind;
/* The Riesz weights are the first so many. */
#define WEIGHT_RIESZ_COUNT 3

typedef struct {
  weight_kind kind;
  double epsilon;
  double s;        /* Riesz: the potential's exponent */
  double exponent; /* Riesz: s/2 + 1 */
  unsigned power;  /* Riesz: whole powers of 1/u */
  double rate;     /* Gaussian, Laplace */
} pair_kernel;

/* exp(-|z|^2 / (2 bandwidth^2)) */
pair_kernel kernel_gaussian(double bandwidth);
/* exp(-|z| / bandwidth) */
pair_kernel kernel_laplace(double bandwidth);
/* |z| */
pair_kernel kernel_distance(void);

/* w(u), one pair. */
double kernel_weight(const pair_kernel *kernel, double u);

#endif
