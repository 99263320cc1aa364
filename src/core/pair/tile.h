/* The pair loop, written once and compiled once per instruction set. An including file gives
 *   TILE_NAME(x)      the name of x on this instruction set
 *   TILE_TARGET       the function attribute
 *   TILE_LANES        doubles in a vector
 *   vec               the vector type
 *   LOAD STORE SET1 ADD SUB MUL FMA MIN ROOT INVERSE INVERSE_ROOT
 *   MANTISSA EXPONENT u = MANTISSA(u) 2^EXPONENT(u), the first in [1, 2), both doubles
 *   ROUND SCALE       to the nearest whole number; SCALE(v, k) = v 2^k for whole k
 * or, for one lane, TILE_LIBM: powers and exponentials are libm's.
 * Forces are accumulated as w (y - x), never as y sum(w) - sum(w x), which loses every digit where a weight
 * is large. */
#include <math.h>

#include "core/pair/simd.h"

#define INLINE static inline __attribute__((always_inline)) TILE_TARGET

/* --- weights ------------------------------------------------------------------------------------------- */

INLINE vec TILE_NAME(whole_power)(vec base, unsigned power) {
  for (; !(power & 1u); power >>= 1) base = MUL(base, base);
  vec result = base;
  while (power >>= 1) {
    base = MUL(base, base);
    if (power & 1u) result = MUL(result, base);
  }
  return result;
}

/* The transcendental weights take eight sources side by side, step by step, for one alone leaves the
 * processor waiting: V(0) .. V(7) name the eight vectors, S is what is done to each. */
#define REPEAT_1(S) S(0)
#define REPEAT_8(S) S(0) S(1) S(2) S(3) S(4) S(5) S(6) S(7)

#ifndef TILE_LIBM
#define LOG_0 1.0
#define LOG_1 0.33333333333333826
#define LOG_2 0.19999999999650955
#define LOG_3 0.1428571438036914
#define LOG_4 0.11111098523202137
#define LOG_5 0.09091816120808499
#define LOG_6 0.0765625655736956
#define LOG_7 0.07404933786151636
#define EXP_2 0.5000000000000001
#define EXP_3 0.16666666666666669
#define EXP_4 0.04166666666662404
#define EXP_5 0.008333333333330055
#define EXP_6 0.0013888888917258759
#define EXP_7 0.00019841269863088255
#define EXP_8 2.4801521225986432e-05
#define EXP_9 2.7557268406190795e-06
#define EXP_10 2.7620121717381933e-07
#define EXP_11 2.5100411082014903e-08
/* log2 u = k + 1/2 + (2/log 2) atanh f with f = (m - sqrt 2)/(m + sqrt 2), |f| <= 0.1716; atanh(f)/f is a
 * polynomial of degree 7 in f^2, interpolated at Chebyshev's points (error below 1e-17). */
#define OPEN_LOG(g)                                                                \
  const vec m##g = MANTISSA(u##g);                                                 \
  const vec f##g = MUL(SUB(m##g, SET1(1.4142135623730951)), INVERSE(ADD(m##g, SET1(1.4142135623730951)))); \
  const vec q##g = MUL(f##g, f##g);                                                \
  vec l##g = SET1(LOG_7);
#define LOG_STEP_6(g) l##g = FMA(l##g, q##g, SET1(LOG_6));
#define LOG_STEP_5(g) l##g = FMA(l##g, q##g, SET1(LOG_5));
#define LOG_STEP_4(g) l##g = FMA(l##g, q##g, SET1(LOG_4));
#define LOG_STEP_3(g) l##g = FMA(l##g, q##g, SET1(LOG_3));
#define LOG_STEP_2(g) l##g = FMA(l##g, q##g, SET1(LOG_2));
#define LOG_STEP_1(g) l##g = FMA(l##g, q##g, SET1(LOG_1));
#define LOG_STEP_0(g) l##g = FMA(l##g, q##g, SET1(LOG_0));
#define CLOSE_LOG(g)                                                                                    \
  const vec e##g = MUL(FMA(MUL(l##g, f##g), SET1(2.8853900817779268), ADD(EXPONENT(u##g), SET1(0.5))), \
                       SET1(-kernel->exponent));
/* 2^e = 2^round(e) exp(r), |r| <= 0.3466: a polynomial of degree 11, as above (error below 1e-17). Below
 * 2^-1080 nothing is left of a double. */
#define OPEN_EXP(g)                                                             \
  const vec k##g = ROUND(e##g);                                                 \
  const vec r##g = MUL(SUB(e##g, k##g), SET1(0.69314718055994531));             \
  vec p##g = SET1(EXP_11);
