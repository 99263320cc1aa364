#include "check.h"
#include "core/flow/gpa.h"
#include "core/net/spectral.h"

enum { DIM = 2, N = 40, M = 30 };
static const size_t widths[] = {DIM, 8, 8, 1};

static gpa_plan plan_of(double lipschitz, weight_norm norm, flow_solver solver) {
  const gpa_plan plan = {
      .net = {.depth = 3, .width = widths, .kind = RECTIFIER_relu},
      .divergence = {DIVERGENCE_kl, 0.0},
      .lipschitz = lipschitz,
      .norm = norm,
      .adam = {.rate = 0.01, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
      .solver = solver,
      .step = 0.1,
      .n_updates = 5,
      .threads = 2,
  };
  return plan;
}

typedef struct {
  gpa_learner learner;
  double *store, *batch, *gradient, *workspace;
} fixture;

static fixture start(const gpa_plan *plan) {
  const size_t size = network_parameters(&plan->net), turns = gpa_directions(&plan->net);
  fixture fix = {.store = new_doubles(3 * size + turns),
                 .batch = new_doubles((N + M) * DIM),
                 .gradient = new_doubles(N * DIM),
                 .workspace = new_doubles(gpa_workspace(plan, N + M, N + M))};
  fix.learner.net = learner_in(fix.store, &plan->net, 0);
  fix.learner.directions = fix.store + 3 * size;
  const rng_key key = {{3u, 4u}};
  CHECK(gpa_start(plan, &fix.learner, key, NULL, fix.workspace) == STATUS_ok, "no start");
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
                              direction, NULL, workspace);
  }
  return product;
}

static void learns(double lipschitz, weight_norm norm) {
  const gpa_plan plan = plan_of(lipschitz, norm, SOLVER_euler);
  fixture fix = start(&plan);
  const gpa_record before = gpa_measure(&plan, fix.learner.net.parameters, fix.batch, N, fix.batch + N * DIM, M,
                                        fix.gradient, fix.workspace);
  for (int u = 0; u < 200; u++) {
    CHECK(gpa_update(&plan, &fix.learner, fix.batch, N, M, NULL, fix.workspace) == STATUS_ok, "update %d", u);
    if (isfinite(lipschitz) && u % 40 == 0) {
      const double slope = slope_bound(&plan, fix.learner.net.parameters, fix.workspace);
      CHECK(slope <= lipschitz * (1.0 + 3.0 * SPECTRAL_TOLERANCE + 1e-9), "slope %g beyond %g", slope, lipschitz);
    }
  }
  const gpa_record after = gpa_measure(&plan, fix.learner.net.parameters, fix.batch, N, fix.batch + N * DIM, M,
                                       fix.gradient, fix.workspace);
  CHECK(after.divergence > before.divergence && after.divergence > 0.0, "the dual went from %g to %g",
        before.divergence, after.divergence);
  if (isfinite(lipschitz)) {
    CHECK(after.kinetic_energy <= lipschitz * lipschitz * (1.0 + 1e-9), "kinetic energy %g", after.kinetic_energy);
  }
  finish(&fix);
}

/* One step against the gradient lowers the dual of the potential held fixed; Heun ends near Euler. */
static void moves(flow_solver solver) {
  const gpa_plan plan = plan_of(1.0, NORM_spectral, solver);
  fixture fix = start(&plan);
  for (int u = 0; u < 50; u++) gpa_update(&plan, &fix.learner, fix.batch, N, M, NULL, fix.workspace);
  double *target = fix.batch + N * DIM, largest;
  const gpa_record before =
      gpa_measure(&plan, fix.learner.net.parameters, fix.batch, N, target, M, fix.gradient, fix.workspace);
  CHECK(gpa_move(&plan, fix.learner.net.parameters, fix.batch, N, fix.gradient, &largest, fix.workspace) == STATUS_ok,
        "move");
  CHECK(largest > 0.0 && largest <= plan.step * (1.0 + 1e-12), "a move of %g in a step of %g", largest, plan.step);
  const gpa_record after =
      gpa_measure(&plan, fix.learner.net.parameters, fix.batch, N, target, M, fix.gradient, fix.workspace);
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
  CHECK(gpa_update(&plan, &fix.learner, fix.batch, N, M, NULL, fix.workspace) == STATUS_diverged, "an overflow passes");
  finish(&fix);
}

