/* The kernels of tile_avx2.c for the whole range of doubles. */
#define TILE_WIDE
#include "core/tile_avx2.c"
