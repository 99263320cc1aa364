#include "core/pair/simd.h"

#include <string.h>

const simd_table *simd_current(void) {
  const char *name = simd_name();
#ifdef SIMD_X86
  if (!strcmp(name, "avx512")) return &simd_avx512;
  if (!strcmp(name, "avx2")) return &simd_avx2;
#endif
#ifdef SIMD_ARM
  if (!strcmp(name, "neon")) return &simd_neon;
#endif
  (void)name;
  return &simd_scalar;
}

tile_kernel simd_tile_kernel(const simd_table *table, tile_mode mode, weight_kind kind, size_t dim) {
  if ((unsigned)mode >= TILE_modes || (unsigned)kind >= WEIGHT_count) return NULL;
  const tile_kernel *kernels = table->kernels[mode][kind];
  return dim <= TILE_MAX_DIM && kernels[dim] ? kernels[dim] : kernels[0];
}

const simd_table *simd_wide_range(const simd_table *table, weight_kind kind) {
#ifdef SIMD_X86
  /* there only the reciprocal root is made from an estimate */
  if (table == &simd_avx2 || table == &simd_avx512) return kind == WEIGHT_odd ? &simd_scalar : &simd_avx2;
#endif
  (void)kind;
  return table;
}
