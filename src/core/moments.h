/* Means and scatter matrices of rows under several sets of weights. */
#ifndef PARTICLEFLOW_MOMENTS_H
#define PARTICLEFLOW_MOMENTS_H

#include <stddef.h>

/* points: packed [n, dim]; weights: column-major [n, sets], not negative. means: packed [sets, dim], 0 where all
 * weights are; scatters: packed [sets, dim (dim+1) / 2], sum of w (x - mean)(x - mean)', lower triangle by rows.
 * workspace: threads * dim. A set is summed in one fixed order. */
void weighted_moments(const double *points, size_t n, size_t dim, const double *weights, size_t sets, double *means,
                      double *scatters, double *workspace, int threads);

#endif
