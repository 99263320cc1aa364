/* Conditional laws from trees. Each tree leads a point to a leaf. A leaf of a value forest is a mixture of kernels at
 * its rows; a leaf of a class forest has a ratio for each class. */
#ifndef PARTICLEFLOW_FOREST_H
#define PARTICLEFLOW_FOREST_H

#include <stddef.h>

#include "core/base/rng.h"

/* The trees of one coordinate, one after the other, in the form of grown_tree (see trees.h), with cuts for bins: a
 * point goes left if its feature is at most `cut`. */
typedef struct {
  size_t trees, nodes;
  const int *root, *node; /* node: pairs of feature and first */
  const double *cut;
} forest;

/* 1 if there are trees and their roots are nodes. */
int roots_sound(const forest *of);
/* 1 if features are below `features` and every path down from a node ends in a leaf. */
int nodes_sound(const forest *of, size_t features);
/* 1 if every leaf is a list of rows below `rows`. */
int members_sound(const forest *of, const int *members, size_t n_members, size_t rows);
/* 1 if the numbers of all leaves are below `leaves`. */
int leaves_sound(const forest *of, size_t leaves);

/* The kernels of a leaf keep its mean and its variance (West 1993): with mean m, variance v and width w, row r has the
 * kernel N(m + (response[r] - m) / sqrt(1 + w^2), v w^2 / (1 + w^2)), moved by the shift of the point. `pooled` is a
 * variance that counts as one more row of each leaf. With gaps, the kernel of row r lives in gap[2 r] < z <=
 * gap[2 r + 1] alone, and its mean is moved into this interval. points: by columns, n rows. */
typedef struct {
  forest trees;
  const int *members;
  const double *points, *response, *gap; /* gap [2, rows]: NULL for none */
  size_t n;
  double pooled;
} value_forest;

#define MOST_WIDTHS 16

/* Mean densities over trees, for each of at most MOST_WIDTHS widths. */
typedef struct {
  const double *z, *shift; /* [n] where the kernels are evaluated, and what they are moved by */
  const int *bag;          /* [n, trees] by columns, or NULL; trees that drew point i leave it out */
  const double *width;     /* [widths] */
  size_t widths;
} leaf_query;

/* out [count, widths] by columns, for the points from, from + 1, ...; 0 if no tree is left. */
void forest_density(const value_forest *of, const leaf_query *query, size_t from, size_t count, double *out,
                    int threads);

/* A normal law outside of heavy cells: its mean is moved into the nearest of the gaps [2, gaps] low < z <= high, which
 * end at -reach and at reach. */
typedef struct {
  const double *gap;
  size_t gaps;
  double sd, reach;
} backoff_law;

/* Its density at z. */
double backoff_density(const backoff_law *of, double z, double mean);

/* A draw comes from the kernel of a member of a leaf. */
typedef struct {
  const double *shift;      /* [n] */
  const double *low, *high; /* [n], the box; where both are equal, a point */
  double width;
  rng_key key;
  unsigned stream;
} pick_query;

/* Members are chosen by their probability of the box. The kernel is N(mean, sd^2) between low and high; mass: the
 * probability of the box (the density of a point). */
typedef struct {
  double mean, sd, low, high, mass;
} picked;

/* Point i has sequence i of random numbers. */
void forest_pick(const value_forest *of, const pick_query *query, size_t from, size_t count, picked *out, int threads);

/* With base shares b [n, classes] by columns and ratios r [classes, leaves] by columns, a tree gives class c of a point
 * in leaf l the share b_c r_cl / sum_c b_c r_cl. */
typedef struct {
  forest trees;
  const double *points, *base, *ratio;
  const int *bag; /* as in leaf_query */
  size_t n, classes;
} class_forest;

/* out [count, classes] by columns: mean shares over trees, and the base where no tree is left. */
void forest_shares(const class_forest *of, size_t from, size_t count, double *out, int threads);

#define MOST_SETTINGS 16

/* Settings are compared by the shares of the class that each point has. The ratios [classes, leaves * settings] are
 * those of all leaves under one setting after the other. */
typedef struct {
  const int *class_of; /* [n] from 0 */
  size_t leaves, settings;
} class_query;

/* out [n, settings] by columns: the mean share of its own class of each point. */
void forest_own_shares(const class_forest *of, const class_query *query, double *out, int threads);

#endif
