/* Eight lanes. Division and square root are slow at this width, so reciprocals come from the 14-bit
 * estimates and two Newton steps: 14, 28, 52 bits. */
#include "core/simd.h"

#ifdef SIMD_X86
#include <immintrin.h>

#define TILE_NAME(x) avx512_##x
#define TILE_TARGET __attribute__((target("avx512f")))
#define TILE_LANES 8
#define TILE_SPECIAL_DIMS
typedef __m512d vec;
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, v) _mm512_storeu_pd((p), (v))
#define SET1(v) _mm512_set1_pd(v)
#define ADD(a, b) _mm512_add_pd((a), (b))
#define SUB(a, b) _mm512_sub_pd((a), (b))
#define MUL(a, b) _mm512_mul_pd((a), (b))
#define FMA(a, b, c) _mm512_fmadd_pd((a), (b), (c))
#define MIN(a, b) _mm512_min_pd((a), (b))
#define INVERSE(u) avx512_inverse(u)
#define INVERSE_ROOT(u) avx512_inverse_root(u)
#define MANTISSA(u) _mm512_getmant_pd((u), _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero)
#define EXPONENT(u) _mm512_getexp_pd(u)
#define ROUND(v) _mm512_roundscale_pd((v), 0)
#define SCALE(v, k) _mm512_scalef_pd((v), (k))

/* r <- r + r (1 - u r), twice */
static inline __attribute__((always_inline)) TILE_TARGET vec avx512_inverse(vec u) {
  vec r = _mm512_rcp14_pd(u);
  for (int newton = 0; newton < 2; newton++) {
    r = FMA(r, _mm512_fnmadd_pd(u, r, SET1(1.0)), r);
  }
  return r;
}

/* r <- r + r/2 (1 - u r^2), twice */
static inline __attribute__((always_inline)) TILE_TARGET vec avx512_inverse_root(vec u) {
  vec r = _mm512_rsqrt14_pd(u);
  for (int newton = 0; newton < 2; newton++) {
    const vec error = _mm512_fnmadd_pd(MUL(u, r), r, SET1(1.0));
    r = FMA(MUL(r, SET1(0.5)), error, r);
  }
  return r;
}

#include "core/tile.h"

const simd_table simd_avx512 = {"avx512", TILE_LANES, 1, TILE_TABLE};
#else
typedef int tile_avx512_is_empty;
#endif
