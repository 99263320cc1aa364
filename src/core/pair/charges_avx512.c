/* Eight lanes. */
#include "core/pair/simd.h"

#ifdef SIMD_X86
#include "core/base/vector_avx512.h"

#define ROOT(v) _mm512_sqrt_pd(v)
#define INVERSE(v) _mm512_div_pd(_mm512_set1_pd(1.0), (v))
#include "core/pair/charges_tile.h"

const charge_table charges_avx512 = CHARGE_TABLE;
#else
typedef int charges_avx512_is_empty;
#endif
