/* Mixtures of Gaussians and multivariate t, conditioned on points and boxes: log-probabilities and draws.
 *
 * A condition says lower <= x <= upper; coordinates with lower = upper are points, others with a finite bound are
 * boxes, the rest is free. Of each component the points are conditioned on in closed form. The probability of the
 * boxes is estimated by sequential draws of truncated variables (Geweke 1991, Hajivassiliou and McFadden 1998, Keane
 * 1994), which are weighted; the t needs no draw of its scale, because the coordinates before only change its degrees
 * of freedom and its scale. Each row of the result is chosen among `proposals` by their weights. With at most one box
 * all weights are equal and one proposal is exact. */
#ifndef PARTICLEFLOW_CONDITION_H
#define PARTICLEFLOW_CONDITION_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/components.h"

/* Which coordinates are conditioned on: `order` [dim] names first the points, then the boxes, then the others. */
typedef struct {
  const size_t *order;
  size_t points, boxes;
} condition_pattern;

/* m conditions of one pattern. */
typedef struct {
  const double *lower, *upper; /* packed [m, dim] */
  const uint64_t *rows;        /* [m]: the draws of condition i are a function of key, stream and rows[i] */
  size_t m, proposals;
  rng_key key;
  uint32_t stream;
} condition_task;

typedef struct {
  double *x;               /* packed [m, dim]: a draw each; null: none are wanted. NaN if the condition has no
                              probability that a double can hold */
  double *log_probability; /* [m]: log of the density of the points times the probability of the boxes given them */
  double *variance;        /* [m]: squared relative standard error of the probability, 0 if it is exact */
  double *effective;       /* [m]: effective number of proposals; INFINITY if the draw is exact */
} condition_out;

void condition_rows(const t_components *law, const condition_pattern *pattern, const condition_task *task,
                    const condition_out *out, double *workspace, int threads);
size_t condition_workspace(const t_components *law, const condition_pattern *pattern, const condition_task *task,
                           int threads);

/* The lower triangle T with positive diagonal and T T' = P L L' P', where row i of P L is row order[i] of L; only
 * its first `count` rows, which are packed. By reflections of the rows, so that the error is that of L and not of the
 * covariance. room: count * dim + dim. */
void reorder_root(const double *root, size_t dim, const size_t *order, size_t count, double *out, double *room);

#endif
