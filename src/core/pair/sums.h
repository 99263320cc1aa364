/* The accumulators of the pair engine: their layout, how they start and where they go. Tiles, reactions and states
 * of samples all have this layout, and no other file knows it but the tile kernels.
 *
 * With z = y - x_a and u = |z|^2 + eps, the accumulators of `lanes` queries y are rows of `lanes` doubles:
 *   0 .. dim-1            sum w z
 *   dim + EXTRA_weight    sum w
 *   dim + EXTRA_bound     sum (w/u) |z|^2, which the bound of the curvature needs
 *   dim + EXTRA_energy    sum w u; or at s = 0 sum log u, or the part of it that the two rows of logarithms lack
 *   dim + EXTRA_nearest   min |z|^2
 * and behind these EXTRA_ROWS extras, if they are wanted,
 *   a triangle            sum (w/u) z z', the dim (dim+1) / 2 entries of its lower triangle row by row; or
 *   logarithms            sum log u = log(mantissa) + exponent log 2 at s = 0, so that no logarithm is taken before
 *                         the end: dim + EXTRA_mantissa is a product in [1, 2), dim + EXTRA_exponent a sum. */
#ifndef PARTICLEFLOW_SUMS_H
#define PARTICLEFLOW_SUMS_H

#include <stddef.h>

enum { EXTRA_weight, EXTRA_bound, EXTRA_energy, EXTRA_nearest, EXTRA_mantissa, EXTRA_exponent };
#define EXTRA_ROWS ((size_t)4)
#define LOG_ROWS ((size_t)2)

typedef enum { BEHIND_nothing, BEHIND_triangle, BEHIND_logarithms } rows_behind;

typedef struct {
  size_t dim;
  size_t lanes; /* doubles from one row to the next */
  rows_behind behind;
} sums_layout;

size_t sums_rows(const sums_layout *layout);

/* Doubles of one set of accumulators: rows times lanes. */
size_t sums_size(const sums_layout *layout);

/* Sums over no pair: 0, no nearest, a mantissa of 1. */
void sums_clear(const sums_layout *layout, double *sums);

/* Where the sums go; a null pointer is not wanted, and the cheapest kernels that give the others are used: least for
 * `weight`, then `force`, then `bound`, `repulsion` and `nearest`, most for `hessian`. The last four are for Riesz
 * weights alone. */
typedef struct {
  double *force; /* sum w z of row i, coordinate c at force[i * row_stride + c * column_stride] */
  size_t row_stride, column_stride;
  double *weight;    /* [n_query] sum w */
  double *bound;     /* [n_query] sum (w/u) |z|^2 */
  double *repulsion; /* [n_query] sum of the repulsive part of W: u^{-s/2}/s, or -log(u)/2 at s = 0 */
  double *nearest;   /* [n_query] min |z|^2; infinite without sources */
  double *hessian;   /* [n_query, dim (dim+1) / 2], row by row: the lower triangle of sum (w/u) z z';
                        dim at most TILE_HESSIAN_DIM */
} pair_sums;

/* `out` from row `first` on. */
pair_sums sums_from(const pair_sums *out, size_t first, size_t dim);

/* The accumulators of one query, which start at `sums` with one double a row, to row i of `out`. */
void sums_store(const sums_layout *layout, const double *sums, double s, const pair_sums *out, size_t i);

/* The first place at or behind `room` with which a cache line starts; asks for CACHE_ROOM doubles more. */
#define CACHE_ROOM ((size_t)8)
double *cache_aligned(double *room);

#endif
