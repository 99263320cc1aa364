/* A multilayer perceptron: affine layers with a rectifier after each but the last.
 *   a_0 = x,  a_l = r(W_l a_{l-1} + b_l),  output W_D a_{D-1} + b_D.
 * Points are columns throughout: [width, n], one column per point. */
#ifndef PARTICLEFLOW_NETWORK_H
#define PARTICLEFLOW_NETWORK_H

#include <stddef.h>

#include "core/base/rng.h"

/* The smooth rectifier is max(z, 0) convolved with the Epanechnikov kernel of half-width h: twice
 * continuously differentiable, slope between 0 and 1, equal to max(z, 0) for |z| >= h. */
typedef enum { RECTIFIER_relu = 0, RECTIFIER_smooth = 1 } rectifier;

typedef struct {
  size_t depth;        /* number of weight matrices D, at least 1 */
  const size_t *width; /* [depth + 1] from input to output */
  rectifier kind;
  double smoothing; /* h */
  /* NULL, or called now and then by the thread that called, outside of all parallel work; may leave by a long jump */
  void (*listen)(void);
} network;

/* Parameters lie layer by layer: W_l [width l, width l - 1] column-major, then b_l [width l]. */
size_t network_parameters(const network *net);
/* Where W_l starts, l = 1 .. depth. */
size_t network_layer(const network *net, size_t l);

/* He start: weights normal with variance 2 / width l - 1, biases 0. */
void network_start(const network *net, double *parameters, rng_key key);

size_t network_workspace(const network *net, size_t n);

/* The outputs [output width, n] at x [input width, n]; they stay in the workspace, with what
 * network_backward needs. The same bits on any number of threads. */
const double *network_forward(const network *net, const double *parameters, const double *x, size_t n,
                              double *workspace, int threads);

/* After network_forward with the same arguments: from the derivatives of a scalar by the outputs
 * [output width, n], those by the parameters (overwritten) and by x [input width, n]; either may be NULL.
 * The same bits on any number of threads. */
void network_backward(const network *net, const double *parameters, const double *x, size_t n,
                      const double *output_gradient, double *parameter_gradient, double *input_gradient,
                      double *workspace, int threads);

#endif
