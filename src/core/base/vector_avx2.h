/* Vectors of four doubles with fused multiply-add, for the files that are compiled for AVX2. */
#ifndef PARTICLEFLOW_VECTOR_AVX2_H
#define PARTICLEFLOW_VECTOR_AVX2_H

#include <immintrin.h>

#define TILE_NAME(x) avx2_##x
#define TILE_TARGET __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline)) TILE_TARGET
#define TILE_LANES 4
typedef __m256d vec;
#define LOAD(p) _mm256_loadu_pd(p)
#define STORE(p, v) _mm256_storeu_pd((p), (v))
#define SET1(v) _mm256_set1_pd(v)
/* operators: calls would leave half as much again of debugging information */
#define ADD(a, b) ((vec)((a) + (b)))
#define SUB(a, b) ((vec)((a) - (b)))
#define MUL(a, b) ((vec)((a) * (b)))
#define FMA(a, b, c) _mm256_fmadd_pd((a), (b), (c))
#define MIN(a, b) _mm256_min_pd((a), (b))
#define DIVIDE(a, b) _mm256_div_pd((a), (b))
#define SQUARE_ROOT(v) _mm256_sqrt_pd(v)
#define ROUND(v) _mm256_round_pd((v), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

#endif
