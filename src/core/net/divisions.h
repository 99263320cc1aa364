/* Sums of a kernel within the first part of each of many divisions of a sample in two parts, from products of the
 * kernel matrix with a matrix of zeros and ones. */
#ifndef PARTICLEFLOW_DIVISIONS_H
#define PARTICLEFLOW_DIVISIONS_H

#include <stddef.h>

#include "core/base/status.h"
#include "core/pair/kernel.h"

typedef struct {
  const double *rows; /* packed [n, dim] */
  size_t n, dim;
  pair_kernel kernel;
  const double *first; /* column-major [n, count]: 1 for a row of the first part of the division, otherwise 0 */
  size_t count;
} division_task;

typedef struct {
  double *within; /* [count] sum of k(x_i, x_j) over the ordered pairs i != j of the first part */
  double *touched; /* [count] over the rows i of the first part and all j != i */
  double *of_row; /* [n] over all j != i */
} division_results;

/* The bits do not depend on the number of threads. `interrupted` is asked now and then, and may leave by a long jump;
 * null: not asked. STATUS_ok or STATUS_interrupted. workspace: division_workspace(task, threads) doubles */
status division_sums(const division_task *task, const division_results *out, interrupt_function interrupted,
                     double *workspace, int threads);
size_t division_workspace(const division_task *task, int threads);

#endif
