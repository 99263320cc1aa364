/* The sums of the pair engine over many sources in one to three dimensions, by a grid and by near pairs
 * (particle-particle particle-mesh, Hockney and Eastwood 1988).
 *
 * The potential of a pair is split at a radius (kernel_split()). One part is smooth everywhere; its sum over the
 * sources is a cubic spline on a grid (grid.h). The other is 0 beyond the radius; it is summed over the sources in the
 * cells around a query point (near.h). Both are twice continuously differentiable, so that the sums are the
 * gradient of one such function.
 *
 * Far from all sources there is no grid. In its MESH_BAND outer spacings a query point has the weight chi, which falls
 * from 1 to 0 with two continuous derivatives, and the sum over all sources, one by one, has the weight 1 - chi. A
 * source outside the cells is not on the grid, and acts one by one everywhere.
 *
 * The Jacobian of sum w z is known here, and not the two sums it is made of. `weight` is its largest eigenvalue W, and
 * `hessian` is (W I - Jacobian) / (s + 2), which is all that their users need (engine.h). */
#ifndef PARTICLEFLOW_MESH_H
#define PARTICLEFLOW_MESH_H

#include "core/pair/engine.h"
#include "core/pair/grid.h"
#include "core/pair/near.h"

#define MESH_BAND 4.0
/* Nodes from each end of an axis within which no source of the grid may lie. */
#define MESH_EDGE ((size_t)6)
/* Cells are no smaller than this part of the radius. */
#define MESH_LEAST_SIDE 0.25

typedef struct {
  size_t n, dim;
  grid_shape grid;
  double start[GRID_MAX_DIM];  /* of the first node */
  double *coefficient;         /* [nodes] */
  split_kernel split;
  size_t cells[GRID_MAX_DIM];  /* 1 for an axis that is not used */
  double corner[GRID_MAX_DIM], side;
  int *first;                  /* [cells + 1] the first source of each cell; those before the first cell lie outside */
  double *source;              /* [n + NEAR_PADDING, dim], cell by cell */
} mesh_parts;

size_t mesh_cells(const mesh_parts *mesh);

/* Fills source and first from column-major rows x [n, dim]. cell: [n]. */
void mesh_sort(mesh_parts *mesh, const double *x, int *cell);

/* Fills the coefficients: the sources are spread to the nodes, and grid_solve() does the rest. workspace:
 * grid_workspace(). */
void mesh_solve(mesh_parts *mesh, double *workspace, int threads);

/* The mesh must outlive the engine. */
sums_engine mesh_engine(const mesh_parts *mesh, pair_kernel kernel);
void mesh_sums(const sums_engine *engine, const double *query, size_t n, size_t row_stride, size_t column_stride,
               const pair_sums *out, double *workspace);

/* place[i]: the cell of column-major query row i, or the nearest one; rows in this order lie close together. */
void mesh_places(const mesh_parts *mesh, const double *query, size_t n, int *place, int threads);

#endif
