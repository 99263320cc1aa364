/* A generator turns base points z into points x. Column by column, with N the network,
 *   y = start z + N(z) - shift,  s = y or, between bounds, low + (high - low) / (1 + exp(-y)),  x = centre + spread s.
 * Where numbers of columns differ, the columns that z has and x has not enter through N alone, and the other way
 * round. */
#ifndef PARTICLEFLOW_GENERATOR_H
#define PARTICLEFLOW_GENERATOR_H

#include "core/base/components.h"
#include "core/net/network.h"

/* Arrays of one number per column of x; each may be NULL but the parameters. */
typedef struct {
  network net;
  const double *parameters;
  double start;
  const double *shift;
  const double *low, *high;      /* both or none */
  const double *centre, *spread; /* both or none */
} generator;

/* Base points: those of z [n, input width], column-major, or, where z is NULL, draws of the mixture, or normal numbers
 * if there is none. Row i then is particle i % rows of the stream first + step (i / rows). */
typedef struct {
  const double *z;
  const component_source *mixture; /* with `key`; its streams are not looked at, both are that of the row */
  rng_key key;
  uint32_t first, step;
  size_t rows;
} base_points;

size_t generator_workspace(const generator *g, size_t n, int threads);

/* x [n, output width], column-major. The same bits on any number of threads. */
void generator_points(const generator *g, const base_points *from, size_t n, double *x, double *workspace,
                      int threads);

#endif
