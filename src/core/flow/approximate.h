/* The field of the particles (field.h) where an engine gives its sums:
 *   g(y) = factor [n (y - mean) - sum_a w z] / (n - 1)
 * over the n sources of the engine. For a batch of p out of N particles, factor = N (p - 1) / ((N - 1) p) makes it the
 * mean over the batch times N / (N - 1). */
#ifndef PARTICLEFLOW_APPROXIMATE_H
#define PARTICLEFLOW_APPROXIMATE_H

#include "core/pair/engine.h"

typedef struct {
  sums_engine engine;
  const double *mean; /* [dim] */
  double factor;
  int own; /* 1: query rows are particles, and their curvature is without the pair of a particle with itself, which the
              sums contain with z = 0 */
} approximate_field;

/* Query rows as in engine.h. gradient: column-major [n, dim]. bound: [n], a bound of the largest eigenvalue of the
 * Jacobian. workspace: approximate_workspace(field, n, threads). */
void approximate_gradient(const approximate_field *field, const double *query, size_t n, size_t row_stride,
                          size_t column_stride, double *gradient, double *bound, double *workspace, int threads);

/* curvature: [n], the largest eigenvalue of the Jacobian; dim at most TILE_HESSIAN_DIM. */
void approximate_curvature(const approximate_field *field, const double *query, size_t n, size_t row_stride,
                           size_t column_stride, double *curvature, double *workspace, int threads);

/* log det (I - gamma J) at each row; NaN where the matrix is not positive definite. dim at most TILE_HESSIAN_DIM. */
void approximate_log_det(const approximate_field *field, double gamma, const double *query, size_t n,
                         size_t row_stride, size_t column_stride, double *log_det, double *workspace, int threads);

size_t approximate_workspace(const approximate_field *field, size_t n, int threads);

#endif
