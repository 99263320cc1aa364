/* One lane, plain C: the twin against which every vector path is held. */
#include "core/base/vector_scalar.h"

#define ROOT(u) sqrt(u)
#define INVERSE(u) (1.0 / (u))
#define INVERSE_ROOT(u) (1.0 / sqrt(u))
#define MANTISSA(u) scalar_mantissa(u)
#define EXPONENT(u) scalar_exponent(u)
#define TILE_LIBM

#include <math.h>

static inline double scalar_mantissa(double u) {
  int power;
  return frexp(u, &power) * 2.0;
}

static inline double scalar_exponent(double u) {
  int power;
  frexp(u, &power);
  return power - 1;
}

#include "core/pair/tile.h"

const simd_table simd_scalar = {
    .name = "scalar", .lanes = TILE_LANES, .least_epsilon = 0.0, .largest_coordinate = INFINITY, TILE_TABLE};
