/* Two lanes; Advanced SIMD is part of every 64-bit ARM processor. */
#include "core/simd.h"

#ifdef SIMD_ARM
#include <arm_neon.h>

#define TILE_NAME(x) neon_##x
#define TILE_TARGET
#define TILE_LANES 2
#define TILE_SPECIAL_DIMS
typedef float64x2_t vec;
#define LOAD(p) vld1q_f64(p)
#define STORE(p, v) vst1q_f64((p), (v))
#define SET1(v) vdupq_n_f64(v)
#define ADD(a, b) vaddq_f64((a), (b))
#define SUB(a, b) vsubq_f64((a), (b))
#define MUL(a, b) vmulq_f64((a), (b))
#define FMA(a, b, c) vfmaq_f64((c), (a), (b))
#define MIN(a, b) vminq_f64((a), (b))
#define INVERSE(u) vdivq_f64(vdupq_n_f64(1.0), (u))
#define INVERSE_ROOT(u) vdivq_f64(vdupq_n_f64(1.0), vsqrtq_f64(u))
#define LOG_SPLIT(u, mantissa, exponent)                                                                  \
  do {                                                                                                    \
    const uint64x2_t bits = vreinterpretq_u64_f64(u);                                                     \
    const uint64x2_t one = vreinterpretq_u64_f64(vdupq_n_f64(1.0));                                       \
    const uint64x2_t fraction = vandq_u64(bits, vdupq_n_u64(0x000FFFFFFFFFFFFFULL));                      \
    (mantissa) = MUL((mantissa), vreinterpretq_f64_u64(vorrq_u64(fraction, one)));                        \
    (exponent) = ADD((exponent), SUB(vcvtq_f64_u64(vshrq_n_u64(bits, 52)), vdupq_n_f64(1023.0)));         \
  } while (0)

#include "core/tile.h"

const simd_table simd_neon = {"neon", TILE_LANES, 0, TILE_TABLE};
#else
typedef int tile_neon_is_empty;
#endif
