#include "check.h"
#include "core/flow/gpa.h"
#include "core/net/spectral.h"

enum { DIM = 2, N = 40, M = 30 };
static const size_t widths[] = {DIM, 8, 8, 1};

static gpa_plan plan_of(double lipschitz, weight_norm norm, flow_solver solver) {
  const gpa_plan plan = {{3, widths, RECTIFIER_relu, 0.0, plain_gemm},
                         {DIVERGENCE_kl, 0.0},
                         lipschitz,
                         norm,
                         {0.01, 0.9, 0.999, 1e-8},
                         solver,
                         0.1,
                         5};
  return plan;
}

typedef struct {
  gpa_learner learner;
  double *store, *batch, *gradient, *workspace;
} fixture;

static fixture start(const gpa_plan *plan) {
  const size_t size = network_parameters(&plan->net), turns = gpa_directions(&plan->net);
  fixture fix = {{NULL, NULL, NULL, NULL, 0.0}, new_doubles(3 * size + turns), new_doubles((N + M) * DIM),
                 new_doubles(N * DIM), new_doubles(gpa_workspace(plan, N + M, N + M))};
  const gpa_learner learner = {fix.store, fix.store + size, fix.store + 2 * size, fix.store + 3 * size, 0.0};
  fix.learner = learner;
  const rng_key key = {{3u, 4u}};
  CHECK(gpa_start(plan, &fix.learner, key, fix.workspace) == STATUS_ok, "no start");
  normals(fix.batch, (N + M) * DIM, 120u);
  for (size_t i = 0; i < N * DIM; i++) fix.batch[i] += 3.0;
  return fix;
}

static void finish(fixture *fix) {
  free(fix->store), free(fix->batch), free(fix->gradient), free(fix->workspace);
}

/* The largest singular values of the layers, each proven from a fresh start. */
static double slope_bound(const gpa_plan *plan, const double *parameters, double *workspace) {
  double product = 1.0;
  for (size_t l = 1; l <= plan->net.depth; l++) {
    double direction[8] = {0.0};
    product *= spectral_bound(parameters + network_layer(&plan->net, l), plan->net.width[l], plan->net.width[l - 1],
                              direction, workspace, plain_gemm);
  }
  return product;
}

static void learns(double lipschitz, weight_norm norm) {
  const gpa_plan plan = plan_of(lipschitz, norm, SOLVER_euler);
  fixture fix = start(&plan);
  const gpa_record before = gpa_measure(&plan, fix.learner.parameters, fix.batch, N, fix.batch + N * DIM, M,
                                        fix.gradient, fix.workspace);
  for (int u = 0; u < 200; u++) {
    CHECK(gpa_update(&plan, &fix.learner, fix.batch, N, M, fix.workspace) == STATUS_ok, "update %d", u);
    if (isfinite(lipschitz) && u % 40 == 0) {
      const double slope = slope_bound(&plan, fix.learner.parameters, fix.workspace);
      CHECK(slope <= lipschitz * (1.0 + 3.0 * SPECTRAL_TOLERANCE + 1e-9), "slope %g beyond %g", slope, lipschitz);
    }
  }
  const gpa_record after = gpa_measure(&plan, fix.learner.parameters, fix.batch, N, fix.batch + N * DIM, M,
                                       fix.gradient, fix.workspace);
  CHECK(after.divergence > before.divergence && after.divergence > 0.0, "the dual went from %g to %g", before.divergence,
        after.divergence);
  if (isfinite(lipschitz)) {
    CHECK(after.kinetic_energy <= lipschitz * lipschitz * (1.0 + 1e-9), "kinetic energy %g", after.kinetic_energy);
  }
  finish(&fix);
}

