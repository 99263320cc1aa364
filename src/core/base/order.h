/* The order of numbers: each is sorted together with its place. */
#ifndef PARTICLEFLOW_ORDER_H
#define PARTICLEFLOW_ORDER_H

#include <stddef.h>

typedef struct {
  double value;
  size_t place; /* where it was */
} placed_number;

/* Sorts x [n] by increasing value, in time proportional to n. Equal values keep their order, but for 0 and -0. No NaN.
 * scratch: [n] */
void order_numbers(placed_number *x, size_t n, placed_number *scratch);

#endif
