/* Small dense algebra for one point at a time, inside parallel regions where LAPACK must not be called. */
#ifndef PARTICLEFLOW_LINALG_H
#define PARTICLEFLOW_LINALG_H

#include <stddef.h>

/* Entries of the lower triangle of a [dim, dim] matrix, its diagonal included: dim (dim+1) / 2. Packed triangles lie
 * row by row, entry (c, e) with e <= c at c (c+1) / 2 + e. */
size_t triangle_size(size_t dim);

double dot(const double *a, const double *b, size_t n);
double norm(const double *a, size_t n);

/* 1 if none of x [n] is infinite or NaN. */
int all_finite(const double *x, size_t n);

/* Rows of z [count, dim], count at most dim, made orthogonal to those before them and of length 1, in place. */
void make_orthonormal(double *z, size_t count, size_t dim);

/* Lower Cholesky factor of the symmetric [n, n] matrix a, in place; 1 if a is positive definite. */
int cholesky_factor(double *a, size_t n);

/* Solves L L' x = b in place, L from cholesky_factor. */
void cholesky_solve(const double *factor, double *b, size_t n);

/* L^{-1}, its lower triangle packed by rows. */
void invert_factor(const double *factor, size_t n, double *inverse);

#endif