/* A unit that is off everywhere: what is left of its weights may not wander among the denormal numbers. */
static void forgets_dead_units(void) {
  const gpa_plan plan = plan_of(1.0, NORM_spectral, SOLVER_euler);
  fixture fix = start(&plan);
  double *w = fix.learner.net.parameters, *bias = w + 8 * DIM;
  for (size_t c = 0; c < DIM; c++) w[c * 8 + 3] = 1e-120;
  bias[3] = -1.0;
  CHECK(gpa_update(&plan, &fix.learner, fix.batch, N, M, NULL, fix.workspace) == STATUS_ok, "update");
  CHECK(w[3] == 0.0 && w[8 + 3] == 0.0, "weights of a dead unit are %g and %g", w[3], w[8 + 3]);
  CHECK(w[2] != 0.0, "a living unit is cut off");
  finish(&fix);
}

static void draws_batches(void) {
  size_t order[50], again[50];
  const rng_key key = {{5u, 6u}};
  gpa_batch(order, 50, 20, key, 7, 0);
  gpa_batch(again, 50, 20, key, 7, 0);
  CHECK(memcmp(order, again, sizeof order) == 0, "a batch is not a function of its key");
  int seen[50] = {0}, once = 1;
  for (size_t i = 0; i < 50; i++) seen[order[i]]++;
  for (size_t i = 0; i < 50; i++) once = once && seen[i] == 1;
  CHECK(once, "a batch draws a row twice");
  gpa_batch(again, 50, 20, key, 7, 1);
  CHECK(memcmp(order, again, sizeof order) != 0, "both tables have one batch");
  /* each of 50 rows 20/50 of 2000 times, standard deviation 22 */
  int count[50] = {0};
  for (int u = 0; u < 2000; u++) {
    gpa_batch(order, 50, 20, key, (uint64_t)u, 0);
    for (size_t i = 0; i < 20; i++) count[order[i]]++;
  }
  for (size_t i = 0; i < 50; i++) CHECK(abs(count[i] - 800) <= 5 * 22, "row %zu was drawn %d times", i, count[i]);
}

/* --- the loop over steps --------------------------------------------------------------------------------------- */

enum { STEPS = 12, EVERY_NETWORK = 2, EVERY_FRAME = 3 };

/* A flow of STEPS steps at most, and all that it leaves behind. */
typedef struct {
  fixture fix;
  gpa_schedule schedule;
  gpa_state state;
  double *records, *networks, *frames, *workspace;
  size_t order[N];
} loop;

static loop new_loop(const gpa_plan *plan, size_t batch_size) {
  const size_t size = network_parameters(&plan->net);
  loop run = {.fix = start(plan),
              .schedule = {.batch_size = batch_size,
                           .key = {{8u, 9u}},
                           .every_network = EVERY_NETWORK,
                           .every_frame = EVERY_FRAME},
              .records = new_doubles(3 * STEPS),
              .networks = new_doubles(size * STEPS),
              .frames = new_doubles(N * DIM * STEPS)};
  run.workspace = new_doubles(gpa_advance_workspace(plan, &run.schedule, N, M));
  const gpa_stop never = {.divergence = -INFINITY, .kinetic_energy = -INFINITY, .patience = 1.0};
  const gpa_state state = {.columns = run.fix.batch, .n = N, .m = M, .learner = run.fix.learner, .stop = never};
  run.state = state;
  return run;
}

static void free_loop(loop *run) {
  finish(&run->fix);
  free(run->records), free(run->networks), free(run->frames), free(run->workspace);
}

/* The next n_steps; what is kept follows what was kept before. */
static gpa_end advance(const gpa_plan *plan, loop *run, size_t n_steps, interrupt_function interrupted) {
  const size_t before = run->state.steps;
  const gpa_kept kept = {
      .records = run->records + 3 * before,
      .networks = run->networks + gpa_kept_networks(&run->schedule, 0, before) * network_parameters(&plan->net),
      .frames = run->frames + gpa_kept_frames(&run->schedule, 0, before) * N * DIM,
  };
  return gpa_advance(plan, &run->schedule, &run->state, n_steps, &kept, interrupted, run->workspace, run->order);
}

