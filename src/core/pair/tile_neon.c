/* Two lanes; Advanced SIMD is part of every 64-bit ARM processor. */
#include "core/pair/simd.h"

#ifdef SIMD_ARM
#include "core/base/vector_neon.h"

#define TILE_SPECIAL_DIMS
#define ROOT(u) vsqrtq_f64(u)
#define INVERSE(u) vdivq_f64(vdupq_n_f64(1.0), (u))
#define INVERSE_ROOT(u) vdivq_f64(vdupq_n_f64(1.0), vsqrtq_f64(u))
#define MANTISSA(u) neon_mantissa(u)
#define EXPONENT(u) neon_exponent(u)
#define SCALE(v, k) neon_scale((v), (k))

static inline vec neon_mantissa(vec u) {
  const uint64x2_t fraction = vandq_u64(vreinterpretq_u64_f64(u), vdupq_n_u64(0x000FFFFFFFFFFFFFULL));
  return vreinterpretq_f64_u64(vorrq_u64(fraction, vreinterpretq_u64_f64(vdupq_n_f64(1.0))));
}

static inline vec neon_exponent(vec u) {
  return SUB(vcvtq_f64_u64(vshrq_n_u64(vreinterpretq_u64_f64(u), 52)), vdupq_n_f64(1023.0));
}

/* v 2^k through the exponent field of 2^k; 0 where that would not be a normal number. */
static inline vec neon_scale(vec v, vec k) {
  const uint64x2_t normal = vcgeq_f64(k, vdupq_n_f64(-1022.0));
  k = vminq_f64(k, vdupq_n_f64(1023.0));
  const uint64x2_t field = vandq_u64(normal, vcvtq_u64_f64(ADD(k, vdupq_n_f64(1023.0))));
  return MUL(v, vreinterpretq_f64_u64(vshlq_n_u64(field, 52)));
}

#include "core/pair/tile.h"

const simd_table simd_neon = {
    .name = "neon", .lanes = TILE_LANES, .least_epsilon = 0.0, .largest_coordinate = INFINITY, TILE_TABLE};
#else
typedef int tile_neon_is_empty;
#endif
