/* The Riesz interaction W(z) = |z|^2/2 + 1/(s (|z|^2+eps)^{s/2}), logarithmic at s = 0, and its
 * gradient z (1 - w), w = (|z|^2+eps)^{-(s/2+1)}. One pair weight serves every s > -2. */
#ifndef PARTICLEFLOW_RIESZ_H
#define PARTICLEFLOW_RIESZ_H

#include <stddef.h>

typedef enum {
  WEIGHT_even = 0,    /* s an even integer: w = (1/u)^power */
  WEIGHT_odd = 1,     /* s an odd integer: w = u^{-1/2} (1/u)^power */
  WEIGHT_general = 2, /* any other s: w = exp(-(s/2+1) log u) */
  WEIGHT_count = 3
} weight_kind;

typedef struct {
  weight_kind kind;
  double s;
  double epsilon;
  double exponent; /* s/2 + 1 */
  unsigned power;  /* whole powers of 1/u */
} riesz;

riesz riesz_make(double s, double epsilon);

/* w at u = |z|^2 + eps, one pair. */
double riesz_weight(const riesz *potential, double u);

/* The repulsive part of W at one u: u^{-s/2}/s, or -log(u)/2 at s = 0. */
double riesz_repulsion(const riesz *potential, double u);

/* Largest eigenvalue of the Hessian of W over all z (METHODS section 1, reading 4): 1 for s <= -1,
 * infinite for eps = 0 otherwise. */
double riesz_curvature(const riesz *potential);

#endif
