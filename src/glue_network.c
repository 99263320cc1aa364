/* Networks, their updates and the dual of a divergence. */
#include "glue_law.h"
#include "glue_network.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/net/generator.h"
#include "core/net/learner.h"
#include "core/net/spectral.h"
#include "core/net/waves.h"

static void listen(void) {
  R_CheckUserInterrupt();
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
  const network net = {
      .depth = depth,
      .width = width,
      .kind = smoothing > 0.0 ? RECTIFIER_smooth : RECTIFIER_relu,
      .smoothing = smoothing,
  };
  return net;
}

network check_listening_network(SEXP widths, double smoothing) {
  network net = check_network(widths, smoothing);
  net.listen = listen;
  return net;
}

const double *check_parameters(SEXP x, const network *net) {
  return check_vector(x, network_parameters(net), "parameters");
}

const double *check_learner(SEXP learner, const network *net) {
  const matrix_view of = check_matrix(learner, "learner");
  if (of.n != network_parameters(net) || of.dim != 3) {
    Rf_error("`learner` must have one row per parameter and three columns.");
  }
  return of.x;
}

SEXP new_learner(const network *net) {
  static const char *const columns[] = {"parameters", "first_moment", "second_moment"};
  SEXP out = PROTECT(new_matrix(network_parameters(net), 3));
  name_columns(out, columns);
  UNPROTECT(1);
  return out;
}

uint64_t check_updates(SEXP updates) {
  return check_whole(check_number(updates, "updates"), LARGEST_WHOLE - 1.0, "updates");
}

static const char *const divergence_words[DIVERGENCE_count] = {
    [DIVERGENCE_kl] = "kl",
    [DIVERGENCE_alpha] = "alpha",
    [DIVERGENCE_reverse_kl] = "reverse_kl",
    [DIVERGENCE_js] = "js",
};

divergence check_divergence(named_value kind, named_value alpha) {
  divergence d = {.kind = (divergence_kind)check_choice(kind, divergence_words, DIVERGENCE_count)};
  if (d.kind != DIVERGENCE_alpha) return d;
  d.alpha = check_number(alpha.value, alpha.what);
  if (!(d.alpha > 1.0) || !isfinite(d.alpha)) Rf_error("`%s` must be finite and above 1.", alpha.what);
  return d;
}

static void check_sides(const network *net, matrix_view x, matrix_view output_gradient) {
  if (x.dim != net->width[0]) Rf_error("`x` must have as many columns as the network has inputs.");
  if (output_gradient.n != x.n || output_gradient.dim != net->width[net->depth]) {
    Rf_error("`output_gradient` must have one row per row of `x` and one column per output.");
  }
}

static SEXP pf_network_start(SEXP widths, SEXP key) {
  const network net = check_network(widths, 0.0);
  const rng_key seed = check_key(key);
  SEXP out = PROTECT(new_vector(network_parameters(&net)));
  network_start(&net, REAL(out), seed);
  UNPROTECT(1);
  return out;
}

