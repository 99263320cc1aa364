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

size_t spectral_workspace(size_t rows, size_t columns) {
  const size_t n = smaller(rows, columns);
  return 2 * n * n + n;
}

/* image = gram direction, the full symmetric [n, n] matrix by columns */
static void apply(const double *restrict gram, size_t n, const double *restrict direction, double *restrict image) {
  memset(image, 0, n * sizeof(double));
  for (size_t j = 0; j < n; j++, gram += n) {
    const double factor = direction[j];
    VECTORISE
    for (size_t i = 0; i < n; i++) image[i] += factor * gram[i];
  }
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
  for (int step = 0; step < POWER_STEPS; step++) {
    make_unit(direction, n);
    apply(gram, n, direction, image);
    const double before = value;
    value = norm(image, n);
    if (!(value > 0.0) || !isfinite(value)) return value;
    memcpy(direction, image, n * sizeof(double));
    /* what is still missing is some multiple of the last gain */
    if (value - before <= 0.02 * GAP * value) break;
  }
  return value;
}

/* Is level I - gram positive definite? Factorises its lower triangle; where it is not, `direction` becomes one
 * along which the quadratic form is not positive: a better start for the power iteration. */
static int is_above(const double *gram, size_t n, double level, double *direction, double *factor) {
  for (size_t j = 0; j < n; j++) {
    for (size_t i = j; i < n; i++) factor[j * n + i] = -gram[j * n + i];
    factor[j * n + j] += level;
  }
  for (size_t j = 0; j < n; j++) {
    double *column = factor + j * n;
    if (!(column[j] > 0.0)) {
      /* x = (-L^-T l, 1, 0): row j of the factor so far is l */
      memset(direction, 0, n * sizeof(double));
      direction[j] = 1.0;
      for (size_t i = j; i-- > 0;) {
        double sum = -factor[i * n + j];
        for (size_t k = i + 1; k < j; k++) sum -= factor[i * n + k] * direction[k];
        direction[i] = sum / factor[i * n + i];
      }
      return 0;
    }
    const double root = sqrt(column[j]);
    for (size_t i = j; i < n; i++) column[i] /= root;
    for (size_t k = j + 1; k < n; k++) {
      double *restrict other = factor + k * n;
      const double l = column[k];
      VECTORISE
      for (size_t i = k; i < n; i++) other[i] -= l * column[i];
    }
  }
  return 1;
}

/* The least proven upper bound of the largest eigenvalue within GAP, given a lower one: up until a proof is
 * found, then by bisection. */
static double least_level(const double *gram, size_t n, double low, double *direction, double *image,
                          double *factor) {
  double gap = GAP, high = low * (1.0 + gap);
  while (!is_above(gram, n, high, direction, factor)) {
    low = fmax(high, power_iteration(gram, n, direction, image));
    high = low * (1.0 + gap);
    gap *= 4.0;
    if (!isfinite(high)) return high;
  }
  while (high > low * (1.0 + GAP)) {
    const double middle = low + 0.5 * (high - low);
    if (is_above(gram, n, middle, direction, factor)) {
      high = middle;
    } else {
      low = middle;
    }
  }
  return high;
}

/* So many columns of the Gram matrix are one product, because `gemm` may ask R for interrupts only before each. */
#define GRAM_COLUMNS 128

/* scale times w w' or w' w, whichever is smaller: [n, n] by columns */
static void gram_of(const double *w, size_t rows, size_t columns, double scale, double *gram) {
  const size_t n = smaller(rows, columns);
  for (size_t j = 0; j < n; j += GRAM_COLUMNS) {
    const int count = (int)smaller(GRAM_COLUMNS, n - j);
    double *out = gram + j * n;
    if (rows <= columns) {
      gemm('N', 'T', (int)rows, count, (int)columns, scale, w, (int)rows, w + j, (int)rows, 0.0, out, (int)n);
    } else {
      gemm('T', 'N', (int)columns, count, (int)rows, scale, w, (int)rows, w + j * rows, (int)rows, 0.0, out, (int)n);
    }
  }
}

double spectral_bound(const double *w, size_t rows, size_t columns, double *direction, double *workspace) {
  const size_t n = smaller(rows, columns);
  if (n == 1) return norm(w, rows * columns);
  const double size = norm(w, rows * columns); /* Frobenius: an upper bound too */
  if (!(size > TINY) || !isfinite(size)) return size;
  double *gram = workspace, *factor = gram + n * n, *image = factor + n * n;
  const double scale = 1.0 / size / size; /* to a trace of 1, so that nothing leaves the range of numbers */
  gram_of(w, rows, columns, scale, gram);
  const double low = power_iteration(gram, n, direction, image);
  if (!(low > 0.0)) return size; /* a start that met nothing of the matrix */
  return size * sqrt(least_level(gram, n, low, direction, image, factor));
}
