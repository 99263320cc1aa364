/* One lane, plain C: the twin of the others. */
#include "core/base/vector_scalar.h"

#define ROOT(v) sqrt(v)
#define INVERSE(v) (1.0 / (v))
#include "core/pair/charges_tile.h"

const charge_table charges_scalar = CHARGE_TABLE;
