/* Sines and cosines, written once and compiled once per instruction set, behind products_tile.h. An including file
 * gives ROUND as well, or TILE_LIBM: sines are libm's.
 *
 * An angle v is k pi/2 + r with |r| <= pi/4. */
#include <math.h>

#ifdef TILE_LIBM
static void TILE_NAME(turn)(double *sine, double *cosine, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const double angle = sine[i];
    sine[i] = sin(angle);
    cosine[i] = cos(angle);
  }
}
#else
#include "core/base/vector_series.h"

/* Beyond, k has too many bits, and libm takes over. */
#define LARGEST_ANGLE 1e5

INLINE void TILE_NAME(turn_vector)(double *sine, double *cosine) {
  const vec v = LOAD(sine), k = ROUND(MUL(v, SET1(0.63661977236758134308)));
  const vec r = TILE_NAME(less_quarters)(v, k);
  const vec z = MUL(r, r), s = TILE_NAME(series_sine)(r, z), c = TILE_NAME(series_cosine)(z);
  /* q = k modulo 4: 0, 1, 2 or 3 quarters of a turn; odd = k modulo 2 */
  const vec q = SUB(k, MUL(SET1(4.0), ROUND(SUB(MUL(k, SET1(0.25)), SET1(0.375)))));
  const vec odd = SUB(q, MUL(SET1(2.0), ROUND(SUB(MUL(q, SET1(0.5)), SET1(0.25)))));
  const vec half = SET1(0.5), even = SUB(half, odd), odds = SUB(odd, half);
  const vec along = ADD(POSITIVE(odds, c), POSITIVE(even, s)), across = ADD(POSITIVE(odds, s), POSITIVE(even, c));
  STORE(sine, MUL(along, SUB(SET1(1.0), POSITIVE(SUB(q, SET1(1.5)), SET1(2.0)))));
  STORE(cosine, MUL(across, SUB(SET1(1.0), POSITIVE(MUL(SUB(q, half), SUB(SET1(2.5), q)), SET1(2.0)))));
}

/* n is a whole number of vectors. */
static TILE_TARGET void TILE_NAME(turn)(double *sine, double *cosine, size_t n) {
  for (size_t i = 0; i < n; i += TILE_LANES) {
    double angle[TILE_LANES];
    int small = 1;
    for (size_t l = 0; l < TILE_LANES; l++) {
      angle[l] = sine[i + l];
      small &= fabs(angle[l]) <= LARGEST_ANGLE;
    }
    TILE_NAME(turn_vector)(sine + i, cosine + i);
    for (size_t l = 0; !small && l < TILE_LANES; l++) {
      sine[i + l] = sin(angle[l]);
      cosine[i + l] = cos(angle[l]);
    }
  }
}
#endif
