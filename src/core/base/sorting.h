/* Sorting of numbers. */
#ifndef PARTICLEFLOW_SORTING_H
#define PARTICLEFLOW_SORTING_H

#include <stddef.h>

/* x [n] in increasing order, in time proportional to n. No NaN. scratch: [n] */
void sort_numbers(double *x, size_t n, double *scratch);

#endif
