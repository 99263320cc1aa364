/* The pair loop, written once and compiled once per instruction set. An including file gives
 *   TILE_NAME(x)      the name of x on this instruction set
 *   TILE_TARGET       the function attribute
 *   TILE_LANES        doubles in a vector
 *   vec               the vector type
 *   LOAD STORE SET1 ADD SUB MUL FMA MIN INVERSE INVERSE_ROOT
 *   LOG_SPLIT(u, mantissa, exponent)  multiplies the mantissa of u into `mantissa` and adds its
 *                     exponent to `exponent`
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

INLINE vec TILE_NAME(general_power)(vec u, double exponent) {
  double lane[TILE_LANES];
  STORE(lane, u);
  for (int l = 0; l < TILE_LANES; l++) lane[l] = pow(lane[l], exponent);
  return LOAD(lane);
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
      LOG_SPLIT(u, t->mantissa, t->exponent);
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
 * `group` sources in flight so that each query coordinate is loaded once for all of them. */
INLINE void TILE_NAME(general_group)(const double *query, double *sums, const double *source, size_t dim,
                                     const riesz *potential, const weight_kind kind, const int full,
                                     const int logarithmic, TILE_NAME(tally) *t, const int group) {
  const vec epsilon = SET1(potential->epsilon);
  vec distance2[4], weight[4];
  for (int g = 0; g < group; g++) distance2[g] = SET1(0.0);
  for (size_t c = 0; c < dim; c++) {
    const vec y = LOAD(query + c * TILE_LANES);
    for (int g = 0; g < group; g++) {
      const vec z = SUB(y, SET1(source[(size_t)g * dim + c]));
      distance2[g] = FMA(z, z, distance2[g]);
    }
  }
  for (int g = 0; g < group; g++) {
    const vec u = ADD(distance2[g], epsilon);
    const TILE_NAME(pair) p = TILE_NAME(weigh)(u, kind, potential, full);
    weight[g] = p.weight;
    TILE_NAME(tally_pair)(t, distance2[g], u, p, full, logarithmic);
  }
  for (size_t c = 0; c < dim; c++) {
    const vec y = LOAD(query + c * TILE_LANES);
    vec force = LOAD(sums + c * TILE_LANES);
    for (int g = 0; g < group; g++) {
      force = FMA(weight[g], SUB(y, SET1(source[(size_t)g * dim + c])), force);
    }
    STORE(sums + c * TILE_LANES, force);
  }
}

INLINE void TILE_NAME(general)(const double *query, double *sums, const double *source, size_t n_source,
                               size_t dim, const riesz *potential, const weight_kind kind, const int full,
                               const int logarithmic) {
  TILE_NAME(tally) t = TILE_NAME(tally_open)(sums, dim, full);
  size_t a = 0;
  for (; a + 4 <= n_source; a += 4) {
    TILE_NAME(general_group)(query, sums, source + a * dim, dim, potential, kind, full, logarithmic, &t, 4);
  }
  for (; a < n_source; a++) {
    TILE_NAME(general_group)(query, sums, source + a * dim, dim, potential, kind, full, logarithmic, &t, 1);
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
