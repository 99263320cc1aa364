/* Lengths and mixtures against long double sums, surroundings against a covariance by hand. */
#include "check.h"
#include "core/base/exponentials.h"
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

/* The sums over near bundles are those over all components. spread: of the means; a small one puts them all near, and
 * with a large one no other is. */
static void test_bundles(size_t dim, size_t n, double spread, int with_offsets, int own) {
  const size_t m = 60, triangle = triangle_size(dim);
  double *means = new_doubles(n * dim), *factors = new_doubles(n * triangle), *offsets = new_doubles(n * dim);
  double *constants = new_doubles(n), *points = new_doubles(m * dim);
  normals(means, n * dim, 150u), normals(factors, n * triangle, 151u), normals(offsets, n * dim, 152u);
  normals(constants, n, 153u), normals(points, m * dim, 154u);
  for (size_t i = 0; i < n * dim; i++) means[i] *= spread;
  for (size_t i = 0; i < m * dim; i++) points[i] *= 1.2 * spread;
  if (own) memcpy(points, means, m * dim * sizeof(double));
  points[0] = own ? points[0] : 1e6; /* far from everything */
  for (size_t a = 0; a < n; a++) { /* and some are flat, or have equal means */
    for (size_t c = 0; c < dim; c++) factors[a * triangle + c * (c + 3) / 2] = a % 7 ? 2.0 + (double)(a % 3) : 1e-3;
    if (a % 11 == 0) memcpy(means + a * dim, means, dim * sizeof(double));
  }
  const gaussians all = {.means = means, .factors = factors, .offsets = with_offsets ? offsets : NULL,
                         .constants = constants, .n = n, .dim = dim};
  const double width[] = {0.05, 0.4, 2.0}, share[] = {0.0, 0.7, 1.0};
  const mixture_widths widths = {width, share, 3};
  double *out = new_doubles(3 * m), *twin = new_doubles(3 * m), *work = new_doubles(mixture_workspace(n, dim, 2));
  double *length = new_doubles(n * GAUSSIAN_LANES), *cross = new_doubles(n * GAUSSIAN_LANES), *term = new_doubles(n);
  double *room = new_doubles(gaussian_room(dim));
  mixture_log_density(&all, points, m, own ? 0 : NOT_A_COMPONENT, &widths, out, work, 1);
  mixture_log_density(&all, points, m, own ? 0 : NOT_A_COMPONENT, &widths, twin, work, 2);
  CHECK(!memcmp(out, twin, 3 * m * sizeof(double)), "bundles depend on the threads");
  for (size_t i = 0; i < m; i++) {
    gaussian_lengths(&all, points + i * dim, 1, length, cross, room);
    for (size_t k = 0; k < 3; k++) {
      size_t terms = 0;
      for (size_t a = 0; a < n; a++) {
        if (own && a == i) continue;
        double of = length[a * GAUSSIAN_LANES];
        const double *q = offsets + a * dim;
        if (with_offsets) of += share[k] * (share[k] * dot(q, q, dim) - 2.0 * cross[a * GAUSSIAN_LANES]);
        term[terms++] = constants[a] - 0.5 / (width[k] * width[k]) * of;
      }
      const double wanted = log_sum_exp(term, terms) - (double)dim * log(width[k]);
      CHECK_NEAR(out[k * m + i], wanted, TOLERANCE_ROUNDING);
    }
  }
  free(means), free(factors), free(offsets), free(constants), free(points), free(out), free(twin), free(work);
  free(length), free(cross), free(term), free(room);
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
  test_bundles(1, 2000, 30.0, 0, 0);
  test_bundles(2, 2500, 10.0, 1, 0);
  test_bundles(2, 2001, 20.0, 0, 1);
  test_bundles(3, 3000, 5.0, 1, 1);
  test_bundles(3, 2000, 0.1, 0, 0);
  test_bundles(2, 2000, 1e4, 1, 1);
  test_mixture(0, NOT_A_COMPONENT);
  test_mixture(1, NOT_A_COMPONENT);
  test_mixture(1, 1);
  test_surroundings();
}
