/* The network, the dual of a divergence and the generative particle algorithm. */
#ifndef USE_FC_LEN_T
#define USE_FC_LEN_T
#endif
#include "glue.h"

#include <R_ext/BLAS.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/flow/gpa.h"
#include "core/net/spectral.h"
#include "core/base/parallel.h"
#include "glue_network.h"

#ifndef FCONE
#define FCONE
#endif

static void blas_gemm(char op_a, char op_b, int m, int n, int k, double alpha, const double *a, int lda,
                      const double *b, int ldb, double beta, double *c, int ldc) {
  F77_CALL(dgemm)(&op_a, &op_b, &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc FCONE FCONE);
}

network check_network(SEXP widths, double smoothing) {
  if (TYPEOF(widths) != INTSXP || XLENGTH(widths) < 2) Rf_error("`widths` must be at least two whole numbers.");
  const size_t depth = (size_t)XLENGTH(widths) - 1;
  size_t *width = (size_t *)R_alloc(depth + 1, sizeof(size_t));
  for (size_t l = 0; l <= depth; l++) {
    const int w = INTEGER_RO(widths)[l];
    if (w == NA_INTEGER || w < 1) Rf_error("`widths` must be at least 1.");
    width[l] = (size_t)w;
    if (l > 0 && width[l] > (size_t)INT_MAX / width[l - 1]) Rf_error("`widths` are too large.");
  }
  if (!(smoothing >= 0.0) || !isfinite(smoothing)) Rf_error("The smoothing must be finite and not negative.");
  const network net = {depth, width, smoothing > 0.0 ? RECTIFIER_smooth : RECTIFIER_relu, smoothing, blas_gemm};
  return net;
}

static const double *check_parameters(SEXP x, const network *net) {
  return check_vector(x, network_parameters(net), "parameters");
}

SEXP pf_network_start(SEXP widths, SEXP key) {
  const network net = check_network(widths, 0.0);
  const rng_key seed = check_key(key);
  SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)network_parameters(&net)));
  network_start(&net, REAL(out), seed);
  UNPROTECT(1);
  return out;
}

SEXP pf_network_forward(SEXP parameters, SEXP widths, SEXP smoothing, SEXP x, SEXP threads) {
  R_CheckUserInterrupt();
  const int team = threads_limit(check_threads(threads));
  const network net = check_network(widths, check_number(smoothing, "smoothing"));
  const double *weights = check_parameters(parameters, &net);
  const matrix_view at = check_matrix(x, "x");
  if (at.dim != net.width[0]) Rf_error("`x` must have as many columns as the network has inputs.");
  const size_t out_width = net.width[net.depth];
  SEXP out = PROTECT(new_matrix(at.n, out_width));
  const double *output =
      network_forward(&net, weights, packed_rows(at), at.n, scratch(1, network_workspace(&net, at.n)), team);
  unpack_rows(REAL(out), output, at.n, out_width);
  UNPROTECT(1);
  return out;
}

