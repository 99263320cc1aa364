/* Sorting of numbers, alone or together with their places. In time proportional to n. With NaN the order is not
 * defined, but a sort ends. */
#ifndef PARTICLEFLOW_SORTING_H
#define PARTICLEFLOW_SORTING_H

#include <stddef.h>

/* x [n] in increasing order. scratch: [n] */
void sort_numbers(double *x, size_t n, double *scratch);

typedef struct {
  double value;
  size_t place; /* where it was */
} placed_number;

/* x [n] by increasing value. Equal values keep their order, but for 0 and -0. scratch: [n] */
void sort_placed(placed_number *x, size_t n, placed_number *scratch);

/* order[from, to) holds numbers of packed rows [., dim]. Those that come before number `middle` of them by coordinate c
 * come first; equal ones are ordered by their number. */
void split_rows(const double *rows, size_t dim, int *order, size_t from, size_t to, size_t middle, size_t c);

#endif
