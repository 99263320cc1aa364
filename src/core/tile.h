/* The pair loop, written once and compiled once per instruction set. An including file gives
 *   TILE_NAME(x)      the name of x on this instruction set
 *   TILE_TARGET       the function attribute
 *   TILE_LANES        doubles in a vector
 *   vec               the vector type
 *   LOAD STORE SET1 ADD SUB MUL FMA MIN INVERSE INVERSE_ROOT
 *   MANTISSA EXPONENT u = MANTISSA(u) 2^EXPONENT(u), the first in [1, 2), both doubles
 *   ROUND SCALE       to the nearest whole number; SCALE(v, k) = v 2^k for whole k
 * or, for one lane, TILE_LIBM: the power is pow().
 * Differences are accumulated as w (y - x), never as y sum(w) - sum(w x), which loses every digit where
 * a weight is large. */
#include <math.h>

#include "core/simd.h"

#define INLINE static inline __attribute__((always_inline)) TILE_TARGET

typedef struct {
  vec weight;
  vec inverse; /* 1/u, for the curvature bound */
} TILE_NAME(pair);

INLINE vec TILE_NAME(whole_power)(vec result, vec base, unsigned power) {
  for (unsigned left = power;;) {
    if (left & 1u) result = MUL(result, base);
    left >>= 1;
    if (!left) return result;
    base = MUL(base, base);
  }
}

/* u^exponent. Without libm: log2 u = k + 1/2 + (2/log 2) atanh f with f = (m - sqrt 2)/(m + sqrt 2), |f| <=
 * 0.172, a series in f^2 of eleven terms; then 2^y = 2^round(y) exp(r), |r| <= 0.347, Taylor's series to
 * the thirteenth power. Relative error about 1e-16 |exponent log2 u|. */
INLINE vec TILE_NAME(general_power)(vec u, double exponent) {
#ifdef TILE_LIBM
  return pow(u, exponent);
#else
  const vec m = MANTISSA(u), root2 = SET1(1.4142135623730951);
  const vec f = MUL(SUB(m, root2), INVERSE(ADD(m, root2)));
  const vec f2 = MUL(f, f);
  vec series = SET1(1.0 / 21.0);
#define TERM(k) series = FMA(series, f2, SET1(1.0 / (k)));
  TERM(19.0) TERM(17.0) TERM(15.0) TERM(13.0) TERM(11.0) TERM(9.0) TERM(7.0) TERM(5.0) TERM(3.0) TERM(1.0)
#undef TERM
  const vec log2_u = FMA(MUL(series, f), SET1(2.8853900817779268), ADD(EXPONENT(u), SET1(0.5)));
  const vec y = MUL(log2_u, SET1(exponent));
  const vec whole = ROUND(y);
  const vec r = MUL(SUB(y, whole), SET1(0.69314718055994531));
  vec power = SET1(1.0 / 6227020800.0);
#define TERM(factorial) power = FMA(power, r, SET1(1.0 / (factorial)));
  TERM(479001600.0) TERM(39916800.0) TERM(3628800.0) TERM(362880.0) TERM(40320.0) TERM(5040.0) TERM(720.0)
  TERM(120.0) TERM(24.0) TERM(6.0) TERM(2.0) TERM(1.0) TERM(1.0)
#undef TERM
  return SCALE(power, whole);
#endif
}

INLINE TILE_NAME(pair) TILE_NAME(weigh)(vec u, const weight_kind kind, const riesz *potential, const int full) {
  TILE_NAME(pair) out;
  if (kind == WEIGHT_even) {
    out.inverse = INVERSE(u);
    out.weight = TILE_NAME(whole_power)(SET1(1.0), out.inverse, potential->power);
  } else if (kind == WEIGHT_odd) {
    const vec root = INVERSE_ROOT(u);
    out.inverse = MUL(root, root);
    out.weight = potential->power ? TILE_NAME(whole_power)(root, out.inverse, potential->power) : root;
  } else {
    out.weight = TILE_NAME(general_power)(u, -potential->exponent);
    out.inverse = full ? INVERSE(u) : u;
  }
  return out;
}

/* What a kernel carries besides sum w z. */
typedef struct {
  vec weight, bound, energy, mantissa, exponent, nearest;
} TILE_NAME(tally);

