/* Two lanes, 32 registers. */
#include "core/base/instructions.h"

#ifdef SIMD_ARM
#include "core/base/vector_neon.h"

#define AND(mask, v) vreinterpretq_f64_u64(vandq_u64((mask), vreinterpretq_u64_f64(v)))
/* not vmaxq and vminq, which keep NaN */
#define MAX(a, b) vbslq_f64(vcgtq_f64((a), (b)), (a), (b))
#define POSITIVE(t, v) AND(vcgtq_f64((t), vdupq_n_f64(0.0)), (v))
#define BEYOND(v, bound) \
  vreinterpretq_f64_u64(vbicq_u64(vreinterpretq_u64_f64(v), vcleq_f64(vabsq_f64(v), vdupq_n_f64(bound))))
#define BROAD 8
#define REPEAT_BROAD REPEAT_8

#include "core/net/products_tile.h"
#include "core/net/waves_tile.h"

extern const product_table product_neon;
const product_table product_neon = {.name = "neon", PRODUCT_TABLE};
#else
typedef int products_neon_is_empty;
#endif