SEXP pf_network_backward(SEXP parameters, SEXP widths, SEXP smoothing, SEXP x, SEXP output_gradient) {
  R_CheckUserInterrupt();
  const network net = check_network(widths, check_number(smoothing, "smoothing"));
  const double *weights = check_parameters(parameters, &net);
  const matrix_view at = check_matrix(x, "x"), by_output = check_matrix(output_gradient, "output_gradient");
  if (at.dim != net.width[0]) Rf_error("`x` must have as many columns as the network has inputs.");
  if (by_output.n != at.n || by_output.dim != net.width[net.depth]) {
    Rf_error("`output_gradient` must have a row a row of `x` and a column an output.");
  }
  static const char *const names[] = {"parameters", "input"};
  SEXP values[2];
  values[0] = PROTECT(Rf_allocVector(REALSXP, XLENGTH(parameters)));
  values[1] = PROTECT(new_matrix(at.n, at.dim));
  const double *points = packed_rows(at);
  double *workspace = scratch(1, network_workspace(&net, at.n)), *by_input = scratch(at.n, at.dim);
  network_forward(&net, weights, points, at.n, workspace, 1);
  network_backward(&net, weights, points, at.n, packed_rows(by_output), REAL(values[0]), by_input, workspace);
  unpack_rows(REAL(values[1]), by_input, at.n, at.dim);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

SEXP pf_spectral_bound(SEXP w) {
  const matrix_view of = check_matrix(w, "w");
  if (of.n < 1) Rf_error("`w` must have at least one row.");
  double *direction = scratch(of.n < of.dim ? of.n : of.dim, 1);
  memset(direction, 0, (of.n < of.dim ? of.n : of.dim) * sizeof(double));
  return Rf_ScalarReal(
      spectral_bound(of.x, of.n, of.dim, direction, scratch(1, spectral_workspace(of.n, of.dim)), blas_gemm));
}

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

static divergence check_divergence(double kind, double alpha) {
  if (!(kind >= DIVERGENCE_kl && kind <= DIVERGENCE_js)) Rf_error("The divergence must be 0, 1, 2 or 3.");
  const divergence d = {(divergence_kind)kind, alpha};
  if (d.kind == DIVERGENCE_alpha && (!(alpha > 1.0) || !isfinite(alpha))) Rf_error("`alpha` must be above 1.");
  return d;
}

static gpa_plan check_plan(SEXP widths, SEXP settings) {
  const double *of = check_vector(settings, SETTINGS, "settings");
  const gpa_plan plan = {
      check_network(widths, of[SETTING_smoothing]),
      check_divergence(of[SETTING_divergence], of[SETTING_alpha]),
      of[SETTING_lipschitz],
      of[SETTING_norm] == 1.0 ? NORM_frobenius : NORM_spectral,
      {of[SETTING_rate], of[SETTING_beta1], of[SETTING_beta2], of[SETTING_epsilon]},
      of[SETTING_solver] == 1.0 ? SOLVER_heun : SOLVER_euler,
      of[SETTING_step],
      of[SETTING_updates] >= 0.0 && of[SETTING_updates] < 1e9 ? (size_t)of[SETTING_updates] : 0,
  };
  if (plan.net.width[plan.net.depth] != 1) Rf_error("The network of a flow must have one output.");
  if (!(plan.lipschitz > 0.0)) Rf_error("`lipschitz` must be above 0.");
  return plan;
}

SEXP pf_divergence_dual(SEXP kind, SEXP alpha, SEXP p, SEXP q) {
  const divergence d = check_divergence((double)check_count(kind, "kind"), check_number(alpha, "alpha"));
  if (TYPEOF(p) != REALSXP || TYPEOF(q) != REALSXP || XLENGTH(p) < 1 || XLENGTH(q) < 1) {
    Rf_error("`p` and `q` must be doubles, at least one each.");
  }
  const size_t n_p = (size_t)XLENGTH(p), n_q = (size_t)XLENGTH(q);
  const double *at_p = check_vector(p, n_p, "p"), *at_q = check_vector(q, n_q, "q");
  static const char *const names[] = {"value", "weight"};
  SEXP values[2];
  values[0] = PROTECT(Rf_allocVector(REALSXP, 1));
  values[1] = PROTECT(Rf_allocVector(REALSXP, XLENGTH(q)));
  memset(REAL(values[1]), 0, n_q * sizeof(double));
  REAL(values[0])[0] = divergence_dual(&d, at_p, n_p, at_q, n_q, REAL(values[1]));
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

/* --- the flow -------------------------------------------------------------------------------------------- */

/* learner: [P, 3], the parameters and both moments by columns. */
static const double *check_learner(SEXP learner, const gpa_plan *plan) {
  const matrix_view of = check_matrix(learner, "learner");
  if (of.n != network_parameters(&plan->net) || of.dim != 3) {
    Rf_error("`learner` must have a row a parameter and three columns.");
  }
  return of.x;
}

static gpa_learner learner_at(double *store, const gpa_plan *plan, double *directions, double updates) {
  const size_t size = network_parameters(&plan->net);
  const gpa_learner learner = {store, store + size, store + 2 * size, directions, updates};
  return learner;
}

static void check_points(matrix_view points, const gpa_plan *plan, const char *what) {
  if (points.dim != plan->net.width[0]) Rf_error("`%s` must have as many columns as the network has inputs.", what);
  if (points.n < 1) Rf_error("`%s` must have at least one row.", what);
}

SEXP pf_gpa_start(SEXP widths, SEXP settings, SEXP key) {
  const gpa_plan plan = check_plan(widths, settings);
  const rng_key seed = check_key(key);
  static const char *const names[] = {"learner", "directions"};
  SEXP values[2];
  values[0] = PROTECT(new_matrix(network_parameters(&plan.net), 3));
  values[1] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)gpa_directions(&plan.net)));
  gpa_learner learner = learner_at(REAL(values[0]), &plan, REAL(values[1]), 0.0);
  if (gpa_start(&plan, &learner, seed, scratch(1, gpa_workspace(&plan, 1, 1))) != STATUS_ok) {
    Rf_error("The weights of the network could not be scaled.");
  }
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

