/* A network and what its optimiser, Adam, remembers. */
#ifndef PARTICLEFLOW_LEARNER_H
#define PARTICLEFLOW_LEARNER_H

#include <stdint.h>

#include "core/base/status.h"
#include "core/net/adam.h"
#include "core/net/network.h"

typedef struct {
  double *parameters, *moment1, *moment2; /* [P], P = network_parameters */
  uint64_t updates;                       /* done so far */
} network_learner;

/* In a store [P, 3] by columns: parameters, first moments, second moments. */
network_learner learner_in(double *store, const network *net, uint64_t updates);

/* The next update from the derivatives of a scalar by the parameters, gradient [P]. */
void learner_step(network_learner *learner, const network *net, const double *gradient, const adam_settings *adam);

/* The next update from the derivatives of a scalar by the outputs [output width, n] at x [input width, n].
 * STATUS_diverged where a number is not finite. */
status learner_update(network_learner *learner, const network *net, const double *x, size_t n,
                      const double *output_gradient, const adam_settings *adam, double *workspace, int threads);
size_t learner_workspace(const network *net, size_t n);

#endif
