/* Exact optimal transport between two clouds of equal weights, by the network simplex:
 *   min sum_ij flow_ij cost_ij / whole   over flow_ij >= 0, sum_j flow_ij = whole / n, sum_i flow_ij = whole / m,
 * where `whole` is the least common multiple of n and m, so that flows are whole numbers (Ahuja, Magnanti, Orlin 1993,
 * chapter 11). */
#ifndef PARTICLEFLOW_SIMPLEX_H
#define PARTICLEFLOW_SIMPLEX_H

#include <stddef.h>

#include "core/base/status.h"

typedef struct {
  const double *cost; /* [n, m], one row per point of the first cloud */
  size_t n, m;
} simplex_task;

/* A node of the spanning tree: points of the first cloud, then of the second, then the root. It knows the arc to its
 * parent. */
typedef struct {
  double cost, flow; /* of that arc */
  size_t parent, first_child, next, previous, depth;
} simplex_node;

typedef struct {
  simplex_node *nodes; /* [n + m + 1] */
  double *potential;   /* [n + m]; at rest u_i + v_j <= cost_ij, with equality where there is flow */
} simplex_room;

typedef struct {
  double value;  /* the least mean cost */
  size_t pivots; /* changes of the tree */
} simplex_end;

/* `interrupted` is asked now and then, and may leave by a long jump; null: not asked.
 * STATUS_bad_argument: an empty cloud, or costs that are not finite; STATUS_interrupted. */
status simplex_solve(const simplex_task *task, const simplex_room *room, int (*interrupted)(void), simplex_end *end);

#endif
