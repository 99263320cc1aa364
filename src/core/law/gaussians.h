/* Gaussians N(m_a, C_a) by the factors A_a of their precisions, C_a^{-1} = A_a' A_a, A_a lower triangular: the lengths
 * |A_a (y - m_a)| that every density of a component is a function of. */
#ifndef PARTICLEFLOW_GAUSSIANS_H
#define PARTICLEFLOW_GAUSSIANS_H

#include <stddef.h>

typedef struct {
  const double *means;     /* packed [n, dim]: m_a */
  const double *factors;   /* packed [n, dim (dim+1) / 2]: lower triangles A_a by rows */
  const double *offsets;   /* packed [n, dim]: q_a; null: none */
  const double *constants; /* [n], log weight + log det A_a and what belongs to the density */
  size_t n, dim;
} gaussians;

/* Points are taken together in lanes, so that their chains of operations overlap. */
#define GAUSSIAN_LANES ((size_t)8)

/* |A_a (y - m_a)|^2 of `count` packed points y [count, dim], at most GAUSSIAN_LANES, from all n Gaussians: length
 * [n, GAUSSIAN_LANES]. With offsets also cross [n, GAUSSIAN_LANES], A_a (y - m_a) . q_a. Lanes without a point repeat
 * the last one. room: gaussian_room(dim). */
void gaussian_lengths(const gaussians *of, const double *points, size_t count, double *length, double *cross,
                      double *room);
size_t gaussian_room(size_t dim);

/* |A_a (y - m_a)|^2 of all points y, packed [m, dim], from all n Gaussians, which have no offsets: column-major
 * [m, n]. workspace: threads * gaussian_workspace(of). */
void gaussian_all_lengths(const gaussians *of, const double *points, size_t m, double *length, double *workspace,
                          int threads);
size_t gaussian_workspace(const gaussians *of);

/* p = A_a (y - m_a) [dim] for one point and one Gaussian. */
void gaussian_whiten(const gaussians *of, size_t a, const double *y, double *p);

#endif