/* The rows that an update sees, particles first. All of them: `all` itself. */
typedef struct {
  size_t size, n_p, n_q; /* rows a side at most; 0 for all */
  double *columns;       /* [d, n_p + n_q] */
  size_t *order;
} minibatch;

static minibatch new_minibatch(size_t size, size_t dim, size_t n, size_t m) {
  minibatch batch = {size, n, m, NULL, NULL};
  if (size == 0 || (size >= n && size >= m)) {
    batch.size = 0;
    return batch;
  }
  batch.n_p = size < n ? size : n;
  batch.n_q = size < m ? size : m;
  batch.columns = scratch(dim, batch.n_p + batch.n_q);
  batch.order = (size_t *)R_alloc(n > m ? n : m, sizeof(size_t));
  return batch;
}

static void gather(double *out, const double *rows, size_t dim, size_t n, size_t size, rng_key key, double update,
                   uint32_t side, size_t *order) {
  gpa_batch(order, n, size, key, update, side);
  for (size_t i = 0; i < size; i++) memcpy(out + i * dim, rows + order[i] * dim, dim * sizeof(double));
}

/* all: [d, n + m] */
static const double *next_batch(const minibatch *batch, const double *all, size_t dim, size_t n, size_t m,
                                rng_key key, double update) {
  if (batch->size == 0) return all;
  gather(batch->columns, all, dim, n, batch->n_p, key, update, 0, batch->order);
  gather(batch->columns + batch->n_p * dim, all + n * dim, dim, m, batch->n_q, key, update, 1, batch->order);
  return batch->columns;
}

/* R asks for what takes a fraction of a second. */
#define MOST_STEPS 100000

/* What ends a flow before its number of steps: values below a tolerance for some steps in a row; for the
 * divergence only after it was above it once, for the network that starts tells nothing apart. */
enum { STOP_divergence, STOP_kinetic, STOP_patience, STOP_low, STOP_quiet, STOP_armed, STOPS };
enum { ENDED_not = 0, ENDED_diverged = 1, ENDED_divergence = 2, ENDED_kinetic = 3 };

static int watch(double *stop, gpa_record record) {
  if (record.divergence > stop[STOP_divergence]) stop[STOP_armed] = 1.0;
  stop[STOP_low] = stop[STOP_armed] == 1.0 && record.divergence <= stop[STOP_divergence] ? stop[STOP_low] + 1.0 : 0.0;
  stop[STOP_quiet] = record.kinetic_energy <= stop[STOP_kinetic] ? stop[STOP_quiet] + 1.0 : 0.0;
  if (stop[STOP_low] >= stop[STOP_patience]) return ENDED_divergence;
  return stop[STOP_quiet] >= stop[STOP_patience] ? ENDED_kinetic : ENDED_not;
}

/* Steps `first` + 1 .. `first` + n_steps of a flow. particles [n, d], target [m, d]. Kept are the parameters of
 * the steps that are multiples of every[0] and the frames after those of every[1], as the first columns of
 * matrices with room for all planned. A step that fails is undone whole. */
