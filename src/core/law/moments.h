/* Means and scatter matrices of rows under several sets of weights. */
#ifndef PARTICLEFLOW_MOMENTS_H
#define PARTICLEFLOW_MOMENTS_H

#include <stddef.h>

/* points: packed [n, dim]; weights: column-major [n, sets], not negative. means: packed [sets, dim], 0 where all
 * weights are; scatters: packed [sets, dim (dim+1) / 2], sum of w (x - mean)(x - mean)', lower triangle by rows.
 * Rows are summed in parts that depend on n alone, whatever the number of threads. */
void weighted_moments(const double *points, size_t n, size_t dim, const double *weights, size_t sets, double *means,
                      double *scatters, double *workspace, int threads);
size_t moments_workspace(size_t n, size_t dim, size_t sets, int threads);

#endif
