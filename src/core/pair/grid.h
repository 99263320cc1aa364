/* The potential of sources that are spread to a regular grid, as a tensor product of cubic B-splines.
 *
 * A source at x has the weight B(x/h - g) at node g. The potential at y is sum_g c_g B(y/h - g), where c is the
 * convolution of the weights with the kernel's coefficients: those with which splines in both places give the kernel
 * itself at nodes. Along each axis the grid is set into one of at least twice its nodes, and nothing comes round. */
#ifndef PARTICLEFLOW_GRID_H
#define PARTICLEFLOW_GRID_H

#include <stddef.h>

#include "core/pair/kernel.h"

#define GRID_MAX_DIM ((size_t)3)
/* Of one axis. The fewest leave room for a source and its edge; more of them would need too long lines. */
#define GRID_LEAST_NODES ((size_t)16)
#define GRID_MOST_NODES ((size_t)262144)
/* Terms of the series of the weight. */
#define GRID_MOST_TERMS ((size_t)4)

/* The weight w of a pair at the squared distance t and, within the radius, the polynomial that takes its place on the
 * grid: Taylor's at t = cut, the squared radius. */
typedef struct {
  pair_kernel kernel;
  double cut;
  size_t terms;
  double term[GRID_MOST_TERMS]; /* w = sum_k term[k] (t - cut)^k + ...; 0 from `terms` on */
} split_kernel;

split_kernel kernel_split(pair_kernel kernel, double radius, size_t terms);

/* The potential whose gradient is w z, or within the radius the polynomial times z; up to a constant. */
double split_potential(const split_kernel *split, double t);

/* An axis that is not used has one node. */
typedef struct {
  size_t nodes[GRID_MAX_DIM];
  double spacing;
} grid_shape;

size_t grid_size(const grid_shape *grid);

/* Doubles that grid_solve() needs. */
size_t grid_workspace(const grid_shape *grid, int threads);

/* value: [nodes], first axis fastest, the weights of the sources, which become the coefficients c. */
void grid_solve(const grid_shape *grid, const split_kernel *split, double *value, double *workspace, int threads);

#endif
