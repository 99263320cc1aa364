/* The sums of the pair engine over many sources in any dimension, by slices.
 *
 * For a direction xi that is uniform on the unit sphere,
 *   w(|z|) z = E [xi k(<xi, z>)],
 *   k(t) = d t (t^2 + eps)^-(s/2+1) F(s/2 + 1, (1 - d)/2; 3/2; t^2/(t^2 + eps)),
 * where F is Gauss's hypergeometric function, a polynomial if d is odd. The mean over `count` directions stands for the
 * expected value. Along one direction the sum over the sources is a function of one number, kept as a cubic spline on a
 * grid: sources are spread to the grid by cubic B-splines, and the grid is folded with k. So the sums are one function
 * of the point, twice continuously differentiable. Beyond the grid it goes on in a straight line.
 *
 * What all directions have in common needs no draws: the splines may be those of the differences from their mean, whose
 * own expected value psi(|y - mean|^2) (y - mean) is then added. psi is a cubic spline in v = q / (q + scale). */
#ifndef PARTICLEFLOW_SLICES_H
#define PARTICLEFLOW_SLICES_H

#include "core/pair/engine.h"

#define SLICES_LEAST_GRID ((size_t)16)

typedef struct {
  size_t n, dim, count; /* sources; directions */
  size_t grid;
  double spacing;          /* of the grid, the same for all directions */
  const double *direction; /* [count, dim], unit vectors */
  const double *start;     /* [count] the first point of the grid of each direction */
  double *spline;          /* [count, grid] coefficients of the B-splines of sum_a k(t - t_a) */
  const double *radial;    /* [radials] coefficients of psi: of v from -1 / (radials - 3) to 1 + 1 / (radials - 3) */
  size_t radials;
  const double *mean; /* [dim] */
  double scale;
} slice_parts;

#define SLICES_LEAST_RADIALS ((size_t)4)

/* k(t). */
double slice_kernel(size_t dim, double s, double epsilon, double t);

/* The splines of all directions, from column-major sources [n, dim], whose projections must lie on the grids, two
 * points from the ends. workspace: slices_workspace(parts). The bits do not depend on the threads. */
void slices_build(const slice_parts *parts, const double *source, pair_kernel kernel, double *workspace, int threads);
size_t slices_workspace(const slice_parts *parts, int threads);

/* The parts must outlive the engine. */
sums_engine slices_engine(const slice_parts *parts, pair_kernel kernel);

#endif
