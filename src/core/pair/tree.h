/* The sums of the pair engine over many sources in one to three dimensions, by a tree.
 *
 * Sources are split at the median of the longest side of their box until at most `leaf` are left. The sources of an
 * inner node act through proxies at the Chebyshev points of its box, degree + 1 in each dimension, whose charges are
 * the values of Lagrange's polynomials summed over the sources: the kernel is interpolated in the source (Wang,
 * Krasny and Tlupova 2020). A query point y takes a node as a whole where its distance from the centre of the box is
 * large beside the radius r, and looks at the two halves where it is not. Between the two there is no jump: with
 * t = |y - centre|^2 / r^2, the node has the weight chi(t) and its halves the weight 1 - chi(t), where chi rises from 0
 * at TREE_NEAR to 1 at TREE_FAR with a continuous derivative. The sums are therefore the values of one continuously
 * differentiable function of y, whichever points are looked at together.
 * TREE_NEAR is above 1, so that a source lies in a leaf that is looked at from its own place. */
#ifndef PARTICLEFLOW_TREE_H
#define PARTICLEFLOW_TREE_H

#include "core/pair/charges.h"
#include "core/pair/engine.h"

#define TREE_LEAST_DEGREE 1
#define TREE_MOST_DEGREE 9

/* Numbers of one node: first source, number of sources, its right half (0 for a leaf; the left half is the next
 * node), its place among the inner nodes, and the coordinate by which it is split. */
enum { NODE_first, NODE_count, NODE_right, NODE_inner, NODE_axis, NODE_numbers };
/* Doubles of one node: its centre, its squared radius, and the least coordinate of its right half. */
#define BOX_DOUBLES(dim) ((dim) + 2)

typedef struct {
  size_t n, dim, nodes, inner, degree;
  int *order;       /* [n] the source that stands at each place */
  double *particle; /* [n, dim + 1] the sources in this order, each with a charge of 1 */
  int *node;        /* [nodes, NODE_numbers] */
  double *box;      /* [nodes, BOX_DOUBLES(dim)] */
  double *proxy;    /* [inner, proxies, dim + 1] */
} tree_parts;

size_t tree_proxies(size_t degree, size_t dim);
/* How many nodes there will be, and how many of them with halves. */
void tree_extent(size_t n, size_t degree, size_t dim, size_t *nodes, size_t *inner);

/* Fills the parts, whose extents are set, from rows [n, dim], packed. */
void tree_build(tree_parts *tree, const double *rows);

/* Halves of a node are at most one source apart, so that no path is as long. */
#define TREE_MOST_DEPTH 60

/* The tree must outlive the engine. */
sums_engine tree_engine(const tree_parts *tree, pair_kernel kernel);
void tree_sums(const sums_engine *engine, const double *query, size_t n, size_t row_stride, size_t column_stride,
               const pair_sums *out, double *workspace);

/* place[i]: the first source of the leaf in which column-major query row i lies; rows in this order lie close
 * together. */
void tree_places(const tree_parts *tree, const double *query, size_t n, int *place, int threads);

#endif
