/* Sampling from a density without data: built-in targets, divergences, steps. */
#include "glue_law.h"

#include <math.h>
#include <string.h>

#include "core/flow/wgf.h"
#include "core/law/targets.h"

/* shape: a list, width and bend of the banana, sd of the funnel, without a member for a mixture. Components as above;
 * NULL where the target is no mixture. */
static target check_target(SEXP kind, SEXP shape, SEXP means, SEXP factors, SEXP constants, size_t dim) {
  static const char *const words[TARGET_count] = {
      [TARGET_mixture] = "mixture", [TARGET_banana] = "banana", [TARGET_funnel] = "funnel"};
  target of = {.kind = (target_kind)check_choice(NAMED(kind), words, TARGET_count), .dim = dim};
  list_reader numbers = open_list(shape, "shape");
  if (of.kind == TARGET_banana) {
    of.a = read_number(&numbers, "width");
    of.b = read_number(&numbers, "bend");
  } else if (of.kind == TARGET_funnel) {
    of.a = read_number(&numbers, "sd");
  }
  close_list(&numbers);
  if (of.kind == TARGET_mixture) {
    of.components = check_gaussians(means, factors, dim);
    of.components.constants = check_vector(constants, of.components.n, "constants");
    return of;
  }
  if (dim < 2) Rf_error("`points` must have at least two columns.");
  if (!(of.a > 0.0) || !isfinite(of.a) || !isfinite(of.b)) {
    Rf_error("The members of `shape` must be finite, `width` and `sd` positive.");
  }
  return of;
}

static SEXP pf_target_field(SEXP points, SEXP kind, SEXP shape, SEXP means, SEXP factors, SEXP constants,
                            SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points");
  const target of = check_target(kind, shape, means, factors, constants, at.dim);
  const int team = check_threads(threads);
  static const char *const names[] = {"log_density", "gradient"};
  SEXP values[2];
  values[0] = PROTECT(new_vector(at.n));
  values[1] = PROTECT(new_matrix(at.n, at.dim));
  double *gradient = scratch(at.n, at.dim);
  target_field(&of, packed_rows(at), at.n, REAL(values[0]), gradient, scratch((size_t)team, target_workspace(&of)),
               team);
  unpack_rows(REAL(values[1]), gradient, at.n, at.dim);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

static const char *const wgf_words[WGF_count] = {
    [WGF_kl] = "kl",
    [WGF_reverse_kl] = "reverse_kl",
    [WGF_jeffreys] = "jeffreys",
    [WGF_js] = "js",
    [WGF_pearson] = "pearson",
    [WGF_neyman] = "neyman",
    [WGF_hellinger] = "hellinger",
    [WGF_alpha] = "alpha",
    [WGF_log_variance_q] = "log_variance_q",
    [WGF_log_variance_p] = "log_variance_p",
};

/* alpha is looked at where the divergence has one. */
static wgf_divergence check_wgf_divergence(named_value kind, named_value alpha) {
  wgf_divergence d = {.kind = (wgf_kind)check_choice(kind, wgf_words, WGF_count)};
  if (d.kind != WGF_alpha) return d;
  d.alpha = check_number(alpha.value, alpha.what);
  if (!isfinite(d.alpha) || d.alpha == 0.0 || d.alpha == 1.0) {
    Rf_error("`%s` must be finite and neither 0 nor 1.", alpha.what);
  }
  return d;
}

/* The weight w, the generator f and the growth g of the divergence at each log r, by columns. */
static SEXP pf_wgf_weights(SEXP kind, SEXP alpha, SEXP log_r, SEXP mean) {
  static const char *const columns[] = {"weight", "f", "growth"};
  const wgf_divergence d = check_wgf_divergence(NAMED(kind), NAMED(alpha));
  size_t n;
  const double *at = check_doubles(log_r, &n, "log_r"), centre = check_number(mean, "mean");
  SEXP out = PROTECT(new_matrix(n, 3));
  name_columns(out, columns);
  for (size_t i = 0; i < n; i++) {
    REAL(out)[i] = wgf_weight(&d, at[i], centre);
    REAL(out)[n + i] = wgf_f(&d, at[i], centre);
    REAL(out)[2 * n + i] = wgf_growth(&d, at[i], centre);
  }
  UNPROTECT(1);
  return out;
}

/* plan: a list of what is read here. */
static wgf_plan check_plan(SEXP plan) {
  list_reader of = open_list(plan, "plan");
  const named_value kind = read_member(&of, "divergence"), alpha = read_member(&of, "alpha");
  const wgf_plan rule = {
      .divergence = check_wgf_divergence(kind, alpha),
      .cap = read_number(&of, "cap"),
      .floor = read_number(&of, "floor"),
      .log_own = read_number(&of, "log_own"),
      .step = read_number(&of, "step"),
      .share = read_number(&of, "share"),
      .scale2 = read_number(&of, "scale2"),
      .furthest = read_number(&of, "furthest"),
  };
  close_list(&of);
  if (!(rule.cap >= 1.0) || !(rule.floor >= 0.0) || !(rule.furthest > 0.0)) {
    Rf_error("The cap must be at least 1, the floor not negative and the longest move positive.");
  }
  return rule;
}

static SEXP record_list(const wgf_record *record) {
  static const char *const names[] = {"log_z", "divergence", "kinetic_energy", "gamma", "largest_move", "capped"};
  const double numbers[] = {record->log_z, record->divergence,   record->kinetic_energy,
                            record->step,  record->largest_move, record->capped};
  SEXP values[6];
  for (int i = 0; i < 6; i++) values[i] = PROTECT(Rf_ScalarReal(numbers[i]));
  SEXP out = new_list(names, values, 6);
  UNPROTECT(6);
  return out;
}

/* One step. */
static SEXP pf_wgf_move(SEXP points, SEXP log_p, SEXP score_p, SEXP log_q, SEXP score_q, SEXP plan) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points");
  if (at.n < 1) Rf_error("`points` must have at least one row.");
  const double *by_p = check_extents(score_p, at.n, at.dim, "score_p");
  const double *by_q = check_extents(score_q, at.n, at.dim, "score_q");
  const double *p = check_vector(log_p, at.n, "log_p"), *q = check_vector(log_q, at.n, "log_q");
  const wgf_plan rule = check_plan(plan);
  static const char *const names[] = {"points", "log_r", "record", "diverged"};
  SEXP values[4];
  values[0] = PROTECT(new_matrix(at.n, at.dim));
  values[1] = PROTECT(new_vector(at.n));
  memcpy(REAL(values[0]), at.x, at.n * at.dim * sizeof(double));
  wgf_record record;
  const status result = wgf_move(&rule, REAL(values[0]), at.n, at.dim, p, by_p, q, by_q, REAL(values[1]),
                                 scratch(at.n, 1), &record, scratch(at.n, 2));
  values[2] = PROTECT(record_list(&record));
  values[3] = PROTECT(Rf_ScalarLogical(result != STATUS_ok));
  SEXP out = new_list(names, values, 4);
  UNPROTECT(4);
  return out;
}

const R_CallMethodDef wgf_routines[] = {
    ROUTINE(pf_target_field, 7),
    ROUTINE(pf_wgf_weights, 4),
    ROUTINE(pf_wgf_move, 6),
    NO_ROUTINE,
};
