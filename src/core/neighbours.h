/* Exact nearest neighbours by looking at every pair. */
#ifndef PARTICLEFLOW_NEIGHBOURS_H
#define PARTICLEFLOW_NEIGHBOURS_H

#include <stddef.h>

#include "core/pairwise.h"

/* For query rows [from, from + count) of a packed [., dim] matrix the k nearest of the packed sources,
 * nearest first (ties: the earlier row): index and distance are column-major [count, k]. With own, query
 * row i is source row i and is not its own neighbour. Needs k <= n_source - own. */
void nearest_rows(const double *query, size_t from, size_t count, const double *source, size_t n_source,
                  size_t dim, int own, size_t k, int *index, double *distance, int threads);

#endif
