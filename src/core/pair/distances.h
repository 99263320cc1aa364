/* Squared distances, chunk by chunk, to whoever asks what is near: |y - x_a|^2 on the tiles. A pair's bits
 * depend on nothing but the pair, and not on its order. */
#ifndef PARTICLEFLOW_DISTANCES_H
#define PARTICLEFLOW_DISTANCES_H

#include <stddef.h>

#include "core/pair/pairwise.h"

/* Query rows that share a block of sources while it is in the nearest cache. */
#define DISTANCE_CHUNK ((size_t)32)
/* Sources of one block at most. */
#define DISTANCE_BLOCK ((size_t)128)

/* Query rows [from, from + count) of a packed [., dim] matrix against the packed sources. */
typedef struct {
  const double *query, *source;
  size_t from, count, n_source, dim;
} distance_task;

/* What a visitor sees: rows [first, first + rows) of the `count`, at most eight, against sources [source,
 * source + n). distance2[b * source_stride + j] is that of row j and source b of these. `own` is room for these
 * rows that is kept from one block to the next; it is not cleared before the first. */
typedef struct {
  size_t first, rows, source, n;
  const double *distance2;
  size_t source_stride;
  double *own;
} distance_block;

/* Called with the blocks of a row in the order of the sources, from 0; a row belongs to one thread. */
typedef void (*distance_visitor)(const distance_block *block, void *context);

/* workspace: threads * distances_workspace(dim, own) doubles, `own` as many as the visitor needs a row. */
void visit_distances(const distance_task *task, distance_visitor visit, void *context, size_t own, double *workspace,
                     int threads);
size_t distances_workspace(size_t dim, size_t own);

/* |y - x_a|^2 at out[a * stride + i] for row i of the `count`. workspace: threads * distances_workspace(dim, 0) */
void squared_distances(const distance_task *task, double *out, size_t stride, double *workspace, int threads);

/* w(|y - x_a|^2): column-major [count, n_source]. workspace: threads * distances_workspace(dim, 0) */
void kernel_rows(const distance_task *task, const pair_kernel *kernel, double *out, double *workspace, int threads);

#endif
