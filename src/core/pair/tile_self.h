/* The rows of one sample with each other. A pair is visited once: what it adds to the query it takes from the source.
 * For one lane and one tile
 *
 *   for (a = 0; a < n_source; a++) {
 *     r = the accumulators of source a in `reaction`;
 *     distance = 0;
 *     for (c = 0; c < dim; c++) z[c] = query[c] - source[a * dim + c], distance += z[c] * z[c];
 *     (tile_weights.h: u, weight, inverse from distance)
 *     for both extras, of `sums` and of r: as in tile_group.h, with sum log u as a mantissa and an exponent;
 *     for (c = 0; c < dim; c++) sums[c] += weight * z[c], r[c] += weight * z[c];
 *   }
 *
 * (mutual.c subtracts the forces of r.) Each source has a vector for each of its sums, which is added up over the lanes
 * when all tiles have passed. Two tiles of queries are paired with four sources at a time, or one tile with eight, so
 * that reactions are loaded and stored half as often. Differences are computed twice: to keep them costs more in stores
 * than it saves in operations.
 *
 * The macros use these names of the function in which they stand: query, sums, source, reaction, rows (of the
 * accumulators), dim, kernel, kind, logarithmic, t (the tallies of the tiles), and c, y0, y1, force0, force1 of its
 * loops. */

#define REACTION(row, g) (reaction + (4 * ((g) / 4 * rows + (row)) + (g) % 4) * TILE_LANES)
#define REACTION_STRIDE (4 * TILE_LANES)

/* The extras of one tile, or of one source, `stride` doubles from row to row. */
INLINE TILE_NAME(tally) TILE_NAME(extras_load)(const double *extra, size_t stride, const int logarithmic) {
  TILE_NAME(tally) t;
  t.weight = LOAD(extra);
  t.energy = t.mantissa = t.exponent = t.weight; /* what is not wanted */
  t.bound = LOAD(extra + EXTRA_bound * stride);
  t.nearest = LOAD(extra + EXTRA_nearest * stride);
  if (logarithmic) {
    t.mantissa = LOAD(extra + EXTRA_mantissa * stride);
    t.exponent = LOAD(extra + EXTRA_exponent * stride);
  } else {
    t.energy = LOAD(extra + EXTRA_energy * stride);
  }
  return t;
}

INLINE void TILE_NAME(extras_store)(TILE_NAME(tally) t, double *extra, size_t stride,
                                    const int logarithmic) {
  STORE(extra, t.weight);
  STORE(extra + EXTRA_bound * stride, t.bound);
  STORE(extra + EXTRA_nearest * stride, t.nearest);
  if (logarithmic) {
    STORE(extra + EXTRA_mantissa * stride, t.mantissa);
    STORE(extra + EXTRA_exponent * stride, t.exponent);
  } else {
    STORE(extra + EXTRA_energy * stride, t.energy);
  }
}

