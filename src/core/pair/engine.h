/* What gives the sums of sums.h at any points in place of the pair engine: an approximation of the sums over many
 * sources. The sums at a point depend on the engine and on the point alone, never on the other points of the call. */
#ifndef PARTICLEFLOW_ENGINE_H
#define PARTICLEFLOW_ENGINE_H

#include "core/pair/kernel.h"
#include "core/pair/sums.h"

typedef struct sums_engine {
  /* Query rows [0, n) on the calling thread; coordinate c of row i is query[i * row_stride + c * column_stride].
   * Of `out` it gives force, weight, bound and hessian. Of the last three only the Jacobian of sum w z need be right,
   * which is weight times the unit matrix less (s + 2) hessian, as long as bound is the trace of hessian, and hessian
   * has no negative eigenvalue. An engine may leave weight NaN where neither of the others is wanted. It fills
   * repulsion and nearest with NaN: they are not known. */
  void (*sums)(const struct sums_engine *engine, const double *query, size_t n, size_t row_stride,
               size_t column_stride, const pair_sums *out, double *workspace);
  const void *data;
  size_t workspace; /* doubles that one thread needs */
  size_t n, dim;    /* of the sources */
  pair_kernel kernel;
  int cheap_jacobian; /* 1: the Jacobian costs little more than the force, so that the inverse of a step uses it */
} sums_engine;

/* All n query rows on `threads` threads; workspace: threads * engine->workspace. */
void engine_all(const sums_engine *engine, const double *query, size_t n, size_t row_stride, size_t column_stride,
                const pair_sums *out, double *workspace, int threads);

/* NaN where repulsion and nearest of n rows are wanted. */
void engine_unknown(const pair_sums *out, size_t n);

#endif
