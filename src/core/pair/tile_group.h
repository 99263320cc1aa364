/* A tile of queries against sources, in any dimension. For one lane a kernel is
 *
 *   for (a = 0; a < n_source; a++) {
 *     x = source + a * dim, distance = 0;
 *     for (c = 0; c < dim; c++) z[c] = query[c] - x[c], distance += z[c] * z[c];
 *     (tile_weights.h: u, weight, inverse from distance)
 *     extra[EXTRA_weight] += weight;
 *     if (mode >= TILE_full) {
 *       extra[EXTRA_bound] += weight * inverse * distance;
 *       extra[EXTRA_nearest] = min(extra[EXTRA_nearest], distance);
 *       extra[EXTRA_energy] += logarithmic ? log(u) : weight * u;
 *     }
 *     for (c = 0; mode >= TILE_force && c < dim; c++) sums[c] += weight * z[c];
 *     for (c = 0; mode == TILE_hessian && c < dim; c++) {
 *       for (e = 0; e <= c; e++) *triangle++ += weight * inverse * z[c] * z[e];
 *     }
 *   }
 *
 * Sources go in groups of eight, so that their chains of operations overlap and each query coordinate is loaded once
 * for all of them: first the differences and distances, then the weights, then the forces. In up to KEPT_DIMS
 * dimensions the differences are kept in a buffer that the nearest cache holds; beyond, they are computed twice. The
 * Hessian always keeps them.
 *
 * The macros use these names of the function in which they stand: query, sums, x or source, dim, kernel, kind, mode,
 * logarithmic, kept, t (the tally), and c, e, y, force, entry of its loops. */

/* What a kernel carries besides sum w z; rows EXTRA_weight, ... of the accumulators. */
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
    t.bound = LOAD(extra + EXTRA_bound * TILE_LANES);
    t.energy = LOAD(extra + EXTRA_energy * TILE_LANES);
    t.nearest = LOAD(extra + EXTRA_nearest * TILE_LANES);
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
  STORE(extra + EXTRA_bound * TILE_LANES, t.bound);
  STORE(extra + EXTRA_energy * TILE_LANES, t.energy);
  STORE(extra + EXTRA_nearest * TILE_LANES, t.nearest);
  if (logarithmic) {
    double mantissa[TILE_LANES], exponent[TILE_LANES];
    STORE(mantissa, t.mantissa);
    STORE(exponent, t.exponent);
    for (int l = 0; l < TILE_LANES; l++) {
      extra[EXTRA_energy * TILE_LANES + l] += log(mantissa[l]) + exponent[l] * 0.69314718055994530941723212145818;
    }
  }
}

#define OPEN_SOURCE(g)                \
  const double *x##g = x + (g) * dim; \
  vec distance##g = SET1(0.0);
#define KEPT(g, c) (kept + (8 * (c) + (g)) * TILE_LANES)
#define DIFFERENCE(g) SUB(y, SET1(x##g[c]))
#define ADD_SQUARE(g)                     \
  {                                       \
    const vec z = DIFFERENCE(g);          \
    distance##g = FMA(z, z, distance##g); \
  }
#define KEEP_DIFFERENCE(g)                \
  {                                       \
    const vec z = DIFFERENCE(g);          \
    distance##g = FMA(z, z, distance##g); \
    STORE(KEPT(g, c), z);                 \
  }
