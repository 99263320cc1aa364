/* Four lanes with fused multiply-add. */
#include "core/pair/simd.h"

#ifdef SIMD_X86
#include "core/base/vector_avx2.h"

#define ROOT(v) _mm256_sqrt_pd(v)
#define INVERSE(v) _mm256_div_pd(_mm256_set1_pd(1.0), (v))
#define WHERE_LESS(a, b, v) _mm256_and_pd(_mm256_cmp_pd((a), (b), _CMP_LT_OQ), (v))
#include "core/pair/near_tile.h"

const near_table near_avx2 = NEAR_TABLE;
#else
typedef int near_avx2_is_empty;
#endif
