/* Sampling from a density without data: kernel estimates, built-in targets, steps. */
#include "glue.h"

#include <math.h>
#include <string.h>

#include "core/law/kde.h"
#include "core/law/targets.h"
#include "core/base/parallel.h"
#include "core/flow/wgf.h"

static pair_kernel check_density_kernel(SEXP kernel, SEXP bandwidth) {
  const char *name = check_string(kernel, "kernel");
  const double width = check_number(bandwidth, "bandwidth");
  if (!(width > 0.0) || !isfinite(width)) Rf_error("`bandwidth` must be finite and positive.");
  if (!strcmp(name, "gaussian")) return kernel_gaussian(width);
  if (!strcmp(name, "laplace")) return kernel_laplace(width);
  Rf_error("`kernel` must be \"gaussian\" or \"laplace\".");
}

/* score [count, d], NULL where it is not wanted. */
SEXP pf_kde(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP kernel, SEXP bandwidth, SEXP score,
            SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const pair_kernel weight = check_density_kernel(kernel, bandwidth);
  const int wanted = check_flag(score, "score"), team = threads_limit(check_threads(threads));
  pair_task task = check_row_task(to, of, from, count, self, weight);
  if (of.n < (task.self == NO_SELF ? 1 : 2)) Rf_error("`source` has too few rows.");
  pairwise_prepare(&task);
  static const char *const names[] = {"log_density", "score"};
  SEXP values[2];
  values[0] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)task.n_query));
  values[1] = PROTECT(wanted ? new_matrix(task.n_query, task.dim) : R_NilValue);
  kde_field(&task, REAL(values[0]), wanted ? REAL(values[1]) : NULL, 1, task.n_query,
            scratch((size_t)team, pairwise_workspace(task.dim)), team);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

/* shape: a, b. means [K, d], factors [d (d+1) / 2, K] (one column a component: packed, seen from C), constants
 * [K]; NULL where the target is no mixture. */
static target check_target(SEXP kind, SEXP shape, SEXP means, SEXP factors, SEXP constants, size_t dim) {
  const int which = check_count(kind, "kind");
  const double *numbers = check_vector(shape, 2, "shape");
  target of = {(target_kind)which, dim, numbers[0], numbers[1], 0, NULL, NULL, NULL};
  if (which > TARGET_funnel) Rf_error("`kind` must be 0, 1 or 2.");
  if (which != TARGET_mixture) {
    if (dim < 2) Rf_error("`points` must have at least two columns.");
    if (!(of.a > 0.0) || !isfinite(of.a) || !isfinite(of.b)) Rf_error("`shape` must be finite, its first number positive.");
    return of;
  }
  const matrix_view at = check_matrix(means, "means"), triangles = check_matrix(factors, "factors");
  if (at.n < 1 || at.dim != dim) Rf_error("`means` must have a row a component and the columns of `points`.");
  if (triangles.n != dim * (dim + 1) / 2 || triangles.dim != at.n) {
    Rf_error("`factors` must have a column a component, a triangle each.");
  }
  of.n_components = at.n;
  of.means = packed_rows(at);
  of.factors = triangles.x;
  of.constants = check_vector(constants, at.n, "constants");
  return of;
}

SEXP pf_target_field(SEXP points, SEXP kind, SEXP shape, SEXP means, SEXP factors, SEXP constants, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points");
  const target of = check_target(kind, shape, means, factors, constants, at.dim);
  const int team = threads_limit(check_threads(threads));
  static const char *const names[] = {"log_density", "gradient"};
  SEXP values[2];
  values[0] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)at.n));
  values[1] = PROTECT(new_matrix(at.n, at.dim));
  double *gradient = scratch(at.n, at.dim);
  target_field(&of, packed_rows(at), at.n, REAL(values[0]), gradient, scratch((size_t)team, target_workspace(&of)), team);
  unpack_rows(REAL(values[1]), gradient, at.n, at.dim);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

/* log of weight times density of each component, [n, K]. */
SEXP pf_target_components(SEXP points, SEXP means, SEXP factors, SEXP constants, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points");
  SEXP kind = PROTECT(Rf_ScalarInteger(TARGET_mixture)), shape = PROTECT(Rf_allocVector(REALSXP, 2));
  memset(REAL(shape), 0, 2 * sizeof(double));
  const target of = check_target(kind, shape, means, factors, constants, at.dim);
  const int team = threads_limit(check_threads(threads));
  SEXP out = PROTECT(new_matrix(at.n, of.n_components));
  target_components(&of, packed_rows(at), at.n, REAL(out), scratch((size_t)team, target_workspace(&of)), team);
  UNPROTECT(3);
  return out;
}

