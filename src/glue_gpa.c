/* The generative particle algorithm. */
#include "core/flow/gpa.h"

#include <math.h>
#include <string.h>

#include "glue_network.h"

/* --- the plan of a flow ---------------------------------------------------------------------------------- */

static weight_norm check_norm(named_value x) {
  static const char *const words[NORM_count] = {[NORM_spectral] = "spectral", [NORM_frobenius] = "frobenius"};
  return (weight_norm)check_choice(x, words, NORM_count);
}

static flow_solver check_solver(named_value x) {
  static const char *const words[SOLVER_count] = {[SOLVER_euler] = "euler", [SOLVER_heun] = "heun"};
  return (flow_solver)check_choice(x, words, SOLVER_count);
}

/* settings: a list of what is read here. */
static gpa_plan check_plan(SEXP widths, SEXP settings, SEXP threads) {
  list_reader of = open_list(settings, "settings");
  const named_value kind = read_member(&of, "divergence"), alpha = read_member(&of, "alpha");
  const gpa_plan plan = {
      .net = check_listening_network(widths, read_number(&of, "smoothing")),
      .divergence = check_divergence(kind, alpha),
      .lipschitz = read_number(&of, "lipschitz"),
      .norm = check_norm(read_member(&of, "normalisation")),
      .adam = {.rate = read_number(&of, "rate"),
               .beta1 = read_number(&of, "beta1"),
               .beta2 = read_number(&of, "beta2"),
               .epsilon = read_number(&of, "epsilon")},
      .solver = check_solver(read_member(&of, "solver")),
      .step = read_number(&of, "step"),
      .n_updates = (size_t)read_count(&of, "updates"),
      .threads = check_threads(threads),
  };
  close_list(&of);
  if (plan.net.width[plan.net.depth] != 1) Rf_error("The network of a flow must have one output.");
  if (!(plan.lipschitz > 0.0)) Rf_error("`settings$lipschitz` must be above 0.");
  return plan;
}

static matrix_view check_points(SEXP x, const gpa_plan *plan, const char *what) {
  const matrix_view points = check_matrix(x, what);
  if (points.dim != plan->net.width[0]) Rf_error("`%s` must have as many columns as the network has inputs.", what);
  if (points.n < 1) Rf_error("`%s` must have at least one row.", what);
  return points;
}

/* --- the flow -------------------------------------------------------------------------------------------- */

/* Leaves by a long jump if the user pressed Ctrl-C; all memory is R's. */
static int interrupted(void) {
  R_CheckUserInterrupt();
  return 0;
}

