#include "core/pair/simd.h"

#include <string.h>

static const simd_table *current = &simd_scalar;

size_t simd_available(const char **names, size_t n_names) {
  const char *found[4];
  size_t n = 0;
  found[n++] = "scalar";
#ifdef SIMD_X86
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found[n++] = "avx2";
  if (__builtin_cpu_supports("avx512f")) found[n++] = "avx512";
#endif
#ifdef SIMD_ARM
  found[n++] = "neon";
#endif
  for (size_t i = 0; i < n && i < n_names; i++) names[i] = found[i];
  return n;
}

static const simd_table *table_by_name(const char *name) {
#ifdef SIMD_X86
  if (!strcmp(name, "avx2")) return &simd_avx2;
  if (!strcmp(name, "avx512")) return &simd_avx512;
#endif
#ifdef SIMD_ARM
  if (!strcmp(name, "neon")) return &simd_neon;
#endif
  return strcmp(name, "scalar") ? NULL : &simd_scalar;
}

int simd_select(const char *name) {
  const char *names[4];
  const size_t n = simd_available(names, 4);
  for (size_t i = 0; i < n; i++) {
    if (!strcmp(names[i], name)) {
      current = table_by_name(name);
      return 1;
    }
  }
  return 0;
}

void simd_init(void) {
#ifdef SIMD_X86
  __builtin_cpu_init();
#endif
  const char *names[4];
  const size_t n = simd_available(names, 4);
  current = table_by_name(names[n - 1]);
}

const simd_table *simd_current(void) {
  return current;
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
