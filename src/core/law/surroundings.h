/* A Gaussian for the surroundings of each point. */
#ifndef PARTICLEFLOW_SURROUNDINGS_H
#define PARTICLEFLOW_SURROUNDINGS_H

#include <stddef.h>

/* C_k is the covariance (divisor k + 1) of a point and its k neighbours, the Gaussian has
 *   C = (1 - shrinkage) C_k + shrinkage tr(C_k)/dim I + max(least, 1e-8 tr(C_k)/dim) I. */
typedef struct {
  const double *points; /* packed [n, dim] */
  size_t n, dim;
  const int *index; /* column-major [n, k], the neighbours, from 0 */
  size_t k;
  double shrinkage, least;
} surroundings;

/* What becomes of them; one row per point. */
typedef struct {
  double *centres; /* packed [n, dim], the means of the surroundings */
  double *roots;   /* packed [n, dim (dim+1) / 2], L by rows, C = L L' */
  double *factors; /* packed [n, dim (dim+1) / 2], L^{-1} by rows */
  double *log_det; /* [n] log det L^{-1}; where C has no root, this, the root and the factor are NaN */
} local_gaussians_out;

/* workspace: threads * local_gaussians_workspace(dim). */
void local_gaussians(const surroundings *of, const local_gaussians_out *out, double *workspace, int threads);
size_t local_gaussians_workspace(size_t dim);

#endif
