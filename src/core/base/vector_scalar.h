/* Vectors of one double, plain C: the twins of all others. */
#ifndef PARTICLEFLOW_VECTOR_SCALAR_H
#define PARTICLEFLOW_VECTOR_SCALAR_H

#define TILE_NAME(x) scalar_##x
#define TILE_TARGET
#define INLINE static inline __attribute__((always_inline)) TILE_TARGET
#define TILE_LANES 1
typedef double vec;
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define SET1(v) (v)
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define FMA(a, b, c) ((a) * (b) + (c))
#define MIN(a, b) ((b) < (a) ? (b) : (a))
#define DIVIDE(a, b) ((a) / (b))
#define SQUARE_ROOT(v) sqrt(v)

#endif
