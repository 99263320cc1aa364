/* The gradient field that moves the particles (efs.md, Algorithm 2) and its curvature:
 *   g(y) = 1/(n-1) sum_a grad W(y - x_a) = [n (y - mean x) - sum_a w z] / (n-1),  z = y - x_a.
 * The attractive half needs no pairs. */
#ifndef PARTICLEFLOW_FORWARD_H
#define PARTICLEFLOW_FORWARD_H

#include "core/pair/mutual.h"
#include "core/pair/pairwise.h"

/* Mean of each coordinate of packed rows [n, dim]. */
void mean_rows(double *mean, const double *packed, size_t n, size_t dim);

/* The field at the task's query rows. `mean` is the sources'. */
typedef struct {
  double *gradient;  /* column-major [n_query, dim] */
  double *curvature; /* [n_query] the trace bound of the largest eigenvalue of the field's Jacobian */
  double *repulsion; /* [n_query] sum of the repulsive part of W */
  double *nearest;   /* [n_query] smallest |z|^2 */
  double *weight;    /* [n_query] scratch */
} field_values;

/* workspace: threads * pairwise_workspace(dim) */
void field_rows(const pair_task *task, const double *mean, const field_values *out, double *workspace,
                int threads);

/* The field at the particles themselves from a state that has gone through all rounds of mutual_advance().
 * workspace: mutual_workspace(n, dim, 1) */
void field_of_sample(const mutual_task *task, const double *state, const double *mean, const field_values *out,
                     double *workspace);

/* A row and the trace bound of its curvature. */
typedef struct {
  double bound;
  size_t row;
} ranked_row;

/* The largest eigenvalue of the field's Jacobian over the particles (each without its own pair), from
 * the bounds that field_rows gave: rows are examined from the largest bound downwards until no bound
 * left exceeds what was found, or as many rows as cost little beside the field. Where no close pair stands
 * out, rows left unseen may be steeper by some per cent (a tenth was seen).
 * ranking: [n] scratch; workspace: curvature_workspace(n, dim, threads). */
double largest_curvature(const double *packed, size_t n, size_t dim, const pair_kernel *potential,
                         const double *bounds, ranked_row *ranking, double *workspace, int threads);
size_t curvature_workspace(size_t n, size_t dim, int threads);

/* log det (I - gamma J(y)) of a forward step at the task's query rows, J the field's Jacobian; NaN where the
 * matrix is not positive definite, so that the step cannot be one-to-one there. dim at most TILE_HESSIAN_DIM.
 * workspace: step_log_det_workspace(dim, threads). */
#define LOG_DET_BATCH 256
void step_log_det(const pair_task *task, double gamma, double *log_det, double *workspace, int threads);
size_t step_log_det_workspace(size_t dim, int threads);

#endif
