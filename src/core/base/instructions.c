#include "core/base/instructions.h"

#include <string.h>

#define MOST_SETS 4

static const char *current = "scalar";

size_t simd_available(const char **names, size_t n_names) {
  const char *found[MOST_SETS];
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

int simd_select(const char *name) {
  const char *names[MOST_SETS];
  const size_t n = simd_available(names, MOST_SETS);
  for (size_t i = 0; i < n; i++) {
    if (!strcmp(names[i], name)) {
      current = names[i];
      return 1;
    }
  }
  return 0;
}

void simd_init(void) {
#ifdef SIMD_X86
  __builtin_cpu_init();
#endif
  const char *names[MOST_SETS];
  const size_t n = simd_available(names, MOST_SETS);
  current = names[n - 1];
}

const char *simd_name(void) {
  return current;
}
