/* The law at which the repulsive-attractive energy |x|^2/2 + |x|^{-s}/s rests (s = 0: -log|x|), for
 * infinitely many particles, centred at 0 (arXiv 2507.08239). For d-4 < s < d the density is proportional to
 * (R^2 - |x|^2)^{(s-d+2)/2}; for -2 < s <= d-4 it is uniform on the sphere of radius R. */
#ifndef PARTICLEFLOW_EQUILIBRIUM_H
#define PARTICLEFLOW_EQUILIBRIUM_H

#include "core/base/rng.h"
#include "core/base/status.h"

/* Radius R of the support; needs d >= 1 and -2 < s < d (NaN elsewhere). */
double equilibrium_radius(size_t dim, double s);

typedef enum {
  SHELL_sphere = 0,      /* |x| = R */
  SHELL_ball = 1,        /* uniform in |x| <= R */
  SHELL_equilibrium = 2, /* |x|^2/R^2 ~ Beta(d/2, (s-d)/2+2), or the sphere where s <= d-4 */
  SHELL_count = 3
} shell;

/* n draws with a uniform direction: out is column-major [n, dim], in units of `radius`, about `centre`
 * [dim]. Row i depends on (key, i) only. A radius that is not finite, or s outside (-2, d) where it
 * matters, is a bad argument. */
status draw_shell(double *out, size_t n, size_t dim, const double *centre, double radius, shell kind,
                  double s, rng_key key, int threads);

#endif
