/* Eight lanes. Division and square root are slow at this width, so reciprocals come from the 14-bit
 * estimates and one step of order four: 14, 52 bits. */
#include "core/pair/simd.h"

#ifdef SIMD_X86
#include "core/base/vector_avx512.h"

#define TILE_SPECIAL_DIMS
/* the tiniest normal number lets 0 be the root of 0 */
#define ROOT(u) MUL((u), avx512_inverse_root(_mm512_max_pd((u), _mm512_set1_pd(2.3e-308))))
#define INVERSE(u) avx512_inverse(u)
#define INVERSE_ROOT(u) avx512_inverse_root(u)
#define MANTISSA(u) _mm512_getmant_pd((u), _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero)
#define EXPONENT(u) _mm512_getexp_pd(u)
#define SCALE(v, k) _mm512_scalef_pd((v), (k))

/* With e = 1 - u r, 1/u = r (1 + e)(1 + e^2) but for e^4. */
static inline __attribute__((always_inline)) TILE_TARGET vec avx512_inverse(vec u) {
  const vec r = _mm512_rcp14_pd(u);
  const vec e = _mm512_fnmadd_pd(u, r, SET1(1.0)), first = FMA(r, e, r);
  return FMA(first, MUL(e, e), first);
}

/* With e = 1 - u r^2, u^{-1/2} = r (1 + e/2 + 3 e^2/8 + 5 e^3/16) but for e^4. */
static inline __attribute__((always_inline)) TILE_TARGET vec avx512_inverse_root(vec u) {
  const vec r = _mm512_rsqrt14_pd(u);
  const vec e = _mm512_fnmadd_pd(MUL(u, r), r, SET1(1.0));
  const vec series = FMA(FMA(SET1(0.3125), e, SET1(0.375)), e, SET1(0.5));
  return FMA(MUL(r, e), series, r);
}

#include "core/pair/tile.h"

const simd_table simd_avx512 = {
    .name = "avx512", .lanes = TILE_LANES, .least_epsilon = 1e-250, .largest_coordinate = 1e100, TILE_TABLE};
#else
typedef int tile_avx512_is_empty;
#endif
