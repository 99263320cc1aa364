/* Built-in targets: gradients against differences, a mixture by hand. */
#include "check.h"
#include "core/law/targets.h"

static void test_gradient(const target *of, const char *name) {
  const size_t n = 11, /* a group of lanes and a part of one */
                dim = of->dim;
  double *x = new_doubles(n * dim), *moved = new_doubles(n * dim), *value = new_doubles(n), *above = new_doubles(n),
         *below = new_doubles(n), *gradient = new_doubles(n * dim), *workspace = new_doubles(2 * target_workspace(of));
  normals(x, n * dim, 3);
  target_field(of, x, n, value, gradient, workspace, 2);
  for (size_t c = 0; c < dim; c++) {
    for (int side = 0; side < 2; side++) {
      memcpy(moved, x, n * dim * sizeof(double));
      for (size_t i = 0; i < n; i++) moved[i * dim + c] += side ? -1e-5 : 1e-5;
      target_field(of, moved, n, side ? below : above, NULL, workspace, 1);
    }
    for (size_t i = 0; i < n; i++) {
      const double difference = (above[i] - below[i]) / 2e-5;
      CHECK(near(gradient[i * dim + c], difference, 1e-7), "%s: derivative %zu of row %zu is %g, not %g", name, c, i,
            gradient[i * dim + c], difference);
    }
  }
  free(x), free(moved), free(value), free(above), free(below), free(gradient), free(workspace);
}

void test_targets(void) {
  const double means[] = {0.0, 0.0, 1.0, -1.0}, factors[] = {1.0, 0.5, 2.0, 1.5, -0.2, 0.7}, constants[] = {-1.0, -2.0};
  const target mixture = {
      .kind = TARGET_mixture,
      .dim = 2,
      .components = {.means = means, .factors = factors, .constants = constants, .n = 2, .dim = 2}};
  const target banana = {.kind = TARGET_banana, .dim = 3, .a = 1.5, .b = 0.4};
  const target funnel = {.kind = TARGET_funnel, .dim = 3, .a = 1.5};
  test_gradient(&mixture, "mixture");
  test_gradient(&banana, "banana");
  test_gradient(&funnel, "funnel");
  const double x[] = {0.3, -0.4};
  double value, *workspace = new_doubles(target_workspace(&mixture));
  target_field(&mixture, x, 1, &value, NULL, workspace, 1);
  /* A (x - m): rows (1), (1/2, 2) of the first factor, (3/2), (-1/5, 7/10) of the second */
  const double p[] = {0.3, 0.5 * 0.3 - 2.0 * 0.4}, q[] = {1.5 * -0.7, -0.2 * -0.7 + 0.7 * 0.6};
  const double terms[] = {-1.0 - 0.5 * (p[0] * p[0] + p[1] * p[1]), -2.0 - 0.5 * (q[0] * q[0] + q[1] * q[1])};
  CHECK_NEAR(value, log(exp(terms[0]) + exp(terms[1])), TOLERANCE_ROUNDING);
  free(workspace);
}
