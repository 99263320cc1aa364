#include "core/net/spectral.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/net/products.h"

#define POWER_STEPS 24
/* Below this the square of a norm is no longer a normal number, and the Frobenius norm has to do. */
#define TINY 1e-150
/* of the square of the singular value */
#define GAP (2.0 * SPECTRAL_TOLERANCE)

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Between two columns of a square matrix: whole vectors, and no power of two (network.c). */
static size_t stride_of(size_t n) {
  const size_t whole = (n + 7) / 8 * 8;
  return whole % 64 == 0 ? whole + 8 : whole;
}

/* The Gram matrix and a factor, each [stride, n], then one more column, then the panels of w. */
size_t spectral_workspace(size_t rows, size_t columns) {
  const size_t n = smaller(rows, columns), stride = stride_of(n);
  return 2 * stride * n + stride + panel_room(n, rows > columns ? rows : columns);
}

/* image = gram direction */
static void apply(const double *gram, size_t n, const double *direction, double *image) {
  const product p = {.rows = n, .columns = 1, .depth = n, .a = gram, .a_stride = stride_of(n), .b = direction,
                     .b_down = 1, .c = image, .c_stride = n};
  product_current()->apply(&p);
}

/* Makes a direction of length 1, from ones of different sizes if there is none. */
static void make_unit(double *direction, size_t n) {
  double length = norm(direction, n);
  if (!(length > 0.0) || !isfinite(length)) {
    for (size_t i = 0; i < n; i++) direction[i] = 1.0 + 1.0 / (double)(i + 2);
    length = norm(direction, n);
  }
  for (size_t i = 0; i < n; i++) direction[i] /= length;
}

/* |gram v| for unit v grows towards the largest eigenvalue. Stops early where it settles. */
static double power_iteration(const double *gram, size_t n, double *direction, double *image) {
  double value = 0.0;
  make_unit(direction, n);
  for (int step = 0; step < POWER_STEPS; step++) {
    apply(gram, n, direction, image);
    const double before = value;
    value = norm(image, n);
    if (!(value > 0.0) || !isfinite(value)) return value;
    const double scale = 1.0 / value;
    for (size_t i = 0; i < n; i++) direction[i] = image[i] * scale;
    /* what is still missing is some multiple of the last gain */
    if (value - before <= 0.02 * GAP * value) break;
  }
  return value;
}

/* Columns are made in small panels within large ones: what is left of a large panel reaches its columns in one product
 * with all columns before, and those of a small panel in one with the columns before in the large one. */
#define LARGE_PANEL ((size_t)64)
#define SMALL_PANEL ((size_t)8)

/* Takes from columns [at, end) what columns [from, at) of the factor contribute, in rows `at` on. */
static void subtract_columns(double *factor, size_t n, size_t from, size_t at, size_t end) {
  const size_t stride = stride_of(n);
  const double *left = factor + from * stride + at;
  const product p = {.rows = n - at, .columns = end - at, .depth = at - from, .a = left, .a_stride = stride,
                     .b = left, .b_down = stride, .b_across = 1, .c = factor + at * stride + at, .c_stride = stride,
                     .finish = FINISH_subtract};
  if (at > from) product_current()->multiply(&p);
}

/* Column j of the factor, all others before it being done, and what it takes from the columns up to `end`. */
static void close_column(double *factor, size_t n, size_t j, size_t end) {
  const size_t stride = stride_of(n);
  double *restrict column = factor + j * stride;
  const double scale = 1.0 / sqrt(column[j]);
  VECTORISE
  for (size_t i = j; i < n; i++) column[i] *= scale;
  for (size_t k = j + 1; k < end; k++) {
    double *restrict other = factor + k * stride;
    const double l = column[k];
    VECTORISE
    for (size_t i = k; i < n; i++) other[i] -= l * column[i];
  }
}

/* x = (-L^-T l, 1, 0), where row j of the factor L so far is l. */
static void direction_below(const double *factor, size_t n, size_t j, double *direction) {
  const size_t stride = stride_of(n);
  memset(direction, 0, n * sizeof(double));
  direction[j] = 1.0;
  for (size_t i = j; i-- > 0;) {
    double sum = -factor[i * stride + j];
    for (size_t k = i + 1; k < j; k++) sum -= factor[i * stride + k] * direction[k];
    direction[i] = sum / factor[i * stride + i];
  }
}

/* level I - gram, the lower triangle of columns [from, end). */
static void open_columns(double *factor, const double *gram, size_t n, double level, size_t from, size_t end) {
  const size_t stride = stride_of(n);
  for (size_t j = from; j < end; j++) {
    for (size_t i = from; i < n; i++) factor[j * stride + i] = -gram[j * stride + i];
    factor[j * stride + j] += level;
  }
}

typedef enum { BELOW = 0, ABOVE = 1, STOPPED = 2 } verdict;

/* Is level I - gram positive definite? Factorises its lower triangle; where it is not, `direction` becomes one
 * along which the quadratic form is not positive: a better start for the power iteration. */
