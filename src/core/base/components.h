/* Mixtures of Gaussians and multivariate t by their components, and draws from those of Gaussians. */
#ifndef PARTICLEFLOW_COMPONENTS_H
#define PARTICLEFLOW_COMPONENTS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/rng.h"

typedef struct {
  const double *weights; /* [n] */
  const double *means;   /* packed [n, dim] */
  const double *roots;   /* packed [n, dim (dim+1) / 2], or one of them if `shared`: lower triangles L by rows, LL' the
                            covariance of a Gaussian or the scale of a t */
  const double *df;      /* [n]: degrees of freedom; INFINITY: Gaussian */
  size_t n, dim;
  int shared;
} t_components;

/* upto [n]: the sums of the weights up to each component. */
void sum_weights(const t_components *law, double *upto);

/* The first component whose sum of shares exceeds u times all. */
size_t pick_component(const double *upto, size_t n, double u);

/* z [dim] becomes m_k + L_k z, where row i of L_k is summed from its first entry on. */
void place_in_component(const t_components *law, size_t k, double *z);

/* Where draws of a mixture of Gaussians come from. Draw i takes its component from the first uniform number of
 * particle i of pick_stream, and the others from the normal numbers of particle i of `stream`. */
typedef struct {
  const t_components *law;
  const double *upto; /* [n], see sum_weights() */
  rng_key pick_key, key;
  uint32_t pick_stream, stream;
} component_source;

/* Draws [first, first + count) as columns: z [dim, count]. */
void draw_components(const component_source *from, uint64_t first, size_t count, double *z);

/* The first n draws as a column-major matrix [n, dim]. workspace: threads * component_workspace(from). */
void component_matrix(const component_source *from, size_t n, double *out, double *workspace, int threads);
size_t component_workspace(const component_source *from);

#endif
