/* Two lanes. */
#include "core/pair/simd.h"

#ifdef SIMD_ARM
#include "core/base/vector_neon.h"

#define ROOT(v) vsqrtq_f64(v)
#define INVERSE(v) vdivq_f64(vdupq_n_f64(1.0), (v))
#define WHERE_LESS(a, b, v) vreinterpretq_f64_u64(vandq_u64(vcltq_f64((a), (b)), vreinterpretq_u64_f64(v)))
#include "core/pair/near_tile.h"

const near_table near_neon = NEAR_TABLE;
#else
typedef int near_neon_is_empty;
#endif