static int same(const double *a, const double *b, size_t n) {
  return !memcmp(a, b, n * sizeof(double));
}

/* Points, target rows, network, moments and directions. */
static int same_state(const gpa_plan *plan, const loop *a, const loop *b) {
  const size_t stored = 3 * network_parameters(&plan->net) + gpa_directions(&plan->net);
  return same(a->fix.batch, b->fix.batch, (N + M) * DIM) && same(a->fix.store, b->fix.store, stored) &&
         a->state.learner.net.updates == b->state.learner.net.updates && a->state.steps == b->state.steps;
}

/* The loop is its pieces: updates on the minibatches that gpa_batch() draws, a measure, a move. */
static void makes_steps(size_t batch_size, flow_solver solver) {
  gpa_plan plan = plan_of(1.0, NORM_spectral, solver);
  loop run = new_loop(&plan, batch_size);
  fixture fix = start(&plan);
  const size_t n_p = batch_size ? batch_size : N, n_q = batch_size ? batch_size : M;
  double *batch = new_doubles((n_p + n_q) * DIM), *target = fix.batch + N * DIM;
  for (size_t step = 0; step < 3; step++) {
    for (size_t u = 0; u < plan.n_updates; u++) {
      for (uint32_t side = 0; side < 2; side++) {
        size_t order[N];
        double *to = batch + side * n_p * DIM;
        const double *from = side ? target : fix.batch;
        gpa_batch(order, side ? M : N, side ? n_q : n_p, run.schedule.key, step * plan.n_updates + u, side);
        for (size_t i = 0; i < (side ? n_q : n_p); i++) {
          const size_t row = batch_size ? order[i] : i;
          memcpy(to + i * DIM, from + row * DIM, DIM * sizeof(double));
        }
      }
      gpa_update(&plan, &fix.learner, batch, n_p, n_q, NULL, fix.workspace);
    }
    gpa_record record =
        gpa_measure(&plan, fix.learner.net.parameters, fix.batch, N, target, M, fix.gradient, fix.workspace);
    gpa_move(&plan, fix.learner.net.parameters, fix.batch, N, fix.gradient, &record.largest_move, fix.workspace);
    CHECK(advance(&plan, &run, 1, NULL) == GPA_going, "step %zu ended the flow", step);
    CHECK(run.records[3 * step] == record.divergence && run.records[3 * step + 1] == record.kinetic_energy &&
              run.records[3 * step + 2] == record.largest_move,
          "the record of step %zu with batches of %zu", step, batch_size);
  }
  CHECK(same(run.fix.batch, fix.batch, (N + M) * DIM), "particles of a loop with batches of %zu", batch_size);
  CHECK(same(run.fix.store, fix.store, 3 * network_parameters(&plan.net)), "network with batches of %zu", batch_size);
  CHECK(run.state.learner.net.updates == 3 * plan.n_updates, "updates are not counted");
  finish(&fix), free(batch), free_loop(&run);
}

/* One call and two, cut anywhere, leave the same bits; what is kept are the networks of steps 0, 2, 4, ... and the
 * particles after 3, 6, ... steps. */
static void goes_on(size_t batch_size) {
  const gpa_plan plan = plan_of(1.0, NORM_spectral, SOLVER_heun);
  const size_t size = network_parameters(&plan.net);
  loop whole = new_loop(&plan, batch_size);
  CHECK(advance(&plan, &whole, STEPS, NULL) == GPA_going && whole.state.steps == STEPS, "the flow ended early");
  CHECK(gpa_kept_networks(&whole.schedule, 0, STEPS) == 6 && gpa_kept_frames(&whole.schedule, 0, STEPS) == 4, "kept");
  for (size_t cut = 1; cut < STEPS; cut += 3) {
    loop parts = new_loop(&plan, batch_size);
    advance(&plan, &parts, cut, NULL);
    advance(&plan, &parts, STEPS - cut, NULL);
    CHECK(same_state(&plan, &whole, &parts), "two parts, cut at %zu, are not one run", cut);
    CHECK(same(whole.records, parts.records, 3 * STEPS) && same(whole.networks, parts.networks, 6 * size) &&
              same(whole.frames, parts.frames, 4 * N * DIM),
          "two parts, cut at %zu, keep something else", cut);
    free_loop(&parts);
  }
  /* the last frame is where the particles are, one column per coordinate */
  const double *last = whole.frames + 3 * N * DIM;
  int in_place = 1;
  for (size_t i = 0; i < N; i++) {
    for (size_t c = 0; c < DIM; c++) in_place = in_place && last[c * N + i] == whole.fix.batch[i * DIM + c];
  }
  CHECK(in_place, "the last frame is not where the particles are");
  free_loop(&whole);
}

