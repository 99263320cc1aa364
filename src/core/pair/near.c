#include "core/pair/near.h"

#include "core/pair/simd.h"

split_kernel kernel_unsplit(pair_kernel kernel) {
  /* finite, so that a term of 0 times it is 0 */
  const split_kernel split = {.kernel = kernel, .cut = 1e300};
  return split;
}

static const near_table *near_current(void) {
#ifdef SIMD_X86
  if (simd_current() == &simd_avx512) return &near_avx512;
  if (simd_current() == &simd_avx2) return &near_avx2;
#endif
#ifdef SIMD_ARM
  if (simd_current() == &simd_neon) return &near_neon;
#endif
  return &near_scalar;
}

near_kernel near_kernel_for(near_mode mode, weight_kind kind, size_t dim) {
  return near_current()->kernels[mode][kind][dim - 1];
}
