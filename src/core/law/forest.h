/* Conditional densities from trees: each tree leads a point to a leaf, and the leaf is a mixture of kernels at its rows
 * and of cells. */
#ifndef PARTICLEFLOW_FOREST_H
#define PARTICLEFLOW_FOREST_H

#include <stddef.h>

#include "core/base/rng.h"

/* The trees of one coordinate, one after the other, in the form of grown_tree (see trees.h), with cuts for bins: a
 * point goes left if its feature is at most `cut`. */
typedef struct {
  size_t trees, nodes, n_members;
  const int *root, *node, *members; /* node: pairs of feature and first */
  const double *cut;
} forest;

/* 1 if there are trees and their roots are nodes. */
int roots_sound(const forest *of);
/* 1 if every path down from a node ends in a leaf, and features, rows and cells are within their numbers. */
int nodes_sound(const forest *of, size_t features, size_t rows, size_t cells);

/* A forest with what its leaves hold: of row r the kernel N(response[r], .), of cell c the ends cells[2 (c - 1)],
 * cells[2 (c - 1) + 1]. points: by columns, n rows. */
typedef struct {
  forest trees;
  const double *points, *response, *cells;
  size_t n, n_cells;
} forest_view;

#define MOST_WIDTHS 16

/* Mean densities over trees: kernels of widths width / sqrt(2)^k, k = 0 .. widths - 1, at most MOST_WIDTHS. */
typedef struct {
  const double *at;     /* [n] where the kernels are evaluated */
  const int *cell;      /* [n] the cell of the point, 0: none */
  const double *inside; /* [n] the density within that cell */
  const int *bag;       /* [n, trees] by columns, or NULL; trees that drew point i leave it out */
  double width;
  size_t widths;
} leaf_query;

/* out [count, widths] by columns, for the points from, from + 1, ...; 0 if no tree is left. */
void forest_density(const forest_view *of, const leaf_query *query, size_t from, size_t count, double *out,
                    int threads);

/* A draw of one coordinate is a component: a member of a leaf, or with share `backoff` the back-off
 * N(shift + middle, spread^2), or with probability `wide` the last cell, which should be the whole line. Within a cell
 * the law is that of N(centre, scale^2). */
typedef struct {
  const double *shift;      /* [n], added to the responses of the rows */
  const double *low, *high; /* [n], the box; where both are equal, a point */
  double width, backoff, wide, middle, spread, centre, scale;
  rng_key key;
  unsigned stream;
} pick_query;

/* Of each point: pick, the row from 1 up, minus the number of a cell, or 0 for the back-off; log_mass, the
 * log-probability of the box (the log-density of a point). Components are chosen by their probability of the box. Point
 * i has sequence i of random numbers. */
void forest_pick(const forest_view *of, const pick_query *query, size_t from, size_t count, int *pick,
                 double *log_mass, int threads);

#endif