#define EXP_STEP_10(g) p##g = FMA(p##g, r##g, SET1(EXP_10));
#define EXP_STEP_9(g) p##g = FMA(p##g, r##g, SET1(EXP_9));
#define EXP_STEP_8(g) p##g = FMA(p##g, r##g, SET1(EXP_8));
#define EXP_STEP_7(g) p##g = FMA(p##g, r##g, SET1(EXP_7));
#define EXP_STEP_6(g) p##g = FMA(p##g, r##g, SET1(EXP_6));
#define EXP_STEP_5(g) p##g = FMA(p##g, r##g, SET1(EXP_5));
#define EXP_STEP_4(g) p##g = FMA(p##g, r##g, SET1(EXP_4));
#define EXP_STEP_3(g) p##g = FMA(p##g, r##g, SET1(EXP_3));
#define EXP_STEP_2(g) p##g = FMA(p##g, r##g, SET1(EXP_2));
#define EXP_STEP_1(g) p##g = FMA(p##g, r##g, SET1(1.0));
#define EXP_STEP_0(g) p##g = FMA(p##g, r##g, SET1(1.0));
#define CLOSE_EXP(g) weight##g = SCALE(p##g, k##g);
#define POWERS(REPEAT)                                                                              \
  REPEAT(OPEN_LOG) REPEAT(LOG_STEP_6) REPEAT(LOG_STEP_5) REPEAT(LOG_STEP_4) REPEAT(LOG_STEP_3)      \
  REPEAT(LOG_STEP_2) REPEAT(LOG_STEP_1) REPEAT(LOG_STEP_0) REPEAT(CLOSE_LOG) EXPONENTIALS(REPEAT)
#define EXPONENTIALS(REPEAT)                                                                        \
  REPEAT(OPEN_EXP) REPEAT(EXP_STEP_10) REPEAT(EXP_STEP_9) REPEAT(EXP_STEP_8) REPEAT(EXP_STEP_7)     \
  REPEAT(EXP_STEP_6) REPEAT(EXP_STEP_5) REPEAT(EXP_STEP_4) REPEAT(EXP_STEP_3) REPEAT(EXP_STEP_2)    \
  REPEAT(EXP_STEP_1) REPEAT(EXP_STEP_0) REPEAT(CLOSE_EXP)
/* The weights of far pairs stop at 2^-1020 and then lose just that: sums meet zeros, not subnormal numbers,
 * which cost a hundred times as much. */
#define EXPONENT_OF_SQUARE(g) \
  const vec e##g = SUB(SET1(0.0), MIN(MUL(u##g, SET1(kernel->rate * 1.4426950408889634)), SET1(1020.0)));
#define EXPONENT_OF_ROOT(g) \
  const vec e##g = SUB(SET1(0.0), MIN(MUL(ROOT(u##g), SET1(kernel->rate * 1.4426950408889634)), SET1(1020.0)));
#define DROP_FAR(g) weight##g = SUB(weight##g, SET1(0x1p-1020));
#else
#define POWER(g) weight##g = pow(u##g, -kernel->exponent);
#define POWERS(REPEAT) REPEAT(POWER)
#define EXPONENT_OF_SQUARE(g) const double e##g = -u##g * kernel->rate;
#define EXPONENT_OF_ROOT(g) const double e##g = -sqrt(u##g) * kernel->rate;
#define EXPONENTIAL(g) weight##g = exp(e##g);
#define EXPONENTIALS(REPEAT) REPEAT(EXPONENTIAL)
#define DROP_FAR(g)
#endif

#define TAKE_EVEN(g)        \
  inverse##g = INVERSE(u##g); \
  weight##g = TILE_NAME(whole_power)(inverse##g, kernel->power);
