#include "check.h"
#include "core/net/spectral.h"

/* w = H diag(values) H' with a Householder reflection H of size rows and one of size columns: singular values known. */
static void with_singular_values(double *w, size_t rows, size_t columns, const double *values, uint32_t seed) {
  double *u = new_doubles(rows), *v = new_doubles(columns), uu = 0.0, vv = 0.0;
  normals(u, rows, seed);
  normals(v, columns, seed + 1);
  for (size_t i = 0; i < rows; i++) uu += u[i] * u[i];
  for (size_t j = 0; j < columns; j++) vv += v[j] * v[j];
  const size_t least = rows < columns ? rows : columns;
  for (size_t j = 0; j < columns; j++) {
    for (size_t i = 0; i < rows; i++) {
      double sum = 0.0;
      for (size_t k = 0; k < least; k++) {
        const double left = (i == k ? 1.0 : 0.0) - 2.0 * u[i] * u[k] / uu;
        sum += left * values[k] * ((j == k ? 1.0 : 0.0) - 2.0 * v[j] * v[k] / vv);
      }
      w[j * rows + i] = sum;
    }
  }
  free(u), free(v);
}

static void bounded(size_t rows, size_t columns, const double *values, double largest, int rounds) {
  const size_t least = rows < columns ? rows : columns;
  double *w = new_doubles(rows * columns), *direction = new_doubles(least);
  double *workspace = new_doubles(spectral_workspace(rows, columns));
  memset(direction, 0, least * sizeof(double));
  with_singular_values(w, rows, columns, values, 100u);
  for (int round = 0; round < rounds; round++) {
    const double bound = spectral_bound(w, rows, columns, direction, NULL, workspace);
    CHECK(
        bound >= largest * (1.0 - TOLERANCE_ROUNDING) && bound <= largest * (1.0 + SPECTRAL_TOLERANCE) * (1.0 + 1e-12),
        "bound %.9g of %zu x %zu, whose largest singular value is %.9g", bound, rows, columns, largest);
  }
  free(w), free(direction), free(workspace);
}

static int calls;

static int at_once(void) {
  return 1;
}

static int at_second(void) {
  return ++calls > 1;
}

void test_spectral(void) {
  const double spread[] = {1.0, 7.0, 3.0, 0.5}, equal[] = {2.0, 2.0, 2.0, 2.0}, zero[] = {0.0, 0.0, 0.0, 0.0};
  const double close[] = {1.0, 1.0 + 3e-5, 1.0 - 1e-4, 1.0 + 2e-5}, tiny[] = {1e-140, 3e-140, 0.0, 0.0};
  bounded(4, 6, spread, 7.0, 2);
  bounded(9, 4, spread, 7.0, 2);
  bounded(1, 5, spread, 1.0, 2);
  bounded(4, 4, equal, 2.0, 2);
  bounded(5, 4, close, 1.0 + 3e-5, 3);
  bounded(4, 4, zero, 0.0, 2);
  bounded(4, 4, tiny, 3e-140, 1);
  /* a start that is the right direction of another matrix, orthogonal to that of this one */
  double w[] = {1.0, 0.0, 0.0, 3.0}, direction[] = {1.0, 0.0}, workspace[128];
  CHECK(spectral_workspace(2, 2) <= 128, "the workspace of this test is too small");
  const double bound = spectral_bound(w, 2, 2, direction, NULL, workspace);
  CHECK(bound >= 3.0 && bound <= 3.0 * (1.0 + SPECTRAL_TOLERANCE), "an unlucky start gives %g", bound);
  CHECK(spectral_bound(w, 2, 2, direction, at_once, workspace) == SPECTRAL_STOPPED, "a stop at the start");
  calls = 0;
  CHECK(spectral_bound(w, 2, 2, direction, at_second, workspace) == SPECTRAL_STOPPED, "a stop in the proof");
}
