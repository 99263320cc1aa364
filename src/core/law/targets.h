/* Densities to sample from that are computed here: normalised log-densities and their gradients. */
#ifndef PARTICLEFLOW_TARGET_H
#define PARTICLEFLOW_TARGET_H

#include <stddef.h>

#include "core/law/gaussians.h"

typedef enum {
  TARGET_mixture = 0, /* of Gaussians */
  TARGET_banana = 1,  /* x_1 ~ N(0, a^2), x_2 ~ N(b (x_1^2 - a^2), 1), the others N(0, 1) */
  TARGET_funnel = 2,  /* x_1 ~ N(0, a^2), the others N(0, exp(x_1)) */
  TARGET_count = 3
} target_kind;

typedef struct {
  target_kind kind;
  size_t dim;
  double a, b;
  gaussians components; /* of the mixture: constants log weight + log det A_k - dim/2 log 2 pi */
} target;

/* points: packed [n, dim]. log_density [n]; gradient packed [n, dim], may be null. workspace:
 * threads * target_workspace. */
void target_field(const target *of, const double *points, size_t n, double *log_density, double *gradient,
                  double *workspace, int threads);
size_t target_workspace(const target *of);

#endif
