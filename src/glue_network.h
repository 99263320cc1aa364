/* What the entry points that work with a network share. */
#ifndef PARTICLEFLOW_GLUE_NETWORK_H
#define PARTICLEFLOW_GLUE_NETWORK_H

#include "core/net/divergence.h"
#include "core/net/network.h"
#include "glue_names.h"

/* Widths from input to output, and the half-width of the smooth rectifier (0: the plain one). */
network check_network(SEXP widths, double smoothing);
/* The same for long work, which asks R for interrupts on the way. */
network check_listening_network(SEXP widths, double smoothing);
const double *check_parameters(SEXP x, const network *net);
/* [P, 3]: the parameters and both moments by columns. */
const double *check_learner(SEXP learner, const network *net);
SEXP new_learner(const network *net); /* with the names of the columns */
/* How many updates a network has had. */
uint64_t check_updates(SEXP updates);
/* alpha is looked at where the divergence has one. */
divergence check_divergence(named_value kind, named_value alpha);

#endif
