/* Conditioned mixtures against closed forms of two and three dimensions. */
#include "check.h"
#include "core/base/linalg.h"
#include "core/law/condition.h"

enum { DIM = 4, TRIANGLE = DIM * (DIM + 1) / 2, K = 3, M = 5 };

/* (P L)(P L)' of the first rows is T T', with a positive diagonal. */
static void test_reorder(void) {
  const size_t orders[][DIM] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
  double root[TRIANGLE], out[TRIANGLE], room[DIM * DIM + DIM];
  normals(root, TRIANGLE, 50u);
  for (size_t c = 0; c < DIM; c++) root[triangle_size(c) + c] = 0.1 + fabs(root[triangle_size(c) + c]);
  for (size_t o = 0; o < 4; o++) {
    for (size_t count = 1; count <= DIM; count++) {
      const size_t *order = orders[o];
      reorder_root(root, DIM, order, count, out, room);
      for (size_t i = 0; i < count; i++) {
        CHECK(out[triangle_size(i) + i] > 0.0, "a diagonal is not positive");
        for (size_t j = 0; j <= i; j++) {
          const size_t least = order[i] < order[j] ? order[i] : order[j];
          CHECK_NEAR(dot(out + triangle_size(i), out + triangle_size(j), j + 1),
                     dot(root + triangle_size(order[i]), root + triangle_size(order[j]), least + 1),
                     TOLERANCE_ROUNDING);
        }
      }
    }
  }
  reorder_root(root, DIM, orders[0], DIM, out, room);
  CHECK(!memcmp(out, root, sizeof out), "the order that a triangle has changes it");
}

typedef struct {
  double weights[K], means[K * 2], roots[K * 3], df[K];
} mixture2;

/* Components of two coordinates with correlation .6; df of each, or INFINITY. */
static t_components make(mixture2 *of, double df, double rho) {
  for (size_t k = 0; k < K; k++) {
    of->weights[k] = (double)(k + 1) / 6.0;
    of->means[2 * k] = (double)k - 1.0;
    of->means[2 * k + 1] = 0.5 * (double)k;
    of->roots[3 * k] = 1.0;
    of->roots[3 * k + 1] = 2.0 * rho;
    of->roots[3 * k + 2] = 2.0 * sqrt(1.0 - rho * rho);
    of->df[k] = df;
  }
  const t_components law = {
      .weights = of->weights, .means = of->means, .roots = of->roots, .df = of->df, .n = K, .dim = 2};
  return law;
}

typedef struct {
  double x[2 * M], log_probability[M], variance[M], effective[M];
} results;

static void run(const t_components *law, const condition_pattern *pattern, const double *lower, const double *upper,
                size_t proposals, results *of, int threads) {
  const uint64_t rows[M] = {0, 1, 2, 3, 4};
  const condition_task task = {.lower = lower,
                               .upper = upper,
                               .rows = rows,
                               .m = M,
                               .proposals = proposals,
                               .key = {{3u, 4u}},
                               .stream = 1u};
  const condition_out out = {
      .x = of->x, .log_probability = of->log_probability, .variance = of->variance, .effective = of->effective};
  double *workspace = new_doubles(condition_workspace(law, pattern, &task, threads));
  condition_rows(law, pattern, &task, &out, workspace, threads);
  free(workspace);
}

/* log density of t in one or two dimensions at whitened length2, without the determinant */
static double log_t(double df, double dim, double length2) {
  const double log_pi = log(acos(-1.0));
  if (isinf(df)) return -0.5 * (dim * (log(2.0) + log_pi) + length2);
  return lgamma(0.5 * (df + dim)) - lgamma(0.5 * df) - 0.5 * dim * (log(df) + log_pi) -
         0.5 * (df + dim) * log1p(length2 / df);
}

