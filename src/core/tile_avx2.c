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
/* The exponent field, as a double: 2^52 + field, less 2^52 + 1023. */
#define LOG_SPLIT(u, mantissa, exponent)                                                                  \
  do {                                                                                                    \
    const __m256i bits = _mm256_castpd_si256(u);                                                          \
    const __m256i one = _mm256_castpd_si256(_mm256_set1_pd(1.0));                                         \
    const __m256i fraction = _mm256_and_si256(bits, _mm256_set1_epi64x(0x000FFFFFFFFFFFFFLL));            \
    const __m256i field = _mm256_or_si256(_mm256_srli_epi64(bits, 52),                                    \
                                          _mm256_castpd_si256(_mm256_set1_pd(4503599627370496.0)));       \
    (mantissa) = _mm256_mul_pd((mantissa), _mm256_castsi256_pd(_mm256_or_si256(fraction, one)));          \
    (exponent) = _mm256_add_pd((exponent), _mm256_sub_pd(_mm256_castsi256_pd(field),                      \
                                                         _mm256_set1_pd(4503599627370496.0 + 1023.0)));  \
  } while (0)

#include "core/tile.h"

const simd_table simd_avx2 = {"avx2", TILE_LANES, 0, TILE_TABLE};
#else
typedef int tile_avx2_is_empty;
#endif
