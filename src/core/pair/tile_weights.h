/* The weights of pairs. For one lane WEIGH(REPEAT_8) is
 *
 *   for (g = 0; g < 8; g++) {
 *     u[g] = distance[g] + epsilon;
 *     switch (kind) {
 *       case WEIGHT_even:     inverse[g] = 1 / u[g],       weight[g] = whole_power(inverse[g], power); break;
 *       case WEIGHT_odd:      root = 1 / sqrt(u[g]),       inverse[g] = root * root,
 *                             weight[g] = root * whole_power(inverse[g], power); break;
 *       case WEIGHT_general:  weight[g] = pow(u[g], -exponent), inverse[g] = 1 / u[g]; break;
 *       case WEIGHT_gaussian: weight[g] = exp(-rate * u[g]); break;
 *       case WEIGHT_laplace:  weight[g] = exp(-rate * sqrt(u[g])); break;
 *       case WEIGHT_distance: weight[g] = sqrt(u[g]);
 *     }
 *   }
 *
 * with one variable for each g: u0, weight0, ... Logarithms and exponentials are written out step by step for all
 * eight, because a single chain of operations would leave the processor idle.
 *
 * WEIGH uses these names of the function in which it stands: distance0, ... (vec), epsilon (vec), kernel (const
 * pair_kernel *), and kind and mode, which are constants there. */

INLINE vec TILE_NAME(whole_power)(vec base, unsigned power) {
  for (; !(power & 1u); power >>= 1) base = MUL(base, base);
  vec result = base;
  while (power >>= 1) {
    base = MUL(base, base);
    if (power & 1u) result = MUL(result, base);
  }
  return result;
}

/* REPEAT(S) writes statement S once for each of the vectors 0, 1, ... */
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
#define OPEN_LOG(g)                                                                                        \
  const vec m##g = MANTISSA(u##g);                                                                         \
  const vec f##g = MUL(SUB(m##g, SET1(1.4142135623730951)), INVERSE(ADD(m##g, SET1(1.4142135623730951)))); \
  const vec q##g = MUL(f##g, f##g);                                                                        \
  vec l##g = SET1(LOG_7);
#define LOG_STEP_6(g) l##g = FMA(l##g, q##g, SET1(LOG_6));
#define LOG_STEP_5(g) l##g = FMA(l##g, q##g, SET1(LOG_5));
#define LOG_STEP_4(g) l##g = FMA(l##g, q##g, SET1(LOG_4));
#define LOG_STEP_3(g) l##g = FMA(l##g, q##g, SET1(LOG_3));
#define LOG_STEP_2(g) l##g = FMA(l##g, q##g, SET1(LOG_2));
#define LOG_STEP_1(g) l##g = FMA(l##g, q##g, SET1(LOG_1));
#define LOG_STEP_0(g) l##g = FMA(l##g, q##g, SET1(LOG_0));
#define CLOSE_LOG(g)                                                                                   \
  const vec e##g = MUL(FMA(MUL(l##g, f##g), SET1(2.8853900817779268), ADD(EXPONENT(u##g), SET1(0.5))), \
                       SET1(-kernel->exponent));
/* 2^e = 2^round(e) exp(r), |r| <= 0.3466: a polynomial of degree 11, as above (error below 1e-17). Below
 * 2^-1080 nothing is left of a double. */
#define OPEN_EXP(g)                                                 \
  const vec k##g = ROUND(e##g);                                     \
  const vec r##g = MUL(SUB(e##g, k##g), SET1(0.69314718055994531)); \
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
#define POWERS(REPEAT)                                                                         \
  REPEAT(OPEN_LOG) REPEAT(LOG_STEP_6) REPEAT(LOG_STEP_5) REPEAT(LOG_STEP_4) REPEAT(LOG_STEP_3) \
  REPEAT(LOG_STEP_2) REPEAT(LOG_STEP_1) REPEAT(LOG_STEP_0) REPEAT(CLOSE_LOG) EXPONENTIALS(REPEAT)
#define EXPONENTIALS(REPEAT)                                                                     \
  REPEAT(OPEN_EXP) REPEAT(EXP_STEP_10) REPEAT(EXP_STEP_9) REPEAT(EXP_STEP_8) REPEAT(EXP_STEP_7)  \
  REPEAT(EXP_STEP_6) REPEAT(EXP_STEP_5) REPEAT(EXP_STEP_4) REPEAT(EXP_STEP_3) REPEAT(EXP_STEP_2) \
  REPEAT(EXP_STEP_1) REPEAT(EXP_STEP_0) REPEAT(CLOSE_EXP)
/* The weights of far pairs stop at 2^-1020, which is then subtracted, so that sums meet zeros and not subnormal
 * numbers, which cost a hundred times as much. */
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

#define WEIGH_EVEN(g)         \
  inverse##g = INVERSE(u##g); \
  weight##g = TILE_NAME(whole_power)(inverse##g, kernel->power);
#define WEIGH_ODD(g)                                                                                 \
  {                                                                                                  \
    const vec root = INVERSE_ROOT(u##g);                                                             \
    inverse##g = MUL(root, root);                                                                    \
    weight##g = kernel->power ? MUL(root, TILE_NAME(whole_power)(inverse##g, kernel->power)) : root; \
  }
#define WEIGH_DISTANCE(g) weight##g = ROOT(u##g);
#define INVERT(g) inverse##g = INVERSE(u##g);
#define OPEN_WEIGHT(g)                        \
  const vec u##g = ADD(distance##g, epsilon); \
  vec weight##g, inverse##g = u##g;

/* From distance0, ... to u0, ..., weight0, ... and, if the tally wants them, inverse0 = 1/u0, ... */
#define WEIGH(REPEAT)                         \
  REPEAT(OPEN_WEIGHT)                         \
  if (kind == WEIGHT_even) {                  \
    REPEAT(WEIGH_EVEN)                        \
  } else if (kind == WEIGHT_odd) {            \
    REPEAT(WEIGH_ODD)                         \
  } else if (kind == WEIGHT_distance) {       \
    REPEAT(WEIGH_DISTANCE)                    \
  } else if (kind == WEIGHT_general) {        \
    POWERS(REPEAT)                            \
    if (mode >= TILE_full) { REPEAT(INVERT) } \
  } else if (kind == WEIGHT_gaussian) {       \
    REPEAT(EXPONENT_OF_SQUARE)                \
    EXPONENTIALS(REPEAT)                      \
    REPEAT(DROP_FAR)                          \
  } else {                                    \
    REPEAT(EXPONENT_OF_ROOT)                  \
    EXPONENTIALS(REPEAT)                      \
    REPEAT(DROP_FAR)                          \
  }
