/* What the tiles of charges and of near sources share: the weight of a pair, and statements that the preprocessor
 * repeats over one to three coordinates and over the entries of their triangle. */
#include <math.h>

#include "core/pair/kernel.h"

/* u^-(s/2+1) from 1/u; what no whole power gives comes from libm, lane by lane. */
INLINE vec TILE_NAME(riesz_weight)(vec u, vec inverse, const pair_kernel *kernel, const weight_kind kind) {
  if (kind == WEIGHT_general) {
    double lanes[TILE_LANES];
    STORE(lanes, u);
    for (int l = 0; l < TILE_LANES; l++) lanes[l] = pow(lanes[l], -kernel->exponent);
    return LOAD(lanes);
  }
  vec weight = kind == WEIGHT_odd ? ROOT(inverse) : SET1(1.0), base = inverse;
  for (unsigned power = kernel->power; power; power >>= 1) {
    if (power & 1u) weight = MUL(weight, base);
    if (power > 1u) base = MUL(base, base);
  }
  return weight;
}

#define REPEAT_1(S) S(0)
#define REPEAT_2(S) S(0) S(1)
#define REPEAT_3(S) REPEAT_2(S) S(2)
#define PAIRS_1(S) S(0, 0)
#define PAIRS_2(S) PAIRS_1(S) S(1, 0) S(1, 1)
#define PAIRS_3(S) PAIRS_2(S) S(2, 0) S(2, 1) S(2, 2)
