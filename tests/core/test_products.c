#include "check.h"
#include "core/net/adam.h"
#include "core/net/products.h"
#include "core/pair/simd.h"

enum { LARGEST = 96, ROOM = 9000 };

/* Of one sum v: what c and side become. */
static double closed(const product *p, double v, double before, double *side) {
  const double h = p->smoothing, t = fmin(fmax(v / h, -1.0), 1.0);
  switch (p->finish) {
    case FINISH_add:
      return before + v;
    case FINISH_subtract:
      return before - v;
    case FINISH_relu:
      return fmax(v, 0.0);
    case FINISH_mask:
      return *side > 0.0 ? v : 0.0;
    case FINISH_scale:
      return v * *side;
    case FINISH_smooth:
      *side = 0.5 + 0.75 * t - 0.25 * t * t * t;
      return v > h ? v : h * (3.0 / 16.0 + t / 2.0 + 3.0 / 8.0 * t * t - t * t * t * t / 16.0);
    case FINISH_store:
      break;
  }
  return v;
}

/* p, one entry after the other; the sum of the sizes of the terms of the largest goes into `scale`. */
static void slow_multiply(const product *p, double *scale) {
  *scale = 1.0;
  for (size_t j = 0; j < p->columns; j++) {
    for (size_t i = 0; i < p->rows; i++) {
      double *to = p->c + j * p->c_stride + i, none = 0.0;
      double sum = p->start == START_bias ? p->bias[i] : p->start == START_c ? *to : 0.0, size = fabs(sum);
      for (size_t k = 0; k < p->depth; k++) {
        const double term = p->a[k * p->a_stride + i] * p->b[k * p->b_down + j * p->b_across];
        sum += term, size += fabs(term);
      }
      *scale = fmax(*scale, size);
      *to = closed(p, sum, *to, p->side ? p->side + j * p->c_stride + i : &none);
    }
  }
}

typedef struct {
  double *a, *b, *bias, *c, *side, *other, *beside;
} matrices;

/* c and side of both, whole rooms: what does not belong to the product may not change either. */
static double worst_difference(const matrices *at) {
  double worst = 0.0;
  for (size_t i = 0; i < ROOM; i++) {
    worst = fmax(worst, fabs(at->c[i] - at->other[i]));
    worst = fmax(worst, fabs(at->side[i] - at->beside[i]));
  }
  return worst;
}

static void check_product(const product_table *table, const matrices *at, product p) {
  double scale;
  normals(at->c, ROOM, 5u), normals(at->side, ROOM, 6u);
  memcpy(at->other, at->c, ROOM * sizeof(double)), memcpy(at->beside, at->side, ROOM * sizeof(double));
  p.a = at->a, p.b = at->b, p.bias = at->bias, p.c = at->c, p.side = at->side, p.smoothing = 0.7;
  table->multiply(&p);
  p.c = at->other, p.side = at->beside;
  slow_multiply(&p, &scale);
  const double worst = worst_difference(at);
  CHECK(worst <= TOLERANCE_ROUNDING * scale, "%s: [%zu, %zu, %zu], start %d, finish %d, misses by %g of %g",
        table->name, p.rows, p.depth, p.columns, (int)p.start, (int)p.finish, worst, scale);
  if (p.finish > FINISH_subtract || p.start != START_zero || p.columns != 1) return;
  normals(at->c, ROOM, 5u), memcpy(at->other, at->c, ROOM * sizeof(double));
  p.c = at->c;
  table->apply(&p);
  p.c = at->other;
  slow_multiply(&p, &scale);
  CHECK(worst_difference(at) <= TOLERANCE_ROUNDING * scale, "%s: apply [%zu, %zu] misses by %g", table->name, p.rows,
        p.depth, worst_difference(at));
}

/* All extents around those of tiles, with every start and finish; b along its columns and across. */
static void check_table(const product_table *table, const matrices *at) {
  const size_t extents[] = {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33, 50}, n = sizeof extents / sizeof *extents;
  unsigned round = 0;
  for (size_t r = 0; r < n; r++) {
    for (size_t c = 0; c < n; c++) {
      for (size_t d = 0; d < n; d++, round++) {
        product p = {.rows = extents[r], .columns = extents[c], .depth = d == 0 ? 0 : extents[d]};
        p.a_stride = (p.rows + 7) / 8 * 8, p.c_stride = p.rows + round % 3;
        p.b_down = round % 2 ? 1 : p.columns, p.b_across = round % 2 ? extents[d] : 1;
        p.start = (product_start)(round % 3), p.finish = (product_finish)(round % 7);
        check_product(table, at, p);
        p.start = START_zero, p.finish = (product_finish)(round % 3);
        check_product(table, at, p);
      }
    }
  }
}

