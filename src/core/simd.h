/* The SIMD table: one set of tile kernels per instruction set, chosen once at load and switched only
 * by tests. A kernel works on `lanes` query rows at a time. */
#ifndef PARTICLEFLOW_SIMD_H
#define PARTICLEFLOW_SIMD_H

#include "core/riesz.h"

/* Tile accumulators, each a row of `lanes` doubles. For a query y and sources x_a, z = y - x_a,
 * u = |z|^2 + eps:
 *   0 .. dim-1   sum w z
 *   dim          sum w
 *   dim+1        sum (w/u) |z|^2       what the curvature bound needs
 *   dim+2        sum w u, or sum log u at s = 0 (the energy)
 *   dim+3        min |z|^2
 * The plain kernels leave the last three alone. */
#define TILE_EXTRA 4

/* The largest dimension with a kernel of its own; others go through the general one. */
#define TILE_MAX_DIM 3

/* No more than this many sources in one kernel call (the running product behind sum log u). */
#define TILE_MAX_SOURCES 512

/* query: [dim, lanes], one row per coordinate. sums: [dim + TILE_EXTRA, lanes], added to.
 * source: [n_source, dim], one row per point. */
typedef void (*tile_kernel)(const double *query, double *sums, const double *source, size_t n_source,
                            size_t dim, const riesz *potential);

typedef struct {
  const char *name;
  size_t lanes;
  /* a reciprocal from an estimate and Newton steps: right only for u well inside the range of doubles */
  int narrow_range;
  tile_kernel plain[WEIGHT_count][TILE_MAX_DIM + 1]; /* [.][0] is the general kernel */
  tile_kernel full[WEIGHT_count][TILE_MAX_DIM + 1];
} simd_table;

extern const simd_table simd_scalar;
#if defined(__x86_64__) && defined(__GNUC__) && !defined(_WIN32)
#define SIMD_X86 1
extern const simd_table simd_avx2;
extern const simd_table simd_avx512;
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#define SIMD_ARM 1
extern const simd_table simd_neon;
#endif

void simd_init(void);                /* the best the processor has */
int simd_select(const char *name);   /* 1 if `name` is compiled in and the processor has it */
const simd_table *simd_current(void);
/* The table to use where u may leave the range in which estimates are right. */
const simd_table *simd_wide_range(void);
size_t simd_available(const char **names, size_t n_names); /* fills names, best last; returns how many */

#endif
