/* Regression trees (Breiman et al. 1984) on binned features, each grown on the rows of its bag. The leaves of a value
 * tree keep rows, not a mean, because a conditional density is made of them. The leaves of a class tree keep sums over
 * their rows, from which shares of classes are made. */
#ifndef PARTICLEFLOW_TREES_H
#define PARTICLEFLOW_TREES_H

#include <stddef.h>

/* A bin is one bit of a word of 64. */
#define MOST_BINS 64
#define MOST_RESPONSES 4
#define MOST_CLASSES 65

/* `order` fixes the order of the rows within a leaf. Of `most_rows` and `classes`, one is 0. */
typedef struct {
  size_t n, features;
  const unsigned char *bin; /* [n, features] by columns, each below MOST_BINS */
  const double *response;   /* [n, responses] by columns */
  size_t responses;         /* 1 to MOST_RESPONSES; the sums of squares of all of them are added up */
  const int *order;         /* [n] all rows, from 0 */
  size_t min_leaf;          /* the least number of rows of a leaf, at least 1 */
  size_t most_rows;         /* a value leaf keeps at most so many rows */
  size_t classes;           /* at most MOST_CLASSES */
  const int *class_of;      /* [n] from 0 */
  const double *expected;   /* [n, classes] by columns: what is expected of each row */
} tree_sample;

/* Node k: if feature[k] >= 0, its children are the nodes first[k] (bin <= bin[k]) and first[k] + 1. Otherwise it is a
 * leaf. The leaf of a value tree is a list at members[first[k]]: the number of kept rows, then these rows, evenly
 * spaced in their order if there are more. The leaf of a class tree has number first[k]: the columns first[k] of counts
 * and sums [classes, leaves] are the number of rows of each class, and the sum of what is expected. */
typedef struct {
  int *feature, *bin, *first, *members, *counts;
  double *sums;
  size_t nodes, n_members, leaves;
} grown_tree;

/* The most nodes, leaves and members of a tree on `size` rows, and the ints that growing needs as workspace. */
size_t tree_most_nodes(size_t size, size_t min_leaf);
size_t tree_most_leaves(size_t size, size_t min_leaf);
size_t tree_most_members(size_t size, size_t min_leaf);
size_t tree_integers(size_t size, size_t min_leaf);

/* bag [n]: how often the tree draws each row; size: their sum, at least 1. `integers` [tree_integers()] and `numbers`
 * [size * responses] are workspace. */
void grow_tree(const tree_sample *sample, const int *bag, size_t size, grown_tree *tree, int *integers,
               double *numbers);

#endif
