/* Normal numbers in the lanes of vectors: the same as those of rng_normal(), up to a few units in the last place. */
#ifndef PARTICLEFLOW_NORMALS_H
#define PARTICLEFLOW_NORMALS_H

#include "core/base/rng.h"

/* Numbers that one call makes at most. */
#define NORMALS_MOST ((size_t)64)

/* Entry i is number slot[i] of particle[i] in the stream. */
typedef struct {
  rng_key key;
  uint32_t stream;
  uint64_t slot[NORMALS_MOST], particle[NORMALS_MOST];
} normal_places;

/* out [n], n <= NORMALS_MOST. The bits of a number depend on its place and the instruction set alone. */
typedef void (*normal_kernel)(double *out, size_t n, const normal_places *places);

/* That of the instruction set in force. */
normal_kernel normals_current(void);

/* Fills a column-major [n, m] matrix; row i has the numbers 0 .. m - 1 of particle first + i. */
void fill_normal(double *out, size_t n, size_t m, rng_key key, uint32_t stream, uint64_t first, int threads);

/* The same as its transposed, one column of m numbers per particle. */
void fill_normal_columns(double *out, size_t n, size_t m, rng_key key, uint32_t stream, uint64_t first);

#endif