static wgf_divergence check_wgf_divergence(SEXP kind, SEXP alpha) {
  const int which = check_count(kind, "kind");
  const wgf_divergence d = {(wgf_kind)which, check_number(alpha, "alpha")};
  if (which >= WGF_count) Rf_error("`kind` must be below %d.", (int)WGF_count);
  if (d.kind == WGF_alpha && (!isfinite(d.alpha) || d.alpha == 0.0 || d.alpha == 1.0)) {
    Rf_error("`alpha` must be finite and neither 0 nor 1.");
  }
  return d;
}

/* Three columns: the weight w, the generator f and the growth g of the divergence at each log r. */
SEXP pf_wgf_weights(SEXP kind, SEXP alpha, SEXP log_r, SEXP mean) {
  const wgf_divergence d = check_wgf_divergence(kind, alpha);
  if (TYPEOF(log_r) != REALSXP) Rf_error("`log_r` must be doubles.");
  const size_t n = (size_t)XLENGTH(log_r);
  const double *at = check_vector(log_r, n, "log_r"), centre = check_number(mean, "mean");
  SEXP out = PROTECT(new_matrix(n, 3));
  for (size_t i = 0; i < n; i++) {
    REAL(out)[i] = wgf_weight(&d, at[i], centre);
    REAL(out)[n + i] = wgf_f(&d, at[i], centre);
    REAL(out)[2 * n + i] = wgf_growth(&d, at[i], centre);
  }
  UNPROTECT(1);
  return out;
}

enum { PLAN_cap, PLAN_floor, PLAN_log_own, PLAN_step, PLAN_share, PLAN_scale2, PLAN_furthest, PLAN_numbers };

/* One step. record: log_z, divergence, kinetic energy, time step, longest move, share of capped weights. */
SEXP pf_wgf_move(SEXP points, SEXP log_p, SEXP score_p, SEXP log_q, SEXP score_q, SEXP kind, SEXP alpha, SEXP plan) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points"), by_p = check_matrix(score_p, "score_p"),
                    by_q = check_matrix(score_q, "score_q");
  if (at.n < 1) Rf_error("`points` must have at least one row.");
  if (by_p.n != at.n || by_p.dim != at.dim || by_q.n != at.n || by_q.dim != at.dim) {
    Rf_error("The scores must have the extents of `points`.");
  }
  const double *p = check_vector(log_p, at.n, "log_p"), *q = check_vector(log_q, at.n, "log_q");
  const double *of = check_vector(plan, PLAN_numbers, "plan");
  const wgf_plan rule = {check_wgf_divergence(kind, alpha), of[PLAN_cap], of[PLAN_floor], of[PLAN_log_own],
                         of[PLAN_step], of[PLAN_share], of[PLAN_scale2], of[PLAN_furthest]};
  if (!(rule.cap >= 1.0) || !(rule.floor >= 0.0) || !(rule.furthest > 0.0)) {
    Rf_error("The cap must be at least 1, the floor not negative and the longest move positive.");
  }
  static const char *const names[] = {"points", "log_r", "weight", "record", "diverged"};
  SEXP values[5];
  values[0] = PROTECT(new_matrix(at.n, at.dim));
  values[1] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)at.n));
  values[2] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)at.n));
  values[3] = PROTECT(Rf_allocVector(REALSXP, 6));
  memcpy(REAL(values[0]), at.x, at.n * at.dim * sizeof(double));
  wgf_record record;
  const status result =
      wgf_move(&rule, REAL(values[0]), at.n, at.dim, p, by_p.x, q, by_q.x, REAL(values[1]), REAL(values[2]), &record,
               scratch(at.n, 2));
  const double numbers[] = {record.log_z, record.divergence, record.kinetic_energy, record.step, record.largest_move,
                            record.capped};
  memcpy(REAL(values[3]), numbers, sizeof(numbers));
  values[4] = PROTECT(Rf_ScalarLogical(result != STATUS_ok));
  SEXP out = new_list(names, values, 5);
  UNPROTECT(5);
  return out;
}
