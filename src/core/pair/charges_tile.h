/* The loop over charges, written once and compiled once per instruction set, as tile.h is. An including file gives
 * the vector of core/base/vector_*.h, and ROOT(v) and INVERSE(v). For one query a kernel is
 *
 *   for (a = 0; a < n; a++, x += dim + 1) {
 *     r2 = 0;
 *     for (c = 0; c < dim; c++) z[c] = query[c] - x[c], r2 += z[c] * z[c];
 *     u = r2 + epsilon, w = x[dim] u^-(s/2+1);
 *     for (c = 0; c < dim; c++) sums[c] += w * z[c];
 *     sums[dim] += w;
 *     CHARGES_bound:   sums[dim + 1] += w / u * r2;
 *     CHARGES_hessian: for (c = 0; c < dim; c++) for (e = 0; e <= c; e++) *triangle++ += w / u * z[c] * z[e];
 *   }
 *
 * Statements are repeated by the preprocessor, so that coordinates and sums stay in registers. */
#include "core/pair/charges.h"
#include "core/pair/sides_tile.h"

#define OPEN_COORDINATE(c) \
  const vec y##c = LOAD(query + (c) * CHARGE_LANES + lane); \
  vec force##c = SET1(0.0);
#define DIFFERENCE(c) \
  const vec z##c = SUB(y##c, SET1(x[c])); \
  r2 = FMA(z##c, z##c, r2);
#define ADD_FORCE(c) force##c = FMA(weight, z##c, force##c);
#define CLOSE_COORDINATE(c) STORE(sums + (c) * CHARGE_LANES + lane, force##c);
#define OPEN_ENTRY(c, e) vec entry##c##e = SET1(0.0);
#define ADD_ENTRY(c, e) entry##c##e = FMA(MUL(curvature, z##c), z##e, entry##c##e);
#define CLOSE_ENTRY(c, e) STORE(sums + (first + (c) * ((c) + 1) / 2 + (e)) * CHARGE_LANES + lane, entry##c##e);

#define DEFINE_CHARGES(D)                                                                                         \
  INLINE void TILE_NAME(charges_##D)(const double *query, double *sums, const double *source, size_t n,           \
                                     const pair_kernel *kernel, const weight_kind kind, const charge_mode mode) { \
    const vec epsilon = SET1(kernel->epsilon);                                                                    \
    const size_t first = D + 1;                                                                                   \
    for (size_t lane = 0; lane < CHARGE_LANES; lane += TILE_LANES) {                                              \
      REPEAT_##D(OPEN_COORDINATE)                                                                                 \
      PAIRS_##D(OPEN_ENTRY)                                                                                       \
      vec total = SET1(0.0), bound = SET1(0.0);                                                                   \
      const double *x = source;                                                                                   \
      for (size_t a = 0; a < n; a++, x += D + 1) {                                                                \
        vec r2 = SET1(0.0);                                                                                       \
        REPEAT_##D(DIFFERENCE)                                                                                    \
        const vec u = ADD(r2, epsilon), inverse = INVERSE(u);                                                     \
        const vec weight = MUL(SET1(x[D]), TILE_NAME(riesz_weight)(u, inverse, kernel, kind));                   \
        total = ADD(total, weight);                                                                               \
        REPEAT_##D(ADD_FORCE)                                                                                     \
        const vec curvature = MUL(weight, inverse);                                                               \
        if (mode == CHARGES_bound) bound = FMA(curvature, r2, bound);                                             \
        if (mode == CHARGES_hessian) { PAIRS_##D(ADD_ENTRY) }                                                     \
      }                                                                                                           \
      REPEAT_##D(CLOSE_COORDINATE)                                                                                \
      STORE(sums + D * CHARGE_LANES + lane, total);                                                               \
      if (mode == CHARGES_bound) STORE(sums + first * CHARGE_LANES + lane, bound);                                \
      if (mode == CHARGES_hessian) { PAIRS_##D(CLOSE_ENTRY) }                                                     \
    }                                                                                                             \
  }
DEFINE_CHARGES(1)
DEFINE_CHARGES(2)
DEFINE_CHARGES(3)

#define DEFINE_CHARGE(mode_name, kind_name, D)                                                                   \
  static TILE_TARGET void TILE_NAME(charges_##mode_name##_##kind_name##_##D)(                                    \
      const double *query, double *sums, const double *source, size_t n, const pair_kernel *kernel) {            \
    TILE_NAME(charges_##D)(query, sums, source, n, kernel, WEIGHT_##kind_name, CHARGES_##mode_name);             \
  }
#define DEFINE_KIND(mode_name, kind_name) \
  DEFINE_CHARGE(mode_name, kind_name, 1) DEFINE_CHARGE(mode_name, kind_name, 2) DEFINE_CHARGE(mode_name, kind_name, 3)
#define DEFINE_MODE(mode_name) \
  DEFINE_KIND(mode_name, even) DEFINE_KIND(mode_name, odd) DEFINE_KIND(mode_name, general)
DEFINE_MODE(force)
DEFINE_MODE(bound)
DEFINE_MODE(hessian)

#define KIND_OF(mode_name, kind_name)                                                              \
  {TILE_NAME(charges_##mode_name##_##kind_name##_1), TILE_NAME(charges_##mode_name##_##kind_name##_2), \
   TILE_NAME(charges_##mode_name##_##kind_name##_3)}
#define MODE_OF(mode_name) {KIND_OF(mode_name, even), KIND_OF(mode_name, odd), KIND_OF(mode_name, general)}
#define CHARGE_TABLE {{MODE_OF(force), MODE_OF(bound), MODE_OF(hessian)}}
