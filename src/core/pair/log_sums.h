/* Logarithms of sums of weights over all sources, for rows whose plain sum leaves the range of doubles: the largest
 * term is taken out first. */
#ifndef PARTICLEFLOW_LOG_SUMS_H
#define PARTICLEFLOW_LOG_SUMS_H

#include "core/pair/pairwise.h"

/* A plain sum of weights below this may have lost digits, or everything, to the end of the range of doubles. */
#define LEAST_SUM 1e-280

/* Term a of query row y is exp(rate (offset_a - scale m_a)) with m_a = |y - x_a|^2, or |y - x_a| with `root`. */
typedef struct {
  const double *offset; /* [n_source]; null: 0 */
  double scale, rate;
  int root;
  size_t dim;        /* coordinates that count, the first ones of those of the task */
  double negligible; /* terms smaller than exp(-negligible) times the largest are left out; INFINITY: none is */
} log_terms;

/* The sum is exp(most) times `sum`; without any source most is -INFINITY and sum 0. */
typedef struct {
  double most, sum;
} log_sum;

/* Query row i of the task, without the source that is the row itself. exponent: scratch, [n_source].
 * shift: sum of term times (y - x_a) over the sum of terms, coordinate c at shift[c * stride]; null: not wanted. */
log_sum pairwise_log_sum(const pair_task *task, const log_terms *terms, size_t i, double *exponent, double *shift,
                         size_t stride);

#endif
