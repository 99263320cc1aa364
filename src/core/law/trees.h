/* Regression trees (Breiman et al. 1984) on binned features, each grown on the rows of its bag. A leaf keeps rows, not
 * a mean, because a conditional density is made of them. */
#ifndef PARTICLEFLOW_TREES_H
#define PARTICLEFLOW_TREES_H

#include <stddef.h>

/* A bin is one bit of a word of 64. */
#define MOST_BINS 64
/* Cells are numbered from 1. */
#define MOST_CELLS 64

typedef struct {
  size_t n, features;
  const unsigned char *bin; /* [n, features] by columns, each below MOST_BINS */
  const double *response;   /* [n] */
  const int *order;         /* [n] all rows, from 0, by increasing response */
  const int *cell;          /* [n] the cell of a row, at most MOST_CELLS; 0: none */
  size_t min_leaf;          /* the least number of rows of a leaf, at least 1 */
  size_t most_rows;         /* a leaf keeps at most so many rows without a cell, at least 1 */
} tree_sample;

/* Node k: if feature[k] >= 0, its children are the nodes first[k] (bin <= bin[k]) and first[k] + 1. Otherwise it is a
 * leaf, and its members begin at members[first[k]]: numbers of
 *   kept rows, rows without a cell, cells; then the kept rows; then for each cell its number and its number of rows.
 * Beyond `most_rows`, the kept rows are evenly spaced order statistics of the response. */
typedef struct {
  int *feature, *bin, *first, *members;
  size_t nodes, n_members;
} grown_tree;

enum { LEAF_KEPT, LEAF_LIGHT, LEAF_CELLS, LEAF_HEADER };

/* The most nodes and members of a tree on `size` rows, and the ints that growing needs as workspace. */
size_t tree_most_nodes(size_t size, size_t min_leaf);
size_t tree_most_members(size_t size, size_t min_leaf);
size_t tree_integers(size_t size, size_t min_leaf);

/* bag [n]: how often the tree draws each row; size: their sum, at least 1. `integers` [tree_integers()] and `numbers`
 * [size] are workspace. */
void grow_tree(const tree_sample *sample, const int *bag, size_t size, grown_tree *tree, int *integers,
               double *numbers);

#endif
