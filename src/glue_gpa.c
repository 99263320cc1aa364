/* The generative particle algorithm. */
#include "core/flow/gpa.h"

#include <math.h>
#include <string.h>

#include "glue_network.h"

/* --- the plan of a flow ---------------------------------------------------------------------------------- */

enum {
  SETTING_smoothing,
  SETTING_divergence,
  SETTING_alpha,
  SETTING_lipschitz,
  SETTING_norm,
  SETTING_rate,
  SETTING_beta1,
  SETTING_beta2,
  SETTING_epsilon,
  SETTING_solver,
  SETTING_step,
  SETTING_updates,
  SETTINGS
};
#define MOST_UPDATES 1e9

static gpa_plan check_plan(SEXP widths, SEXP settings) {
  const double *of = check_vector(settings, SETTINGS, "settings");
  const gpa_plan plan = {
      .net = check_network(widths, of[SETTING_smoothing]),
      .divergence = check_divergence(of[SETTING_divergence], of[SETTING_alpha]),
      .lipschitz = of[SETTING_lipschitz],
      .norm = (weight_norm)check_whole(of[SETTING_norm], NORM_count - 1, "norm"),
      .adam = {.rate = of[SETTING_rate],
               .beta1 = of[SETTING_beta1],
               .beta2 = of[SETTING_beta2],
               .epsilon = of[SETTING_epsilon]},
      .solver = (flow_solver)check_whole(of[SETTING_solver], SOLVER_count - 1, "solver"),
      .step = of[SETTING_step],
      .n_updates = (size_t)check_whole(of[SETTING_updates], MOST_UPDATES, "n_updates"),
  };
  if (plan.net.width[plan.net.depth] != 1) Rf_error("The network of a flow must have one output.");
  if (!(plan.lipschitz > 0.0)) Rf_error("`lipschitz` must be above 0.");
  return plan;
}

static matrix_view check_points(SEXP x, const gpa_plan *plan, const char *what) {
  const matrix_view points = check_matrix(x, what);
  if (points.dim != plan->net.width[0]) Rf_error("`%s` must have as many columns as the network has inputs.", what);
  if (points.n < 1) Rf_error("`%s` must have at least one row.", what);
  return points;
}

/* --- the flow -------------------------------------------------------------------------------------------- */