#define TAKE_ODD(g)                           \
  {                                           \
    const vec root = INVERSE_ROOT(u##g);      \
    inverse##g = MUL(root, root);             \
    weight##g = kernel->power ? MUL(root, TILE_NAME(whole_power)(inverse##g, kernel->power)) : root; \
  }
#define TAKE_ROOT(g) weight##g = ROOT(u##g);
#define TAKE_INVERSE(g) inverse##g = INVERSE(u##g);
#define OPEN_WEIGHT(g)                            \
  const vec u##g = ADD(distance##g, epsilon);     \
  vec weight##g, inverse##g = u##g;

/* distance0, ... to weight0, ... and, where the tally wants them, inverse0 = 1/u0, ... `kind` and `mode`
 * are constants where this stands. */
#define WEIGH(REPEAT)                                                        \
  REPEAT(OPEN_WEIGHT)                                                        \
  if (kind == WEIGHT_even) {                                                 \
    REPEAT(TAKE_EVEN)                                                        \
  } else if (kind == WEIGHT_odd) {                                           \
    REPEAT(TAKE_ODD)                                                         \
  } else if (kind == WEIGHT_distance) {                                      \
    REPEAT(TAKE_ROOT)                                                        \
  } else if (kind == WEIGHT_general) {                                       \
    POWERS(REPEAT)                                                           \
    if (mode >= TILE_full) { REPEAT(TAKE_INVERSE) }                          \
  } else if (kind == WEIGHT_gaussian) {                                      \
    REPEAT(EXPONENT_OF_SQUARE)                                               \
    EXPONENTIALS(REPEAT)                                                     \
    REPEAT(DROP_FAR)                                                         \
  } else {                                                                   \
    REPEAT(EXPONENT_OF_ROOT)                                                 \
    EXPONENTIALS(REPEAT)                                                     \
    REPEAT(DROP_FAR)                                                         \
  }

/* --- what a kernel carries besides sum w z ------------------------------------------------------------- */

typedef struct {
  vec weight, bound, energy, mantissa, exponent, nearest;
} TILE_NAME(tally);

INLINE TILE_NAME(tally) TILE_NAME(tally_open)(const double *sums, size_t dim, const tile_mode mode) {
  TILE_NAME(tally) t;
  const double *extra = sums + dim * TILE_LANES;
  t.weight = LOAD(extra);
  t.bound = t.energy = t.nearest = t.exponent = SET1(0.0);
  t.mantissa = SET1(1.0);
  if (mode >= TILE_full) {
    t.bound = LOAD(extra + TILE_LANES);
    t.energy = LOAD(extra + 2 * TILE_LANES);
    t.nearest = LOAD(extra + 3 * TILE_LANES);
  }
  return t;
}

INLINE void TILE_NAME(tally_extras)(TILE_NAME(tally) *t, vec distance2, vec u, vec weight, vec inverse,
                                    const int logarithmic) {
  t->bound = FMA(MUL(weight, inverse), distance2, t->bound);
  t->nearest = MIN(t->nearest, distance2);
  if (logarithmic) {
    t->mantissa = MUL(t->mantissa, MANTISSA(u));
    t->exponent = ADD(t->exponent, EXPONENT(u));
  } else {
    t->energy = FMA(weight, u, t->energy);
  }
}

INLINE void TILE_NAME(tally_close)(TILE_NAME(tally) t, double *sums, size_t dim, const tile_mode mode,
                                   const int logarithmic) {
  double *extra = sums + dim * TILE_LANES;
  STORE(extra, t.weight);
  if (mode < TILE_full) return;
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

/* --- any dimension ------------------------------------------------------------------------------------- *
 * Sources go in groups of eight, so that their chains of operations overlap and each query coordinate is
 * loaded once for all of them: first the differences and distances, then the weights, then the forces.
 * In up to KEPT_DIMS dimensions the differences are kept in a buffer that the nearest cache holds; beyond,
 * they are computed twice. The Hessian always keeps them. */
#define OPEN_SOURCE(g)                \
  const double *x##g = x + (g) * dim; \
  vec distance##g = SET1(0.0);
#define KEPT(g, c) (kept + (8 * (c) + (g)) * TILE_LANES)
#define DIFFERENCE(g) SUB(y, SET1(x##g[c]))
#define ADD_SQUARE(g)                       \
  {                                         \
    const vec z = DIFFERENCE(g);            \
    distance##g = FMA(z, z, distance##g);   \
  }
#define KEEP_DIFFERENCE(g)                  \
  {                                         \
    const vec z = DIFFERENCE(g);            \
    distance##g = FMA(z, z, distance##g);   \
    STORE(KEPT(g, c), z);                   \
  }
#define ADD_DIFFERENCE(g) force = FMA(weight##g, DIFFERENCE(g), force);
#define ADD_KEPT(g) force = FMA(weight##g, LOAD(KEPT(g, c)), force);
#define ADD_EXTRAS(g) \
  TILE_NAME(tally_extras)(t, distance##g, u##g, weight##g, inverse##g, logarithmic);
#define TAKE_CURVATURE(g) const vec curvature##g = MUL(weight##g, inverse##g);
#define SCALE_COORDINATE(g) const vec scaled##g = MUL(curvature##g, LOAD(KEPT(g, c)));
#define ADD_PRODUCT(g) entry = FMA(scaled##g, LOAD(KEPT(g, e)), entry);
#define SUM_1() weight0
#define SUM_8() \
  ADD(ADD(ADD(weight0, weight1), ADD(weight2, weight3)), ADD(ADD(weight4, weight5), ADD(weight6, weight7)))

#define DEFINE_GROUP(name, REPEAT, SUM, FIRST, SECOND)                                                     \
  INLINE void TILE_NAME(name)(const double *query, double *sums, const double *x, size_t dim,              \
                              const pair_kernel *kernel, const weight_kind kind, const tile_mode mode,     \
                              const int logarithmic, TILE_NAME(tally) *t, double *kept) {                  \
    (void)kept;                                                                                            \
    const vec epsilon = SET1(kernel->epsilon);                                                             \
    REPEAT(OPEN_SOURCE)                                                                                    \
    for (size_t c = 0; c < dim; c++) {                                                                     \
      const vec y = LOAD(query + c * TILE_LANES);                                                          \
      REPEAT(FIRST)                                                                                        \
    }                                                                                                      \
    WEIGH(REPEAT)                                                                                          \
    t->weight = ADD(t->weight, SUM());                                                                     \
    if (mode >= TILE_full) { REPEAT(ADD_EXTRAS) }                                                          \
    for (size_t c = 0; mode >= TILE_force && c < dim; c++) {                                               \
      const vec y = LOAD(query + c * TILE_LANES);                                                          \
      vec force = LOAD(sums + c * TILE_LANES);                                                             \
      REPEAT(SECOND)                                                                                       \
      (void)y;                                                                                             \
      STORE(sums + c * TILE_LANES, force);                                                                 \
    }                                                                                                      \
    if (mode == TILE_hessian) {                                                                            \
      REPEAT(TAKE_CURVATURE)                                                                               \
      double *entries = sums + (dim + TILE_EXTRA) * TILE_LANES;                                            \
      for (size_t c = 0; c < dim; c++) {                                                                   \
        REPEAT(SCALE_COORDINATE)                                                                           \
        for (size_t e = 0; e <= c; e++, entries += TILE_LANES) {                                           \
          vec entry = LOAD(entries);                                                                       \
          REPEAT(ADD_PRODUCT)                                                                              \
          STORE(entries, entry);                                                                           \
        }                                                                                                  \
      }                                                                                                    \
    }                                                                                                      \
  }
DEFINE_GROUP(eight_kept, REPEAT_8, SUM_8, KEEP_DIFFERENCE, ADD_KEPT)
DEFINE_GROUP(eight_twice, REPEAT_8, SUM_8, ADD_SQUARE, ADD_DIFFERENCE)
DEFINE_GROUP(single_kept, REPEAT_1, SUM_1, KEEP_DIFFERENCE, ADD_KEPT)
DEFINE_GROUP(single_twice, REPEAT_1, SUM_1, ADD_SQUARE, ADD_DIFFERENCE)

#define KEPT_DIMS 48
/* dimensions that each mode makes room for */
#define KEPT_sum 1
#define KEPT_force KEPT_DIMS
#define KEPT_full KEPT_DIMS
#define KEPT_hessian TILE_HESSIAN_DIM

INLINE void TILE_NAME(general)(const double *query, double *sums, const double *source, size_t n_source,
                               size_t dim, const pair_kernel *kernel, const weight_kind kind,
                               const tile_mode mode, const int logarithmic, double *kept) {
  TILE_NAME(tally) t = TILE_NAME(tally_open)(sums, dim, mode);
  const int keep = mode == TILE_hessian || (mode != TILE_sum && dim <= KEPT_DIMS);
  size_t a = 0;
#define WALK(step, group)                                                                            \
  for (; a + (step) <= n_source; a += (step)) {                                                      \
    TILE_NAME(group)(query, sums, source + a * dim, dim, kernel, kind, mode, logarithmic, &t, kept); \
  }
  if (keep) {
    WALK(8, eight_kept)
  } else if (mode != TILE_hessian) {
    WALK(8, eight_twice)
  }
  if (mode == TILE_hessian) {
    WALK(1, single_kept)
  } else {
    WALK(1, single_twice)
  }
#undef WALK
  TILE_NAME(tally_close)(t, sums, dim, mode, logarithmic);
}

/* The signature of a kernel, and one around `general`. sum log u is wanted only at s = 0, which is an even
 * weight; the test is outside the pair loop. */
#define DEFINE_KERNEL(mode_name, kind_name, column, body)                                                  \
  static TILE_TARGET void TILE_NAME(mode_name##_##kind_name##_##column)(                                   \
      const double *query, double *sums, const double *source, size_t n_source, size_t dim,                \
      const pair_kernel *kernel) {                                                                         \
    const weight_kind kind = WEIGHT_##kind_name;                                                           \
    const tile_mode mode = TILE_##mode_name;                                                               \
    (void)dim;                                                                                             \
    if (kind == WEIGHT_even && mode >= TILE_full && kernel->s == 0.0) {                                    \
      body(1, KEPT_##mode_name)                                                                            \
    } else {                                                                                               \
      body(0, KEPT_##mode_name)                                                                                              \
    }                                                                                                      \
  }
#define GENERAL(logarithmic, kept_dims)                                       \
  double kept[8 * kept_dims * TILE_LANES] __attribute__((aligned(64)));       \
  TILE_NAME(general)(query, sums, source, n_source, dim, kernel, kind, mode, logarithmic, kept);
#define DEFINE_GENERAL(mode_name, kind_name) DEFINE_KERNEL(mode_name, kind_name, 0, GENERAL)

DEFINE_GENERAL(sum, gaussian)
DEFINE_GENERAL(sum, laplace)
DEFINE_GENERAL(sum, distance)
DEFINE_GENERAL(force, even)
DEFINE_GENERAL(force, odd)
DEFINE_GENERAL(force, general)
DEFINE_GENERAL(force, gaussian)
DEFINE_GENERAL(force, laplace)
DEFINE_GENERAL(force, distance)
DEFINE_GENERAL(full, even)
DEFINE_GENERAL(full, odd)
DEFINE_GENERAL(full, general)
DEFINE_GENERAL(hessian, even)
DEFINE_GENERAL(hessian, odd)
DEFINE_GENERAL(hessian, general)

#ifdef TILE_SPECIAL_DIMS
/* --- few dimensions, cheap weights --------------------------------------------------------------------- *
 * Differences and forces stay in registers, and one source after the other keeps the processor busy.
 * Statements are repeated by the preprocessor, not by an unrolling pass, so that every compiler keeps them
 * there. */
#define REPEAT_2(S) S(0) S(1)
#define REPEAT_3(S) REPEAT_2(S) S(2)

#define OPEN_COORDINATE(c)                         \
  const vec y##c = LOAD(query + (c) * TILE_LANES); \
  vec force##c = LOAD(sums + (c) * TILE_LANES);
#define SQUARE_COORDINATE(c)            \
  const vec z##c = SUB(y##c, SET1(x[c])); \
  partial[(c) % 2] = FMA(z##c, z##c, partial[(c) % 2]);
#define ADD_FORCE(c) force##c = FMA(weight0, z##c, force##c);
#define CLOSE_COORDINATE(c) STORE(sums + (c) * TILE_LANES, force##c);

#define DEFINE_LOOP(D)                                                                                     \
  INLINE void TILE_NAME(loop_##D)(const double *query, double *sums, const double *source,                 \
                                  size_t n_source, const pair_kernel *kernel, const weight_kind kind,      \
                                  const tile_mode mode, const int logarithmic) {                           \
    const vec epsilon = SET1(kernel->epsilon);                                                             \
    TILE_NAME(tally) t = TILE_NAME(tally_open)(sums, D, mode);                                             \
    REPEAT_##D(OPEN_COORDINATE)                                                                            \
    const double *x = source;                                                                              \
    for (size_t a = 0; a < n_source; a++, x += D) {                                                        \
      vec partial[2] = {SET1(0.0), SET1(0.0)};                                                             \
      REPEAT_##D(SQUARE_COORDINATE)                                                                        \
      const vec distance0 = D > 1 ? ADD(partial[0], partial[1]) : partial[0];                              \
      WEIGH(REPEAT_1)                                                                                      \
      t.weight = ADD(t.weight, weight0);                                                                   \
      if (mode >= TILE_full) {                                                                             \
        TILE_NAME(tally_extras)(&t, distance0, u0, weight0, inverse0, logarithmic);                        \
      }                                                                                                    \
      REPEAT_##D(ADD_FORCE)                                                                                \
    }                                                                                                      \
    REPEAT_##D(CLOSE_COORDINATE)                                                                           \
    TILE_NAME(tally_close)(t, sums, D, mode, logarithmic);                                                 \
  }
DEFINE_LOOP(1)
DEFINE_LOOP(2)
DEFINE_LOOP(3)
#define LOOP_1(logarithmic, kept_dims) TILE_NAME(loop_1)(query, sums, source, n_source, kernel, kind, mode, logarithmic);
#define LOOP_2(logarithmic, kept_dims) TILE_NAME(loop_2)(query, sums, source, n_source, kernel, kind, mode, logarithmic);
#define LOOP_3(logarithmic, kept_dims) TILE_NAME(loop_3)(query, sums, source, n_source, kernel, kind, mode, logarithmic);
#define DEFINE_SPECIAL(mode_name, kind_name)       \
  DEFINE_KERNEL(mode_name, kind_name, 1, LOOP_1)   \
  DEFINE_KERNEL(mode_name, kind_name, 2, LOOP_2)   \
  DEFINE_KERNEL(mode_name, kind_name, 3, LOOP_3)
DEFINE_SPECIAL(force, even)
DEFINE_SPECIAL(force, odd)
DEFINE_SPECIAL(full, even)
DEFINE_SPECIAL(full, odd)

#define SPECIAL(mode_name, kind_name)                                                    \
  {TILE_NAME(mode_name##_##kind_name##_0), TILE_NAME(mode_name##_##kind_name##_1),       \
   TILE_NAME(mode_name##_##kind_name##_2), TILE_NAME(mode_name##_##kind_name##_3)}
#else
#define SPECIAL(mode_name, kind_name) ANY(mode_name, kind_name)
#endif
#define ANY(mode_name, kind_name) {TILE_NAME(mode_name##_##kind_name##_0), NULL, NULL, NULL}
#define NONE {NULL, NULL, NULL, NULL}

/* --- rows of one sample among themselves ---------------------------------------------------------------- *
 * A pair is visited once: what it adds to the query it takes from the source. Each source has a vector for
 * each of its sums, which is added up over the lanes when all tiles have passed. Two tiles of queries meet
 * four sources (or one tile eight), so that reactions are loaded and stored half as often. Differences are
 * computed twice: to keep them costs more in stores than it saves in operations. */
#define REACTION(row, g) (reaction + (4 * ((g) / 4 * rows + (row)) + (g) % 4) * TILE_LANES)
#define REACTION_STRIDE (4 * TILE_LANES)

/* The extras of one tile, or of one source, `stride` doubles from row to row. */
INLINE TILE_NAME(tally) TILE_NAME(extras_load)(const double *extra, size_t stride, const int logarithmic) {
  TILE_NAME(tally) t;
  t.weight = LOAD(extra);
  t.energy = t.mantissa = t.exponent = t.weight; /* what is not wanted */
  t.bound = LOAD(extra + stride);
  t.nearest = LOAD(extra + 3 * stride);
  if (logarithmic) {
    t.mantissa = LOAD(extra + 4 * stride);
    t.exponent = LOAD(extra + 5 * stride);
  } else {
    t.energy = LOAD(extra + 2 * stride);
  }
  return t;
}

INLINE void TILE_NAME(extras_store)(TILE_NAME(tally) t, double *extra, size_t stride,
                                    const int logarithmic) {
  STORE(extra, t.weight);
  STORE(extra + stride, t.bound);
  STORE(extra + 3 * stride, t.nearest);
  if (logarithmic) {
    STORE(extra + 4 * stride, t.mantissa);
    STORE(extra + 5 * stride, t.exponent);
  } else {
    STORE(extra + 2 * stride, t.energy);
  }
}

/* The product of mantissas goes back to [1, 2). */
INLINE void TILE_NAME(extras_settle)(TILE_NAME(tally) *t, const int logarithmic) {
  if (!logarithmic) return;
  t->exponent = ADD(t->exponent, EXPONENT(t->mantissa));
  t->mantissa = MANTISSA(t->mantissa);
}

/* One vector of pairs to the extras of its tile and of its source. */
INLINE void TILE_NAME(extras_both)(TILE_NAME(tally) *t, TILE_NAME(tally) *r, vec distance2, vec u, vec weight,
                                   vec inverse, const int logarithmic) {
  t->weight = ADD(t->weight, weight);
  r->weight = ADD(r->weight, weight);
  const vec curvature = MUL(weight, inverse);
  t->bound = FMA(curvature, distance2, t->bound);
  r->bound = FMA(curvature, distance2, r->bound);
  t->nearest = MIN(t->nearest, distance2);
  r->nearest = MIN(r->nearest, distance2);
  if (logarithmic) {
    const vec mantissa = MANTISSA(u), exponent = EXPONENT(u);
    t->mantissa = MUL(t->mantissa, mantissa);
    r->mantissa = MUL(r->mantissa, mantissa);
    t->exponent = ADD(t->exponent, exponent);
    r->exponent = ADD(r->exponent, exponent);
  } else {
    t->energy = FMA(weight, u, t->energy);
    r->energy = FMA(weight, u, r->energy);
  }
}

/* S(g, a, b): source g, and the vectors of its pairs with the first tile and the second */
#define PAIRS_2(S) S(0, 0, 1) S(1, 2, 3) S(2, 4, 5) S(3, 6, 7)
#define PAIRS_1(S) S(0, 0, 0) S(1, 1, 1) S(2, 2, 2) S(3, 3, 3) S(4, 4, 4) S(5, 5, 5) S(6, 6, 6) S(7, 7, 7)
#define SECOND_TILE_2(statements) statements
#define SECOND_TILE_1(statements)
#define ZERO_DISTANCE(a) vec distance##a = SET1(0.0);
#define MEET(a, y)                        \
  {                                       \
    const vec z = SUB(y, x);              \
    distance##a = FMA(z, z, distance##a); \
  }
#define PUSH(a, y, force)             \
  {                                   \
    const vec z = SUB(y, x);          \
    force = FMA(weight##a, z, force); \
    r = FMA(weight##a, z, r);         \
  }
#define MEET_1(g, a, b)                        \
  {                                            \
    const vec x = SET1(source[(g) * dim + c]); \
    MEET(a, y0)                                \
  }
#define MEET_2(g, a, b)                        \
  {                                            \
    const vec x = SET1(source[(g) * dim + c]); \
    MEET(a, y0)                                \
    MEET(b, y1)                                \
  }
#define PUSH_1(g, a, b)                        \
  {                                            \
    const vec x = SET1(source[(g) * dim + c]); \
    vec r = LOAD(REACTION(c, g));              \
    PUSH(a, y0, force0)                        \
    STORE(REACTION(c, g), r);                  \
  }
#define PUSH_2(g, a, b)                        \
  {                                            \
    const vec x = SET1(source[(g) * dim + c]); \
    vec r = LOAD(REACTION(c, g));              \
    PUSH(a, y0, force0)                        \
    PUSH(b, y1, force1)                        \
    STORE(REACTION(c, g), r);                  \
  }
#define EXTRAS_OF(k, a) \
  TILE_NAME(extras_both)(&t[k], &r, distance##a, u##a, weight##a, inverse##a, logarithmic);
#define EXTRAS_1(g, a, b)                                                                                      \
  {                                                                                                            \
    TILE_NAME(tally) r = TILE_NAME(extras_load)(REACTION(dim, g), REACTION_STRIDE, logarithmic);               \
    EXTRAS_OF(0, a)                                                                                            \
    TILE_NAME(extras_store)(r, REACTION(dim, g), REACTION_STRIDE, logarithmic);                                \
  }
#define EXTRAS_2(g, a, b)                                                                                      \
  {                                                                                                            \
    TILE_NAME(tally) r = TILE_NAME(extras_load)(REACTION(dim, g), REACTION_STRIDE, logarithmic);               \
    EXTRAS_OF(0, a)                                                                                            \
    EXTRAS_OF(1, b)                                                                                            \
    TILE_NAME(extras_store)(r, REACTION(dim, g), REACTION_STRIDE, logarithmic);                                \
  }

#define DEFINE_MEETING(tiles)                                                                                  \
  INLINE void TILE_NAME(meeting_##tiles)(const double *query, double *sums, const double *source,              \
                                         double *reaction, size_t dim, const pair_kernel *kernel,              \
                                         const weight_kind kind, const int logarithmic,  \
                                         TILE_NAME(tally) *t) {                                                \
    const tile_mode mode = TILE_full;                                                                          \
    const size_t rows = dim + TILE_EXTRA + TILE_LOG;                                                           \
    const vec epsilon = SET1(kernel->epsilon);                                                                 \
    REPEAT_8(ZERO_DISTANCE)                                                                                    \
    for (size_t c = 0; c < dim; c++) {                                                                         \
      const vec y0 = LOAD(query + c * TILE_LANES);                                                             \
      SECOND_TILE_##tiles(const vec y1 = LOAD(query + (dim + c) * TILE_LANES);)                                \
      PAIRS_##tiles(MEET_##tiles)                                                                              \
    }                                                                                                          \
    WEIGH(REPEAT_8)                                                                                            \
    PAIRS_##tiles(EXTRAS_##tiles)                                                                              \
    for (size_t c = 0; c < dim; c++) {                                                                         \
      const vec y0 = LOAD(query + c * TILE_LANES);                                                             \
      vec force0 = LOAD(sums + c * TILE_LANES);                                                                \
      SECOND_TILE_##tiles(const vec y1 = LOAD(query + (dim + c) * TILE_LANES);                                 \
                          vec force1 = LOAD(sums + (rows + c) * TILE_LANES);)                                  \
      PAIRS_##tiles(PUSH_##tiles)                                                                              \
      STORE(sums + c * TILE_LANES, force0);                                                                    \
      SECOND_TILE_##tiles(STORE(sums + (rows + c) * TILE_LANES, force1);)                                      \
    }                                                                                                          \
  }
#define MEET_SOURCES(tiles, step)                                                                              \
  for (size_t a = 0; a < n_source; a += (step)) {                                                              \
    TILE_NAME(meeting_##tiles)(query, sums, source + a * dim, reaction + a * rows * TILE_LANES, dim, kernel,   \
                               kind, logarithmic, t);                                                          \
  }
DEFINE_MEETING(2)
#if TILE_LANES == 8
DEFINE_MEETING(1)
#endif

INLINE void TILE_NAME(settle_sources)(double *reaction, size_t n_source, size_t dim) {
  const size_t rows = dim + TILE_EXTRA + TILE_LOG;
  for (size_t a = 0; a < n_source; a++) {
    TILE_NAME(tally) r = TILE_NAME(extras_load)(REACTION(dim, a), REACTION_STRIDE, 1);
    TILE_NAME(extras_settle)(&r, 1);
    TILE_NAME(extras_store)(r, REACTION(dim, a), REACTION_STRIDE, 1);
  }
}

INLINE void TILE_NAME(mutual)(const double *query, double *sums, size_t n_tiles, const double *source,
                              double *reaction, size_t n_source, size_t dim, const pair_kernel *kernel,
                              const weight_kind kind, const int logarithmic) {
  const size_t rows = dim + TILE_EXTRA + TILE_LOG;
  TILE_NAME(tally) t[2];
  for (; n_tiles >= 2; n_tiles -= 2, query += 2 * dim * TILE_LANES, sums += 2 * rows * TILE_LANES) {
    double *extra = sums + dim * TILE_LANES, *second = extra + rows * TILE_LANES;
    t[0] = TILE_NAME(extras_load)(extra, TILE_LANES, logarithmic);
    t[1] = TILE_NAME(extras_load)(second, TILE_LANES, logarithmic);
    MEET_SOURCES(2, 4)
    TILE_NAME(extras_settle)(&t[0], logarithmic);
    TILE_NAME(extras_settle)(&t[1], logarithmic);
    TILE_NAME(extras_store)(t[0], extra, TILE_LANES, logarithmic);
    TILE_NAME(extras_store)(t[1], second, TILE_LANES, logarithmic);
  }
#if TILE_LANES == 8
  if (n_tiles) {
    double *extra = sums + dim * TILE_LANES;
    t[0] = TILE_NAME(extras_load)(extra, TILE_LANES, logarithmic);
    MEET_SOURCES(1, 8)
    TILE_NAME(extras_settle)(&t[0], logarithmic);
    TILE_NAME(extras_store)(t[0], extra, TILE_LANES, logarithmic);
  }
#endif
}

#define DEFINE_MUTUAL(kind_name)                                                                               \
  static TILE_TARGET void TILE_NAME(mutual_##kind_name)(                                                       \
      const double *query, double *sums, size_t n_tiles, const double *source, double *reaction,               \
      size_t n_source, size_t dim, const pair_kernel *kernel) {                                                \
    const weight_kind kind = WEIGHT_##kind_name;                                                               \
    if (kind == WEIGHT_even && kernel->s == 0.0) {                                                             \
      TILE_NAME(mutual)(query, sums, n_tiles, source, reaction, n_source, dim, kernel, kind, 1);               \
      TILE_NAME(settle_sources)(reaction, n_source, dim);                                                      \
    } else {                                                                                                   \
      TILE_NAME(mutual)(query, sums, n_tiles, source, reaction, n_source, dim, kernel, kind, 0);               \
    }                                                                                                          \
  }
DEFINE_MUTUAL(even)
DEFINE_MUTUAL(odd)
DEFINE_MUTUAL(general)

/* The rows of a unit among themselves, as ordered pairs: each with the other seven, which pass by as
 * unaligned vectors of the unit's coordinates written twice. */
#define REPEAT_7(S) S(1) S(2) S(3) S(4) S(5) S(6) S(7)
#define PASS(g)                                                        \
  {                                                                    \
    const vec z = SUB(y, LOAD(at + c * 2 * TILE_UNIT + (g)));          \
    distance##g = FMA(z, z, distance##g);                              \
  }
#define PASS_PUSH(g) force = FMA(weight##g, SUB(y, LOAD(at + c * 2 * TILE_UNIT + (g))), force);
#define PASS_EXTRAS(g)                                                                                         \
  {                                                                                                            \
    TILE_NAME(tally) other = t;                                                                                \
    TILE_NAME(extras_both)(&t, &other, distance##g, u##g, weight##g, inverse##g, logarithmic);                 \
  }
INLINE void TILE_NAME(within)(const double *twice, double *sums, size_t dim, const pair_kernel *kernel,
                              const weight_kind kind, const int logarithmic) {
  const tile_mode mode = TILE_full;
  const size_t rows = dim + TILE_EXTRA + TILE_LOG;
  const vec epsilon = SET1(kernel->epsilon);
  for (size_t first = 0; first < TILE_UNIT; first += TILE_LANES, sums += rows * TILE_LANES) {
    const double *at = twice + first;
    double *extra = sums + dim * TILE_LANES;
    TILE_NAME(tally) t = TILE_NAME(extras_load)(extra, TILE_LANES, logarithmic);
    REPEAT_7(ZERO_DISTANCE)
    for (size_t c = 0; c < dim; c++) {
      const vec y = LOAD(at + c * 2 * TILE_UNIT);
      REPEAT_7(PASS)
    }
    WEIGH(REPEAT_7)
    REPEAT_7(PASS_EXTRAS)
    for (size_t c = 0; c < dim; c++) {
      const vec y = LOAD(at + c * 2 * TILE_UNIT);
      vec force = LOAD(sums + c * TILE_LANES);
      REPEAT_7(PASS_PUSH)
      STORE(sums + c * TILE_LANES, force);
    }
    TILE_NAME(extras_settle)(&t, logarithmic);
    TILE_NAME(extras_store)(t, extra, TILE_LANES, logarithmic);
  }
}
#define DEFINE_WITHIN(kind_name)                                                                               \
  static TILE_TARGET void TILE_NAME(within_##kind_name)(const double *twice, double *sums, size_t dim,         \
                                                        const pair_kernel *kernel) {                           \
    if (WEIGHT_##kind_name == WEIGHT_even && kernel->s == 0.0) {                                               \
      TILE_NAME(within)(twice, sums, dim, kernel, WEIGHT_##kind_name, 1);                                      \
    } else {                                                                                                   \
      TILE_NAME(within)(twice, sums, dim, kernel, WEIGHT_##kind_name, 0);                                      \
    }                                                                                                          \
  }
DEFINE_WITHIN(even)
DEFINE_WITHIN(odd)
DEFINE_WITHIN(general)

/* --- squared distances alone ------------------------------------------------------------------------- */
#define STORE_DISTANCE(g) STORE(squared + (g) * TILE_LANES, distance##g);
#define OPEN_DISTANCE(g)                \
  const double *x##g = source + (g) * dim; \
  vec distance##g = SET1(0.0);
#define DISTANCE_GROUP(count, REPEAT)                                                                      \
  for (; n_source >= (count); n_source -= (count), source += (count) * dim, squared += (count) * TILE_LANES) { \
    REPEAT(OPEN_DISTANCE)                                                                                  \
    for (size_t c = 0; c < dim; c++) {                                                                     \
      const vec y = LOAD(query + c * TILE_LANES);                                                          \
      REPEAT(ADD_SQUARE)                                                                                   \
    }                                                                                                      \
    REPEAT(STORE_DISTANCE)                                                                                 \
  }
static TILE_TARGET void TILE_NAME(distances)(const double *query, double *squared, const double *source,
                                             size_t n_source, size_t dim) {
  DISTANCE_GROUP(8, REPEAT_8)
  DISTANCE_GROUP(1, REPEAT_1)
}

/* The last members of a table. [mode][kind][column], in the order of the enumerations, then the distances,
 * then the kernels of a sample with itself. */
#define TILE_TABLE                                                                                          \
  {{NONE, NONE, NONE, ANY(sum, gaussian), ANY(sum, laplace), ANY(sum, distance)},                           \
   {SPECIAL(force, even), SPECIAL(force, odd), ANY(force, general), ANY(force, gaussian),                   \
    ANY(force, laplace), ANY(force, distance)},                                                             \
   {SPECIAL(full, even), SPECIAL(full, odd), ANY(full, general), NONE, NONE, NONE},                         \
   {ANY(hessian, even), ANY(hessian, odd), ANY(hessian, general), NONE, NONE, NONE}},                       \
  TILE_NAME(distances),                                                                                     \
  {TILE_NAME(mutual_even), TILE_NAME(mutual_odd), TILE_NAME(mutual_general)},                               \
  {TILE_NAME(within_even), TILE_NAME(within_odd), TILE_NAME(within_general)}
