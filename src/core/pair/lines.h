/* Two samples projected onto lines. Along a line both are sorted, and a distance of theirs costs one pass. */
#ifndef PARTICLEFLOW_LINES_H
#define PARTICLEFLOW_LINES_H

#include <stddef.h>

typedef struct {
  const double *x, *y; /* column-major [n, dim], [m, dim] */
  size_t n, m, dim;
  const double *direction; /* [count, dim], one line per row */
  size_t count;
} line_task;

/* out[i] = <direction, row from + i>, i < count, of a column-major table of `stride` rows. */
void project_rows(const double *x, size_t stride, size_t dim, size_t from, size_t count, const double *direction,
                  double *out);

/* workspace: lines_workspace(n, m), one per thread. The bits of a line depend on neither the threads nor the others. */
size_t lines_workspace(size_t n, size_t m);

/* With the distribution functions F of x and G of y along each line, out: [count, LINE_SUMS],
 *   2 int (F - G)^2, 2 int F (1 - F), 2 int G (1 - G),
 * which are the energy distance and the mean distances of two rows of x and of two rows of y, all pairs counted. */
#define LINE_SUMS ((size_t)3)
void line_energies(const line_task *task, double *out, double *workspace, int threads);

/* Of each line the mean of |x - y|^p over the coupling of equal quantiles, out: [count]; for p > 2 its p-th root,
 * because high powers leave the range of doubles. */
void line_transports(const line_task *task, double p, double *out, double *workspace, int threads);

#endif