static SEXP pf_gpa_start(SEXP widths, SEXP settings, SEXP key) {
  const gpa_plan plan = check_plan(widths, settings);
  const rng_key seed = check_key(key);
  static const char *const names[] = {"learner", "directions"};
  SEXP values[2];
  values[0] = PROTECT(new_matrix(network_parameters(&plan.net), 3));
  values[1] = PROTECT(new_vector(gpa_directions(&plan.net)));
  gpa_learner learner = {learner_in(REAL(values[0]), &plan.net, 0), REAL(values[1])};
  if (gpa_start(&plan, &learner, seed, scratch(1, gpa_workspace(&plan, 1, 1))) != STATUS_ok) {
    Rf_error("The weights of the network could not be scaled.");
  }
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

/* R asks for what takes a fraction of a second. */
#define MOST_STEPS 100000

enum { STOP_divergence, STOP_kinetic, STOP_patience, STOP_low, STOP_quiet, STOP_armed, STOPS };

static gpa_stop check_stop(SEXP stop) {
  const double *of = check_vector(stop, STOPS, "stop");
  const gpa_stop rule = {
      .divergence = of[STOP_divergence],
      .kinetic_energy = of[STOP_kinetic],
      .patience = of[STOP_patience],
      .low = of[STOP_low],
      .quiet = of[STOP_quiet],
      .armed = of[STOP_armed] == 1.0,
  };
  return rule;
}

static SEXP stop_vector(const gpa_stop *stop) {
  SEXP out = new_vector(STOPS);
  REAL(out)[STOP_divergence] = stop->divergence;
  REAL(out)[STOP_kinetic] = stop->kinetic_energy;
  REAL(out)[STOP_patience] = stop->patience;
  REAL(out)[STOP_low] = stop->low;
  REAL(out)[STOP_quiet] = stop->quiet;
  REAL(out)[STOP_armed] = stop->armed;
  return out;
}

static gpa_schedule check_schedule(SEXP key, SEXP batch_size, SEXP every) {
  if (TYPEOF(every) != INTSXP || XLENGTH(every) != 2 || INTEGER_RO(every)[0] < 1 || INTEGER_RO(every)[1] < 1) {
    Rf_error("`every` must be two whole numbers of at least 1.");
  }
  const gpa_schedule schedule = {
      .batch_size = (size_t)check_count(batch_size, "batch_size"),
      .key = check_key(key),
      .every_network = (size_t)INTEGER_RO(every)[0],
      .every_frame = (size_t)INTEGER_RO(every)[1],
  };
  return schedule;
}

/* Leaves by a long jump if the user pressed Ctrl-C; all memory is R's. */
static int interrupted(void) {
  R_CheckUserInterrupt();
  return 0;
}

/* Doubles of a new matrix, all 0. */
static double *zeros(SEXP matrix) {
  memset(REAL(matrix), 0, (size_t)XLENGTH(matrix) * sizeof(double));
  return REAL(matrix);
}

/* Steps `first` + 1 .. `first` + n_steps of a flow. particles [n, d], target [m, d]. Kept are the parameters of
 * the steps that are multiples of every[0] and the frames after those of every[1], as the first columns of
 * matrices with room for all planned. A step that fails is undone whole. */
static SEXP pf_gpa_advance(SEXP particles, SEXP target, SEXP learner, SEXP directions, SEXP updates, SEXP widths,
                           SEXP settings, SEXP key, SEXP batch_size, SEXP first, SEXP n_steps, SEXP every, SEXP stop) {
  R_CheckUserInterrupt();
  const gpa_plan plan = check_plan(widths, settings);
  const matrix_view from = check_points(particles, &plan, "particles"), to = check_points(target, &plan, "target");
  const double *old_learner = check_learner(learner, &plan.net);
  const size_t n = from.n, m = to.n, dim = from.dim, size = network_parameters(&plan.net);
  const size_t n_directions = gpa_directions(&plan.net);
  const double *old_directions = check_vector(directions, n_directions, "directions");
  const uint64_t done_updates = check_updates(updates);
  const gpa_schedule schedule = check_schedule(key, batch_size, every);
  const size_t start = (size_t)check_count(first, "first"), planned = (size_t)check_count(n_steps, "n_steps");
  if (planned > MOST_STEPS) Rf_error("`n_steps` must be at most %d in one call.", MOST_STEPS);
  gpa_state state = {.n = n, .m = m, .stop = check_stop(stop), .steps = start};

  static const char *const names[] = {"particles", "learner", "directions", "updates", "stop",
                                      "records",   "networks", "frames",    "done",    "ended"};
  SEXP values[10];
  values[0] = PROTECT(new_matrix(n, dim));
  values[1] = PROTECT(new_matrix(size, 3));
  values[2] = PROTECT(new_vector(n_directions));
  values[5] = PROTECT(new_matrix(3, planned));
  values[6] = PROTECT(new_matrix(size, gpa_kept_networks(&schedule, start, planned)));
  values[7] = PROTECT(new_matrix(n * dim, gpa_kept_frames(&schedule, start, planned)));
  memcpy(REAL(values[1]), old_learner, 3 * size * sizeof(double));
  memcpy(REAL(values[2]), old_directions, n_directions * sizeof(double));
  state.learner.net = learner_in(REAL(values[1]), &plan.net, done_updates);
  state.learner.directions = REAL(values[2]);
  state.columns = scratch(n + m, dim);
  pack_rows(state.columns, from.x, n, dim);
  pack_rows(state.columns + n * dim, to.x, m, dim);
  const gpa_kept kept = {
      .records = zeros(values[5]), .networks = zeros(values[6]), .frames = zeros(values[7])};
  size_t *order = (size_t *)R_alloc(n > m ? n : m, sizeof(size_t));
  double *workspace = scratch(1, gpa_advance_workspace(&plan, &schedule, n, m));

  const gpa_end ended = gpa_advance(&plan, &schedule, &state, planned, &kept, interrupted, workspace, order);

  unpack_rows(REAL(values[0]), state.columns, n, dim);
  values[3] = PROTECT(Rf_ScalarReal((double)state.learner.net.updates));
  values[4] = PROTECT(stop_vector(&state.stop));
  values[8] = PROTECT(Rf_ScalarInteger((int)(state.steps - start)));
  values[9] = PROTECT(Rf_ScalarInteger((int)ended));
  SEXP result = new_list(names, values, 10);
  UNPROTECT(10);
  return result;
}

/* The dual and the kinetic energy of particles under one network. */
static SEXP pf_gpa_measure(SEXP particles, SEXP target, SEXP parameters, SEXP widths, SEXP settings) {
  R_CheckUserInterrupt();
  const gpa_plan plan = check_plan(widths, settings);
  const matrix_view from = check_points(particles, &plan, "particles"), to = check_points(target, &plan, "target");
  const double *weights = check_parameters(parameters, &plan.net);
  const gpa_record record = gpa_measure(&plan, weights, packed_rows(from), from.n, packed_rows(to), to.n,
                                        scratch(from.n, from.dim), scratch(1, gpa_workspace(&plan, 1, from.n + to.n)));
  SEXP out = PROTECT(new_vector(2));
  REAL(out)[0] = record.divergence;
  REAL(out)[1] = record.kinetic_energy;
  UNPROTECT(1);
  return out;
}

/* Points carried along: steps `from` + 1 .. `from` + count of a flow, where step j moves by column
 * j / every of networks [P, .] (from 0). */
static SEXP pf_gpa_carry(SEXP points, SEXP networks, SEXP widths, SEXP settings, SEXP every, SEXP from, SEXP count) {
  R_CheckUserInterrupt();
  const gpa_plan plan = check_plan(widths, settings);
  const matrix_view at = check_matrix(points, "points"), nets = check_matrix(networks, "networks");
  if (at.dim != plan.net.width[0]) Rf_error("`points` must have as many columns as the network has inputs.");
  if (nets.n != network_parameters(&plan.net)) Rf_error("`networks` must have one row per parameter.");
  const size_t stride = (size_t)check_count(every, "every"), start = (size_t)check_count(from, "from");
  const size_t steps = (size_t)check_count(count, "count");
  if (stride < 1) Rf_error("`every` must be at least 1.");
  if (steps > 0 && (start + steps - 1) / stride >= nets.dim) Rf_error("`networks` has too few columns.");
  SEXP out = PROTECT(new_matrix(at.n, at.dim));
  double *moved = scratch(at.n, at.dim);
  pack_rows(moved, at.x, at.n, at.dim);
  const status result = gpa_carry(&plan, nets.x, stride, start, steps, moved, at.n, interrupted,
                                  scratch(at.n, at.dim), scratch(1, gpa_workspace(&plan, 1, at.n)));
  unpack_rows(REAL(out), moved, at.n, at.dim);
  UNPROTECT(1);
  if (result != STATUS_ok) Rf_error("The points left the range of numbers.");
  return out;
}

const R_CallMethodDef gpa_routines[] = {
    ROUTINE(pf_gpa_start, 3),
    ROUTINE(pf_gpa_advance, 13),
    ROUTINE(pf_gpa_measure, 5),
    ROUTINE(pf_gpa_carry, 7),
    NO_ROUTINE,
};