/* A step that leaves the range of numbers is undone whole, and so is the next try. */
static void undoes_a_failed_step(void) {
  gpa_plan plan = plan_of(1.0, NORM_spectral, SOLVER_euler);
  loop run = new_loop(&plan, 0), twin = new_loop(&plan, 0);
  advance(&plan, &run, 2, NULL);
  advance(&plan, &twin, 2, NULL);
  plan.step = 1e308;
  plan.lipschitz = 1e3;
  CHECK(advance(&plan, &run, STEPS - 2, NULL) == GPA_diverged, "a step of 1e308 passes");
  CHECK(run.state.steps == 2 && same_state(&plan, &run, &twin), "a failed move is not undone");
  plan = plan_of(1.0, NORM_spectral, SOLVER_euler);
  const double kept = run.fix.batch[N * DIM];
  run.fix.batch[N * DIM] = twin.fix.batch[N * DIM] = 1e308; /* a target row that no update survives */
  CHECK(advance(&plan, &run, 1, NULL) == GPA_diverged && same_state(&plan, &run, &twin),
        "a failed update is not undone");
  run.fix.batch[N * DIM] = twin.fix.batch[N * DIM] = kept;
  CHECK(advance(&plan, &run, 3, NULL) == GPA_going && advance(&plan, &twin, 3, NULL) == GPA_going, "no way on");
  CHECK(same_state(&plan, &run, &twin), "a flow that failed goes on otherwise");
  free_loop(&run), free_loop(&twin);
}

static int calls, stop_at_call;

static int count_calls(void) {
  return ++calls == stop_at_call;
}

/* Asked before each update; an interrupted step is undone. */
static void listens(void) {
  const gpa_plan plan = plan_of(1.0, NORM_spectral, SOLVER_euler);
  loop run = new_loop(&plan, 10), twin = new_loop(&plan, 10);
  calls = 0, stop_at_call = 0;
  advance(&plan, &run, 3, count_calls);
  CHECK(calls == 3 * (int)plan.n_updates, "asked %d times", calls);
  calls = 0, stop_at_call = (int)plan.n_updates + 3;
  CHECK(advance(&plan, &run, 5, count_calls) == GPA_interrupted && run.state.steps == 4, "not interrupted in step 4");
  advance(&plan, &twin, 4, NULL);
  CHECK(same_state(&plan, &run, &twin), "an interrupted step is not undone");
  free_loop(&run), free_loop(&twin);
}

/* Records one after the other against a rule; returns the number of the one that ends it, 0 if none does. */
static int watched(gpa_stop stop, const double *dual, const double *energy, int n, gpa_end *why) {
  for (int i = 0; i < n; i++) {
    const gpa_record record = {.divergence = dual[i], .kinetic_energy = energy[i]};
    *why = gpa_watch(&stop, &record);
    if (*why != GPA_going) return i + 1;
  }
  return 0;
}

