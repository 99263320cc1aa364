/* The largest eigenvalue of the Jacobian of the field (field.h) over the particles. */
#ifndef PARTICLEFLOW_CURVATURE_H
#define PARTICLEFLOW_CURVATURE_H

#include "core/pair/kernel.h"

/* A row and the trace bound of its curvature. */
typedef struct {
  double bound;
  size_t row;
} ranked_row;

/* The largest eigenvalue over the particles, packed [n, dim], each without its own pair, from the bounds that
 * field_rows() gave: rows are examined from the largest bound downwards until no bound left exceeds what was found, or
 * as many rows as cost little beside the field. Where no close pair stands out, rows left unseen may be steeper by some
 * per cent (a tenth was seen).
 * ranking: [n] scratch; workspace: curvature_workspace(n, dim, threads). */
double largest_curvature(const double *packed, size_t n, size_t dim, const pair_kernel *potential,
                         const double *bounds, ranked_row *ranking, double *workspace, int threads);
size_t curvature_workspace(size_t n, size_t dim, int threads);

/* The largest eigenvalue of the matrix whose lower triangle is given row by row; it must be positive semidefinite, or
 * the largest in absolute value is found. direction, image: [dim] scratch. */
double triangle_eigenvalue(const double *triangle, size_t dim, double *direction, double *image);

#endif
