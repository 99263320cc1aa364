/* Eight lanes, 32 registers. */
#include "core/base/instructions.h"

#ifdef SIMD_X86
#include "core/base/vector_avx512.h"

#define MAX(a, b) _mm512_max_pd((a), (b))
#define POSITIVE(t, v) _mm512_maskz_mov_pd(_mm512_cmp_pd_mask((t), _mm512_setzero_pd(), _CMP_GT_OQ), (v))
#define BEYOND(v, bound) \
  _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(_mm512_abs_pd(v), _mm512_set1_pd(bound), _CMP_NLE_UQ), (v))
#define BROAD 8
#define REPEAT_BROAD REPEAT_8

#include "core/net/products_tile.h"
#include "core/net/waves_tile.h"

extern const product_table product_avx512;
const product_table product_avx512 = {.name = "avx512", PRODUCT_TABLE};
#else
typedef int products_avx512_is_empty;
#endif
