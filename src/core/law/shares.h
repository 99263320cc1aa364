/* Shares of classes and of laws: logistic regression, the weights of mixtures by EM, and calibration. */
#ifndef PARTICLEFLOW_SHARES_H
#define PARTICLEFLOW_SHARES_H

#include <stddef.h>

typedef struct {
  const double *basis; /* [n, columns] by columns, orthonormal up to a ridge */
  const double *start; /* [classes]: the logarithms of the shares that the ascent starts from */
  const int *class_of; /* [n] from 0 */
  size_t n, columns, classes;
} logistic;

/* Multinomial logistic regression, eta = start + basis along: ascent with the bound of Boehning (1992) for the
 * curvature, 1/2, and the momentum of Nesterov (1983), until no entry of `along` moves by `least_change` or more.
 * along [columns, classes], 0 at first; shares [n, classes] at the end, both by columns.
 * workspace: logistic_workspace(). */
void logistic_ascend(const logistic *of, size_t most_steps, double least_change, double *along, double *shares,
                     double *workspace);
size_t logistic_workspace(const logistic *of);

/* The shares at the end become nearly those of each row without this row: one step of Newton's method, with the mean of
 * p_c (1 - p_c) over the rows as the curvature of class c. room [2 n]. */
void logistic_without(const logistic *of, const double *along, double *shares, double *room);

/* Densities [n, parts] by columns of a mixture. */
typedef struct {
  const double *density;
  size_t n, parts;
} mixed_densities;

/* Steps of EM for the weights [parts] with the largest mean log-density, in place. room: n + parts. */
void mixing_steps(const mixed_densities *of, size_t steps, double *weights, double *room);

/* The same to convergence, where plain EM needs thousands of steps. Each round goes on along two steps of the
 * logarithms as far as their curvature says, at most `longest` steps of EM (Varadhan and Roland 2008), if that is no
 * worse. room: n + 4 parts. */
void mixing_rounds(const mixed_densities *of, size_t most_rounds, double longest, double *weights, double *room);

/* Factors [parts] with which the columns of `density`, divided by their sums over each row, have the means `wanted`.
 * room: n + parts. */
void calibrate_shares(const mixed_densities *of, const double *wanted, size_t most_rounds, double least_change,
                      double *factors, double *room);

#endif
