/* Mixtures of Gaussians, one component a point: what smoothers and latent laws are made of. */
#ifndef PARTICLEFLOW_MIXTURE_H
#define PARTICLEFLOW_MIXTURE_H

#include <stddef.h>

#define NOT_A_COMPONENT ((size_t)-1)

typedef struct {
  const double *means;     /* packed [n, dim]: m_a */
  const double *factors;   /* packed [n, dim (dim+1) / 2]: lower triangles A_a by rows */
  const double *offsets;   /* packed [n, dim]: q_a; null: 0 */
  const double *constants; /* [n] c_a: log weight, log det A_a and the power of 2 pi */
  size_t n, dim;
} gaussian_mixture;

/* For each point y and each width h with its share t
 *   log sum_a exp(c_a - dim log h - |A_a (y - m_a) - t q_a|^2 / (2 h^2)).
 * points: packed [m, dim]. first: point i is component first + i, which is left out; NOT_A_COMPONENT: none.
 * out: column-major [m, n_widths]. workspace: threads * mixture_workspace(n, dim). */
void mixture_log_density(const gaussian_mixture *mixture, const double *points, size_t m, size_t first,
                         const double *widths, const double *shares, size_t n_widths, double *out, double *workspace,
                         int threads);
size_t mixture_workspace(size_t n, size_t dim);

/* Points taken together, so that their chains of operations overlap. */
#define MIXTURE_LANES 8

/* y [dim, MIXTURE_LANES] from `count` packed points, the last repeated to the end. */
void mixture_lanes(const double *points, size_t count, size_t dim, double *y);

/* |p|^2 and, with an offset q, p.q [MIXTURE_LANES] for p = A (y - m). z: room like y. */
void mixture_lengths(const double *factor, const double *offset, const double *mean, const double *y, double *z,
                     size_t dim, double *length, double *cross);

/* A Gaussian for the surroundings of each of n packed points: C = (1 - shrinkage) C_k + shrinkage tr(C_k)/dim I +
 * max(least, 1e-8 tr(C_k)/dim) I, C_k the covariance (divisor k + 1) of the point and its k neighbours.
 * index: column-major [n, k], from 0. out: centres packed [n, dim], the means of the surroundings; roots and
 * factors packed [n, dim (dim+1) / 2], L and L^{-1} by rows, C = L L'; log_det [n] of L^{-1} (NaN where C has no
 * root). workspace: threads * local_gaussians_workspace(dim). */
void local_gaussians(const double *points, size_t n, size_t dim, const int *index, size_t k, double shrinkage,
                     double least, double *centres, double *roots, double *factors, double *log_det,
                     double *workspace, int threads);
size_t local_gaussians_workspace(size_t dim);

#endif