INLINE TILE_NAME(tally) TILE_NAME(tally_open)(const double *sums, size_t dim, const int full) {
  TILE_NAME(tally) t;
  const double *extra = sums + dim * TILE_LANES;
  t.weight = LOAD(extra);
  t.bound = t.energy = t.nearest = t.exponent = SET1(0.0);
  t.mantissa = SET1(1.0);
  if (full) {
    t.bound = LOAD(extra + TILE_LANES);
    t.energy = LOAD(extra + 2 * TILE_LANES);
    t.nearest = LOAD(extra + 3 * TILE_LANES);
  }
  return t;
}

INLINE void TILE_NAME(tally_pair)(TILE_NAME(tally) *t, vec distance2, vec u, TILE_NAME(pair) p,
                                  const int full, const int logarithmic) {
  t->weight = ADD(t->weight, p.weight);
  if (full) {
    t->bound = FMA(MUL(p.weight, p.inverse), distance2, t->bound);
    t->nearest = MIN(t->nearest, distance2);
    if (logarithmic) {
      t->mantissa = MUL(t->mantissa, MANTISSA(u));
      t->exponent = ADD(t->exponent, EXPONENT(u));
    } else {
      t->energy = FMA(p.weight, u, t->energy);
    }
  }
}

INLINE void TILE_NAME(tally_close)(TILE_NAME(tally) t, double *sums, size_t dim, const int full,
                                   const int logarithmic) {
  double *extra = sums + dim * TILE_LANES;
  STORE(extra, t.weight);
  if (!full) return;
  STORE(extra + TILE_LANES, t.bound);
  STORE(extra + 2 * TILE_LANES, t.energy);
  STORE(extra + 3 * TILE_LANES, t.nearest);
  if (logarithmic) {
    double mantissa[TILE_LANES], exponent[TILE_LANES];
    STORE(mantissa, t.mantissa);
    STORE(exponent, t.exponent);
    for (int l = 0; l < TILE_LANES; l++) {
      extra[2 * TILE_LANES + l] += log(mantissa[l]) + exponent[l] * 0.69314718055994530941723212145818;
    }
  }
}

/* Any dimension: the coordinates are walked twice, once for the distance and once for the force, with
 * four sources in flight so that each query coordinate is loaded once for all of them. */
INLINE vec TILE_NAME(general_weight)(TILE_NAME(tally) *t, vec distance2, vec epsilon, const riesz *potential,
                                     const weight_kind kind, const int full, const int logarithmic) {
  const vec u = ADD(distance2, epsilon);
  const TILE_NAME(pair) p = TILE_NAME(weigh)(u, kind, potential, full);
  TILE_NAME(tally_pair)(t, distance2, u, p, full, logarithmic);
  return p.weight;
}

INLINE void TILE_NAME(general)(const double *query, double *sums, const double *source, size_t n_source,
                               size_t dim, const riesz *potential, const weight_kind kind, const int full,
                               const int logarithmic) {
  TILE_NAME(tally) t = TILE_NAME(tally_open)(sums, dim, full);
  const vec epsilon = SET1(potential->epsilon), zero = SET1(0.0);
  size_t a = 0;
  for (; a + 4 <= n_source; a += 4) {
    const double *x0 = source + a * dim, *x1 = x0 + dim, *x2 = x1 + dim, *x3 = x2 + dim;
    vec r0 = zero, r1 = zero, r2 = zero, r3 = zero;
    for (size_t c = 0; c < dim; c++) {
      const vec y = LOAD(query + c * TILE_LANES);
      const vec z0 = SUB(y, SET1(x0[c])), z1 = SUB(y, SET1(x1[c]));
      const vec z2 = SUB(y, SET1(x2[c])), z3 = SUB(y, SET1(x3[c]));
      r0 = FMA(z0, z0, r0);
      r1 = FMA(z1, z1, r1);
      r2 = FMA(z2, z2, r2);
      r3 = FMA(z3, z3, r3);
    }
    const vec w0 = TILE_NAME(general_weight)(&t, r0, epsilon, potential, kind, full, logarithmic);
    const vec w1 = TILE_NAME(general_weight)(&t, r1, epsilon, potential, kind, full, logarithmic);
    const vec w2 = TILE_NAME(general_weight)(&t, r2, epsilon, potential, kind, full, logarithmic);
    const vec w3 = TILE_NAME(general_weight)(&t, r3, epsilon, potential, kind, full, logarithmic);
    for (size_t c = 0; c < dim; c++) {
      const vec y = LOAD(query + c * TILE_LANES);
      vec force = LOAD(sums + c * TILE_LANES);
      force = FMA(w0, SUB(y, SET1(x0[c])), force);
      force = FMA(w1, SUB(y, SET1(x1[c])), force);
      force = FMA(w2, SUB(y, SET1(x2[c])), force);
      force = FMA(w3, SUB(y, SET1(x3[c])), force);
      STORE(sums + c * TILE_LANES, force);
    }
  }
  for (; a < n_source; a++) {
    const double *x = source + a * dim;
    vec r = zero;
    for (size_t c = 0; c < dim; c++) {
      const vec z = SUB(LOAD(query + c * TILE_LANES), SET1(x[c]));
      r = FMA(z, z, r);
    }
    const vec w = TILE_NAME(general_weight)(&t, r, epsilon, potential, kind, full, logarithmic);
    for (size_t c = 0; c < dim; c++) {
      const vec z = SUB(LOAD(query + c * TILE_LANES), SET1(x[c]));
      STORE(sums + c * TILE_LANES, FMA(w, z, LOAD(sums + c * TILE_LANES)));
    }
  }
  TILE_NAME(tally_close)(t, sums, dim, full, logarithmic);
}