/* One step against the gradient lowers the dual of the potential held fixed; Heun ends near Euler. */
static void moves(flow_solver solver) {
  const gpa_plan plan = plan_of(1.0, NORM_spectral, solver);
  fixture fix = start(&plan);
  for (int u = 0; u < 50; u++) gpa_update(&plan, &fix.learner, fix.batch, N, M, fix.workspace);
  double *target = fix.batch + N * DIM, largest;
  const gpa_record before = gpa_measure(&plan, fix.learner.parameters, fix.batch, N, target, M, fix.gradient, fix.workspace);
  CHECK(gpa_move(&plan, fix.learner.parameters, fix.batch, N, fix.gradient, &largest, fix.workspace) == STATUS_ok, "move");
  CHECK(largest > 0.0 && largest <= plan.step * (1.0 + 1e-12), "a move of %g in a step of %g", largest, plan.step);
  const gpa_record after = gpa_measure(&plan, fix.learner.parameters, fix.batch, N, target, M, fix.gradient, fix.workspace);
  CHECK(after.divergence < before.divergence, "the dual rose from %g to %g", before.divergence, after.divergence);
  /* d/dt = - kinetic energy, exact for the piecewise linear potential but at its kinks */
  const double fall = (before.divergence - after.divergence) / plan.step;
  CHECK(fabs(fall - before.kinetic_energy) <= 0.1 * before.kinetic_energy, "the dual falls by %g, not %g", fall,
        before.kinetic_energy);
  finish(&fix);
}

static void refuses_overflow(void) {
  const gpa_plan plan = plan_of(1.0, NORM_spectral, SOLVER_euler);
  fixture fix = start(&plan);
  fix.batch[3] = 1e308;
  fix.batch[2 * N] = -1e308;
  for (size_t i = 0; i < N * DIM; i++) fix.batch[i] *= i % 2 ? 1e308 : 1.0;
  CHECK(gpa_update(&plan, &fix.learner, fix.batch, N, M, fix.workspace) == STATUS_diverged, "an overflow passes");
  finish(&fix);
}

/* A unit that is off everywhere: what is left of its weights may not wander among the denormal numbers. */
static void forgets_dead_units(void) {
  const gpa_plan plan = plan_of(1.0, NORM_spectral, SOLVER_euler);
  fixture fix = start(&plan);
  double *w = fix.learner.parameters, *bias = w + 8 * DIM;
  for (size_t c = 0; c < DIM; c++) w[c * 8 + 3] = 1e-120;
  bias[3] = -1.0;
  CHECK(gpa_update(&plan, &fix.learner, fix.batch, N, M, fix.workspace) == STATUS_ok, "update");
  CHECK(w[3] == 0.0 && w[8 + 3] == 0.0, "weights of a dead unit are %g and %g", w[3], w[8 + 3]);
  CHECK(w[2] != 0.0, "a living unit is cut off");
  finish(&fix);
}

static void draws_batches(void) {
  size_t order[50], again[50];
  const rng_key key = {{5u, 6u}};
  gpa_batch(order, 50, 20, key, 7.0, 0);
  gpa_batch(again, 50, 20, key, 7.0, 0);
  CHECK(memcmp(order, again, sizeof order) == 0, "a batch is not a function of its key");
  int seen[50] = {0}, once = 1;
  for (size_t i = 0; i < 50; i++) seen[order[i]]++;
  for (size_t i = 0; i < 50; i++) once = once && seen[i] == 1;
  CHECK(once, "a batch draws a row twice");
  gpa_batch(again, 50, 20, key, 7.0, 1);
  CHECK(memcmp(order, again, sizeof order) != 0, "both tables have one batch");
  /* each of 50 rows 20/50 of 2000 times, standard deviation 22 */
  int count[50] = {0};
  for (int u = 0; u < 2000; u++) {
    gpa_batch(order, 50, 20, key, (double)u, 0);
    for (size_t i = 0; i < 20; i++) count[order[i]]++;
  }
  for (size_t i = 0; i < 50; i++) CHECK(abs(count[i] - 800) <= 5 * 22, "row %zu was drawn %d times", i, count[i]);
}

void test_gpa(void) {
  learns(1.0, NORM_spectral);
  learns(50.0, NORM_spectral);
  learns(1.0, NORM_frobenius);
  learns(INFINITY, NORM_spectral);
  moves(SOLVER_euler);
  moves(SOLVER_heun);
  refuses_overflow();
  forgets_dead_units();
  draws_batches();
}
