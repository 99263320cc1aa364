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

INLINE vec TILE_NAME(group_weight)(TILE_NAME(tally) *t, vec distance2, vec epsilon, const riesz *potential,
                                   const weight_kind kind, const int full, const int logarithmic) {
  const vec u = ADD(distance2, epsilon);
  const TILE_NAME(pair) p = TILE_NAME(weigh)(u, kind, potential, full);
  TILE_NAME(tally_pair)(t, distance2, u, p, full, logarithmic);
  return p.weight;
}

/* Any dimension. Sources go in groups, so that their chains of operations overlap and each query
 * coordinate is loaded once for all of them: first the differences and distances, then the weights, then
 * the forces. Groups of eight keep the differences in a buffer (as many dimensions as leave it in the
 * nearest cache); groups of four, and single sources, compute them twice. */
#define REPEAT_4(S) S(0) S(1) S(2) S(3)
#define REPEAT_8(S) REPEAT_4(S) S(4) S(5) S(6) S(7)

#define OPEN_SOURCE(g)                    \
  const double *x##g = x + (g) * dim;     \
  vec distance##g = SET1(0.0);
#define KEEP_DIFFERENCE(g)                            \
  {                                                   \
    const vec z = SUB(y, SET1(x##g[c]));              \
    distance##g = FMA(z, z, distance##g);             \
    STORE(kept + (8 * c + (g)) * TILE_LANES, z);      \
  }
#define ADD_KEPT(g) force = FMA(weight##g, LOAD(kept + (8 * c + (g)) * TILE_LANES), force);
#define ADD_SQUARE(g)                      \
  {                                        \
    const vec z = SUB(y, SET1(x##g[c]));   \
    distance##g = FMA(z, z, distance##g);  \
  }
#define ADD_DIFFERENCE(g) force = FMA(weight##g, SUB(y, SET1(x##g[c])), force);
#define WEIGH_SOURCE(g) \
  const vec weight##g = TILE_NAME(group_weight)(t, distance##g, epsilon, potential, kind, full, logarithmic);

#define DEFINE_GROUP(name, REPEAT, FIRST, SECOND)                                                          \
  INLINE void TILE_NAME(name)(const double *query, double *sums, const double *x, size_t dim,              \
                              const riesz *potential, const weight_kind kind, const int full,              \
                              const int logarithmic, TILE_NAME(tally) *t, double *kept) {                  \
    (void)kept;                                                                                            \
    const vec epsilon = SET1(potential->epsilon);                                                          \
    REPEAT(OPEN_SOURCE)                                                                                    \
    for (size_t c = 0; c < dim; c++) {                                                                     \
      const vec y = LOAD(query + c * TILE_LANES);                                                          \
      REPEAT(FIRST)                                                                                        \
    }                                                                                                      \
    REPEAT(WEIGH_SOURCE)                                                                                   \
    for (size_t c = 0; c < dim; c++) {                                                                     \
      const vec y = LOAD(query + c * TILE_LANES);                                                          \
      vec force = LOAD(sums + c * TILE_LANES);                                                             \
      REPEAT(SECOND)                                                                                       \
      (void)y;                                                                                             \
      STORE(sums + c * TILE_LANES, force);                                                                 \
    }                                                                                                      \
  }
#define REPEAT_1(S) S(0)
DEFINE_GROUP(group_of_eight, REPEAT_8, KEEP_DIFFERENCE, ADD_KEPT)
DEFINE_GROUP(group_of_four, REPEAT_4, ADD_SQUARE, ADD_DIFFERENCE)
DEFINE_GROUP(single_source, REPEAT_1, ADD_SQUARE, ADD_DIFFERENCE)

#define KEPT_DIMS 48

INLINE void TILE_NAME(general)(const double *query, double *sums, const double *source, size_t n_source,
                               size_t dim, const riesz *potential, const weight_kind kind, const int full,
                               const int logarithmic) {
  TILE_NAME(tally) t = TILE_NAME(tally_open)(sums, dim, full);
  double kept[8 * KEPT_DIMS * TILE_LANES];
  size_t a = 0;
  for (; dim <= KEPT_DIMS && a + 8 <= n_source; a += 8) {
    TILE_NAME(group_of_eight)(query, sums, source + a * dim, dim, potential, kind, full, logarithmic, &t, kept);
  }
  for (; a + 4 <= n_source; a += 4) {
    TILE_NAME(group_of_four)(query, sums, source + a * dim, dim, potential, kind, full, logarithmic, &t, kept);
  }
  for (; a < n_source; a++) {
    TILE_NAME(single_source)(query, sums, source + a * dim, dim, potential, kind, full, logarithmic, &t, kept);
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
/* Few dimensions: differences and forces stay in registers, and one source after the other keeps the
 * processor busy. Statements are repeated by the preprocessor, not by an unrolling pass, so that every
 * compiler keeps them there. */
#define REPEAT_2(S) S(0) S(1)
#define REPEAT_3(S) REPEAT_2(S) S(2)

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

#define ROW(set, kind_name)                                              \
  {TILE_NAME(set##_##kind_name##_0), TILE_NAME(set##_##kind_name##_1),   \
   TILE_NAME(set##_##kind_name##_2), TILE_NAME(set##_##kind_name##_3)}
#else
#define ROW(set, kind_name) {TILE_NAME(set##_##kind_name##_0)}
#endif

#define TILE_TABLE {ROW(plain, even), ROW(plain, odd), ROW(plain, general)}, \
                   {ROW(full, even), ROW(full, odd), ROW(full, general)}
