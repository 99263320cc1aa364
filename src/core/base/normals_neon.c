/* Two lanes. */
#include "core/base/instructions.h"

#ifdef SIMD_ARM
#include "core/base/vector_neon.h"

typedef uint64x2_t words;
#define MULTIPLY_LOW(a, b) vmull_u32(vmovn_u64(a), vmovn_u64(b))
#define LOAD_WORDS(p) vld1q_u64(p)
#define SET1_WORD(v) vdupq_n_u64(v)
#define AS_WORDS(v) vreinterpretq_u64_f64(v)
#define AS_DOUBLES(w) vreinterpretq_f64_u64(w)

#include "core/base/normals_tile.h"
#else
typedef int normals_neon_is_empty;
#endif
