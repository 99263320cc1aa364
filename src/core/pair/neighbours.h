/* Exact nearest neighbours, and counts of balls, by looking at every pair. */
#ifndef PARTICLEFLOW_NEIGHBOURS_H
#define PARTICLEFLOW_NEIGHBOURS_H

#include "core/pair/distances.h"

/* For each query row of the task the k nearest sources, nearest first (ties: the earlier row): index and
 * distance are column-major [count, k]. With own, query row i is source row i and is not its own neighbour.
 * Needs 1 <= k <= n_source - own. workspace: threads * neighbours_workspace(dim, k) */
void nearest_rows(const distance_task *task, int own, size_t k, int *index, double *distance, double *workspace,
                  int threads);

/* For each query row the number of source rows a with |y - x_a| <= radius[a] (within, [count]) and the distance
 * to the nearest source (nearest, [count]; infinite without sources).
 * workspace: threads * neighbours_workspace(dim, 0) */
void count_within(const distance_task *task, const double *radius, int *within, double *nearest, double *workspace,
                  int threads);

/* Doubles of workspace that one thread needs. */
size_t neighbours_workspace(size_t dim, size_t k);

#endif
