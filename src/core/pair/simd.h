/* The SIMD table: one set of tile kernels per instruction set. A kernel works on `lanes` query rows at a time. */
#ifndef PARTICLEFLOW_SIMD_H
#define PARTICLEFLOW_SIMD_H

#include "core/base/instructions.h"
#include "core/pair/kernel.h"
#include "core/pair/sums.h"

/* The accumulators (sums.h) that a kernel adds to; each mode adds to those of the one before as well. */
typedef enum {
  TILE_sum = 0,     /* sum w; all weights but Riesz */
  TILE_force = 1,   /* sum w z */
  TILE_full = 2,    /* the extras; Riesz weights only */
  TILE_hessian = 3, /* the triangle; Riesz weights only, up to TILE_HESSIAN_DIM dimensions */
  TILE_modes = 4
} tile_mode;

#define TILE_HESSIAN_DIM ((size_t)128)

/* Lanes of the widest instruction set. */
#define SIMD_MAX_LANES ((size_t)8)

/* The largest dimension with kernels of its own; others go through the general one. */
#define TILE_MAX_DIM ((size_t)3)

/* No more than this many sources in one kernel call (the running product behind sum log u). */
#define TILE_MAX_SOURCES ((size_t)512)

/* query: [dim, lanes], one row per coordinate. sums: the accumulators. source: [n_source, dim], one row per
 * point. */
typedef void (*tile_kernel)(const double *query, double *sums, const double *source, size_t n_source,
                            size_t dim, const pair_kernel *kernel);

/* squared: [n_source, lanes], the squared distances |y - x_a|^2. A pair's bits depend on nothing but the
 * pair, and not on its order. */
typedef void (*distance_kernel)(const double *query, double *squared, const double *source, size_t n_source,
                                size_t dim);

/* Rows of one sample go in units of this many, one tile or several. */
#define TILE_UNIT ((size_t)8)
/* No more tiles than this in one call (the running product again). */
#define TILE_MAX_TILES ((size_t)512)

/* query, sums: `n_tiles` tiles one after the other. source: [n_source, dim], whole units, none of them among
 * the queries. reaction: the sums of the sources with the queries, but for the sign of sum w z, in `lanes`
 * parts: [n_source / 4, dim + EXTRA_ROWS + LOG_ROWS, 4, lanes]. */
typedef void (*mutual_kernel)(const double *query, double *sums, size_t n_tiles, const double *source,
                              double *reaction, size_t n_source, size_t dim, const pair_kernel *kernel);

/* A unit among itself. twice: [dim, 2 TILE_UNIT], its coordinates and the same again; sums: its tiles. */
typedef void (*within_kernel)(const double *twice, double *sums, size_t dim, const pair_kernel *kernel);

typedef struct {
  const char *name;
  size_t lanes;
  /* Reciprocals made from estimates are right only where u is far from both ends of the estimate's range:
   * eps of Riesz weights at least, coordinates at most. */
  double least_epsilon, largest_coordinate;
  tile_kernel kernels[TILE_modes][WEIGHT_count][TILE_MAX_DIM + 1]; /* [..][0] is the general kernel */
  distance_kernel distances;
  mutual_kernel mutual[WEIGHT_RIESZ_COUNT]; /* [even, odd, general] */
  within_kernel within[WEIGHT_RIESZ_COUNT]; /* [even, odd, general] */
} simd_table;

/* The kernel of a table for sources in `dim` dimensions; NULL if there is none for this mode and weight. */
tile_kernel simd_tile_kernel(const simd_table *table, tile_mode mode, weight_kind kind, size_t dim);

extern const simd_table simd_scalar;
#ifdef SIMD_X86
extern const simd_table simd_avx2;
extern const simd_table simd_avx512;
#endif
#ifdef SIMD_ARM
extern const simd_table simd_neon;
#endif

/* That of the instruction set in force. */
const simd_table *simd_current(void);
/* The table with which to replace `table` where its range does not suffice: right for every double. */
const simd_table *simd_wide_range(const simd_table *table, weight_kind kind);

#endif