/* sum log u is wanted only at s = 0, which is an even weight; the test is outside the pair loop. */
#define DEFINE_GENERAL(kind_name)                                                                          \
  static TILE_TARGET void TILE_NAME(plain_##kind_name##_0)(const double *query, double *sums,              \
                                                           const double *source, size_t n_source,         \
                                                           size_t dim, const riesz *potential) {          \
    TILE_NAME(general)(query, sums, source, n_source, dim, potential, WEIGHT_##kind_name, 0, 0);           \
  }                                                                                                        \
  static TILE_TARGET void TILE_NAME(full_##kind_name##_0)(const double *query, double *sums,               \
                                                          const double *source, size_t n_source,          \
                                                          size_t dim, const riesz *potential) {           \
    if (WEIGHT_##kind_name == WEIGHT_even && potential->s == 0.0) {                                        \
      TILE_NAME(general)(query, sums, source, n_source, dim, potential, WEIGHT_##kind_name, 1, 1);         \
    } else {                                                                                               \
      TILE_NAME(general)(query, sums, source, n_source, dim, potential, WEIGHT_##kind_name, 1, 0);         \
    }                                                                                                      \
  }

DEFINE_GENERAL(even)
DEFINE_GENERAL(odd)
DEFINE_GENERAL(general)

#ifdef TILE_SPECIAL_DIMS
/* A known dimension: differences and forces stay in registers. Statements are repeated by the
 * preprocessor, not by an unrolling pass, so that every compiler keeps them there. */
#define REPEAT_1(S) S(0)
#define REPEAT_2(S) REPEAT_1(S) S(1)
#define REPEAT_3(S) REPEAT_2(S) S(2)
#define REPEAT_4(S) REPEAT_3(S) S(3)
#define REPEAT_5(S) REPEAT_4(S) S(4)
#define REPEAT_6(S) REPEAT_5(S) S(5)
#define REPEAT_7(S) REPEAT_6(S) S(6)
#define REPEAT_8(S) REPEAT_7(S) S(7)
#define REPEAT_9(S) REPEAT_8(S) S(8)
#define REPEAT_10(S) REPEAT_9(S) S(9)
#define REPEAT_11(S) REPEAT_10(S) S(10)
#define REPEAT_12(S) REPEAT_11(S) S(11)
#define REPEAT_13(S) REPEAT_12(S) S(12)
#define REPEAT_14(S) REPEAT_13(S) S(13)
#define REPEAT_15(S) REPEAT_14(S) S(14)
#define REPEAT_16(S) REPEAT_15(S) S(15)

#define OPEN_COORDINATE(c)                            \
  const vec y##c = LOAD(query + (c) * TILE_LANES);    \
  vec force##c = LOAD(sums + (c) * TILE_LANES);
#define DIFFERENCE(c)                                 \
  const vec z##c = SUB(y##c, SET1(x[c]));             \
  distance2[(c) % 2] = FMA(z##c, z##c, distance2[(c) % 2]);
#define ADD_FORCE(c) force##c = FMA(p.weight, z##c, force##c);
#define CLOSE_COORDINATE(c) STORE(sums + (c) * TILE_LANES, force##c);

#define DEFINE_LOOP(D)                                                                                     \
  INLINE void TILE_NAME(loop_##D)(const double *query, double *sums, const double *source,                 \
                                  size_t n_source, const riesz *potential, const weight_kind kind,         \
                                  const int full, const int logarithmic) {                                 \
    const vec epsilon = SET1(potential->epsilon);                                                          \
    TILE_NAME(tally) t = TILE_NAME(tally_open)(sums, D, full);                                             \
    REPEAT_##D(OPEN_COORDINATE)                                                                            \
    const double *x = source;                                                                              \
    for (size_t a = 0; a < n_source; a++, x += D) {                                                        \
      vec distance2[2] = {SET1(0.0), SET1(0.0)};                                                           \
      REPEAT_##D(DIFFERENCE)                                                                               \
      const vec r2 = D > 1 ? ADD(distance2[0], distance2[1]) : distance2[0];                               \
      const vec u = ADD(r2, epsilon);                                                                      \
      const TILE_NAME(pair) p = TILE_NAME(weigh)(u, kind, potential, full);                                \
      TILE_NAME(tally_pair)(&t, r2, u, p, full, logarithmic);                                              \
      REPEAT_##D(ADD_FORCE)                                                                                \
    }                                                                                                      \
    REPEAT_##D(CLOSE_COORDINATE)                                                                           \
    TILE_NAME(tally_close)(t, sums, D, full, logarithmic);                                                 \
  }
#define DEFINE_KIND(D, kind_name)                                                                          \
  static TILE_TARGET void TILE_NAME(plain_##kind_name##_##D)(const double *query, double *sums,            \
                                                             const double *source, size_t n_source,       \
                                                             size_t dim, const riesz *potential) {        \
    (void)dim;                                                                                             \
    TILE_NAME(loop_##D)(query, sums, source, n_source, potential, WEIGHT_##kind_name, 0, 0);               \
  }                                                                                                        \
  static TILE_TARGET void TILE_NAME(full_##kind_name##_##D)(const double *query, double *sums,             \
                                                            const double *source, size_t n_source,        \
                                                            size_t dim, const riesz *potential) {         \
    (void)dim;                                                                                             \
    if (WEIGHT_##kind_name == WEIGHT_even && potential->s == 0.0) {                                        \
      TILE_NAME(loop_##D)(query, sums, source, n_source, potential, WEIGHT_##kind_name, 1, 1);             \
    } else {                                                                                               \
      TILE_NAME(loop_##D)(query, sums, source, n_source, potential, WEIGHT_##kind_name, 1, 0);             \
    }                                                                                                      \
  }
#define DEFINE_DIM(D)   \
  DEFINE_LOOP(D)        \
  DEFINE_KIND(D, even)  \
  DEFINE_KIND(D, odd)   \
  DEFINE_KIND(D, general)

DEFINE_DIM(1)
DEFINE_DIM(2)
DEFINE_DIM(3)
DEFINE_DIM(4)
DEFINE_DIM(5)
DEFINE_DIM(6)
DEFINE_DIM(7)
DEFINE_DIM(8)
DEFINE_DIM(9)
DEFINE_DIM(10)
DEFINE_DIM(11)
DEFINE_DIM(12)
DEFINE_DIM(13)
DEFINE_DIM(14)
DEFINE_DIM(15)
DEFINE_DIM(16)

#define ROW(set, kind_name)                                                                                \
  {TILE_NAME(set##_##kind_name##_0),  TILE_NAME(set##_##kind_name##_1),                                    \
   TILE_NAME(set##_##kind_name##_2),  TILE_NAME(set##_##kind_name##_3),                                    \
   TILE_NAME(set##_##kind_name##_4),  TILE_NAME(set##_##kind_name##_5),                                    \
   TILE_NAME(set##_##kind_name##_6),  TILE_NAME(set##_##kind_name##_7),                                    \
   TILE_NAME(set##_##kind_name##_8),  TILE_NAME(set##_##kind_name##_9),                                    \
   TILE_NAME(set##_##kind_name##_10), TILE_NAME(set##_##kind_name##_11),                                   \
   TILE_NAME(set##_##kind_name##_12), TILE_NAME(set##_##kind_name##_13),                                   \
   TILE_NAME(set##_##kind_name##_14), TILE_NAME(set##_##kind_name##_15),                                   \
   TILE_NAME(set##_##kind_name##_16)}
#else
#define ROW(set, kind_name) {TILE_NAME(set##_##kind_name##_0)}
#endif

#define TILE_TABLE {ROW(plain, even), ROW(plain, odd), ROW(plain, general)}, \
                   {ROW(full, even), ROW(full, odd), ROW(full, general)}