/* The product of mantissas goes back to [1, 2). */
INLINE void TILE_NAME(normalise_mantissa)(TILE_NAME(tally) *t, const int logarithmic) {
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

/* S(g, a, b): source g, and the numbers of the vectors of its pairs with the first tile and with the second. */
#define PAIRS_2(S) S(0, 0, 1) S(1, 2, 3) S(2, 4, 5) S(3, 6, 7)
#define PAIRS_1(S) S(0, 0, 0) S(1, 1, 1) S(2, 2, 2) S(3, 3, 3) S(4, 4, 4) S(5, 5, 5) S(6, 6, 6) S(7, 7, 7)
#define SECOND_TILE_2(statements) statements
#define SECOND_TILE_1(statements)
#define ZERO_DISTANCE(a) vec distance##a = SET1(0.0);
#define SQUARE_PAIR(a, y)                 \
  {                                       \
    const vec z = SUB(y, x);              \
    distance##a = FMA(z, z, distance##a); \
  }
#define FORCE_PAIR(a, y, force)       \
  {                                   \
    const vec z = SUB(y, x);          \
    force = FMA(weight##a, z, force); \
    r = FMA(weight##a, z, r);         \
  }
#define SQUARE_1(g, a, b)                      \
  {                                            \
    const vec x = SET1(source[(g) * dim + c]); \
    SQUARE_PAIR(a, y0)                         \
  }
#define SQUARE_2(g, a, b)                      \
  {                                            \
    const vec x = SET1(source[(g) * dim + c]); \
    SQUARE_PAIR(a, y0)                         \
    SQUARE_PAIR(b, y1)                         \
  }
#define FORCE_1(g, a, b)                       \
  {                                            \
    const vec x = SET1(source[(g) * dim + c]); \
    vec r = LOAD(REACTION(c, g));              \
    FORCE_PAIR(a, y0, force0)                  \
    STORE(REACTION(c, g), r);                  \
  }
#define FORCE_2(g, a, b)                       \
  {                                            \
    const vec x = SET1(source[(g) * dim + c]); \
    vec r = LOAD(REACTION(c, g));              \
    FORCE_PAIR(a, y0, force0)                  \
    FORCE_PAIR(b, y1, force1)                  \
    STORE(REACTION(c, g), r);                  \
  }
#define EXTRAS_OF(k, a) \
  TILE_NAME(extras_both)(&t[k], &r, distance##a, u##a, weight##a, inverse##a, logarithmic);
#define EXTRAS_1(g, a, b)                                                                        \
  {                                                                                              \
    TILE_NAME(tally) r = TILE_NAME(extras_load)(REACTION(dim, g), REACTION_STRIDE, logarithmic); \
    EXTRAS_OF(0, a)                                                                              \
    TILE_NAME(extras_store)(r, REACTION(dim, g), REACTION_STRIDE, logarithmic);                  \
  }
#define EXTRAS_2(g, a, b)                                                                        \
  {                                                                                              \
    TILE_NAME(tally) r = TILE_NAME(extras_load)(REACTION(dim, g), REACTION_STRIDE, logarithmic); \
    EXTRAS_OF(0, a)                                                                              \
    EXTRAS_OF(1, b)                                                                              \
    TILE_NAME(extras_store)(r, REACTION(dim, g), REACTION_STRIDE, logarithmic);                  \
  }

#define DEFINE_PAIRING(tiles)                                                                     \
  INLINE void TILE_NAME(pair_##tiles)(const double *query, double *sums, const double *source,    \
                                         double *reaction, size_t dim, const pair_kernel *kernel, \
                                         const weight_kind kind, const int logarithmic,           \
                                         TILE_NAME(tally) *t) {                                   \
    const tile_mode mode = TILE_full;                                                             \
    const size_t rows = dim + EXTRA_ROWS + LOG_ROWS;                                              \
    const vec epsilon = SET1(kernel->epsilon);                                                    \
    REPEAT_8(ZERO_DISTANCE)                                                                       \
    for (size_t c = 0; c < dim; c++) {                                                            \
      const vec y0 = LOAD(query + c * TILE_LANES);                                                \
      SECOND_TILE_##tiles(const vec y1 = LOAD(query + (dim + c) * TILE_LANES);)                   \
      PAIRS_##tiles(SQUARE_##tiles)                                                               \
    }                                                                                             \
    WEIGH(REPEAT_8)                                                                               \
    PAIRS_##tiles(EXTRAS_##tiles)                                                                 \
    for (size_t c = 0; c < dim; c++) {                                                            \
      const vec y0 = LOAD(query + c * TILE_LANES);                                                \
      vec force0 = LOAD(sums + c * TILE_LANES);                                                   \
      SECOND_TILE_##tiles(const vec y1 = LOAD(query + (dim + c) * TILE_LANES);                    \
                          vec force1 = LOAD(sums + (rows + c) * TILE_LANES);)                     \
      PAIRS_##tiles(FORCE_##tiles)                                                                \
      STORE(sums + c * TILE_LANES, force0);                                                       \
      SECOND_TILE_##tiles(STORE(sums + (rows + c) * TILE_LANES, force1);)                         \
    }                                                                                             \
  }
#define PAIR_SOURCES(tiles, step)                                                                         \
  for (size_t a = 0; a < n_source; a += (step)) {                                                         \
    TILE_NAME(pair_##tiles)(query, sums, source + a * dim, reaction + a * rows * TILE_LANES, dim, kernel, \
                               kind, logarithmic, t);                                                     \
  }
DEFINE_PAIRING(2)
#if TILE_LANES == 8
DEFINE_PAIRING(1)
#endif

INLINE void TILE_NAME(normalise_reactions)(double *reaction, size_t n_source, size_t dim) {
  const size_t rows = dim + EXTRA_ROWS + LOG_ROWS;
  for (size_t a = 0; a < n_source; a++) {
    TILE_NAME(tally) r = TILE_NAME(extras_load)(REACTION(dim, a), REACTION_STRIDE, 1);
    TILE_NAME(normalise_mantissa)(&r, 1);
    TILE_NAME(extras_store)(r, REACTION(dim, a), REACTION_STRIDE, 1);
  }
}

INLINE void TILE_NAME(mutual)(const double *query, double *sums, size_t n_tiles, const double *source,
                              double *reaction, size_t n_source, size_t dim, const pair_kernel *kernel,
                              const weight_kind kind, const int logarithmic) {
  const size_t rows = dim + EXTRA_ROWS + LOG_ROWS;
  TILE_NAME(tally) t[2];
  for (; n_tiles >= 2; n_tiles -= 2, query += 2 * dim * TILE_LANES, sums += 2 * rows * TILE_LANES) {
    double *extra = sums + dim * TILE_LANES, *second = extra + rows * TILE_LANES;
    t[0] = TILE_NAME(extras_load)(extra, TILE_LANES, logarithmic);
    t[1] = TILE_NAME(extras_load)(second, TILE_LANES, logarithmic);
    PAIR_SOURCES(2, 4)
    TILE_NAME(normalise_mantissa)(&t[0], logarithmic);
    TILE_NAME(normalise_mantissa)(&t[1], logarithmic);
    TILE_NAME(extras_store)(t[0], extra, TILE_LANES, logarithmic);
    TILE_NAME(extras_store)(t[1], second, TILE_LANES, logarithmic);
  }
#if TILE_LANES == 8
  if (n_tiles) {
    double *extra = sums + dim * TILE_LANES;
    t[0] = TILE_NAME(extras_load)(extra, TILE_LANES, logarithmic);
    PAIR_SOURCES(1, 8)
    TILE_NAME(normalise_mantissa)(&t[0], logarithmic);
    TILE_NAME(extras_store)(t[0], extra, TILE_LANES, logarithmic);
  }
#endif
}

#define DEFINE_MUTUAL(kind_name)                                                                 \
  static TILE_TARGET void TILE_NAME(mutual_##kind_name)(                                         \
      const double *query, double *sums, size_t n_tiles, const double *source, double *reaction, \
      size_t n_source, size_t dim, const pair_kernel *kernel) {                                  \
    const weight_kind kind = WEIGHT_##kind_name;                                                 \
    if (kind == WEIGHT_even && kernel->s == 0.0) {                                               \
      TILE_NAME(mutual)(query, sums, n_tiles, source, reaction, n_source, dim, kernel, kind, 1); \
      TILE_NAME(normalise_reactions)(reaction, n_source, dim);                                   \
    } else {                                                                                     \
      TILE_NAME(mutual)(query, sums, n_tiles, source, reaction, n_source, dim, kernel, kind, 0); \
    }                                                                                            \
  }
DEFINE_MUTUAL(even)
DEFINE_MUTUAL(odd)
DEFINE_MUTUAL(general)

/* The rows of a unit with each other, as ordered pairs: the other seven of each come as unaligned vectors of the
 * unit's coordinates written twice. For one lane
 *
 *   for (i = 0; i < 8; i++) {
 *     for (g = 1; g < 8; g++) the sums of row i += those of its pair with row (i + g) % 8;
 *   }
 *
 * The macros use these names of the function in which they stand: at, c, y, force, t, logarithmic. */
#define REPEAT_7(S) S(1) S(2) S(3) S(4) S(5) S(6) S(7)
#define PASS(g)                                               \
  {                                                           \
    const vec z = SUB(y, LOAD(at + c * 2 * TILE_UNIT + (g))); \
    distance##g = FMA(z, z, distance##g);                     \
  }
#define PASS_FORCE(g) force = FMA(weight##g, SUB(y, LOAD(at + c * 2 * TILE_UNIT + (g))), force);
#define PASS_EXTRAS(g)                                                                         \
  {                                                                                            \
    TILE_NAME(tally) other = t;                                                                \
    TILE_NAME(extras_both)(&t, &other, distance##g, u##g, weight##g, inverse##g, logarithmic); \
  }
INLINE void TILE_NAME(within)(const double *twice, double *sums, size_t dim, const pair_kernel *kernel,
                              const weight_kind kind, const int logarithmic) {
  const tile_mode mode = TILE_full;
  const size_t rows = dim + EXTRA_ROWS + LOG_ROWS;
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
      REPEAT_7(PASS_FORCE)
      STORE(sums + c * TILE_LANES, force);
    }
    TILE_NAME(normalise_mantissa)(&t, logarithmic);
    TILE_NAME(extras_store)(t, extra, TILE_LANES, logarithmic);
  }
}
#define DEFINE_WITHIN(kind_name)                                                                       \
  static TILE_TARGET void TILE_NAME(within_##kind_name)(const double *twice, double *sums, size_t dim, \
                                                        const pair_kernel *kernel) {                   \
    if (WEIGHT_##kind_name == WEIGHT_even && kernel->s == 0.0) {                                       \
      TILE_NAME(within)(twice, sums, dim, kernel, WEIGHT_##kind_name, 1);                              \
    } else {                                                                                           \
      TILE_NAME(within)(twice, sums, dim, kernel, WEIGHT_##kind_name, 0);                              \
    }                                                                                                  \
  }
DEFINE_WITHIN(even)
DEFINE_WITHIN(odd)
DEFINE_WITHIN(general)