SEXP pf_gpa_advance(SEXP particles, SEXP target, SEXP learner, SEXP directions, SEXP updates, SEXP widths,
                    SEXP settings, SEXP key, SEXP batch_size, SEXP first, SEXP n_steps, SEXP every, SEXP stop) {
  R_CheckUserInterrupt();
  const gpa_plan plan = check_plan(widths, settings);
  const matrix_view from = check_matrix(particles, "particles"), to = check_matrix(target, "target");
  check_points(from, &plan, "particles");
  check_points(to, &plan, "target");
  const double *old_learner = check_learner(learner, &plan);
  const size_t n_directions = gpa_directions(&plan.net), size = network_parameters(&plan.net);
  const double *old_directions = check_vector(directions, n_directions, "directions");
  const double done_updates = check_number(updates, "updates");
  const rng_key seed = check_key(key);
  const size_t rows = (size_t)check_count(batch_size, "batch_size");
  const size_t start = (size_t)check_count(first, "first"), planned = (size_t)check_count(n_steps, "n_steps");
  if (planned > MOST_STEPS) Rf_error("`n_steps` must be at most %d in one call.", MOST_STEPS);
  if (TYPEOF(every) != INTSXP || XLENGTH(every) != 2 || INTEGER_RO(every)[0] < 1 || INTEGER_RO(every)[1] < 1) {
    Rf_error("`every` must be two whole numbers of at least 1.");
  }
  const size_t every_net = (size_t)INTEGER_RO(every)[0], every_frame = (size_t)INTEGER_RO(every)[1];
  const double *old_stop = check_vector(stop, STOPS, "stop");
  const size_t n = from.n, m = to.n, dim = from.dim;
  const size_t kept_nets = (start + planned + every_net - 1) / every_net - (start + every_net - 1) / every_net;
  const size_t kept_frames = (start + planned) / every_frame - start / every_frame;

  static const char *const names[] = {"particles", "learner", "directions", "updates", "stop",
                                      "records",   "networks", "frames",    "done",    "ended"};
  SEXP values[10];
  values[0] = PROTECT(new_matrix(n, dim));
  values[1] = PROTECT(new_matrix(size, 3));
  values[2] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)n_directions));
  values[3] = PROTECT(Rf_allocVector(REALSXP, 1));
  values[4] = PROTECT(Rf_allocVector(REALSXP, STOPS));
  values[5] = PROTECT(new_matrix(3, planned));
  values[6] = PROTECT(new_matrix(size, kept_nets));
  values[7] = PROTECT(new_matrix(n * dim, kept_frames));
  values[8] = PROTECT(Rf_allocVector(INTSXP, 1));
  values[9] = PROTECT(Rf_allocVector(INTSXP, 1));
  double *state = REAL(values[1]), *where = REAL(values[2]), *watched = REAL(values[4]);
  memcpy(state, old_learner, 3 * size * sizeof(double));
  memcpy(where, old_directions, n_directions * sizeof(double));
  memcpy(watched, old_stop, STOPS * sizeof(double));
  double *records = REAL(values[5]), *networks = REAL(values[6]), *frames = REAL(values[7]);
  memset(records, 0, 3 * planned * sizeof(double));
  memset(networks, 0, size * kept_nets * sizeof(double));
  memset(frames, 0, n * dim * kept_frames * sizeof(double));

  double *all = scratch(n + m, dim), *gradient = scratch(n, dim);
  pack_rows(all, from.x, n, dim);
  pack_rows(all + n * dim, to.x, m, dim);
  const minibatch batch = new_minibatch(rows, dim, n, m);
  double *workspace = scratch(1, gpa_workspace(&plan, batch.n_p + batch.n_q, n + m));
  double *good_points = scratch(n, dim), *good_state = scratch(size, 3), *good_where = scratch(n_directions, 1);
  gpa_learner now = learner_at(state, &plan, where, done_updates);
  size_t done = 0;
  int ended = ENDED_not;
  while (done < planned && ended == ENDED_not) {
    const size_t step = start + done;
    memcpy(good_points, all, n * dim * sizeof(double));
    memcpy(good_state, state, 3 * size * sizeof(double));
    memcpy(good_where, where, n_directions * sizeof(double));
    const double good_updates = now.updates;
    status result = STATUS_ok;
    for (size_t u = 0; u < plan.n_updates && result == STATUS_ok; u++) {
      R_CheckUserInterrupt();
      result = gpa_update(&plan, &now, next_batch(&batch, all, dim, n, m, seed, now.updates), batch.n_p, batch.n_q,
                          workspace);
    }
    gpa_record record = {0.0, 0.0, 0.0};
    if (result == STATUS_ok) {
      record = gpa_measure(&plan, now.parameters, all, n, all + n * dim, m, gradient, workspace);
      if (!isfinite(record.divergence) || !isfinite(record.kinetic_energy)) result = STATUS_diverged;
    }
    if (result == STATUS_ok) {
      result = gpa_move(&plan, now.parameters, all, n, gradient, &record.largest_move, workspace);
    }
    if (result != STATUS_ok) {
      memcpy(all, good_points, n * dim * sizeof(double));
      memcpy(state, good_state, 3 * size * sizeof(double));
      memcpy(where, good_where, n_directions * sizeof(double));
      now.updates = good_updates;
      ended = ENDED_diverged;
      break;
    }
    if (step % every_net == 0) {
      memcpy(networks, now.parameters, size * sizeof(double));
      networks += size;
    }
    records[3 * done] = record.divergence;
    records[3 * done + 1] = record.kinetic_energy;
    records[3 * done + 2] = record.largest_move;
    done++;
    if ((start + done) % every_frame == 0) {
      unpack_rows(frames, all, n, dim);
      frames += n * dim;
    }
    ended = watch(watched, record);
  }
  unpack_rows(REAL(values[0]), all, n, dim);
  REAL(values[3])[0] = now.updates;
  INTEGER(values[8])[0] = (int)done;
  INTEGER(values[9])[0] = ended;
  SEXP result = new_list(names, values, 10);
  UNPROTECT(10);
  return result;
}

