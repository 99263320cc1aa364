/* Two lanes. */
#include "core/pair/simd.h"

#ifdef SIMD_ARM
#include "core/base/vector_neon.h"

#define ROOT(v) vsqrtq_f64(v)
#define INVERSE(v) vdivq_f64(vdupq_n_f64(1.0), (v))
#include "core/pair/charges_tile.h"

const charge_table charges_neon = CHARGE_TABLE;
#else
typedef int charges_neon_is_empty;
#endif
