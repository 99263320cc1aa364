/* Four lanes with fused multiply-add. */
#include "core/pair/simd.h"

#ifdef SIMD_X86
#include "core/base/vector_avx2.h"

#define ROOT(v) _mm256_sqrt_pd(v)
#define INVERSE(v) _mm256_div_pd(_mm256_set1_pd(1.0), (v))
#include "core/pair/charges_tile.h"

const charge_table charges_avx2 = CHARGE_TABLE;
#else
typedef int charges_avx2_is_empty;
#endif