static verdict compare_level(const double *gram, size_t n, double level, double *direction, double *factor,
                             interrupt_function interrupted) {
  for (size_t from = 0; from < n; from += LARGE_PANEL) {
    if (interrupted && interrupted()) return STOPPED;
    const size_t last = smaller(from + LARGE_PANEL, n);
    open_columns(factor, gram, n, level, from, last);
    subtract_columns(factor, n, 0, from, last);
    for (size_t at = from; at < last; at += SMALL_PANEL) {
      const size_t end = smaller(at + SMALL_PANEL, last);
      subtract_columns(factor, n, from, at, end);
      for (size_t j = at; j < end; j++) {
        if (!(factor[j * stride_of(n) + j] > 0.0)) {
          direction_below(factor, n, j, direction);
          return BELOW;
        }
        close_column(factor, n, j, end);
      }
    }
  }
  return ABOVE;
}

/* The least proven upper bound of the largest eigenvalue within GAP, given a lower one: up until a proof is
 * found, then by bisection. */
static double least_level(const double *gram, size_t n, double low, double *direction, double *image, double *factor,
                          interrupt_function interrupted) {
  double gap = GAP, high = low * (1.0 + gap);
  for (;;) {
    const verdict found = compare_level(gram, n, high, direction, factor, interrupted);
    if (found == STOPPED) return SPECTRAL_STOPPED;
    if (found == ABOVE) break;
    low = fmax(high, power_iteration(gram, n, direction, image));
    high = low * (1.0 + gap);
    gap *= 4.0;
    if (!isfinite(high)) return high;
  }
  while (high > low * (1.0 + GAP)) {
    const double middle = low + 0.5 * (high - low);
    const verdict found = compare_level(gram, n, middle, direction, factor, interrupted);
    if (found == STOPPED) return SPECTRAL_STOPPED;
    if (found == ABOVE) high = middle;
    else low = middle;
  }
  return high;
}

/* So many columns of the Gram matrix at a time: what is broadcast for them stays in cache. */
#define GRAM_COLUMNS ((size_t)64)

/* w w' or w' w, whichever is smaller, over the square of size: [stride, n] by columns. Half of the scaling comes
 * first, so that nothing leaves the range of numbers. 0 where `interrupted` says so. */
static int gram_of(const double *w, size_t rows, size_t columns, double size, double *gram, double *panels,
                   interrupt_function interrupted) {
  const size_t n = smaller(rows, columns), stride = stride_of(n);
  const double scale = 1.0 / size;
  product p = {.rows = n, .c_stride = stride};
  if (rows <= columns) {
    panel_pack(panels, w, NULL, rows, columns);
    p.depth = columns, p.b_down = rows, p.b_across = 1;
  } else {
    panel_pack_transposed(panels, w, rows, columns);
    p.depth = rows, p.b_down = 1, p.b_across = rows;
  }
  const size_t packed = panel_size(n) * p.depth;
  VECTORISE
  for (size_t i = 0; i < packed; i++) panels[i] *= scale;
  memset(gram, 0, stride * n * sizeof(double));
  for (size_t j = 0; j < n; j += GRAM_COLUMNS) {
    if (interrupted && interrupted()) return 0;
    p.columns = smaller(GRAM_COLUMNS, n - j);
    p.b = w + j * p.b_across;
    p.c = gram + j * stride;
    panel_multiply(product_current(), p, panels, 0);
  }
  VECTORISE
  for (size_t i = 0; i < stride * n; i++) gram[i] *= scale;
  return 1;
}

/* The square root of the sum of squares, in eight parts. */
static double frobenius(const double *w, size_t size) {
  double part[8] = {0.0}, rest = 0.0;
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    VECTORISE
    for (size_t l = 0; l < 8; l++) part[l] += w[i + l] * w[i + l];
  }
  for (; i < size; i++) rest += w[i] * w[i];
  return sqrt(rest + (part[0] + part[1] + part[2] + part[3]) + (part[4] + part[5] + part[6] + part[7]));
}

double spectral_bound(const double *w, size_t rows, size_t columns, double *direction, interrupt_function interrupted,
                      double *workspace) {
  const size_t n = smaller(rows, columns), stride = stride_of(n);
  const double size = frobenius(w, rows * columns); /* an upper bound too */
  if (n == 1 || !(size > TINY) || !isfinite(size)) return size;
  double *gram = workspace, *factor = gram + stride * n, *image = factor + stride * n, *panels = image + stride;
  if (!gram_of(w, rows, columns, size, gram, panels, interrupted)) return SPECTRAL_STOPPED;
  const double low = power_iteration(gram, n, direction, image);
  if (!(low > 0.0)) return size; /* a start that met nothing of the matrix */
  const double level = least_level(gram, n, low, direction, image, factor, interrupted);
  return level < 0.0 ? SPECTRAL_STOPPED : size * sqrt(level);
}