/* Panels of a matrix and of its transposed, more rows and a longer sum than one piece has. */
static void check_panels(const product_table *table, size_t rows, size_t columns, size_t points) {
  double *w = new_doubles(rows * columns), *bias = new_doubles(rows), *x = new_doubles(columns * points);
  double *y = new_doubles(rows * points), *panels = new_doubles(panel_room(rows, columns));
  double *back = new_doubles(columns), *turned = new_doubles(panel_room(columns, rows)), worst = 0.0, worst_back = 0.0;
  normals(w, rows * columns, 11u), normals(bias, rows, 12u), normals(x, columns * points, 13u);
  panel_pack(panels, w, bias, rows, columns);
  panel_pack_transposed(turned, w, rows, columns);
  product p = {.rows = rows, .columns = points, .depth = columns, .b = x, .b_down = 1, .b_across = columns, .c = y,
               .c_stride = rows, .finish = FINISH_store};
  panel_multiply(table, p, panels, 1);
  for (size_t j = 0; j < points; j++) {
    for (size_t i = 0; i < rows; i++) {
      double sum = bias[i];
      for (size_t k = 0; k < columns; k++) sum += w[k * rows + i] * x[j * columns + k];
      worst = fmax(worst, fabs(sum - y[j * rows + i]));
    }
  }
  p.rows = columns, p.columns = 1, p.depth = rows, p.b = y, p.b_across = rows, p.c = back, p.c_stride = columns;
  panel_multiply(table, p, turned, 0);
  for (size_t k = 0; k < columns; k++) {
    double sum = 0.0;
    for (size_t i = 0; i < rows; i++) sum += w[k * rows + i] * y[i];
    worst_back = fmax(worst_back, fabs(sum - back[k]) / (double)rows);
  }
  CHECK(worst <= TOLERANCE_ROUNDING * (double)columns, "%s: panels of [%zu, %zu] miss by %g", table->name, rows,
        columns, worst);
  CHECK(worst_back <= TOLERANCE_ROUNDING * (double)columns, "%s: turned panels of [%zu, %zu] miss by %g", table->name,
        rows, columns, worst_back);
  free(w), free(bias), free(x), free(y), free(panels), free(turned), free(back);
}

/* Adam on 1 .. 20 numbers, against its equations; a moment below what counts becomes 0, NaN stays. */
static void check_adam_lanes(const product_table *table) {
  const adam_settings settings = {0.1, 0.9, 0.99, 1e-8};
  double x[21], m[21], v[21], gradient[21];
  for (size_t n = 1; n <= 20; n++) {
    normals(x, 21, 21u), normals(m, 21, 22u), normals(gradient, 21, 24u);
    for (size_t i = 0; i < 21; i++) v[i] = m[i] * m[i] + 0.1;
    const double end = x[n], x0 = x[n - 1];
    const double mean = 0.9 * m[n - 1] + 0.1 * gradient[n - 1];
    const double square = 0.99 * v[n - 1] + 0.01 * gradient[n - 1] * gradient[n - 1];
    if (n == 20) m[3] = 1e-300, gradient[3] = 0.0, gradient[4] = NAN;
    adam_step(x, m, v, gradient, n, 3.0, &settings);
    CHECK_NEAR(m[n - 1], mean, 1e-14);
    CHECK_NEAR(v[n - 1], square, 1e-14);
    CHECK_NEAR(x[n - 1], x0 + 0.1 * mean / (1.0 - 0.729) / (sqrt(square / (1.0 - 0.970299)) + 1e-8), 1e-13);
    CHECK(x[n] == end, "%s: Adam on %zu numbers changes the next", table->name, n);
  }
  CHECK(m[3] == 0.0 && isnan(m[4]) && isnan(v[4]) && isnan(x[4]), "%s: moments %g and %g", table->name, m[3], m[4]);
}

void test_products(void) {
  matrices at = {new_doubles(ROOM), new_doubles(ROOM), new_doubles(LARGEST), new_doubles(ROOM),
                 new_doubles(ROOM), new_doubles(ROOM), new_doubles(ROOM)};
  normals(at.a, ROOM, 2u), normals(at.b, ROOM, 3u), normals(at.bias, LARGEST, 4u);
  const char *names[4];
  const size_t n = simd_available(names, 4);
  for (size_t i = 0; i < n; i++) {
    simd_select(names[i]);
    const product_table *table = product_current();
    CHECK(!strcmp(table->name, names[i]), "%s gives the products of %s", names[i], table->name);
    check_table(table, &at);
    check_panels(table, 1, 1, 1);
    check_panels(table, 37, 401, 11);
    check_panels(table, 64, 192, 8);
    check_adam_lanes(table);
  }
  simd_init();
  free(at.a), free(at.b), free(at.bias), free(at.c), free(at.side), free(at.other), free(at.beside);
}
