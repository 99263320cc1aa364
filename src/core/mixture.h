/* Mixtures of Gaussians, one component a point: what smoothers and latent laws are made of. */
#ifndef PARTICLEFLOW_MIXTURE_H
#define PARTICLEFLOW_MIXTURE_H

#include <stddef.h>

#define NOT_A_COMPONENT ((size_t)-1)

typedef struct {
  const double *means;     /* packed [n, dim] */
  const double *factors;   /* packed [n, dim (dim+1) / 2]: lower triangles A_a by rows; null: the identity */
  const double *constants; /* [n] c_a: log weight, log det A_a and the power of 2 pi */
  size_t n, dim;
} gaussian_mixture;

/* log sum_a exp(c_a - dim log h - |A_a (y - x_a)|^2 / (2 h^2)) for each point and each width h.
 * points: packed [m, dim]. first: point i is component first + i, which is left out; NOT_A_COMPONENT: none.
 * out: column-major [m, n_widths]. workspace: threads * mixture_workspace(n, dim). */
void mixture_log_density(const gaussian_mixture *mixture, const double *points, size_t m, size_t first,
                         const double *widths, size_t n_widths, double *out, double *workspace, int threads);
size_t mixture_workspace(size_t n, size_t dim);

#endif
