/* The pair loop, written once and compiled once per instruction set. An including file gives
 *   TILE_NAME(x)      the name of x on this instruction set
 *   TILE_TARGET       the function attribute
 *   TILE_LANES        doubles in a vector
 *   vec               the vector type
 *   LOAD STORE SET1 ADD SUB MUL FMA MIN ROOT INVERSE INVERSE_ROOT
 *   MANTISSA EXPONENT u = MANTISSA(u) 2^EXPONENT(u), the first in [1, 2), both doubles
 *   ROUND SCALE       to the nearest whole number; SCALE(v, k) = v 2^k for whole k
 * or, for one lane, TILE_LIBM: powers and exponentials are libm's.
 * It defines TILE_TABLE, the last members of its simd_table. Statements are repeated by
 * macros, because not every compiler turns a loop over an array of vectors into registers; each part is headed by the
 * plain C that it is for one lane.
 *
 * Forces are accumulated as w (y - x), never as y sum(w) - sum(w x), which loses every digit where a weight
 * is large. */
#include <math.h>

#include "core/pair/simd.h"

#include "core/pair/tile_weights.h"
#include "core/pair/tile_group.h"
#ifdef TILE_SPECIAL_DIMS
#include "core/pair/tile_few.h"
#endif
#include "core/pair/tile_self.h"

#define ANY(mode_name, kind_name) {TILE_NAME(mode_name##_##kind_name##_0), NULL, NULL, NULL}
#define NONE {NULL, NULL, NULL, NULL}
#ifdef TILE_SPECIAL_DIMS
#define SPECIAL(mode_name, kind_name)                                              \
  {TILE_NAME(mode_name##_##kind_name##_0), TILE_NAME(mode_name##_##kind_name##_1), \
   TILE_NAME(mode_name##_##kind_name##_2), TILE_NAME(mode_name##_##kind_name##_3)}
#else
#define SPECIAL(mode_name, kind_name) ANY(mode_name, kind_name)
#endif

/* The last members of a table: kernels[mode][kind][column] in the order of the enumerations, then the others. */
#define TILE_TABLE                                                                                   \
  .kernels = {{NONE, NONE, NONE, ANY(sum, gaussian), ANY(sum, laplace), ANY(sum, distance)},         \
              {SPECIAL(force, even), SPECIAL(force, odd), ANY(force, general), ANY(force, gaussian), \
               ANY(force, laplace), ANY(force, distance)},                                           \
              {SPECIAL(full, even), SPECIAL(full, odd), ANY(full, general), NONE, NONE, NONE},       \
              {ANY(hessian, even), ANY(hessian, odd), ANY(hessian, general), NONE, NONE, NONE}},     \
  .distances = TILE_NAME(distances),                                                                 \
  .mutual = {TILE_NAME(mutual_even), TILE_NAME(mutual_odd), TILE_NAME(mutual_general)},              \
  .within = {TILE_NAME(within_even), TILE_NAME(within_odd), TILE_NAME(within_general)}
