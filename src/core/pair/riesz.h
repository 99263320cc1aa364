/* The Riesz interaction W(z) = |z|^2/2 + 1/(s (|z|^2+eps)^{s/2}), logarithmic at s = 0, and its gradient z (1 - w),
 * w = (|z|^2+eps)^{-(s/2+1)} (arXiv 2507.08239). One pair weight serves every s > -2. */
#ifndef PARTICLEFLOW_RIESZ_H
#define PARTICLEFLOW_RIESZ_H

#include "core/pair/kernel.h"

/* The weight w of the gradient. */
pair_kernel riesz_kernel(double s, double epsilon);

/* The repulsive part of W at one u: u^{-s/2}/s, or -log(u)/2 at s = 0. The package sums it in the pair engine; this is
 * the reference of the tests. */
double riesz_repulsion(const pair_kernel *potential, double u);

/* Largest eigenvalue of the Hessian of W over all z. Along z it is 1 - w + (s+2) w |z|^2/u, whose maximum is at
 * |z|^2 = 3 eps / (s+1), where u = q = eps (s+4)/(s+1):
 *   1 + 2 (s+1)/(s+4) q^{-(s/2+1)};
 * 1 for s <= -1, infinite for eps = 0 otherwise. */
double riesz_curvature(const pair_kernel *potential);

#endif
