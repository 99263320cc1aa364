/* The gradient field that moves the particles (arXiv 2507.08239, Algorithm 2):
 *   g(y) = 1/(n-1) sum_a grad W(y - x_a) = [n (y - mean x) - sum_a w z] / (n-1),  z = y - x_a.
 * The attractive half needs no pairs. */
#ifndef PARTICLEFLOW_FIELD_H
#define PARTICLEFLOW_FIELD_H

#include "core/pair/mutual.h"
#include "core/pair/pairwise.h"

/* Mean of each coordinate of packed rows [n, dim]. */
void mean_rows(double *mean, const double *packed, size_t n, size_t dim);

/* The field at the task's query rows. */
typedef struct {
  double *gradient;  /* column-major [n_query, dim] */
  double *curvature; /* [n_query] the trace bound of the largest eigenvalue of the field's Jacobian */
  double *repulsion; /* [n_query] sum of the repulsive part of W */
  double *nearest;   /* [n_query] smallest |z|^2 */
  double *weight;    /* [n_query] scratch */
} field_values;

/* `mean` is that of the sources. workspace: threads * pairwise_workspace(dim) */
void field_rows(const pair_task *task, const double *mean, const field_values *out, double *workspace,
                int threads);

/* The field at the particles themselves from a state that has gone through all rounds of mutual_advance().
 * workspace: mutual_workspace(n, dim, 1) */
void field_of_sample(const mutual_task *task, const double *state, const double *mean, const field_values *out,
                     double *workspace);

#endif
