/* The EM algorithm: one component in closed form, an ascent, two clusters found, the same bits on two threads. */
#include "check.h"
#include "core/law/t_mixture.h"

#define ROWS 600
#define DIM 2
#define TWO 2

typedef struct {
  double share[ROWS * TWO], pull[ROWS * TWO], rows[TWO], means[TWO * DIM], roots[TWO * DIM * DIM], log_likelihood;
  size_t steps;
} em_state;

/* Clusters about (-2, 0) and (2, 1); a third of the rows in the second. */
static void make_rows(double *points) {
  normals(points, ROWS * DIM, 5u);
  for (size_t i = 0; i < ROWS; i++) {
    points[i * DIM] = (i % 3 == 0 ? 2.0 : -2.0) + 0.5 * points[i * DIM];
    points[i * DIM + 1] += i % 3 == 0 ? 1.0 : 0.0;
  }
}

static void start(em_state *at, size_t components) {
  for (size_t i = 0; i < ROWS; i++) {
    for (size_t g = 0; g < components; g++) {
      at->share[g * ROWS + i] = at->pull[g * ROWS + i] = components == 1 ? 1.0 : (i % 2 == g) ? 0.6 : 0.4;
    }
  }
  at->log_likelihood = -INFINITY;
}

static status run(const t_mixture *law, const double *points, size_t most, double gain, em_state *at, int threads) {
  double *workspace = new_doubles(t_mixture_workspace(law, ROWS, DIM, threads));
  const status done = t_mixture_fit(law, points, ROWS, DIM, most, gain, at->share, at->pull, at->rows, at->means,
                                    at->roots, &at->log_likelihood, &at->steps, workspace, threads);
  free(workspace);
  return done;
}

/* One Gaussian: the mean, and the scatter with `prior` spheres of the mean variance (twice: its own and all). */
static void test_one_component(const double *points) {
  static em_state at;
  const t_mixture law = {1, INFINITY, 4.0};
  start(&at, 1);
  CHECK(run(&law, points, 5, 1e-9, &at, 1) == STATUS_ok, "one component failed");
  double mean[DIM] = {0.0, 0.0}, scatter[3] = {0.0, 0.0, 0.0};
  for (size_t i = 0; i < ROWS * DIM; i++) mean[i % DIM] += points[i] / ROWS;
  for (size_t i = 0; i < ROWS; i++) {
    const double x = points[i * DIM] - mean[0], y = points[i * DIM + 1] - mean[1];
    scatter[0] += x * x;
    scatter[1] += x * y;
    scatter[2] += y * y;
  }
  const double trace = scatter[0] + scatter[2], level = (trace + trace / ROWS) / (ROWS + 1.0) / DIM, rows = ROWS + 4.0;
  const double a = (scatter[0] + 4.0 * level) / rows, b = scatter[1] / rows, c = (scatter[2] + 4.0 * level) / rows;
  const double *root = at.roots;
  CHECK_NEAR(root[0] * root[0], a, 100.0 * TOLERANCE_ROUNDING);
  CHECK_NEAR(root[2] * root[0], b, 100.0 * TOLERANCE_ROUNDING);
  CHECK_NEAR(root[2] * root[2] + root[3] * root[3], c, 100.0 * TOLERANCE_ROUNDING);
  CHECK(root[1] == 0.0, "the root is not lower triangular");
  /* sum of -log 2 pi - log det / 2 - z' C^-1 z / 2 */
  const double det = a * c - b * b;
  const double lengths = (c * scatter[0] - 2.0 * b * scatter[1] + a * scatter[2]) / det;
  CHECK_NEAR(at.log_likelihood, -ROWS * (log(2.0 * acos(-1.0)) + 0.5 * log(det)) - 0.5 * lengths,
             100.0 * TOLERANCE_ROUNDING);
  CHECK(at.steps == 2, "one component took %d steps", (int)at.steps);
}

static void test_two_clusters(const double *points, double df) {
  static em_state at, again, halves;
  const t_mixture law = {TWO, df, 2.0};
  start(&at, TWO);
  double before = -INFINITY;
  int up = 1;
  for (int step = 0; step < 40; step++) {
    CHECK(run(&law, points, 1, 0.0, &at, 1) == STATUS_ok, "a step failed");
    /* the prior's level moves with the fit, so that the likelihood alone may fall by what the prior gains */
    if (at.log_likelihood < before - 0.1) up = 0;
    before = at.log_likelihood;
  }
  CHECK(up, "the log-likelihood fell (df %g)", df);
  const size_t right = at.means[0] > at.means[DIM];
  const size_t g = right ? 0 : 1;
  CHECK_NEAR(at.rows[g] / ROWS, 1.0 / 3.0, 0.01);
  CHECK(fabs(at.means[g * DIM] - 2.0) < 0.15 && fabs(at.means[g * DIM + 1] - 1.0) < 0.3,
        "the right cluster is at %g, %g", at.means[g * DIM], at.means[g * DIM + 1]);
  start(&again, TWO);
  CHECK(run(&law, points, 40, -INFINITY, &again, 2) == STATUS_ok, "two threads failed");
  CHECK(again.steps == 40 && memcmp(at.means, again.means, sizeof at.means) == 0,
        "40 steps at once differ from one by one");
  start(&halves, TWO);
  run(&law, points, 15, -INFINITY, &halves, 1);
  run(&law, points, 25, -INFINITY, &halves, 2);
  CHECK(memcmp(at.share, halves.share, sizeof at.share) == 0, "15 and 25 steps differ from 40");
}

/* The weights of the rows: E (df + d) / (df + length) is 1 under the fitted t, by the fixed point of its scatter. */
static void test_weights(const double *points) {
  static em_state at;
  const t_mixture law = {1, 5.0, 1e-9};
  start(&at, 1);
  run(&law, points, 2000, 1e-13, &at, 1);
  double sum = 0.0;
  for (size_t i = 0; i < ROWS; i++) sum += at.pull[i] / ROWS;
  CHECK_NEAR(sum, 1.0, 1e-5);
}

void test_t_mixture(void) {
  double *points = new_doubles(ROWS * DIM);
  make_rows(points);
  test_one_component(points);
  test_two_clusters(points, INFINITY);
  test_two_clusters(points, 6.0);
  test_weights(points);
  for (size_t i = 0; i < ROWS * DIM; i++) points[i] = 1.0;
  static em_state at;
  const t_mixture law = {1, INFINITY, 2.0};
  start(&at, 1);
  CHECK(run(&law, points, 3, 0.0, &at, 1) == STATUS_diverged, "rows without spread have no covariance");
  free(points);
}
