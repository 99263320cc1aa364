/* The product of matrices and the step of Adam, written once and compiled once per instruction set. An including file
 * gives the names of core/base/vector_*.h (TILE_NAME, TILE_TARGET, TILE_LANES, vec, LOAD, STORE, SET1, ADD, SUB, MUL,
 * FMA, MIN) and
 *   MAX DIVIDE SQUARE_ROOT  as MIN
 *   POSITIVE(t, v)     v where t > 0, else 0, lane by lane
 *   BEYOND(v, bound)   v where its size is above the bound or not a number, else 0
 *   BROAD              columns of a tile: 2 BROAD sums stay in registers
 *   REPEAT_BROAD(S)    S(0) S(1) ... S(BROAD - 1)
 * A tile is one or two vectors of rows times 1, 4 or BROAD columns. For one lane it is
 *
 *   for (j = 0; j < columns; j++) {
 *     sum = start == START_zero ? 0 : start == START_bias ? bias : c[j * stride];
 *     for (k = 0; k < depth; k++) sum += a[k * a_stride] * b[k * down + j * across];
 *     c[j * stride] = (what `finish` makes of sum);
 *   }
 *
 * Statements are repeated by macros, because not every compiler turns a loop over an array of vectors into registers.
 * The macros use these names of the function in which they stand: p, a, b, c, side, stride, across, wide, and the
 * sums low0, high0, ... */
#include "core/net/products.h"

#define REPEAT_1(S) S(0)
#define REPEAT_4(S) S(0) S(1) S(2) S(3)
#define REPEAT_6(S) REPEAT_4(S) S(4) S(5)
#define REPEAT_8(S) REPEAT_6(S) S(6) S(7)

INLINE void TILE_NAME(close)(vec v, double *c, double *side, const product_finish finish, double smoothing) {
  if (finish == FINISH_add) v = ADD(LOAD(c), v);
  if (finish == FINISH_subtract) v = SUB(LOAD(c), v);
  if (finish == FINISH_relu) v = POSITIVE(v, v);
  if (finish == FINISH_mask) v = POSITIVE(LOAD(side), v);
  if (finish == FINISH_scale) v = MUL(v, LOAD(side));
  if (finish == FINISH_smooth) {
    /* with t = v / h between -1 and 1: r = h (3/16 + t/2 + 3/8 t^2 - t^4/16), r' = 1/2 + 3/4 t - t^3/4 */
    const vec h = SET1(smoothing), raw = MUL(v, SET1(1.0 / smoothing));
    const vec t = MIN(MAX(raw, SET1(-1.0)), SET1(1.0)), square = MUL(t, t);
    const vec even = FMA(square, SUB(SET1(0.375), MUL(SET1(0.0625), square)), SET1(0.1875));
    STORE(side, FMA(t, SUB(SET1(0.75), MUL(SET1(0.25), square)), SET1(0.5)));
    v = FMA(h, FMA(SET1(0.5), t, even), POSITIVE(SUB(raw, SET1(1.0)), SUB(v, h)));
  }
  STORE(c, v);
}

#define OPEN(j) vec low##j = SET1(0.0), high##j = SET1(0.0);
#define OPEN_BIAS(j)                        \
  low##j = LOAD(p->bias + row);             \
  if (wide) {                               \
    high##j = LOAD(p->bias + row + TILE_LANES); \
  }
#define OPEN_C(j)                                   \
  low##j = LOAD(c + (j) * stride);                  \
  if (wide) {                                       \
    high##j = LOAD(c + (j) * stride + TILE_LANES);  \
  }
#define STEP(j)                           \
  {                                       \
    const vec w = SET1(b[(j) * across]);  \
    low##j = FMA(w, lower, low##j);       \
    if (wide) {                           \
      high##j = FMA(w, upper, high##j);   \
    }                                     \
  }
