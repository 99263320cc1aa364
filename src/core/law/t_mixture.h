/* Mixtures of multivariate t by the EM algorithm, with a conjugate prior. */
#ifndef PARTICLEFLOW_T_MIXTURE_H
#define PARTICLEFLOW_T_MIXTURE_H

#include <stddef.h>

#include "core/base/status.h"

typedef struct {
  size_t components;
  double df;    /* degrees of freedom of every component; INFINITY: Gaussians */
  double prior; /* pseudo-rows of a sphere as wide as the component */
} t_mixture;

/* At most `most_steps` steps of EM for packed points [n, dim], a maximisation and an expectation each, until the
 * log-likelihood gains less than `least_gain`.
 * share, pull: column-major [n, components], to go on with: the share of each row that a component has, and the
 * share times the weight of the row in the moments (they are equal at first). rows [components]: sums of shares;
 * means packed [components, dim]; roots packed [components, dim, dim]: L, C = L L', above the diagonal 0, of the
 * last maximisation. log_likelihood: in: of the step before, -INFINITY at first; out: of the last. steps: how many
 * were made.
 * STATUS_diverged: a covariance has no root, or a row no density. */
status t_mixture_fit(const t_mixture *law, const double *points, size_t n, size_t dim, size_t most_steps,
                     double least_gain, double *share, double *pull, double *rows, double *means, double *roots,
                     double *log_likelihood, size_t *steps, double *workspace, int threads);
size_t t_mixture_workspace(const t_mixture *law, size_t n, size_t dim, int threads);

#endif
