#include "check.h"
#include "core/pair/riesz.h"

static void weights(double s, weight_kind kind) {
  const pair_kernel potential = riesz_kernel(s, 0.1);
  CHECK(potential.kind == kind, "s = %g is of kind %d", s, (int)potential.kind);
  const double u[] = {1e-6, 0.3, 1.0, 7.0, 1e4};
  for (size_t i = 0; i < 5; i++) {
    const double expected = pow(u[i], -(s / 2.0 + 1.0));
    /* pow() of a large exponent is itself only as good as exponent times rounding */
    const double tolerance = TOLERANCE_ROUNDING * expected;
    CHECK(fabs(kernel_weight(&potential, u[i]) - expected) <= tolerance, "the weight at s = %g, u = %g", s, u[i]);
    const double repulsion = s == 0.0 ? -0.5 * log(u[i]) : pow(u[i], -s / 2.0) / s;
    CHECK(fabs(riesz_repulsion(&potential, u[i]) - repulsion) <= TOLERANCE_ROUNDING * fabs(repulsion),
          "the repulsion at s = %g, u = %g", s, u[i]);
  }
}

/* The largest eigenvalue of the Hessian along a ray: radial 1 - w + (s+2) w/u r^2, tangential 1 - w. */
static void curvature(double s, double epsilon) {
  const pair_kernel potential = riesz_kernel(s, epsilon);
  const double bound = riesz_curvature(&potential);
  double largest = -INFINITY;
  for (int i = 0; i <= 20000; i++) {
    const double r2 = epsilon * exp(-8.0 + 2e-3 * (double)i), u = r2 + epsilon, w = kernel_weight(&potential, u);
    largest = fmax(largest, fmax(1.0 - w, 1.0 - w + (s + 2.0) * w / u * r2));
  }
  CHECK(largest <= bound * (1.0 + TOLERANCE_ROUNDING), "s = %g, epsilon = %g: %g exceeds %g", s, epsilon, largest,
        bound);
  CHECK(largest >= bound * (1.0 - 1e-3), "s = %g, epsilon = %g: %g does not reach %g", s, epsilon, largest, bound);
}

void test_riesz(void) {
  const double even[] = {0.0, 2.0, 4.0, 10.0}, odd[] = {-1.0, 1.0, 3.0, 13.0};
  const double general[] = {-1.9, -1.5, 0.5, 2.25, 1000.5};
  for (size_t i = 0; i < 4; i++) weights(even[i], WEIGHT_even);
  for (size_t i = 0; i < 4; i++) weights(odd[i], WEIGHT_odd);
  for (size_t i = 0; i < 4; i++) weights(general[i], WEIGHT_general);
  CHECK(riesz_kernel(1000.0, 1.0).kind == WEIGHT_general, "a very large even s");
  const double s[] = {-1.5, -1.0, -0.5, 0.0, 1.0, 2.5, 13.0};
  for (size_t i = 0; i < 7; i++) {
    curvature(s[i], 0.05);
    curvature(s[i], 2.0);
  }
  const pair_kernel bare = riesz_kernel(0.0, 0.0), mild = riesz_kernel(-1.5, 0.0);
  CHECK(riesz_curvature(&bare) == INFINITY, "the curvature without softening is finite");
  CHECK(riesz_curvature(&mild) == 1.0, "the curvature at s = -1.5 is not 1");
}
