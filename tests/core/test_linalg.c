#include <float.h>

#include "check.h"
#include "core/base/linalg.h"

/* a = b b' + I, [n, n] */
static void positive_matrix(double *a, size_t n, uint32_t seed) {
  double *b = new_doubles(n * n);
  normals(b, n * n, seed);
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n; j++) a[i * n + j] = dot(b + i * n, b + j * n, n) + (i == j ? 1.0 : 0.0);
  }
  free(b);
}

static void factor_and_solve(size_t n) {
  double *a = new_doubles(n * n), *factor = new_doubles(n * n), *x = new_doubles(n), *b = new_doubles(n);
  positive_matrix(a, n, 40u);
  memcpy(factor, a, n * n * sizeof(double));
  CHECK(cholesky_factor(factor, n) == 1, "a positive definite matrix of size %zu is refused", n);
  double error = 0.0, largest = 0.0;
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j <= i; j++) {
      error = fmax(error, fabs(dot(factor + i * n, factor + j * n, j + 1) - a[i * n + j]));
      largest = fmax(largest, fabs(a[i * n + j]));
    }
  }
  CHECK(error <= TOLERANCE_ROUNDING * largest, "L L' misses a matrix of size %zu by %g", n, error);

  normals(x, n, 41u);
  for (size_t i = 0; i < n; i++) b[i] = dot(a + i * n, x, n);
  cholesky_solve(factor, b, n);
  error = 0.0;
  for (size_t i = 0; i < n; i++) error = fmax(error, fabs(b[i] - x[i]));
  /* the smallest eigenvalue is at least 1, the largest about 4 n */
  CHECK(error <= TOLERANCE_ROUNDING * 4.0 * (double)(n + 1), "a solution of size %zu is off by %g", n, error);
  free(a), free(factor), free(x), free(b);
}

/* One number that is not finite, at each place; and the largest, the least and no numbers. */
static void finds_what_is_not_finite(void) {
  const double wrong[] = {INFINITY, -INFINITY, NAN, -NAN};
  double x[11];
  for (size_t n = 0; n <= 11; n++) {
    for (size_t i = 0; i < 11; i++) x[i] = i % 3 == 0 ? -DBL_MAX : i % 3 == 1 ? 4.9406564584124654e-324 : DBL_MAX;
    CHECK(all_finite(x, n), "%zu finite numbers are refused", n);
    for (size_t i = 0; i < 11; i++) {
      const double before = x[i];
      for (size_t k = 0; k < 4; k++) {
        x[i] = wrong[k];
        CHECK(all_finite(x, n) == (i >= n), "%g at %zu of %zu is not seen", wrong[k], i, n);
      }
      x[i] = before;
    }
  }
}

void test_linalg(void) {
  const double a[] = {3.0, -4.0, 12.0}, b[] = {1.0, 2.0, -1.0};
  CHECK(dot(a, b, 3) == -17.0, "dot");
  CHECK(norm(a, 3) == 13.0 && norm(a, 0) == 0.0, "norm");
  const size_t size[] = {0, 1, 2, 7, 50};
  for (size_t i = 0; i < 5; i++) factor_and_solve(size[i]);

  double saddle[] = {1.0, 2.0, 2.0, 1.0}, zero[] = {0.0}, missing[] = {NAN};
  CHECK(!cholesky_factor(saddle, 2), "an indefinite matrix is taken");
  CHECK(!cholesky_factor(zero, 1), "a zero matrix is taken");
  CHECK(!cholesky_factor(missing, 1), "a matrix of NaN is taken");
  finds_what_is_not_finite();
}