#define ADD_DIFFERENCE(g) force = FMA(weight##g, DIFFERENCE(g), force);
#define ADD_KEPT(g) force = FMA(weight##g, LOAD(KEPT(g, c)), force);
#define ADD_EXTRAS(g) \
  TILE_NAME(tally_extras)(t, distance##g, u##g, weight##g, inverse##g, logarithmic);
#define OPEN_CURVATURE(g) const vec curvature##g = MUL(weight##g, inverse##g);
#define SCALE_COORDINATE(g) const vec scaled##g = MUL(curvature##g, LOAD(KEPT(g, c)));
#define ADD_PRODUCT(g) entry = FMA(scaled##g, LOAD(KEPT(g, e)), entry);
#define SUM_1() weight0
#define SUM_8() \
  ADD(ADD(ADD(weight0, weight1), ADD(weight2, weight3)), ADD(ADD(weight4, weight5), ADD(weight6, weight7)))

#define DEFINE_GROUP(name, REPEAT, SUM, FIRST, SECOND)                                                 \
  INLINE void TILE_NAME(name)(const double *query, double *sums, const double *x, size_t dim,          \
                              const pair_kernel *kernel, const weight_kind kind, const tile_mode mode, \
                              const int logarithmic, TILE_NAME(tally) *t, double *kept) {              \
    (void)kept;                                                                                        \
    const vec epsilon = SET1(kernel->epsilon);                                                         \
    REPEAT(OPEN_SOURCE)                                                                                \
    for (size_t c = 0; c < dim; c++) {                                                                 \
      const vec y = LOAD(query + c * TILE_LANES);                                                      \
      REPEAT(FIRST)                                                                                    \
    }                                                                                                  \
    WEIGH(REPEAT)                                                                                      \
    t->weight = ADD(t->weight, SUM());                                                                 \
    if (mode >= TILE_full) { REPEAT(ADD_EXTRAS) }                                                      \
    for (size_t c = 0; mode >= TILE_force && c < dim; c++) {                                           \
      const vec y = LOAD(query + c * TILE_LANES);                                                      \
      vec force = LOAD(sums + c * TILE_LANES);                                                         \
      REPEAT(SECOND)                                                                                   \
      (void)y;                                                                                         \
      STORE(sums + c * TILE_LANES, force);                                                             \
    }                                                                                                  \
    if (mode == TILE_hessian) {                                                                        \
      REPEAT(OPEN_CURVATURE)                                                                           \
      double *entries = sums + (dim + EXTRA_ROWS) * TILE_LANES;                                        \
      for (size_t c = 0; c < dim; c++) {                                                               \
        REPEAT(SCALE_COORDINATE)                                                                       \
        for (size_t e = 0; e <= c; e++, entries += TILE_LANES) {                                       \
          vec entry = LOAD(entries);                                                                   \
          REPEAT(ADD_PRODUCT)                                                                          \
          STORE(entries, entry);                                                                       \
        }                                                                                              \
      }                                                                                                \
    }                                                                                                  \
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
#define DEFINE_KERNEL(mode_name, kind_name, column, body)                                   \
  static TILE_TARGET void TILE_NAME(mode_name##_##kind_name##_##column)(                    \
      const double *query, double *sums, const double *source, size_t n_source, size_t dim, \
      const pair_kernel *kernel) {                                                          \
    const weight_kind kind = WEIGHT_##kind_name;                                            \
    const tile_mode mode = TILE_##mode_name;                                                \
    (void)dim;                                                                              \
    if (kind == WEIGHT_even && mode >= TILE_full && kernel->s == 0.0) {                     \
      body(1, KEPT_##mode_name)                                                             \
    } else {                                                                                \
      body(0, KEPT_##mode_name)                                                             \
    }                                                                                       \
  }
#define GENERAL(logarithmic, kept_dims)                                 \
  double kept[8 * kept_dims * TILE_LANES] __attribute__((aligned(64))); \
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

/* Squared distances alone: squared[a * lanes] = sum_c (query[c] - source[a * dim + c])^2 for one lane. */
#define STORE_DISTANCE(g) STORE(squared + (g) * TILE_LANES, distance##g);
#define OPEN_DISTANCE(g)                   \
  const double *x##g = source + (g) * dim; \
  vec distance##g = SET1(0.0);
#define DISTANCE_GROUP(count, REPEAT)                                                                          \
  for (; n_source >= (count); n_source -= (count), source += (count) * dim, squared += (count) * TILE_LANES) { \
    REPEAT(OPEN_DISTANCE)                                                                                      \
    for (size_t c = 0; c < dim; c++) {                                                                         \
      const vec y = LOAD(query + c * TILE_LANES);                                                              \
      REPEAT(ADD_SQUARE)                                                                                       \
    }                                                                                                          \
    REPEAT(STORE_DISTANCE)                                                                                     \
  }
static TILE_TARGET void TILE_NAME(distances)(const double *query, double *squared, const double *source,
                                             size_t n_source, size_t dim) {
  DISTANCE_GROUP(8, REPEAT_8)
  DISTANCE_GROUP(1, REPEAT_1)
}
