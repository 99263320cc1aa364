/* Entropic optimal transport between two clouds of equal weights, in the log domain:
 *   OT(eps) = max over f, g of  mean_i f_i + mean_j g_j - eps (mean_ij exp((f_i + g_j - C_ij) / eps) - 1),
 * C_ij = |x_i - y_j|^2 / 2 (Cuturi 2013; Feydy et al. 2019 for the debiased divergence). */
#ifndef PARTICLEFLOW_SINKHORN_H
#define PARTICLEFLOW_SINKHORN_H

#include <stddef.h>

#include "core/status.h"

typedef struct {
  const double *cost;       /* [n, m], row by row */
  const double *transposed; /* [m, n]; null: the cloud against itself (m = n), f = g */
  size_t n, m;
} transport_task;

typedef struct {
  double *f; /* [n] in and out */
  double *g; /* [m] in and out; null against itself */
  double error; /* before the last step: sum of |row sum of the plan - 1/n|, the share of the mass in the wrong
                   place; steps without relaxation do not make it larger */
  double value; /* after a step without relaxation a lower bound of OT(eps), reached where the error is zero */
} transport_state;

/* cost[i, j] = |x_i - y_j|^2 / 2 for packed x [n, dim], y [m, dim]. */
void transport_cost(double *cost, const double *x, size_t n, const double *y, size_t m, size_t dim, int threads);

/* Doubles of workspace for sinkhorn_steps. */
size_t sinkhorn_workspace(const transport_task *task, int threads);

/* Full steps with T(g)_i = -eps log mean_j exp((g_j - C_ij) / eps):
 *   f <- f + relaxation (T(g) - f), then g <- g + relaxation (T(f) - g).
 * A relaxation of 1 is Sinkhorn's own step; near the end one above 1, and below 2, takes fewer steps (Thibault
 * et al. 2021). Against itself f <- (f + T(f)) / 2, which converges in a few steps and is not relaxed.
 * A row is summed by one thread in one order. */
status sinkhorn_steps(const transport_task *task, transport_state *state, double epsilon, double relaxation,
                      size_t n_steps, double *workspace, int threads);

#endif
