/* Eight lanes. */
#include "core/pair/simd.h"

#ifdef SIMD_X86
#include "core/base/vector_avx512.h"

#define ROOT(v) _mm512_sqrt_pd(v)
#define INVERSE(v) _mm512_div_pd(_mm512_set1_pd(1.0), (v))
#define WHERE_LESS(a, b, v) _mm512_maskz_mov_pd(_mm512_cmp_pd_mask((a), (b), _CMP_LT_OQ), (v))
#include "core/pair/near_tile.h"

const near_table near_avx512 = NEAR_TABLE;
#else
typedef int near_avx512_is_empty;
#endif
