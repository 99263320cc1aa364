/* A tile of queries against sources in one, two or three dimensions, for the weights that are cheap. The same loop as
 * in tile_group.h, with coordinates and forces as variables of their own; in two dimensions and for one lane
 *
 *   y0 = query[0], y1 = query[1], force0 = sums[0], force1 = sums[1];
 *   for (a = 0; a < n_source; a++) {
 *     z0 = y0 - source[2 * a], z1 = y1 - source[2 * a + 1], distance = z0 * z0 + z1 * z1;
 *     (tile_weights.h: u, weight, inverse from distance; the extras as in tile_group.h)
 *     force0 += weight * z0, force1 += weight * z1;
 *   }
 *   sums[0] = force0, sums[1] = force1;
 *
 * so that they stay in registers, and one source after the other keeps the processor busy. Statements are repeated by
 * the preprocessor, not by an unrolling pass, so that every compiler keeps them there.
 *
 * The macros use these names of the function in which they stand: query, sums, x, weight0, partial. */
#define REPEAT_2(S) S(0) S(1)
#define REPEAT_3(S) REPEAT_2(S) S(2)

#define OPEN_COORDINATE(c)                         \
  const vec y##c = LOAD(query + (c) * TILE_LANES); \
  vec force##c = LOAD(sums + (c) * TILE_LANES);
#define SQUARE_COORDINATE(c)              \
  const vec z##c = SUB(y##c, SET1(x[c])); \
  partial[(c) % 2] = FMA(z##c, z##c, partial[(c) % 2]);
#define ADD_FORCE(c) force##c = FMA(weight0, z##c, force##c);
#define CLOSE_COORDINATE(c) STORE(sums + (c) * TILE_LANES, force##c);

#define DEFINE_LOOP(D)                                                                                \
  INLINE void TILE_NAME(loop_##D)(const double *query, double *sums, const double *source,            \
                                  size_t n_source, const pair_kernel *kernel, const weight_kind kind, \
                                  const tile_mode mode, const int logarithmic) {                      \
    const vec epsilon = SET1(kernel->epsilon);                                                        \
    TILE_NAME(tally) t = TILE_NAME(tally_open)(sums, D, mode);                                        \
    REPEAT_##D(OPEN_COORDINATE)                                                                       \
    const double *x = source;                                                                         \
    for (size_t a = 0; a < n_source; a++, x += D) {                                                   \
      vec partial[2] = {SET1(0.0), SET1(0.0)};                                                        \
      REPEAT_##D(SQUARE_COORDINATE)                                                                   \
      const vec distance0 = D > 1 ? ADD(partial[0], partial[1]) : partial[0];                         \
      WEIGH(REPEAT_1)                                                                                 \
      t.weight = ADD(t.weight, weight0);                                                              \
      if (mode >= TILE_full) {                                                                        \
        TILE_NAME(tally_extras)(&t, distance0, u0, weight0, inverse0, logarithmic);                   \
      }                                                                                               \
      REPEAT_##D(ADD_FORCE)                                                                           \
    }                                                                                                 \
    REPEAT_##D(CLOSE_COORDINATE)                                                                      \
    TILE_NAME(tally_close)(t, sums, D, mode, logarithmic);                                            \
  }
DEFINE_LOOP(1)
DEFINE_LOOP(2)
DEFINE_LOOP(3)
#define LOOP_1(logarithmic, kept_dims) \
  TILE_NAME(loop_1)(query, sums, source, n_source, kernel, kind, mode, logarithmic);
#define LOOP_2(logarithmic, kept_dims) \
  TILE_NAME(loop_2)(query, sums, source, n_source, kernel, kind, mode, logarithmic);
#define LOOP_3(logarithmic, kept_dims) \
  TILE_NAME(loop_3)(query, sums, source, n_source, kernel, kind, mode, logarithmic);
#define DEFINE_SPECIAL(mode_name, kind_name)     \
  DEFINE_KERNEL(mode_name, kind_name, 1, LOOP_1) \
  DEFINE_KERNEL(mode_name, kind_name, 2, LOOP_2) \
  DEFINE_KERNEL(mode_name, kind_name, 3, LOOP_3)
DEFINE_SPECIAL(force, even)
DEFINE_SPECIAL(force, odd)
DEFINE_SPECIAL(full, even)
DEFINE_SPECIAL(full, odd)
