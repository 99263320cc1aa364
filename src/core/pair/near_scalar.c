/* One lane, plain C: the twin of the others. */
#include "core/base/vector_scalar.h"

#define ROOT(v) sqrt(v)
#define INVERSE(v) (1.0 / (v))
#define WHERE_LESS(a, b, v) ((a) < (b) ? (v) : 0.0)
#include "core/pair/near_tile.h"

const near_table near_scalar = NEAR_TABLE;