static void stops_by_each_tolerance(void) {
  const gpa_stop rule = {.divergence = 0.1, .kinetic_energy = 0.5, .patience = 2.0};
  const double high[] = {9.0, 9.0, 9.0, 9.0, 9.0, 9.0};
  gpa_end why;
  /* low from the start does not count; nor does one low step between high ones */
  const double low[] = {0.05, 0.01, 0.05, 0.05, 0.05, 0.05}, dips[] = {0.05, 2.0, 0.05, 2.0, 0.1, 0.02};
  CHECK(watched(rule, low, high, 6, &why) == 0, "a flow ends before it has told anything apart");
  CHECK(watched(rule, dips, high, 6, &why) == 6 && why == GPA_divergence_reached, "the divergence does not end it");
  const double quiet[] = {0.4, 0.6, 0.5, 0.4, 9.0, 9.0};
  CHECK(watched(rule, high, quiet, 6, &why) == 4 && why == GPA_kinetic_reached, "the kinetic energy does not end it");
  const gpa_stop never = {.divergence = -INFINITY, .kinetic_energy = -INFINITY, .patience = 1.0, .armed = 1};
  CHECK(watched(never, low, quiet, 6, &why) == 0, "a flow without tolerances ends");
  /* and in the loop: the counters go on from call to call */
  const gpa_plan plan = plan_of(1.0, NORM_spectral, SOLVER_euler);
  loop run = new_loop(&plan, 0);
  const gpa_stop soon = {.divergence = -INFINITY, .kinetic_energy = INFINITY, .patience = 5.0};
  run.state.stop = soon;
  CHECK(advance(&plan, &run, 3, NULL) == GPA_going, "ended after 3 of 5 quiet steps");
  CHECK(advance(&plan, &run, 9, NULL) == GPA_kinetic_reached && run.state.steps == 5, "ended after %zu steps",
        run.state.steps);
  free_loop(&run);
}

/* The particles themselves, carried along by the networks that moved them, end where they ended; points in several
 * parts as in one. */
static void carries(flow_solver solver) {
  const gpa_plan plan = plan_of(1.0, NORM_spectral, solver);
  loop run = new_loop(&plan, 0);
  run.schedule.every_network = 1;
  double *points = new_doubles(N * DIM), *parts = new_doubles(N * DIM);
  memcpy(points, run.fix.batch, N * DIM * sizeof(double));
  memcpy(parts, points, N * DIM * sizeof(double));
  advance(&plan, &run, STEPS, NULL);
  double *gradient = run.fix.gradient, *workspace = run.fix.workspace;
  CHECK(gpa_carry(&plan, run.networks, 1, 0, STEPS, points, N, NULL, gradient, workspace) == STATUS_ok, "carry");
  CHECK(same(points, run.fix.batch, N * DIM), "particles that are carried along end elsewhere");
  gpa_carry(&plan, run.networks, 1, 0, 5, parts, N, NULL, gradient, workspace);
  gpa_carry(&plan, run.networks, 1, 5, STEPS - 5, parts, N, NULL, gradient, workspace);
  CHECK(same(parts, points, N * DIM), "two parts of a way are not one");
  calls = 0, stop_at_call = 2;
  CHECK(gpa_carry(&plan, run.networks, 1, 0, STEPS, parts, N, count_calls, gradient, workspace) == STATUS_interrupted &&
            calls == 2,
        "a way is not interrupted");
  parts[0] = 1e308;
  gpa_plan wild = plan;
  wild.step = 1e308;
  CHECK(gpa_carry(&wild, run.networks, 1, 0, STEPS, parts, N, NULL, gradient, workspace) == STATUS_diverged,
        "no overflow");
  free(points), free(parts), free_loop(&run);
}

/* Layers that are wide enough for threads: the learner after some updates has the same bits on any number. */
static void updates_on_threads(void) {
  static const size_t wide[] = {DIM, 64, 64, 64, 1};
  gpa_plan plan = plan_of(1.0, NORM_spectral, SOLVER_euler);
  plan.net.width = wide, plan.net.depth = 4;
  const size_t size = 3 * network_parameters(&plan.net) + gpa_directions(&plan.net);
  double *first = new_doubles(size);
  for (plan.threads = 1; plan.threads <= 4; plan.threads++) {
    fixture fix = start(&plan);
    for (int u = 0; u < 5; u++) {
      CHECK(gpa_update(&plan, &fix.learner, fix.batch, N, M, NULL, fix.workspace) == STATUS_ok, "update %d", u);
    }
    if (plan.threads == 1) memcpy(first, fix.store, size * sizeof(double));
    CHECK(memcmp(first, fix.store, size * sizeof(double)) == 0, "%d threads change the updates", plan.threads);
    finish(&fix);
  }
  free(first);
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
  makes_steps(0, SOLVER_euler);
  makes_steps(10, SOLVER_heun);
  goes_on(0);
  goes_on(10);
  undoes_a_failed_step();
  listens();
  stops_by_each_tolerance();
  updates_on_threads();
  carries(SOLVER_euler);
  carries(SOLVER_heun);
}
