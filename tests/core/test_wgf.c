/* Weights against second differences of f, a step by hand, particles that are alone. */
#include "check.h"
#include "core/flow/wgf.h"

#define SECOND_DIFFERENCE 1e-4

static void test_weights(void) {
  const double step = 1e-3;
  for (int kind = 0; kind < WGF_count; kind++) {
    const wgf_divergence d = {(wgf_kind)kind, -0.7};
    for (double l = -2.0; l <= 2.0; l += 0.5) {
      const double slope = (wgf_growth(&d, l + step, 0.3) - wgf_growth(&d, l - step, 0.3)) / (2.0 * step);
      CHECK(fabs(slope - wgf_weight(&d, l, 0.3)) < SECOND_DIFFERENCE * (1.0 + fabs(slope)),
            "growth of divergence %d at log r = %g: slope %g", kind, l, slope);
    }
    if (kind >= WGF_log_variance_q) continue;
    for (double l = -2.0; l <= 2.0; l += 0.5) {
      const double r = exp(l);
      const double second = (wgf_f(&d, log(r * (1.0 + step)), 0.0) - 2.0 * wgf_f(&d, l, 0.0) +
                             wgf_f(&d, log(r * (1.0 - step)), 0.0)) / (step * step);
      CHECK(near(second / wgf_weight(&d, l, 0.0), 1.0, SECOND_DIFFERENCE), "divergence %d at log r = %g: %g, not %g",
            kind, l, wgf_weight(&d, l, 0.0), second);
    }
    CHECK_NEAR(wgf_f(&d, 0.0, 0.0), 0.0, TOLERANCE_ROUNDING);
  }
}

/* Three points in one dimension, everything given. */
static void test_step(void) {
  const double log_p[] = {log(2.0), 0.0, 0.0}, log_q[] = {0.0, 0.0, log(2.0)}, score_p[] = {1.0, 2.0, 3.0},
               score_q[] = {0.5, 0.5, 0.5};
  double points[] = {0.0, 1.0, 2.0}, log_r[3], weight[3], workspace[6];
  wgf_record record;
  const wgf_plan plan = {.divergence = {WGF_reverse_kl, 0.0}, .cap = 1.5, .floor = 0.0, .log_own = 0.0, .step = 0.1,
                         .share = 0.5, .scale2 = 1.0, .furthest = INFINITY};
  CHECK(wgf_move(&plan, points, 3, 1, log_p, score_p, log_q, score_q, log_r, weight, &record, workspace) == STATUS_ok,
        "a step");
  const double z = (2.0 + 1.0 + 0.5) / 3.0, r[] = {2.0 / z, 1.0 / z, 0.5 / z};
  CHECK_NEAR(record.log_z, log(z), TOLERANCE_ROUNDING);
  const double w[] = {1.5, r[1], 1.0 / 1.5};
  CHECK_NEAR(record.capped, 2.0 / 3.0, TOLERANCE_ROUNDING);
  double divergence = 0.0;
  for (int i = 0; i < 3; i++) {
    CHECK_NEAR(log_r[i], log(r[i]), TOLERANCE_ROUNDING);
    CHECK_NEAR(weight[i], w[i], TOLERANCE_ROUNDING);
    CHECK_NEAR(points[i], (double)i + 0.1 * w[i] * (score_p[i] - 0.5), TOLERANCE_ROUNDING);
    divergence += r[i] * log(r[i]) / 3.0;
  }
  CHECK_NEAR(record.divergence, divergence, TOLERANCE_ROUNDING);
  CHECK_NEAR(record.largest_move, 0.1 * w[2] * 2.5, TOLERANCE_ROUNDING);
}

static void test_bounds_of_a_step(void) {
  double log_p[20], log_q[20], score_p[20], score_q[20], points[20] = {0.0}, log_r[20], weight[20], workspace[40];
  for (int i = 0; i < 20; i++) log_p[i] = 0.0, log_q[i] = 0.0, score_p[i] = 0.0, score_q[i] = -1.0;
  log_q[19] = log(0.1); /* alone: a tenth of the median */
  wgf_record record;
  /* what a point adds at its own place is more than the median: a fifth of the median is added */
  const wgf_plan plan = {.divergence = {WGF_kl, 0.0}, .cap = 10.0, .floor = 0.2, .log_own = 3.0, .step = 0.0,
                         .share = 0.5, .scale2 = 0.04, .furthest = INFINITY};
  CHECK(wgf_move(&plan, points, 20, 1, log_p, score_p, log_q, score_q, log_r, weight, &record, workspace) == STATUS_ok,
        "a step");
  CHECK_NEAR(record.step, 0.02, TOLERANCE_ROUNDING);
  CHECK_NEAR(points[0], 0.02 / 1.2, TOLERANCE_ROUNDING);
  CHECK_NEAR(points[19], 0.02 / 3.0, TOLERANCE_ROUNDING);
  CHECK_NEAR(log_r[19] - log_r[0], log(4.0), TOLERANCE_ROUNDING);
  const wgf_plan short_steps = {.divergence = {WGF_kl, 0.0}, .cap = 10.0, .floor = 0.0, .log_own = 0.0, .step = 0.0,
                         .share = 0.5, .scale2 = 0.04, .furthest = 0.01};
  points[0] = 0.0;
  wgf_move(&short_steps, points, 20, 1, log_p, score_p, log_q, score_q, log_r, weight, &record, workspace);
  CHECK_NEAR(points[0], 0.01, TOLERANCE_ROUNDING);
  CHECK_NEAR(record.largest_move, 0.01, TOLERANCE_ROUNDING);
  score_p[3] = 1e308, score_q[3] = -1e308;
  CHECK(wgf_move(&plan, points, 20, 1, log_p, score_p, log_q, score_q, log_r, weight, &record, workspace) ==
            STATUS_diverged,
        "an infinite step is not noticed");
}

/* Weights above that of a tenth of the points are lowered to it where the step is chosen. */
static void test_chosen_step(void) {
  double log_p[20], log_q[20] = {0.0}, score_p[20], score_q[20] = {0.0}, points[20] = {0.0}, log_r[20], weight[20],
                    workspace[40];
  for (int i = 0; i < 20; i++) log_p[i] = i == 0 ? log(3.0) : i < 4 ? log(2.0) : 0.0, score_p[i] = 1.0;
  wgf_record record;
  const wgf_plan plan = {.divergence = {WGF_reverse_kl, 0.0}, .cap = 10.0, .floor = 0.0, .log_own = 0.0, .step = 0.0,
                         .share = 0.5, .scale2 = 0.04, .furthest = INFINITY};
  wgf_move(&plan, points, 20, 1, log_p, score_p, log_q, score_q, log_r, weight, &record, workspace);
  CHECK_NEAR(points[0], 0.02, TOLERANCE_ROUNDING);
  CHECK_NEAR(points[1], 0.02, TOLERANCE_ROUNDING);
  CHECK_NEAR(points[4], 0.01, TOLERANCE_ROUNDING);
}

void test_wgf(void) {
  test_weights();
  test_step();
  test_bounds_of_a_step();
  test_chosen_step();
}
