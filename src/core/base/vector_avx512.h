/* Vectors of eight doubles, for the files that are compiled for AVX-512. */
#ifndef PARTICLEFLOW_VECTOR_AVX512_H
#define PARTICLEFLOW_VECTOR_AVX512_H

#include <immintrin.h>

#define TILE_NAME(x) avx512_##x
#define TILE_TARGET __attribute__((target("avx512f")))
#define INLINE static inline __attribute__((always_inline)) TILE_TARGET
#define TILE_LANES 8
typedef __m512d vec;
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, v) _mm512_storeu_pd((p), (v))
#define SET1(v) _mm512_set1_pd(v)
/* operators: calls would leave half as much again of debugging information */
#define ADD(a, b) ((vec)((a) + (b)))
#define SUB(a, b) ((vec)((a) - (b)))
#define MUL(a, b) ((vec)((a) * (b)))
#define FMA(a, b, c) _mm512_fmadd_pd((a), (b), (c))
#define MIN(a, b) _mm512_min_pd((a), (b))
#define DIVIDE(a, b) _mm512_div_pd((a), (b))
#define SQUARE_ROOT(v) _mm512_sqrt_pd(v)
#define ROUND(v) _mm512_roundscale_pd((v), 0)

#endif
