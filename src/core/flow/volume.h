/* The volume that a forward step makes of a volume. */
#ifndef PARTICLEFLOW_VOLUME_H
#define PARTICLEFLOW_VOLUME_H

#include "core/pair/pairwise.h"

/* log det (I - gamma J(y)) of a forward step at the task's query rows, J the Jacobian of the field (field.h); NaN where
 * the matrix is not positive definite, so that the step cannot be one-to-one there. dim at most TILE_HESSIAN_DIM.
 * workspace: step_log_det_workspace(dim, threads). */
void step_log_det(const pair_task *task, double gamma, double *log_det, double *workspace, int threads);
size_t step_log_det_workspace(size_t dim, int threads);

/* The same at one point from its sums: `pairs` sources, scale = gamma / (n - 1), and the triangle of the engine.
 * jacobian: [dim, dim] scratch. */
double log_det_from_sums(double pairs, double scale, double s, double weight, const double *triangle, size_t dim,
                         double *jacobian);

#endif
