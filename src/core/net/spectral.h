/* The largest singular value of a small matrix, bounded from above. */
#ifndef PARTICLEFLOW_SPECTRAL_H
#define PARTICLEFLOW_SPECTRAL_H

#include <stddef.h>

#include "core/base/status.h"

/* A bound is at most this much above the largest singular value, relatively. */
#define SPECTRAL_TOLERANCE 1e-5

/* A number that the largest singular value of w [rows, columns] does not exceed (but for rounding), at most
 * 1 + SPECTRAL_TOLERANCE times it; 0 for a matrix of zeros, not finite where w is not.
 * Power iteration on the smaller Gram matrix from `direction` [min(rows, columns)], which is left where it
 * ended so that the next call starts there, then a Cholesky factorisation of bound^2 I - Gram as proof.
 * SPECTRAL_STOPPED where `interrupted` says so. */
#define SPECTRAL_STOPPED (-1.0)
double spectral_bound(const double *w, size_t rows, size_t columns, double *direction, interrupt_function interrupted,
                      double *workspace);
size_t spectral_workspace(size_t rows, size_t columns);

#endif
