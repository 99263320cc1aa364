/* Sums of one sample with itself, each unordered pair visited once: what it adds to one row it takes from the
 * other. The same sums as those of pairwise.h with the queries for sources, in another order. */
#ifndef PARTICLEFLOW_MUTUAL_H
#define PARTICLEFLOW_MUTUAL_H

#include "core/base/status.h"
#include "core/pair/pairwise.h"

typedef struct {
  const double *rows;      /* packed [n, dim] */
  size_t n, dim;
  pair_kernel kernel;      /* a Riesz weight */
  const simd_table *table; /* set by mutual_prepare */
} mutual_task;

/* In more dimensions the sums of a pair of blocks outgrow the nearest cache, and the ordered loop of pairwise.h is as
 * fast or faster. The sums would be right there, too. */
#define MUTUAL_DIM 96

/* Chooses the kernels; STATUS_bad_argument for a weight that is not a Riesz weight. */
status mutual_prepare(mutual_task *task);

/* The rows are cut into blocks; in one round every block is paired with one other, in the first round with itself. */
size_t mutual_rounds(size_t n, size_t dim);

/* Doubles of the sums while they grow, and of workspace. */
size_t mutual_state(size_t n, size_t dim);
size_t mutual_workspace(size_t n, size_t dim, int threads);

/* Sums of nothing. */
void mutual_clear(const mutual_task *task, double *state);

/* Rounds [from, to) on `threads` threads, added onto `state`, which is best aligned to 64 bytes. Rows gather
 * their sums in the order of the rounds, so the bits depend neither on the threads nor on how rounds are split
 * among calls. */
void mutual_advance(const mutual_task *task, double *state, size_t from, size_t to, double *workspace, int threads);

/* The sums of a state that has gone through all rounds; `hessian` must be null. */
void mutual_close(const mutual_task *task, const double *state, const pair_sums *out, double *workspace);

#endif
