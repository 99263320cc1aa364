/* Mean distances between groups of rows, along lines.
 *
 * The distribution function F_g of each group along a line is evaluated at points that are quantiles of all groups
 * together. Between two of them it is taken as constant. So the mean distance of a row of group g to one of group h is
 *   int F_g (1 - F_h) + F_h (1 - F_g) = L / 2 - 2 int (F_g - 1/2) (F_h - 1/2), L the length between the ends.
 * The points do not depend on the order of the groups. */
#ifndef PARTICLEFLOW_GROUPS_H
#define PARTICLEFLOW_GROUPS_H

#include <stddef.h>

typedef struct {
  const double *x; /* column-major [groups * size, dim], one group after the other */
  size_t groups, size, dim;
  const double *direction; /* [count, dim], one line per row */
  size_t count;
  size_t points; /* of each line, at least 2 */
} group_task;

/* distance: [groups, groups], the mean over the lines. The bits do not depend on the threads.
 * workspace: groups_workspace(task, threads) */
void group_distances(const group_task *task, double *distance, double *workspace, int threads);
size_t groups_workspace(const group_task *task, int threads);

#endif