#define CLOSE(j)                                                                                               \
  TILE_NAME(close)(low##j, c + (j) * stride, side ? side + (j) * stride : side, finish, p->smoothing);         \
  if (wide) {                                                                                                  \
    TILE_NAME(close)(high##j, c + (j) * stride + TILE_LANES, side ? side + (j) * stride + TILE_LANES : side,   \
                     finish, p->smoothing);                                                                    \
  }
#define CLOSE_AS(name, REPEAT)                    \
  case name: {                                    \
    const product_finish finish = name;           \
    REPEAT(CLOSE)                                 \
    break;                                        \
  }

/* A tile that begins in row `row` of p. b, c, side: where its first column begins. */
#define DEFINE_TILE(columns, REPEAT)                                                                             \
  INLINE void TILE_NAME(tile_##columns)(const product *p, size_t row, const double *b, double *c, double *side,  \
                                        size_t stride, const int wide) {                                         \
    const size_t across = p->b_across, down = p->b_down;                                                         \
    const double *a = p->a + row;                                                                                \
    REPEAT(OPEN)                                                                                                 \
    if (p->start == START_bias) {                                                                                \
      REPEAT(OPEN_BIAS)                                                                                          \
    } else if (p->start == START_c) {                                                                            \
      REPEAT(OPEN_C)                                                                                             \
    }                                                                                                            \
    for (size_t k = 0; k < p->depth; k++, a += p->a_stride, b += down) {                                         \
      const vec lower = LOAD(a), upper = wide ? LOAD(a + TILE_LANES) : lower;                                    \
      (void)upper;                                                                                               \
      REPEAT(STEP)                                                                                               \
    }                                                                                                            \
    switch (p->finish) {                                                                                         \
      CLOSE_AS(FINISH_store, REPEAT)                                                                             \
      CLOSE_AS(FINISH_add, REPEAT)                                                                               \
      CLOSE_AS(FINISH_subtract, REPEAT)                                                                          \
      CLOSE_AS(FINISH_relu, REPEAT)                                                                              \
      CLOSE_AS(FINISH_smooth, REPEAT)                                                                            \
      CLOSE_AS(FINISH_mask, REPEAT)                                                                              \
      CLOSE_AS(FINISH_scale, REPEAT)                                                                             \
    }                                                                                                            \
  }                                                                                                              \
  static TILE_TARGET void TILE_NAME(wide_##columns)(const product *p, size_t row, const double *b, double *c,    \
                                                    double *side, size_t stride) {                               \
    TILE_NAME(tile_##columns)(p, row, b, c, side, stride, 1);                                                    \
  }                                                                                                              \
  static TILE_TARGET void TILE_NAME(narrow_##columns)(const product *p, size_t row, const double *b, double *c,  \
                                                      double *side, size_t stride) {                             \
    TILE_NAME(tile_##columns)(p, row, b, c, side, stride, 0);                                                    \
  }
DEFINE_TILE(1, REPEAT_1)
DEFINE_TILE(4, REPEAT_4)
DEFINE_TILE(broad, REPEAT_BROAD)

typedef void (*TILE_NAME(tile))(const product *p, size_t row, const double *b, double *c, double *side,
                                size_t stride);

/* The last rows, fewer than a vector has lanes: what the tile reads and writes is copied. */
static void TILE_NAME(ragged)(TILE_NAME(tile) run, const product *p, size_t row, size_t column, size_t columns) {
  double c[BROAD * TILE_LANES] = {0.0}, side[BROAD * TILE_LANES] = {0.0};
  const size_t rows = p->rows - row;
  double *to = p->c + column * p->c_stride + row;
  double *beside = p->side ? p->side + column * p->c_stride + row : NULL;
  for (size_t j = 0; j < columns; j++) {
    for (size_t i = 0; i < rows; i++) {
      c[j * TILE_LANES + i] = p->start == START_c || p->finish == FINISH_add || p->finish == FINISH_subtract
                                  ? to[j * p->c_stride + i] : 0.0;
      if (p->finish == FINISH_mask || p->finish == FINISH_scale) side[j * TILE_LANES + i] = beside[j * p->c_stride + i];
    }
  }
  run(p, row, p->b + column * p->b_across, c, side, TILE_LANES);
  for (size_t j = 0; j < columns; j++) {
    for (size_t i = 0; i < rows; i++) {
      to[j * p->c_stride + i] = c[j * TILE_LANES + i];
      if (p->finish == FINISH_smooth) beside[j * p->c_stride + i] = side[j * TILE_LANES + i];
    }
  }
}

static void TILE_NAME(multiply)(const product *p) {
  for (size_t row = 0; row < p->rows;) {
    const size_t left = p->rows - row;
    const int wide = left >= 2 * TILE_LANES, whole = left >= TILE_LANES;
    for (size_t j = 0; j < p->columns;) {
      const size_t open = p->columns - j, count = open >= BROAD ? BROAD : open >= 4 ? 4 : 1;
      const TILE_NAME(tile) run = count == BROAD ? (wide ? TILE_NAME(wide_broad) : TILE_NAME(narrow_broad))
                                  : count == 4   ? (wide ? TILE_NAME(wide_4) : TILE_NAME(narrow_4))
                                                 : (wide ? TILE_NAME(wide_1) : TILE_NAME(narrow_1));
      if (whole) {
        run(p, row, p->b + j * p->b_across, p->c + j * p->c_stride + row,
            p->side ? p->side + j * p->c_stride + row : NULL, p->c_stride);
      } else {
        TILE_NAME(ragged)(run, p, row, j, count);
      }
      j += count;
    }
    row += wide ? 2 * TILE_LANES : TILE_LANES;
  }
}

#define CHAIN(g) sum##g = FMA(SET1(b[(g) * down]), LOAD(a + (g) * step), sum##g);

static TILE_TARGET void TILE_NAME(apply)(const product *p) {
  const size_t step = p->a_stride, down = p->b_down;
  for (size_t row = 0; row < p->rows; row += TILE_LANES) {
    const double *a = p->a + row, *b = p->b;
    vec sum0 = SET1(0.0), sum1 = SET1(0.0), sum2 = SET1(0.0), sum3 = SET1(0.0);
    size_t k = 0;
    for (; k + 4 <= p->depth; k += 4, a += 4 * step, b += 4 * down) {
      REPEAT_4(CHAIN)
    }
    for (; k < p->depth; k++, a += step, b += down) sum0 = FMA(SET1(b[0]), LOAD(a), sum0);
    double sums[TILE_LANES];
    STORE(sums, ADD(ADD(sum0, sum1), ADD(sum2, sum3)));
    for (size_t i = 0; i < TILE_LANES && row + i < p->rows; i++) {
      double *to = p->c + row + i;
      *to = p->finish == FINISH_add ? *to + sums[i] : p->finish == FINISH_subtract ? *to - sums[i] : sums[i];
    }
  }
}

/* Moments of parameters that no gradient reaches any more (units that are off) decay into numbers with which
 * arithmetic is a hundred times slower, and end here instead. */
#define NOTHING 1e-290

INLINE void TILE_NAME(adam_vector)(double *x, double *m, double *v, const double *gradient, const adam_update *u) {
  const vec g = LOAD(gradient);
  const vec mean = FMA(SET1(u->beta1), LOAD(m), MUL(SET1(1.0 - u->beta1), g));
  const vec square = FMA(SET1(u->beta2), LOAD(v), MUL(MUL(SET1(1.0 - u->beta2), g), g));
  const vec first = BEYOND(mean, NOTHING), second = BEYOND(square, NOTHING);
  const vec spread = ADD(SQUARE_ROOT(MUL(second, SET1(u->correction))), SET1(u->epsilon));
  STORE(m, first);
  STORE(v, second);
  STORE(x, ADD(LOAD(x), DIVIDE(MUL(SET1(u->rate), first), spread)));
}

static TILE_TARGET void TILE_NAME(adam)(double *x, double *m, double *v, const double *gradient, size_t n,
                                        const adam_update *update) {
  size_t i = 0;
  for (; i + TILE_LANES <= n; i += TILE_LANES) TILE_NAME(adam_vector)(x + i, m + i, v + i, gradient + i, update);
  if (i == n) return;
  /* the last few in a vector of their own; all lanes beyond hold 0 */
  double rest[4][TILE_LANES] = {{0.0}};
  for (size_t l = 0; l < n - i; l++) {
    rest[0][l] = x[i + l], rest[1][l] = m[i + l], rest[2][l] = v[i + l], rest[3][l] = gradient[i + l];
  }
  TILE_NAME(adam_vector)(rest[0], rest[1], rest[2], rest[3], update);
  for (size_t l = 0; l < n - i; l++) x[i + l] = rest[0][l], m[i + l] = rest[1][l], v[i + l] = rest[2][l];
}

/* The members of a table behind its name. */
#define PRODUCT_TABLE \
  .multiply = TILE_NAME(multiply), .apply = TILE_NAME(apply), .adam = TILE_NAME(adam), .turn = TILE_NAME(turn)
