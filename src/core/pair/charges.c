#include "core/pair/charges.h"

#include "core/pair/simd.h"

size_t charge_rows(charge_mode mode, size_t dim) {
  const size_t more[CHARGES_modes] = {0, 1, dim * (dim + 1) / 2};
  return dim + 1 + more[mode];
}

static const charge_table *charges_current(void) {
#ifdef SIMD_X86
  if (simd_current() == &simd_avx512) return &charges_avx512;
  if (simd_current() == &simd_avx2) return &charges_avx2;
#endif
#ifdef SIMD_ARM
  if (simd_current() == &simd_neon) return &charges_neon;
#endif
  return &charges_scalar;
}

charge_kernel charge_kernel_for(charge_mode mode, weight_kind kind, size_t dim) {
  return charges_current()->kernels[mode][kind][dim - 1];
}
