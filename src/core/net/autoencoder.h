/* Two networks one after the other: z = E(x) in fewer dimensions, and y = D(z), cut to [lower, upper], back at x. */
#ifndef PARTICLEFLOW_AUTOENCODER_H
#define PARTICLEFLOW_AUTOENCODER_H

#include <stdint.h>

#include "core/net/adam.h"
#include "core/net/network.h"

typedef struct {
  network encoder, decoder;    /* the outputs of the encoder are the inputs of the decoder */
  const double *lower, *upper; /* [width of x], infinite where there is no bound */
} autoencoder;

/* Those of the encoder, then those of the decoder. */
size_t autoencoder_parameters(const autoencoder *net);

size_t autoencoder_workspace(const autoencoder *net, size_t n);

/* One update by Adam, the one after `updates` others, of a store [P, 3] by columns (parameters, first and second
 * moments) on the points x [width of x, n], n at least 1. The loss is the mean over the points of
 *   sum over c of the integral of (cut(t) - x_c) dt from x_c to y_c,
 * which is |y - x|^2 / 2 within the bounds, convex in y, and 0 where the cut y is x. The same bits on any number of
 * threads. */
void autoencoder_update(double *store, uint64_t updates, const autoencoder *net, const double *x, size_t n,
                        const adam_settings *adam, double *workspace, int threads);

#endif
