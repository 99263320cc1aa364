/* Sums over the sources near one query in one to three dimensions: the weight of a pair less the polynomial that a grid
 * has in its place (grid.h), and nothing beyond the radius of the polynomial.
 *
 * Sums, with v = w - T at the squared distance t, are
 *   0 .. dim-1   sum v z
 *   dim          sum v
 *   dim + 1 ..   NEAR_jacobian: sum 2 v' z z', the lower triangle row by row
 * so that the Jacobian of sum v z is the second times the unit matrix plus the third. The lanes of a vector are
 * sources. The bits of the sums depend on the runs of sources alone. */
#ifndef PARTICLEFLOW_NEAR_H
#define PARTICLEFLOW_NEAR_H

#include <stddef.h>

#include "core/pair/grid.h"

#define NEAR_MAX_DIM GRID_MAX_DIM
#define NEAR_MAX_ROWS ((size_t)10)
/* Doubles behind the sources of each coordinate, which vectors may read. */
#define NEAR_PADDING ((size_t)8)

typedef enum { NEAR_force = 0, NEAR_jacobian = 1, NEAR_modes = 2 } near_mode;

/* Sources [from, to). */
typedef struct {
  size_t from, to;
} near_run;

/* query: [dim]. sums: [rows], overwritten. source: [n + NEAR_PADDING, dim], column by column `stride` apart. */
typedef void (*near_kernel)(const double *query, double *sums, const double *source, size_t stride,
                            const near_run *run, size_t runs, const split_kernel *split);

/* For a Riesz weight, on the instruction set that is in force. */
near_kernel near_kernel_for(near_mode mode, weight_kind kind, size_t dim);

/* No polynomial and no radius: every pair in full. */
split_kernel kernel_unsplit(pair_kernel kernel);

typedef struct {
  near_kernel kernels[NEAR_modes][WEIGHT_RIESZ_COUNT][NEAR_MAX_DIM];
} near_table;

extern const near_table near_scalar;
#if defined(__x86_64__) && defined(__GNUC__) && !defined(_WIN32)
extern const near_table near_avx2, near_avx512;
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
extern const near_table near_neon;
#endif

#endif