static SEXP pf_gpa_start(SEXP widths, SEXP settings, SEXP key, SEXP threads) {
  const gpa_plan plan = check_plan(widths, settings, threads);
  const rng_key seed = check_key(key);
  static const char *const names[] = {"learner", "directions"};
  SEXP values[2];
  values[0] = PROTECT(new_learner(&plan.net));
  values[1] = PROTECT(new_vector(gpa_directions(&plan.net)));
  gpa_learner learner = {learner_in(REAL(values[0]), &plan.net, 0), REAL(values[1])};
  if (gpa_start(&plan, &learner, seed, interrupted, scratch(1, gpa_workspace(&plan, 1, 1))) != STATUS_ok) {
    Rf_error("The weights of the network could not be scaled.");
  }
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

/* R asks for what takes a fraction of a second. */
#define MOST_STEPS 100000

static gpa_stop check_stop(SEXP stop) {
  list_reader of = open_list(stop, "stop");
  const gpa_stop rule = {
      .divergence = read_number(&of, "divergence"),
      .kinetic_energy = read_number(&of, "kinetic_energy"),
      .patience = read_number(&of, "patience"),
      .low = read_number(&of, "low"),
      .quiet = read_number(&of, "quiet"),
      .armed = read_flag(&of, "armed"),
  };
  close_list(&of);
  return rule;
}

/* What check_stop() reads. */
static SEXP stop_list(const gpa_stop *stop) {
  static const char *const names[] = {"divergence", "kinetic_energy", "patience", "low", "quiet", "armed"};
  const double numbers[] = {stop->divergence, stop->kinetic_energy, stop->patience, stop->low, stop->quiet};
  SEXP values[6];
  for (int i = 0; i < 5; i++) values[i] = PROTECT(Rf_ScalarReal(numbers[i]));
  values[5] = PROTECT(Rf_ScalarLogical(stop->armed));
  SEXP out = new_list(names, values, 6);
  UNPROTECT(6);
  return out;
}

static size_t read_stride(list_reader *list, const char *name) {
  const int stride = read_count(list, name);
  if (stride < 1) Rf_error("`%s$%s` must be at least 1.", list->what, name);
  return (size_t)stride;
}

static gpa_schedule check_schedule(SEXP key, SEXP schedule) {
  list_reader of = open_list(schedule, "schedule");
  const gpa_schedule out = {
      .batch_size = (size_t)read_count(&of, "batch_size"),
      .key = check_key(key),
      .every_network = read_stride(&of, "every_network"),
      .every_frame = read_stride(&of, "every_frame"),
  };
  close_list(&of);
  return out;
}

/* Why a flow ended, in the words of its status; "" where it may go on. */
static const char *const endings[] = {
    [GPA_going] = "",
    [GPA_diverged] = "diverged",
    [GPA_divergence_reached] = "divergence below tolerance",
    [GPA_kinetic_reached] = "kinetic energy below tolerance",
    [GPA_interrupted] = "interrupted",
};

/* Doubles of a new matrix, all 0. */
static double *zeros(SEXP matrix) {
  memset(REAL(matrix), 0, (size_t)XLENGTH(matrix) * sizeof(double));
  return REAL(matrix);
}

/* Steps `first` + 1 .. `first` + n_steps of a flow. particles [n, d], target [m, d]. Kept are the parameters of
 * the steps that are multiples of schedule$every_network and the frames after those of schedule$every_frame, as the
 * first columns of matrices with room for all planned; records has one row per number. A step that fails is undone
 * whole. */
static SEXP pf_gpa_advance(SEXP particles, SEXP target, SEXP learner, SEXP directions, SEXP updates, SEXP widths,
                           SEXP settings, SEXP key, SEXP schedule, SEXP first, SEXP n_steps, SEXP stop, SEXP threads) {
  R_CheckUserInterrupt();
  const gpa_plan plan = check_plan(widths, settings, threads);
  const matrix_view from = check_points(particles, &plan, "particles"), to = check_points(target, &plan, "target");
  const double *old_learner = check_learner(learner, &plan.net);
  const size_t n = from.n, m = to.n, dim = from.dim, size = network_parameters(&plan.net);
  const size_t n_directions = gpa_directions(&plan.net);
  const double *old_directions = check_vector(directions, n_directions, "directions");
  const uint64_t done_updates = check_updates(updates);
  const gpa_schedule when = check_schedule(key, schedule);
  const size_t start = (size_t)check_count(first, "first"), planned = (size_t)check_count(n_steps, "n_steps");
  if (planned > MOST_STEPS) Rf_error("`n_steps` must be at most %d in one call.", MOST_STEPS);
  gpa_state state = {.n = n, .m = m, .stop = check_stop(stop), .steps = start};

  static const char *const names[] = {"particles", "learner", "directions", "updates", "stop",
                                      "records",   "networks", "frames",    "done",    "ended"};
  static const char *const record_rows[] = {"divergence", "kinetic_energy", "largest_move"};
  SEXP values[10];
  values[0] = PROTECT(new_matrix(n, dim));
  values[1] = PROTECT(new_learner(&plan.net));
  values[2] = PROTECT(new_vector(n_directions));
  values[5] = PROTECT(new_matrix(3, planned));
  name_rows(values[5], record_rows);
  values[6] = PROTECT(new_matrix(size, gpa_kept_networks(&when, start, planned)));
  values[7] = PROTECT(new_matrix(n * dim, gpa_kept_frames(&when, start, planned)));
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
  double *workspace = scratch(1, gpa_advance_workspace(&plan, &when, n, m));

  const gpa_end ended = gpa_advance(&plan, &when, &state, planned, &kept, interrupted, workspace, order);

  unpack_rows(REAL(values[0]), state.columns, n, dim);
  values[3] = PROTECT(Rf_ScalarReal((double)state.learner.net.updates));
  values[4] = PROTECT(stop_list(&state.stop));
  values[8] = PROTECT(Rf_ScalarInteger((int)(state.steps - start)));
  values[9] = PROTECT(Rf_mkString(endings[ended]));
  SEXP result = new_list(names, values, 10);
  UNPROTECT(10);
  return result;
}

/* The dual and the kinetic energy of particles under one network. */
static SEXP pf_gpa_measure(SEXP particles, SEXP target, SEXP parameters, SEXP widths, SEXP settings, SEXP threads) {
  R_CheckUserInterrupt();
  const gpa_plan plan = check_plan(widths, settings, threads);
  const matrix_view from = check_points(particles, &plan, "particles"), to = check_points(target, &plan, "target");
  const double *weights = check_parameters(parameters, &plan.net);
  const gpa_record record = gpa_measure(&plan, weights, packed_rows(from), from.n, packed_rows(to), to.n,
                                        scratch(from.n, from.dim), scratch(1, gpa_workspace(&plan, 1, from.n + to.n)));
  static const char *const names[] = {"divergence", "kinetic_energy"};
  SEXP values[2];
  values[0] = PROTECT(Rf_ScalarReal(record.divergence));
  values[1] = PROTECT(Rf_ScalarReal(record.kinetic_energy));
  SEXP out = new_list(names, values, 2);
  UNPROTECT(2);
  return out;
}

/* Points carried along: steps `from` + 1 .. `from` + count of a flow, where step j moves by column
 * j / every of networks [P, .] (from 0). */
static SEXP pf_gpa_carry(SEXP points, SEXP networks, SEXP widths, SEXP settings, SEXP every, SEXP from, SEXP count,
                         SEXP threads) {
  R_CheckUserInterrupt();
  const gpa_plan plan = check_plan(widths, settings, threads);
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
    ROUTINE(pf_gpa_start, 4),
    ROUTINE(pf_gpa_advance, 13),
    ROUTINE(pf_gpa_measure, 6),
    ROUTINE(pf_gpa_carry, 8),
    NO_ROUTINE,
};
