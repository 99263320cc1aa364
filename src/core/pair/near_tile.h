/* The loop over near sources, written once and compiled once per instruction set, as charges_tile.h is. An including
 * file gives the vector of core/base/vector_*.h, and ROOT(v), INVERSE(v) and WHERE_LESS(a, b, v), which is v where
 * a < b and 0 elsewhere. A kernel is
 *
 *   for (a = 0; a < n; a++) {
 *     t = 0;
 *     for (c = 0; c < dim; c++) z[c] = query[c] - source[c][a], t += z[c] * z[c];
 *     if (t >= cut) continue;
 *     u = t + epsilon, w = u^-(s/2+1), x = t - cut;
 *     v = w - (T0 + T1 x + T2 x^2 + T3 x^3);
 *     for (c = 0; c < dim; c++) sums[c] += v * z[c];
 *     sums[dim] += v;
 *     NEAR_jacobian:
 *     k = -(s + 2) w / u - 2 (T1 + 2 T2 x + 3 T3 x^2);
 *     for (c = 0; c < dim; c++) for (e = 0; e <= c; e++) *triangle++ += k * z[c] * z[e];
 *   }
 *
 * Statements are repeated by the preprocessor, so that coordinates and sums stay in registers. */
#include "core/pair/near.h"
#include "core/pair/sides_tile.h"

/* The lanes added up in their order. */
INLINE double TILE_NAME(near_total)(vec v) {
  double lanes[TILE_LANES], total;
  STORE(lanes, v);
  total = lanes[0];
  for (int l = 1; l < TILE_LANES; l++) total += lanes[l];
  return total;
}

#define OPEN_COORDINATE(c) \
  const vec y##c = SET1(query[c]); \
  vec force##c = SET1(0.0);
#define DIFFERENCE(c) \
  const vec z##c = SUB(y##c, LOAD(source + (c) * stride + a)); \
  t = FMA(z##c, z##c, t);
#define ADD_FORCE(c) force##c = FMA(v, z##c, force##c);
#define CLOSE_COORDINATE(c) sums[c] = TILE_NAME(near_total)(force##c);
#define OPEN_ENTRY(c, e) vec entry##c##e = SET1(0.0);
#define ADD_ENTRY(c, e) entry##c##e = FMA(MUL(slope, z##c), z##e, entry##c##e);
#define CLOSE_ENTRY(c, e) sums[first + (c) * ((c) + 1) / 2 + (e)] = TILE_NAME(near_total)(entry##c##e);

#define DEFINE_NEAR(D)                                                                                            \
  INLINE void TILE_NAME(near_##D)(const double *query, double *sums, const double *source, size_t stride,         \
                                  const near_run *run, size_t runs, const split_kernel *split,                    \
                                  const weight_kind kind, const near_mode mode) {                                 \
    static const double number[8] = {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0};                                     \
    const vec epsilon = SET1(split->kernel.epsilon), cut = SET1(split->cut), lane = LOAD(number);                 \
    const vec T0 = SET1(split->term[0]), T1 = SET1(split->term[1]), T2 = SET1(split->term[2]);                    \
    const vec T3 = SET1(split->term[3]), minus = SET1(-(split->kernel.s + 2.0));                                  \
    const vec S1 = SET1(-2.0 * split->term[1]), S2 = SET1(-4.0 * split->term[2]), S3 = SET1(-6.0 * split->term[3]); \
    const size_t first = D + 1;                                                                                   \
    REPEAT_##D(OPEN_COORDINATE)                                                                                   \
    PAIRS_##D(OPEN_ENTRY)                                                                                         \
    vec total = SET1(0.0);                                                                                        \
    for (size_t r = 0; r < runs; r++) {                                                                           \
      for (size_t a = run[r].from; a < run[r].to; a += TILE_LANES) {                                              \
        vec t = SET1(0.0);                                                                                        \
        REPEAT_##D(DIFFERENCE)                                                                                    \
        const vec u = ADD(t, epsilon), inverse = INVERSE(u), x = SUB(t, cut);                                     \
        const vec weight = TILE_NAME(riesz_weight)(u, inverse, &split->kernel, kind);                              \
        const vec T = FMA(FMA(FMA(T3, x, T2), x, T1), x, T0);                                                     \
        vec v = WHERE_LESS(t, cut, SUB(weight, T));                                                               \
        const vec left = SET1((double)(run[r].to - a));                                                           \
        v = WHERE_LESS(lane, left, v);                                                                            \
        total = ADD(total, v);                                                                                    \
        REPEAT_##D(ADD_FORCE)                                                                                     \
        if (mode == NEAR_jacobian) {                                                                              \
          vec slope = FMA(MUL(minus, weight), inverse, FMA(FMA(S3, x, S2), x, S1));                               \
          slope = WHERE_LESS(lane, left, WHERE_LESS(t, cut, slope));                                              \
          PAIRS_##D(ADD_ENTRY)                                                                                    \
        }                                                                                                         \
      }                                                                                                           \
    }                                                                                                             \
    REPEAT_##D(CLOSE_COORDINATE)                                                                                  \
    sums[D] = TILE_NAME(near_total)(total);                                                                       \
    if (mode == NEAR_jacobian) { PAIRS_##D(CLOSE_ENTRY) }                                                         \
  }
DEFINE_NEAR(1)
DEFINE_NEAR(2)
DEFINE_NEAR(3)

#define DEFINE_ONE(mode_name, kind_name, D)                                                                        \
  static TILE_TARGET void TILE_NAME(near_##mode_name##_##kind_name##_##D)(                                         \
      const double *query, double *sums, const double *source, size_t stride, const near_run *run, size_t runs,    \
      const split_kernel *split) {                                                                                 \
    TILE_NAME(near_##D)(query, sums, source, stride, run, runs, split, WEIGHT_##kind_name, NEAR_##mode_name);      \
  }
#define DEFINE_KIND(mode_name, kind_name) \
  DEFINE_ONE(mode_name, kind_name, 1) DEFINE_ONE(mode_name, kind_name, 2) DEFINE_ONE(mode_name, kind_name, 3)
#define DEFINE_MODE(mode_name) \
  DEFINE_KIND(mode_name, even) DEFINE_KIND(mode_name, odd) DEFINE_KIND(mode_name, general)
DEFINE_MODE(force)
DEFINE_MODE(jacobian)

#define KIND_OF(mode_name, kind_name)                                                        \
  {TILE_NAME(near_##mode_name##_##kind_name##_1), TILE_NAME(near_##mode_name##_##kind_name##_2), \
   TILE_NAME(near_##mode_name##_##kind_name##_3)}
#define MODE_OF(mode_name) {KIND_OF(mode_name, even), KIND_OF(mode_name, odd), KIND_OF(mode_name, general)}
#define NEAR_TABLE {{MODE_OF(force), MODE_OF(jacobian)}}
