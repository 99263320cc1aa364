/* Lengths and mixtures against long double sums, surroundings against a covariance by hand. */
#include "check.h"
#include "core/base/linalg.h"
#include "core/law/gaussians.h"
#include "core/law/mixture.h"
#include "core/law/surroundings.h"

enum { N = 13, M = 11, DIM = 3, TRIANGLE = DIM * (DIM + 1) / 2 };

typedef struct {
  double means[N * DIM], factors[N * TRIANGLE], offsets[N * DIM], constants[N], points[M * DIM];
} numbers;

static gaussians make(numbers *of, int with_offsets) {
  normals(of->means, N * DIM, 140u);
  normals(of->factors, N * TRIANGLE, 141u);
  normals(of->offsets, N * DIM, 142u);
  normals(of->constants, N, 143u);
  normals(of->points, M * DIM, 144u);
  const gaussians out = {
      .means = of->means,
      .factors = of->factors,
      .offsets = with_offsets ? of->offsets : NULL,
      .constants = of->constants,
      .n = N,
      .dim = DIM,
  };
  return out;
}

/* |A_a (y - m_a) - t q_a|^2 */
static long double shifted_length(const numbers *of, size_t a, const double *y, double t) {
  const double *factor = of->factors + a * TRIANGLE;
  long double sum = 0.0L;
  for (size_t c = 0; c < DIM; c++) {
    long double along = -(long double)t * (long double)of->offsets[a * DIM + c];
    for (size_t e = 0; e <= c; e++) {
      along += (long double)*factor++ * ((long double)y[e] - (long double)of->means[a * DIM + e]);
    }
    sum += along * along;
  }
  return sum;
}

static void test_lengths(void) {
  static numbers of;
  const gaussians all = make(&of, 1);
  double length[N * GAUSSIAN_LANES], cross[N * GAUSSIAN_LANES], *room = new_doubles(gaussian_room(DIM));
  const size_t count = 5;
  gaussian_lengths(&all, of.points, count, length, cross, room);
  for (size_t a = 0; a < N; a++) {
    for (size_t l = 0; l < count; l++) {
      const double *y = of.points + l * DIM;
      double p[DIM], own = 0.0;
      gaussian_whiten(&all, a, y, p);
      for (size_t c = 0; c < DIM; c++) own += p[c] * p[c];
      CHECK_NEAR(length[a * GAUSSIAN_LANES + l], (double)shifted_length(&of, a, y, 0.0), TOLERANCE_ROUNDING);
      CHECK_NEAR(own, (double)shifted_length(&of, a, y, 0.0), TOLERANCE_ROUNDING);
      CHECK_NEAR(cross[a * GAUSSIAN_LANES + l], dot(p, of.offsets + a * DIM, DIM), TOLERANCE_ROUNDING);
    }
  }
  free(room);
}

static void test_all_lengths(void) {
  static numbers of;
  const gaussians all = make(&of, 0);
  double length[M * N], twin[M * N], *workspace = new_doubles(2 * gaussian_workspace(&all));
  gaussian_all_lengths(&all, of.points, M, length, workspace, 1);
  gaussian_all_lengths(&all, of.points, M, twin, workspace, 2);
  CHECK(!memcmp(length, twin, sizeof length), "lengths depend on the threads");
  for (size_t i = 0; i < M; i++) {
    for (size_t a = 0; a < N; a++) {
      CHECK_NEAR(length[a * M + i], (double)shifted_length(&of, a, of.points + i * DIM, 0.0), TOLERANCE_ROUNDING);
    }
  }
  free(workspace);
}

static void test_mixture(int with_offsets, size_t first) {
  static numbers of;
  const gaussians all = make(&of, with_offsets);
  const double width[] = {0.5, 1.0, 3.0}, share[] = {0.0, 0.4, 1.0};
  const mixture_widths widths = {width, share, 3};
  double out[M * 3], twin[M * 3], *workspace = new_doubles(mixture_workspace(N, DIM, 2));
  mixture_log_density(&all, of.points, M, first, &widths, out, workspace, 1);
  mixture_log_density(&all, of.points, M, first, &widths, twin, workspace, 2);
  CHECK(!memcmp(out, twin, sizeof out), "the mixture depends on the threads");
  for (size_t i = 0; i < M; i++) {
    for (size_t k = 0; k < 3; k++) {
      const long double h = (long double)width[k];
      long double sum = 0.0L;
      for (size_t a = 0; a < N; a++) {
        if (first != NOT_A_COMPONENT && a == first + i) continue;
        const double t = with_offsets ? share[k] : 0.0;
        const long double length = shifted_length(&of, a, of.points + i * DIM, t);
        sum += expl((long double)of.constants[a] - length / (2.0L * h * h));
      }
      CHECK_NEAR(out[k * M + i], (double)(logl(sum) - DIM * logl(h)), 10.0 * TOLERANCE_ROUNDING);
    }
  }
  free(workspace);
}

/* Three points on a line and one beside it; the surroundings of the first are itself and its two neighbours. */
static void test_surroundings(void) {
  const double points[] = {0.0, 0.0, 1.0, 0.0, 2.0, 3.0, 9.0, 9.0};
  const int index[] = {1, 0, 1, 2, 2, 2, 0, 1};
  surroundings of = {.points = points, .n = 4, .dim = 2, .index = index, .k = 2, .shrinkage = 0.25, .least = 0.1};
  double centres[8], roots[12], factors[12], log_det[4], workspace[8];
  const local_gaussians_out out = {.centres = centres, .roots = roots, .factors = factors, .log_det = log_det};
  local_gaussians(&of, &out, workspace, 1);
  CHECK_NEAR(centres[0], 1.0, TOLERANCE_ROUNDING);
  CHECK_NEAR(centres[1], 1.0, TOLERANCE_ROUNDING);
  /* covariance (2/3, 1; 1, 2), its mean diagonal 4/3 */
  const double root[] = {roots[0] * roots[0], roots[1] * roots[0], roots[1] * roots[1] + roots[2] * roots[2]};
  CHECK_NEAR(root[0], 0.75 * 2.0 / 3.0 + 0.25 * 4.0 / 3.0 + 0.1, TOLERANCE_ROUNDING);
  CHECK_NEAR(root[1], 0.75, TOLERANCE_ROUNDING);
  CHECK_NEAR(root[2], 0.75 * 2.0 + 0.25 * 4.0 / 3.0 + 0.1, TOLERANCE_ROUNDING);
  CHECK_NEAR(factors[0] * roots[0], 1.0, TOLERANCE_ROUNDING);
  CHECK_NEAR(factors[1] * roots[0] + factors[2] * roots[1], 0.0, TOLERANCE_ROUNDING);
  CHECK_NEAR(log_det[0], -log(roots[0] * roots[2]), TOLERANCE_ROUNDING);
  of.shrinkage = 5.0; /* -4 C + 20/3 I is not positive definite */
  local_gaussians(&of, &out, workspace, 1);
  CHECK(isnan(log_det[0]) && isnan(roots[0]) && isnan(factors[2]), "a matrix without a root has one");
}

void test_gaussians(void) {
  test_lengths();
  test_all_lengths();
  test_mixture(0, NOT_A_COMPONENT);
  test_mixture(1, NOT_A_COMPONENT);
  test_mixture(1, 1);
  test_surroundings();
}