static SEXP pf_network_forward(SEXP parameters, SEXP widths, SEXP smoothing, SEXP x, SEXP threads) {
  R_CheckUserInterrupt();
  const int team = check_threads(threads);
  const network net = check_listening_network(widths, check_number(smoothing, "smoothing"));
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

static SEXP pf_network_backward(SEXP parameters, SEXP widths, SEXP smoothing, SEXP x, SEXP output_gradient,
                                SEXP threads) {
  R_CheckUserInterrupt();
  const int team = check_threads(threads);
  const network net = check_listening_network(widths, check_number(smoothing, "smoothing"));
  const double *weights = check_parameters(parameters, &net);
  const matrix_view at = check_matrix(x, "x"), by_output = check_matrix(output_gradient, "output_gradient");
  check_sides(&net, at, by_output);
  static const char *const names[] = {"parameters", "input"};
  SEXP values[2];
  values[0] = PROTECT(new_vector(network_parameters(&net)));
  values[1] = PROTECT(new_matrix(at.n, at.dim));
  const double *points = packed_rows(at);
  double *workspace = scratch(1, network_workspace(&net, at.n)), *by_input = scratch(at.n, at.dim);
  network_forward(&net, weights, points, at.n, workspace, team);
  network_backward(&net, weights, points, at.n, packed_rows(by_output), REAL(values[0]), by_input, workspace, team);
  unpack_rows(REAL(values[1]), by_input, at.n, at.dim);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

/* One update by Adam of a network with parameters and moments learner [P, 3] after `updates` of them, from the
 * derivatives of a scalar by its outputs at x. */
static SEXP pf_network_update(SEXP learner, SEXP updates, SEXP widths, SEXP smoothing, SEXP x, SEXP output_gradient,
                              SEXP rate, SEXP threads) {
  R_CheckUserInterrupt();
  const int team = check_threads(threads);
  const network net = check_listening_network(widths, check_number(smoothing, "smoothing"));
  const double *before = check_learner(learner, &net);
  const matrix_view at = check_matrix(x, "x"), by_output = check_matrix(output_gradient, "output_gradient");
  check_sides(&net, at, by_output);
  const uint64_t done = check_updates(updates);
  const adam_settings adam = {
      .rate = -check_number(rate, "rate"), .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8};
  SEXP out = PROTECT(new_learner(&net));
  memcpy(REAL(out), before, 3 * network_parameters(&net) * sizeof(double));
  network_learner now = learner_in(REAL(out), &net, done);
  const status result = learner_update(&now, &net, packed_rows(at), at.n, packed_rows(by_output), &adam,
                                       scratch(1, learner_workspace(&net, at.n)), team);
  UNPROTECT(1);
  if (result != STATUS_ok) Rf_error("The weights of the network left the range of numbers; lower `rate`.");
  return out;
}

static SEXP pf_spectral_bound(SEXP w) {
  const matrix_view of = check_matrix(w, "w");
  if (of.n < 1) Rf_error("`w` must have at least one row.");
  double *direction = scratch(of.n < of.dim ? of.n : of.dim, 1);
  memset(direction, 0, (of.n < of.dim ? of.n : of.dim) * sizeof(double));
  return Rf_ScalarReal(
      spectral_bound(of.x, of.n, of.dim, direction, NULL, scratch(1, spectral_workspace(of.n, of.dim))));
}

static SEXP pf_divergence_dual(SEXP kind, SEXP alpha, SEXP p, SEXP q) {
  const divergence d = check_divergence(NAMED(kind), NAMED(alpha));
  size_t n_p, n_q;
  const double *at_p = check_doubles(p, &n_p, "p"), *at_q = check_doubles(q, &n_q, "q");
  if (n_p < 1 || n_q < 1) Rf_error("`p` and `q` must be doubles, at least one each.");
  static const char *const names[] = {"value", "weight"};
  SEXP values[2];
  values[0] = PROTECT(new_vector(1));
  values[1] = PROTECT(new_vector(n_q));
  memset(REAL(values[1]), 0, n_q * sizeof(double));
  REAL(values[0])[0] = divergence_dual(&d, at_p, n_p, at_q, n_q, REAL(values[1]));
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

static waves check_waves(SEXP x, SEXP t) {
  const matrix_view at = check_matrix(x, "x"), frequencies = check_matrix(t, "t");
  if (at.dim != frequencies.dim) Rf_error("`t` must have as many columns as `x`.");
  if (at.n < 1) Rf_error("`x` must have at least one row.");
  const waves w = {.n = at.n, .dim = at.dim, .count = frequencies.n, .x = packed_rows(at), .t = frequencies.x};
  return w;
}

/* The empirical characteristic function of the rows of x [n, d] at frequencies t [K, d]. */
static SEXP pf_characteristic(SEXP x, SEXP t, SEXP threads) {
  R_CheckUserInterrupt();
  const int team = check_threads(threads);
  const waves w = check_waves(x, t);
  static const char *const names[] = {"re", "im"};
  SEXP values[2];
  values[0] = PROTECT(new_vector(w.count));
  values[1] = PROTECT(new_vector(w.count));
  waves_means(&w, REAL(values[0]), REAL(values[1]), aligned_scratch(waves_workspace(&w, team)), team);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

/* [n, d]: the gradient by the rows of x of n / 2 times the sum of |re + i im|^2, the characteristic function less a
 * constant. */
static SEXP pf_characteristic_pull(SEXP x, SEXP t, SEXP re, SEXP im, SEXP threads) {
  R_CheckUserInterrupt();
  const int team = check_threads(threads);
  const waves w = check_waves(x, t);
  const double *real = check_vector(re, w.count, "re"), *imaginary = check_vector(im, w.count, "im");
  SEXP out = PROTECT(new_matrix(w.n, w.dim));
  double *pull = scratch(w.n, w.dim);
  waves_pull(&w, real, imaginary, pull, aligned_scratch(waves_workspace(&w, team)), team);
  unpack_rows(REAL(out), pull, w.n, w.dim);
  UNPROTECT(1);
  return out;
}

/* One number per column of the points, or none at all. */
static const double *read_each(list_reader *frame, const char *name, size_t columns) {
  const named_value member = read_member(frame, name);
  const int none = TYPEOF(member.value) == REALSXP && XLENGTH(member.value) == 0;
  return none ? NULL : check_vector(member.value, columns, member.what);
}

static generator check_generator(SEXP parameters, SEXP widths, SEXP smoothing, SEXP frame) {
  generator g = {.net = check_listening_network(widths, check_number(smoothing, "smoothing"))};
  g.parameters = check_parameters(parameters, &g.net);
  const size_t columns = g.net.width[g.net.depth];
  list_reader list = open_list(frame, "frame");
  g.start = read_number(&list, "start");
  g.shift = read_each(&list, "shift", columns);
  g.low = read_each(&list, "low", columns);
  g.high = read_each(&list, "high", columns);
  g.centre = read_each(&list, "centre", columns);
  g.spread = read_each(&list, "spread", columns);
  close_list(&list);
  if (!g.low != !g.high || !g.centre != !g.spread) {
    Rf_error("`frame` must have both of `low` and `high` or none, and both of `centre` and `spread` or none.");
  }
  return g;
}

static SEXP new_points(const generator *g, const base_points *from, size_t n, int team) {
  SEXP out = PROTECT(new_matrix(n, g->net.width[g->net.depth]));
  generator_points(g, from, n, REAL(out), aligned_scratch(generator_workspace(g, n, team)), team);
  UNPROTECT(1);
  return out;
}

/* Points of a generator at base points z [n, base dimensions]. */
static SEXP pf_generator_points(SEXP parameters, SEXP widths, SEXP smoothing, SEXP frame, SEXP z, SEXP threads) {
  R_CheckUserInterrupt();
  const int team = check_threads(threads);
  const generator g = check_generator(parameters, widths, smoothing, frame);
  const matrix_view at = check_matrix(z, "z");
  if (at.dim != g.net.width[0]) Rf_error("`z` must have as many columns as the network has inputs.");
  const base_points from = {.z = at.x};
  return new_points(&g, &from, at.n, team);
}

/* n draws of a generator. Row i, from 0, has the numbers of particle i % rows in the stream first + step (i / rows);
 * streams: list(first, step, rows). mixture: NULL for normal base points; pick_key is for its components. */
static SEXP pf_generator_draws(SEXP parameters, SEXP widths, SEXP smoothing, SEXP frame, SEXP n, SEXP mixture,
                               SEXP pick_key, SEXP key, SEXP streams, SEXP threads) {
  R_CheckUserInterrupt();
  const int team = check_threads(threads);
  const generator g = check_generator(parameters, widths, smoothing, frame);
  const size_t count = (size_t)check_count(n, "n");
  list_reader list = open_list(streams, "streams");
  base_points from = {.key = check_key(key),
                      .first = (uint32_t)read_count(&list, "first"),
                      .step = (uint32_t)read_count(&list, "step"),
                      .rows = (size_t)read_count(&list, "rows")};
  close_list(&list);
  if (from.rows < 1) Rf_error("`streams$rows` must be at least 1.");
  t_components law;
  component_source source;
  const rng_key picks = check_key(pick_key);
  if (!Rf_isNull(mixture)) {
    law = check_mixture(mixture);
    if (law.dim != g.net.width[0]) Rf_error("`mixture` must be of as many coordinates as the network has inputs.");
    source = check_source(&law);
    source.pick_key = picks;
    from.mixture = &source;
  }
  return new_points(&g, &from, count, team);
}

const R_CallMethodDef network_routines[] = {
    ROUTINE(pf_network_start, 2),
    ROUTINE(pf_network_forward, 5),
    ROUTINE(pf_network_backward, 6), /* for tests alone */
    ROUTINE(pf_network_update, 8),
    ROUTINE(pf_generator_points, 6),
    ROUTINE(pf_generator_draws, 10),
    ROUTINE(pf_characteristic, 3),
    ROUTINE(pf_characteristic_pull, 5),
    ROUTINE(pf_spectral_bound, 1),  /* for tests alone */
    ROUTINE(pf_divergence_dual, 4), /* for tests alone */
    NO_ROUTINE,
};
