/* The pairwise engine: for each query row, weighted sums over all source rows. Everything that walks
 * pairs goes through here. */
#ifndef PARTICLEFLOW_PAIRWISE_H
#define PARTICLEFLOW_PAIRWISE_H

#include <stddef.h>

#include "core/pair/kernel.h"
#include "core/pair/simd.h"

#define NO_SELF ((size_t)-1)

typedef struct {
  const double *query; /* row i, coordinate c at query[i * row_stride + c * column_stride] */
  size_t n_query, row_stride, column_stride;
  const double *source; /* packed [n_source, dim]: one row per point (pack_rows) */
  size_t n_source, dim;
  size_t self;          /* query row i is source row self + i and is left out; NO_SELF: nothing is */
  const size_t *own;    /* or it is source row own[i]; may be null */
  pair_kernel kernel;
  const simd_table *table; /* set by pairwise_prepare */
} pair_task;

/* Where the sums go; a null pointer is not wanted, and the cheapest kernels that give the others are used:
 * least for `weight`, then `force`, then `bound`, `repulsion` and `nearest`, most for `hessian` (the last
 * four are for Riesz weights). With z = y - x_a, u = |z|^2 + eps. */
typedef struct {
  double *force;  /* sum w z, strides as given */
  size_t row_stride, column_stride;
  double *weight;    /* [n_query] sum w */
  double *bound;     /* [n_query] sum (w/u) |z|^2 */
  double *repulsion; /* [n_query] sum of the repulsive part of W */
  double *nearest;   /* [n_query] min |z|^2; infinite without sources */
  double *hessian;   /* [n_query, dim (dim+1) / 2], row by row: the lower triangle of sum (w/u) z z';
                        dim at most TILE_HESSIAN_DIM */
} pair_sums;

/* One row per point from a column-major matrix. */
void pack_rows(double *out, const double *x, size_t n, size_t dim);

/* Chooses the kernels for the task from the sources and the softening. (A chunk of 32 queries with one too
 * far out for them takes those of the widest range.) */
void pairwise_prepare(pair_task *task);

/* Doubles of workspace that one thread needs, without and with the Hessian. */
size_t pairwise_workspace(size_t dim);
size_t pairwise_hessian_workspace(size_t dim);

/* Query rows [from, to) on the calling thread. */
void pairwise_range(const pair_task *task, const pair_sums *sums, size_t from, size_t to, double *workspace);

/* All query rows on `threads` threads; workspace: threads * pairwise[_hessian]_workspace(dim). Each row is summed
 * in one fixed order, so the bits do not depend on the number of threads. */
void pairwise_all(const pair_task *task, const pair_sums *sums, double *workspace, int threads);

/* `threads`, or 1 where the work would not pay for waking a second one. */
int pairwise_threads(size_t n_query, size_t n_source, size_t dim, int threads);

#endif
