/* Four lanes, 16 registers. */
#include "core/base/instructions.h"

#ifdef SIMD_X86
#include "core/base/vector_avx2.h"

#define MAX(a, b) _mm256_max_pd((a), (b))
#define POSITIVE(t, v) _mm256_and_pd(_mm256_cmp_pd((t), _mm256_setzero_pd(), _CMP_GT_OQ), (v))
#define BEYOND(v, bound)                                                                                     \
  _mm256_and_pd(_mm256_cmp_pd(_mm256_andnot_pd(_mm256_set1_pd(-0.0), (v)), _mm256_set1_pd(bound), _CMP_NLE_UQ), (v))
#define BROAD 6
#define REPEAT_BROAD REPEAT_6

#include "core/net/products_tile.h"
#include "core/net/waves_tile.h"

extern const product_table product_avx2;
const product_table product_avx2 = {.name = "avx2", PRODUCT_TABLE};
#else
typedef int products_avx2_is_empty;
#endif
