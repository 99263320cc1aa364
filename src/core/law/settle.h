/* Scores within their cells: the standard normal law on intervals, fast, and sweeps of a Gibbs sampler. */
#ifndef PARTICLEFLOW_SETTLE_H
#define PARTICLEFLOW_SETTLE_H

#include <stddef.h>

#include "core/base/sorting.h"

/* The standard normal quantile, 0 < p < 1, right to 1e-15 (Wichura 1988, AS 241). */
double normal_quantile(double p);

/* log P(from < Z < to); -INFINITY if from is not below to, NaN if one of them is. */
double log_normal_between(double from, double to);

/* The u-quantile of the standard normal law within [from, to], 0 < u < 1, also far out and in narrow intervals. */
double normal_between(double from, double to, double u);

/* One coordinate of scores z [n, .] by columns, and how it depends on the others. */
typedef struct {
  double *z;               /* [n, dim] by columns */
  size_t n, dim, column;
  const double *low, *high; /* [n]: the cells of the column */
  const double *u;         /* [n]: uniform numbers */
  const double *mean;      /* [dim] */
  const double *precision; /* [dim]: the row of the precision matrix */
} gibbs_column;

/* The scores of `rows` [count] of the column drawn anew within their cells, given the other coordinates. The
 * bits do not depend on `threads`. */
void settle_rows(const gibbs_column *of, const int *rows, size_t count, int threads);

/* The scores of `rows` get the normal quantiles in their order, (rank - 1/2) / count, but stay within their cells, off
 * the ends by 1e-4 of the width, at most 1e-4. room: [2 count]. The bits do not depend on `threads`. */
void rank_rows(const gibbs_column *of, const int *rows, size_t count, placed_number *room, int threads);

#endif
