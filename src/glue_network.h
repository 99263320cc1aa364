/* What the entry points that work with a network share. */
#ifndef PARTICLEFLOW_GLUE_NETWORK_H
#define PARTICLEFLOW_GLUE_NETWORK_H

#include "core/net/divergence.h"
#include "core/net/network.h"
#include "glue.h"

/* Widths from input to output, and the half-width of the smooth rectifier (0: the plain one). */
network check_network(SEXP widths, double smoothing);
const double *check_parameters(SEXP x, const network *net);
/* [P, 3]: the parameters and both moments by columns. */
const double *check_learner(SEXP learner, const network *net);
/* How many updates a network has had. */
uint64_t check_updates(SEXP updates);
divergence check_divergence(double kind, double alpha);

#endif