/* Points: the second coordinate alone, whose scale is 2, and both. */
static void test_points(double df) {
  static mixture2 of;
  static results got, twin;
  const t_components law = make(&of, df, 0.6);
  const size_t second_first[2] = {1, 0}, both[2] = {0, 1};
  const condition_pattern one = {.order = second_first, .points = 1}, two = {.order = both, .points = 2};
  double lower[2 * M], upper[2 * M];
  for (size_t i = 0; i < M; i++) {
    lower[2 * i] = -INFINITY;
    upper[2 * i] = INFINITY;
    lower[2 * i + 1] = upper[2 * i + 1] = 3.0 * (double)i - 5.0;
  }
  run(&law, &one, lower, upper, 1, &got, 1);
  run(&law, &one, lower, upper, 1, &twin, 2);
  CHECK(!memcmp(&got, &twin, sizeof got), "draws depend on the threads");
  for (size_t i = 0; i < M; i++) {
    double sum = 0.0;
    for (size_t k = 0; k < K; k++) {
      const double z = (lower[2 * i + 1] - of.means[2 * k + 1]) / 2.0;
      sum += of.weights[k] * exp(log_t(df, 1.0, z * z)) / 2.0;
    }
    CHECK_NEAR(got.log_probability[i], log(sum), TOLERANCE_ROUNDING);
    CHECK(got.x[2 * i + 1] == lower[2 * i + 1] && isfinite(got.x[2 * i]), "a point is not kept");
    CHECK(got.variance[i] == 0.0 && isinf(got.effective[i]), "points are not exact");
    lower[2 * i] = upper[2 * i] = got.x[2 * i];
  }
  run(&law, &two, lower, upper, 1, &got, 1);
  for (size_t i = 0; i < M; i++) {
    double sum = 0.0;
    for (size_t k = 0; k < K; k++) {
      const double a = lower[2 * i] - of.means[2 * k];
      const double b = (lower[2 * i + 1] - of.means[2 * k + 1] - 1.2 * a) / 1.6;
      sum += of.weights[k] * exp(log_t(df, 2.0, a * a + b * b)) / 1.6;
    }
    CHECK_NEAR(got.log_probability[i], log(sum), TOLERANCE_ROUNDING);
  }
}

/* P(x > 0, y > 0) about the mean of one component is 1/4 + asin(rho) / (2 pi), also of a t. */
static void test_orthant(double df, double rho) {
  static mixture2 of;
  static results got;
  t_components law = make(&of, df, rho);
  const double infinite = INFINITY, zero[2] = {0.0, 0.0};
  law.means = zero;
  law.n = 1;
  of.weights[0] = 1.0;
  const size_t order[2] = {0, 1};
  const condition_pattern pattern = {.order = order, .boxes = 2};
  double lower[2 * M], upper[2 * M];
  for (size_t i = 0; i < 2 * M; i++) lower[i] = 0.0, upper[i] = infinite;
  run(&law, &pattern, lower, upper, 20000, &got, 1);
  double mean = 0.0, variance = 0.0;
  const double exact = 0.25 + asin(rho) / (2.0 * acos(-1.0));
  for (size_t i = 0; i < M; i++) {
    mean += exp(got.log_probability[i]) / M;
    variance += exact * exact * got.variance[i] / (M * M);
    CHECK(got.x[2 * i] > 0.0 && got.x[2 * i + 1] > 0.0, "a draw is outside its box");
    CHECK(got.effective[i] > 1.0 && got.effective[i] <= 20000.0 * (1.0 + 1e-12), "%g effective", got.effective[i]);
  }
  CHECK(fabs(mean - exact) <= STANDARD_ERRORS * sqrt(variance) + TOLERANCE_ROUNDING, "df %g, rho %g: %g, not %g", df,
        rho, mean, exact);
}

/* A condition that no double can hold gives NaN and -Inf, and nothing given gives 0. */
static void test_ends(void) {
  static mixture2 of;
  static results got;
  const t_components law = make(&of, INFINITY, 0.6);
  const size_t order[2] = {0, 1};
  const condition_pattern box = {.order = order, .boxes = 1}, none = {.order = order};
  double lower[2 * M], upper[2 * M];
  for (size_t i = 0; i < 2 * M; i++) lower[i] = i % 2 ? -INFINITY : 1e300, upper[i] = INFINITY;
  run(&law, &box, lower, upper, 1, &got, 1);
  CHECK(got.log_probability[0] == -INFINITY && isnan(got.x[0]), "an impossible condition is met");
  for (size_t i = 0; i < 2 * M; i++) lower[i] = -INFINITY;
  run(&law, &none, lower, upper, 1, &got, 1);
  CHECK(got.log_probability[1] == 0.0 && all_finite(got.x, 2 * M), "no condition is one");
}

void test_condition(void) {
  test_reorder();
  test_points(INFINITY);
  test_points(3.0);
  test_orthant(INFINITY, 0.6);
  test_orthant(INFINITY, -0.9);
  test_orthant(3.0, 0.6);
  test_orthant(1.0, 0.0);
  test_ends();
}
