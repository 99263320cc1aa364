/* Four lanes with fused multiply-add. Division and square root in one take as long as all else, so the
 * reciprocal root comes from the 12-bit estimate in single precision and one step of order five. */
#include "core/pair/simd.h"

#ifdef SIMD_X86
#include "core/base/vector_avx2.h"

#define TILE_SPECIAL_DIMS
#define ROOT(u) _mm256_sqrt_pd(u)
#define INVERSE(u) _mm256_div_pd(_mm256_set1_pd(1.0), (u))
#define INVERSE_ROOT(u) avx2_inverse_root(u)
#define MANTISSA(u) avx2_mantissa(u)
#define EXPONENT(u) avx2_exponent(u)
#define SCALE(v, k) avx2_scale((v), (k))

#define TWO_52 4503599627370496.0

static inline __attribute__((always_inline)) TILE_TARGET vec avx2_mantissa(vec u) {
  const __m256i fraction = _mm256_set1_epi64x(0x000FFFFFFFFFFFFFLL);
  const __m256i one = _mm256_castpd_si256(_mm256_set1_pd(1.0));
  return _mm256_castsi256_pd(_mm256_or_si256(_mm256_and_si256(_mm256_castpd_si256(u), fraction), one));
}

/* The exponent field as a double: (2^52 + field) - (2^52 + 1023). */
static inline __attribute__((always_inline)) TILE_TARGET vec avx2_exponent(vec u) {
  const __m256i field = _mm256_or_si256(_mm256_srli_epi64(_mm256_castpd_si256(u), 52),
                                        _mm256_castpd_si256(_mm256_set1_pd(TWO_52)));
  return _mm256_sub_pd(_mm256_castsi256_pd(field), _mm256_set1_pd(TWO_52 + 1023.0));
}

/* v 2^k through the exponent field of 2^k; 0 where that would not be a normal number. */
static inline __attribute__((always_inline)) TILE_TARGET vec avx2_scale(vec v, vec k) {
  const __m256d normal = _mm256_cmp_pd(k, _mm256_set1_pd(-1022.0), _CMP_GE_OQ);
  k = _mm256_min_pd(k, _mm256_set1_pd(1023.0));
  const __m256i field = _mm256_castpd_si256(_mm256_add_pd(k, _mm256_set1_pd(TWO_52 + 1023.0)));
  return _mm256_and_pd(normal, _mm256_mul_pd(v, _mm256_castsi256_pd(_mm256_slli_epi64(field, 52))));
}

/* With e = 1 - u r^2, u^{-1/2} = r (1 + e/2 + 3 e^2/8 + 5 e^3/16 + 35 e^4/128) but for e^5. */
static inline __attribute__((always_inline)) TILE_TARGET vec avx2_inverse_root(vec u) {
  const vec r = _mm256_cvtps_pd(_mm_rsqrt_ps(_mm256_cvtpd_ps(u)));
  const vec e = _mm256_fnmadd_pd(MUL(u, r), r, SET1(1.0));
  const vec series = FMA(FMA(FMA(SET1(0.2734375), e, SET1(0.3125)), e, SET1(0.375)), e, SET1(0.5));
  return FMA(MUL(r, e), series, r);
}

#include "core/pair/tile.h"

/* u between 1e-36 and 1e38, the range of single precision */
const simd_table simd_avx2 = {
    .name = "avx2", .lanes = TILE_LANES, .least_epsilon = 1e-36, .largest_coordinate = 1e15, TILE_TABLE};
#else
typedef int tile_avx2_is_empty;
#endif
