/* Loops over lanes that the compiler vectorises by itself, compiled twice: as they are, and for AVX2 with fused
 * multiply-add. WIDENED(name, parameters, arguments) makes name() of name_plain(), which must be INLINED and return
 * nothing. Bits depend on the instruction set, as those of the pair kernels do. */
#ifndef PARTICLEFLOW_WIDENED_H
#define PARTICLEFLOW_WIDENED_H

#include "core/pair/simd.h"

#ifdef SIMD_X86
#define INLINED static inline __attribute__((always_inline))
#define WIDENED(name, parameters, arguments)                                                       \
  __attribute__((target("avx2,fma"))) static void name##_avx2 parameters { name##_plain arguments; } \
  static void name##_narrow parameters { name##_plain arguments; }                                 \
  static void name parameters {                                                                    \
    if (simd_current()->lanes >= simd_avx2.lanes) name##_avx2 arguments;                           \
    else name##_narrow arguments;                                                                  \
  }
#else
#define INLINED static inline
#define WIDENED(name, parameters, arguments) \
  static void name parameters { name##_plain arguments; }
#endif

#endif
