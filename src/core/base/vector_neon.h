/* Vectors of two doubles, for the files that are compiled for 64-bit ARM. */
#ifndef PARTICLEFLOW_VECTOR_NEON_H
#define PARTICLEFLOW_VECTOR_NEON_H

#include <arm_neon.h>

#define TILE_NAME(x) neon_##x
#define TILE_TARGET
#define INLINE static inline __attribute__((always_inline)) TILE_TARGET
#define TILE_LANES 2
typedef float64x2_t vec;
#define LOAD(p) vld1q_f64(p)
#define STORE(p, v) vst1q_f64((p), (v))
#define SET1(v) vdupq_n_f64(v)
#define ADD(a, b) vaddq_f64((a), (b))
#define SUB(a, b) vsubq_f64((a), (b))
#define MUL(a, b) vmulq_f64((a), (b))
#define FMA(a, b, c) vfmaq_f64((c), (a), (b))
#define MIN(a, b) vminq_f64((a), (b))
#define DIVIDE(a, b) vdivq_f64((a), (b))
#define SQUARE_ROOT(v) vsqrtq_f64(v)
#define ROUND(v) vrndnq_f64(v)

#endif
