/* Philox, Box and Muller's transform and its functions, written once and compiled once per instruction set. An
 * including file gives the names of core/base/vector_*.h and
 *   words                  a vector of as many 64-bit words, on which operators work
 *   MULTIPLY_LOW(a, b)     the products of the lower halves of words
 *   LOAD_WORDS(p), SET1_WORD(v), AS_WORDS(v), AS_DOUBLES(w)
 * For one lane it is scalar_normals() in normals.c. */
#include <string.h>

#include "core/base/normals.h"
#include "core/base/vector_series.h"

#define LOW_HALF SET1_WORD(0xFFFFFFFFu)

/* The words of philox4x32() in the lower halves. What is in the upper halves has no influence on the lower ones. */
INLINE void TILE_NAME(philox)(words c[4], rng_key key) {
  uint32_t k0 = key.word[0], k1 = key.word[1];
  for (int round = 0; round < 10; round++) {
    const words p0 = MULTIPLY_LOW(SET1_WORD(0xD2511F53u), c[0]), p1 = MULTIPLY_LOW(SET1_WORD(0xCD9E8D57u), c[2]);
    c[0] = (p1 >> 32) ^ c[1] ^ SET1_WORD(k0);
    c[2] = (p0 >> 32) ^ c[3] ^ SET1_WORD(k1);
    c[1] = p1;
    c[3] = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

/* The double whose bits are those of 2^52 plus a whole number below 2^52. */
#define AND_2_52(w) AS_DOUBLES((w) | SET1_WORD(0x4330000000000000u))
#define TWO_52 0x1p52

/* unit_interval() in rng.c; exact. */
INLINE vec TILE_NAME(unit_interval)(words high, words low) {
  const words bits = ((high & LOW_HALF) << 20) ^ ((low & LOW_HALF) >> 12);
  return MUL(ADD(SUB(AND_2_52(bits), SET1(TWO_52)), SET1(0.5)), SET1(0x1.0p-52));
}

/* log(u) for 0 < u < 1: u = 2^k m, and m lies between sqrt(1/2) and sqrt(2). */
INLINE vec TILE_NAME(log)(vec u) {
  const words root = SET1_WORD(0x3FE6A09E00000000u), bits = AS_WORDS(u) + (SET1_WORD(0x3FF0000000000000u) - root);
  const vec k = SUB(AND_2_52(bits >> 52), SET1(TWO_52 + 1023.0));
  const vec m = AS_DOUBLES((bits & SET1_WORD(0x000FFFFFFFFFFFFFu)) + root);
  return TILE_NAME(series_log)(k, SUB(m, SET1(1.0)));
}

/* cos(v) for v between 0 and 2 pi. v is k quarters of a turn and r: cos(r), -sin(r), -cos(r), sin(r) for k = 0 .. 3. */
INLINE vec TILE_NAME(cos)(vec v) {
  const vec shifted = ADD(MUL(v, SET1(0.63661977236758134308)), SET1(TWO_52)); /* rounds to a whole number */
  const words k = AS_WORDS(shifted), odd = SET1_WORD(0) - (k & SET1_WORD(1));
  const vec r = TILE_NAME(less_quarters)(v, SUB(shifted, SET1(TWO_52))), z = MUL(r, r);
  const words sine = AS_WORDS(TILE_NAME(series_sine)(r, z)), cosine = AS_WORDS(TILE_NAME(series_cosine)(z));
  const words sign = ((k + SET1_WORD(1)) & SET1_WORD(2)) << 62;
  return AS_DOUBLES(((sine & odd) | (cosine & ~odd)) ^ sign);
}

INLINE vec TILE_NAME(normals_at)(const normal_places *places, size_t i) {
  const words particle = LOAD_WORDS(places->particle + i);
  words c[4] = {LOAD_WORDS(places->slot + i), SET1_WORD(places->stream), particle, particle >> 32};
  TILE_NAME(philox)(c, places->key);
  const vec radius = SQUARE_ROOT(MUL(SET1(-2.0), TILE_NAME(log)(TILE_NAME(unit_interval)(c[0], c[1]))));
  const vec angle = MUL(SET1(6.283185307179586476925286766559), TILE_NAME(unit_interval)(c[2], c[3]));
  return MUL(radius, TILE_NAME(cos)(angle));
}

TILE_TARGET void TILE_NAME(normals)(double *out, size_t n, const normal_places *places);

TILE_TARGET void TILE_NAME(normals)(double *out, size_t n, const normal_places *places) {
  size_t i = 0;
  for (; i + TILE_LANES <= n; i += TILE_LANES) STORE(out + i, TILE_NAME(normals_at)(places, i));
  if (i == n) return;
  double last[TILE_LANES]; /* the places beyond n may be anything */
  STORE(last, TILE_NAME(normals_at)(places, i));
  memcpy(out + i, last, (n - i) * sizeof(double));
}
