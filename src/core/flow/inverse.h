/* The inverse of a forward step for points that are not particles (arXiv 2507.08239, Algorithm 3).
 *
 * Exact: v solves F(v) = v - y - gamma/(n-1) sum_a grad W(v - x_a) = 0, the stationary point of the
 * proximal objective |v-y|^2/2 - gamma/(n-1) sum_a W(v - x_a), with x the particles before the step.
 * Paper: v <- v - beta (v - y - gamma/n sum_a grad W(v - x_a)), a fixed number of times. */
#ifndef PARTICLEFLOW_INVERSE_H
#define PARTICLEFLOW_INVERSE_H

#include "core/pair/engine.h"
#include "core/pair/pairwise.h"

typedef struct {
  const double *source; /* packed [n, dim] */
  const double *mean;   /* [dim] */
  size_t n, dim;
  pair_kernel potential;
  double gamma;
  const sums_engine *engine; /* gives the sums in place of the pair engine; then `source` is not used. May be null */
} inverse_step;

/* y, guess, out: column-major [m, dim]. residual: [m], |F(v)| at the end. evaluations: [m], how often the
 * field was evaluated. A point has converged when residual <= tolerance (same units as y). log_det: [m], log det (I -
 * gamma J) at the point that was found, NaN where the matrix is not positive definite; null: not wanted. With log_det
 * dim is at most TILE_HESSIAN_DIM.
 * workspace: threads * (backward_workspace(dim) + the workspace of `engine`). */
void invert_points(const inverse_step *step, const double *y, const double *guess, size_t m, double tolerance,
                   int most_evaluations, double *out, double *residual, int *evaluations, double *log_det,
                   double *workspace, int threads);

/* The paper's inner loop: n_inner updates of size beta, weight gamma/n, from `start` [m, dim]: y itself, or where an
 * earlier call ended. */
void invert_points_paper(const inverse_step *step, const double *y, const double *start, size_t m, double beta,
                         int n_inner, double *out, double *residual, double *workspace, int threads);

size_t backward_workspace(size_t dim);

#endif
