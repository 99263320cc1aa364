/* One lane, plain C: the twin against which every vector path is held. */
#include <math.h>

#include "core/base/vector_scalar.h"

#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define POSITIVE(t, v) ((t) > 0.0 ? (v) : 0.0)
#define BEYOND(v, bound) (!(fabs(v) <= (bound)) ? (v) : 0.0)
#define BROAD 6
#define REPEAT_BROAD REPEAT_6
#define TILE_LIBM

#include "core/net/products_tile.h"
#include "core/net/waves_tile.h"

extern const product_table product_scalar;
const product_table product_scalar = {.name = "scalar", PRODUCT_TABLE};
