/* Four lanes with fused multiply-add. */
#include "core/simd.h"

#ifdef SIMD_X86
#include <immintrin.h>

#define TILE_NAME(x) avx2_##x
#define TILE_TARGET __attribute__((target("avx2,fma")))
#define TILE_LANES 4
#define TILE_SPECIAL_DIMS
typedef __m256d vec;
#define LOAD(p) _mm256_loadu_pd(p)
#define STORE(p, v) _mm256_storeu_pd((p), (v))
#define SET1(v) _mm256_set1_pd(v)
#define ADD(a, b) _mm256_add_pd((a), (b))
#define SUB(a, b) _mm256_sub_pd((a), (b))
#define MUL(a, b) _mm256_mul_pd((a), (b))
#define FMA(a, b, c) _mm256_fmadd_pd((a), (b), (c))
#define MIN(a, b) _mm256_min_pd((a), (b))
#define INVERSE(u) _mm256_div_pd(_mm256_set1_pd(1.0), (u))
#define INVERSE_ROOT(u) _mm256_div_pd(_mm256_set1_pd(1.0), _mm256_sqrt_pd(u))
#define MANTISSA(u) avx2_mantissa(u)
#define EXPONENT(u) avx2_exponent(u)
#define ROUND(v) _mm256_round_pd((v), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
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

/* v 2^k through the exponent field of 2^k, with k kept among the normal numbers. */
static inline __attribute__((always_inline)) TILE_TARGET vec avx2_scale(vec v, vec k) {
  k = _mm256_min_pd(_mm256_max_pd(k, _mm256_set1_pd(-1022.0)), _mm256_set1_pd(1023.0));
  const __m256i field = _mm256_castpd_si256(_mm256_add_pd(k, _mm256_set1_pd(TWO_52 + 1023.0)));
  return _mm256_mul_pd(v, _mm256_castsi256_pd(_mm256_slli_epi64(field, 52)));
}

#include "core/tile.h"

const simd_table simd_avx2 = {"avx2", TILE_LANES, 0, TILE_TABLE};
#else
typedef int tile_avx2_is_empty;
#endif
