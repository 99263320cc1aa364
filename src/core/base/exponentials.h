/* Sums of exponentials of numbers that are logarithms, without overflow: the largest is taken out first. (Sums over
 * pairs of points: core/pair/log_sums.h.) */
#ifndef PARTICLEFLOW_EXPONENTIALS_H
#define PARTICLEFLOW_EXPONENTIALS_H

#include <stddef.h>

/* Terms below exp(EXP_NEGLIGIBLE) times the largest are less than its rounding. */
#define EXP_NEGLIGIBLE -45.0

/* log sum_i exp(l_i) of l [n]; -INFINITY if every l_i is. Negligible terms are left out. */
double log_sum_exp(const double *l, size_t n);

/* log mean_i exp(l_i) of l [n]. */
double log_mean_exp(const double *l, size_t n);

/* l_i, at l[i * stride], becomes exp(l_i) / sum_j exp(l_j). Returns log sum_j exp(l_j). */
double log_to_shares(double *l, size_t n, size_t stride);

#endif
