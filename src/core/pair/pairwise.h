/* The pairwise engine: for each query row, weighted sums over all source rows. Everything that walks
 * pairs goes through here. */
#ifndef PARTICLEFLOW_PAIRWISE_H
#define PARTICLEFLOW_PAIRWISE_H

#include <stddef.h>

#include "core/pair/kernel.h"
#include "core/pair/simd.h"
#include "core/pair/sums.h"

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

/* One row per point from a column-major matrix, and back. */
void pack_rows(double *out, const double *x, size_t n, size_t dim);
void unpack_rows(double *out, const double *packed, size_t n, size_t dim);

/* The source that is query row i itself; NO_SELF if there is none. */
size_t pairwise_own(const pair_task *task, size_t i);

/* The number of sources that each query row is paired with. */
double pairwise_count(const pair_task *task);

/* Query rows [first, first + count) of a task. */
pair_task pairwise_rows(const pair_task *task, size_t first, size_t count);

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

#endif