/* The dual and the kinetic energy of particles under one network. */
SEXP pf_gpa_measure(SEXP particles, SEXP target, SEXP parameters, SEXP widths, SEXP settings) {
  R_CheckUserInterrupt();
  const gpa_plan plan = check_plan(widths, settings);
  const matrix_view from = check_matrix(particles, "particles"), to = check_matrix(target, "target");
  check_points(from, &plan, "particles");
  check_points(to, &plan, "target");
  const double *weights = check_parameters(parameters, &plan.net);
  const gpa_record record = gpa_measure(&plan, weights, packed_rows(from), from.n, packed_rows(to), to.n,
                                        scratch(from.n, from.dim), scratch(1, gpa_workspace(&plan, 1, from.n + to.n)));
  SEXP out = PROTECT(Rf_allocVector(REALSXP, 2));
  REAL(out)[0] = record.divergence;
  REAL(out)[1] = record.kinetic_energy;
  UNPROTECT(1);
  return out;
}

/* Points carried along: steps `from` + 1 .. `from` + count of a flow, where step j moves by column
 * j / every of networks [P, .] (from 0). */
SEXP pf_gpa_carry(SEXP points, SEXP networks, SEXP widths, SEXP settings, SEXP every, SEXP from, SEXP count) {
  R_CheckUserInterrupt();
  const gpa_plan plan = check_plan(widths, settings);
  const matrix_view at = check_matrix(points, "points"), nets = check_matrix(networks, "networks");
  if (at.dim != plan.net.width[0]) Rf_error("`points` must have as many columns as the network has inputs.");
  if (nets.n != network_parameters(&plan.net)) Rf_error("`networks` must have a row a parameter.");
  const size_t stride = (size_t)check_count(every, "every"), start = (size_t)check_count(from, "from");
  const size_t steps = (size_t)check_count(count, "count");
  if (stride < 1) Rf_error("`every` must be at least 1.");
  if (steps > 0 && (start + steps - 1) / stride >= nets.dim) Rf_error("`networks` has too few columns.");
  SEXP out = PROTECT(new_matrix(at.n, at.dim));
  double *moved = scratch(at.n, at.dim), *gradient = scratch(at.n, at.dim);
  pack_rows(moved, at.x, at.n, at.dim);
  double *workspace = scratch(1, gpa_workspace(&plan, 1, at.n));
  status result = STATUS_ok;
  for (size_t j = start; j < start + steps && at.n > 0 && result == STATUS_ok; j++) {
    const double *weights = nets.x + j / stride * nets.n;
    gpa_field(&plan, weights, moved, at.n, gradient, NULL, workspace);
    result = gpa_move(&plan, weights, moved, at.n, gradient, NULL, workspace);
    R_CheckUserInterrupt();
  }
  unpack_rows(REAL(out), moved, at.n, at.dim);
  UNPROTECT(1);
  if (result != STATUS_ok) Rf_error("The points left the range of numbers.");
  return out;
}
