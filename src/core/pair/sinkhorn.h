/* Entropic optimal transport between two clouds of equal weights, in the log domain:
 *   OT(eps) = max over f, g of  mean_i f_i + mean_j g_j - eps (mean_ij exp((f_i + g_j - C_ij) / eps) - 1),
 * C_ij = |x_i - y_j|^2 / 2 (Cuturi 2013; Feydy et al. 2019 for the debiased divergence). */
#ifndef PARTICLEFLOW_SINKHORN_H
#define PARTICLEFLOW_SINKHORN_H

#include <stddef.h>

#include "core/base/status.h"

typedef struct {
  const double *x; /* [n, dim], one row per point */
  const double *y; /* [m, dim]; null: x against itself, f = g */
  size_t n, m, dim;
} transport_task;

typedef struct {
  double *f;    /* [n] in and out */
  double *g;    /* [m] in and out; not used against itself */
  double error; /* before the last step: sum of |row sum of the plan - 1/n|, the share of the mass in the wrong
                   place; steps without relaxation do not make it larger */
  double value; /* after a step without relaxation a lower bound of OT(eps), reached where the error is zero */
} transport_state;

/* Doubles of workspace for the two routines below. */
size_t sinkhorn_workspace(const transport_task *task, int threads);

/* T(g)_i = -eps log mean_j exp((g_j - C_ij) / eps), [n], through the pairwise engine. A row is summed by one
 * thread in one order. Only tests call it alone. */
void soft_minimum(const transport_task *task, const double *g, double epsilon, double *out, double *workspace,
                  int threads);

/* Full steps
 *   f <- f + relaxation (T(g) - f), then g <- g + relaxation (T(f) - g).
 * A relaxation of 1 is Sinkhorn's own step; near the end one above 1, and below 2, takes fewer steps (Thibault
 * et al. 2021). Against itself f <- (f + T(f)) / 2, which converges in a few steps and is not relaxed. */
status sinkhorn_steps(const transport_task *task, transport_state *state, double epsilon, double relaxation,
                      size_t n_steps, double *workspace, int threads);

#endif
