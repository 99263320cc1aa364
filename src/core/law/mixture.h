/* Mixtures of Gaussians with one component per point, of which smoothers and latent laws are made. */
#ifndef PARTICLEFLOW_MIXTURE_H
#define PARTICLEFLOW_MIXTURE_H

#include <stddef.h>

#include "core/law/gaussians.h"

#define NOT_A_COMPONENT ((size_t)-1)

/* The smoothed density at several widths h_k with shares t_k, k < n. */
typedef struct {
  const double *width, *share;
  size_t n;
} mixture_widths;

/* For each point y and each width h with its share t
 *   log sum_a exp(c_a - dim log h - |A_a (y - m_a) - t q_a|^2 / (2 h^2)).
 * points: packed [m, dim]. first: point i is component first + i, which is left out; NOT_A_COMPONENT: none.
 * out: column-major [m, widths]. workspace: mixture_workspace(n, dim, threads). */
void mixture_log_density(const gaussians *mixture, const double *points, size_t m, size_t first,
                         const mixture_widths *widths, double *out, double *workspace, int threads);
size_t mixture_workspace(size_t n, size_t dim, int threads);

#endif
