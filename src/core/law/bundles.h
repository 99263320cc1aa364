/* Gaussians of a mixture in bundles of near ones, so that its density at a point needs the bundles near the point only.
 *
 * Components are split at the medians of their means until a bundle has at most BUNDLE_MOST. With the distance r of a
 * point from the box of the means of a bundle, the least singular value v of its factors A_a and its largest |q_a|,
 *   |A_a (y - m_a) - t q_a| >= v r - t |q_a|,
 * which bounds each term of the sum. */
#ifndef PARTICLEFLOW_BUNDLES_H
#define PARTICLEFLOW_BUNDLES_H

#include "core/law/gaussians.h"

#define BUNDLE_MOST ((size_t)32)
#define BUNDLE_MAX_DIM ((size_t)3)

typedef struct {
  size_t n, dim, count;      /* components, their dimension, bundles */
  size_t stride;             /* of the arrays below that go component by component */
  int *first;                /* [count + 1] where a bundle begins */
  int *order;                /* [n] the component that stands at each place */
  double *low, *high;        /* [dim, count] the box of the means: coordinate c of bundle g at [c * count + g] */
  double *constant;          /* [count] the largest constant */
  double *slope;             /* [count] a lower bound of the singular values of the factors */
  double *offset;            /* [count] the largest |q_a| */
  double *mean, *factor, *q; /* of each place: [dim, stride], [triangle, stride], [dim, stride]; q null: none */
} bundles;

/* How many bundles n components make. */
size_t bundle_count(size_t n);

/* Doubles that the arrays need. */
size_t bundles_workspace(const gaussians *of);

bundles bundle_gaussians(const gaussians *of, double *workspace);

/* For all bundles v r, at most |A_a (y - m_a)| of their components. nearness: [count] */
void bundle_nearness(const bundles *in, const double *y, double *nearness);

/* |A_a (y - m_a)|^2 of the places of a bundle, and A_a (y - m_a) . q_a, in the same operations as gaussian_lengths().
 * length, cross: [n], filled at these places; cross may be null if there are no offsets. */
void bundle_lengths(const bundles *in, size_t bundle, const double *y, double *length, double *cross);

#endif
