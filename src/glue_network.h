/* What the entry points that work with a network share. */
#ifndef PARTICLEFLOW_GLUE_NETWORK_H
#define PARTICLEFLOW_GLUE_NETWORK_H

#include "core/net/network.h"
#include "glue.h"

/* Widths from input to output, and the half-width of the smooth rectifier (0: the plain one). */
network check_network(SEXP widths, double smoothing);

#endif
