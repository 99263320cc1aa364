#include "check.h"
#include "core/law/equilibrium.h"

static void radii(void) {
  const double pi = 3.14159265358979323846;
  CHECK_NEAR(equilibrium_radius(2, 1.0), 1.330670, TOLERANCE_PRINTED);
  CHECK_NEAR(equilibrium_radius(2, -1.0), pi / 4.0, TOLERANCE_ROUNDING);
  CHECK_NEAR(equilibrium_radius(3, 0.0), sqrt(2.0 / 3.0), TOLERANCE_ROUNDING);
  CHECK_NEAR(equilibrium_radius(3, 2.0), 1.277886, TOLERANCE_PRINTED);
  CHECK_NEAR(equilibrium_radius(3, -1.0), 2.0 / 3.0, TOLERANCE_ROUNDING);
  CHECK_NEAR(equilibrium_radius(5, 1.0), 0.736806, TOLERANCE_PRINTED);
  CHECK_NEAR(equilibrium_radius(15, 5.0), 0.748880, TOLERANCE_PRINTED);
  CHECK_NEAR(equilibrium_radius(15, -1.0), 0.700831, TOLERANCE_PRINTED);
  const size_t dim[] = {4, 5, 15, 500};
  for (size_t i = 0; i < 4; i++) CHECK_NEAR(equilibrium_radius(dim[i], 0.0), sqrt(0.5), 1e-12);
  /* the two formulas meet at s = d - 4 */
  CHECK_NEAR(equilibrium_radius(6, 2.0), equilibrium_radius(6, 2.0 + 1e-9), 1e-8);

  CHECK(isnan(equilibrium_radius(0, -1.0)), "no dimension");
  CHECK(isnan(equilibrium_radius(3, 3.0)) && isnan(equilibrium_radius(3, 4.0)), "s at and beyond d");
  CHECK(isnan(equilibrium_radius(3, -2.0)) && isnan(equilibrium_radius(3, NAN)), "s at -2 and NaN");
}

/* Mean of |x - centre|^2 / R^2 over draws; on a sphere it is 1 for each. */
static void shells(size_t dim, double s, shell kind, int sphere, double mean, double variance) {
  enum { N = 20000 };
  const rng_key key = {{5u, (uint32_t)dim}};
  const double radius = 2.5;
  double *x = new_doubles(N * dim), *centre = new_doubles(dim);
  for (size_t c = 0; c < dim; c++) centre[c] = (double)c - 1.0;
  CHECK(draw_shell(x, N, dim, centre, radius, kind, s, key, 1) == STATUS_ok, "a draw is refused");
  double sum = 0.0, farthest = 0.0, nearest = INFINITY, first = 0.0;
  for (size_t i = 0; i < N; i++) {
    double r2 = 0.0;
    for (size_t c = 0; c < dim; c++) {
      const double z = (x[c * N + i] - centre[c]) / radius;
      r2 += z * z;
      if (c == 0) first += z;
    }
    sum += r2;
    farthest = fmax(farthest, r2);
    nearest = fmin(nearest, r2);
  }
  if (sphere) {
    CHECK(near(nearest, 1.0, 1e-13) && near(farthest, 1.0, 1e-13), "dim %zu: off the sphere, %g to %g", dim, nearest,
          farthest);
  } else {
    CHECK(farthest <= 1.0 + 1e-13, "dim %zu: outside the ball, %g", dim, farthest);
    CHECK(fabs(sum / N - mean) < STANDARD_ERRORS * sqrt(variance / N),
          "dim %zu, s = %g: mean squared radius %g, not %g", dim, s, sum / N, mean);
  }
  CHECK(fabs(first / N) < STANDARD_ERRORS / sqrt((double)N), "dim %zu: not centred, %g", dim, first / N);

  /* neither threads nor the number of rows change a row */
  double *y = new_doubles(N * dim);
  CHECK(draw_shell(y, N, dim, centre, radius, kind, s, key, 2) == STATUS_ok, "a draw is refused");
  CHECK(!memcmp(x, y, N * dim * sizeof(double)), "dim %zu: two threads draw something else", dim);
  enum { FEW = 10 };
  CHECK(draw_shell(y, FEW, dim, centre, radius, kind, s, key, 1) == STATUS_ok, "a draw is refused");
  int same = 1;
  for (size_t c = 0; c < dim; c++) same = same && !memcmp(x + c * N, y + c * FEW, FEW * sizeof(double));
  CHECK(same, "dim %zu: a row depends on how many are drawn", dim);
  free(x), free(y), free(centre);
}

static void beta_shell(size_t dim, double s) {
  const double a = (double)dim / 2.0, b = (s - (double)dim) / 2.0 + 2.0, n = a + b;
  shells(dim, s, SHELL_equilibrium, 0, a / n, a * b / (n * n * (n + 1.0)));
}

void test_equilibrium(void) {
  radii();
  shells(3, 0.0, SHELL_sphere, 1, 1.0, 0.0);
  shells(7, 0.0, SHELL_equilibrium, 1, 1.0, 0.0);
  shells(1, -0.5, SHELL_sphere, 1, 1.0, 0.0);
  const size_t dim[] = {1, 2, 5};
  for (size_t i = 0; i < 3; i++) {
    const double d = (double)dim[i], mean = d / (d + 2.0);
    shells(dim[i], 0.0, SHELL_ball, 0, mean, d / (d + 4.0) - mean * mean);
  }
  beta_shell(2, 0.0);
  beta_shell(2, 1.0);
  beta_shell(3, 0.5);
  beta_shell(6, 2.5);
  const rng_key key = {{0u, 0u}};
  CHECK(draw_shell(NULL, 0, 3, NULL, 1.0, SHELL_ball, 0.0, key, 1) == STATUS_ok, "no draws");
  CHECK(draw_shell(NULL, 0, 0, NULL, 1.0, SHELL_ball, 0.0, key, 1) == STATUS_bad_argument, "no dimension");
}
