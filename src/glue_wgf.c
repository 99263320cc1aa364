/* Sampling from a density without data: built-in targets, divergences, steps. */
#include "glue.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/flow/wgf.h"
#include "core/law/targets.h"

/* means [K, d], factors [d (d+1) / 2, K] (one column per component: packed, seen from C), constants [K]. */
static gaussians check_components(SEXP means, SEXP factors, SEXP constants, size_t dim) {
  const matrix_view at = check_matrix(means, "means"), triangles = check_matrix(factors, "factors");
  if (at.n < 1 || at.dim != dim) Rf_error("`means` must have one row per component and the columns of `points`.");
  if (triangles.n != triangle_size(dim) || triangles.dim != at.n) {
    Rf_error("`factors` must have one column per component, a triangle each.");
  }
  const gaussians of = {
      .means = packed_rows(at),
      .factors = triangles.x,
      .constants = check_vector(constants, at.n, "constants"),
      .n = at.n,
      .dim = dim,
  };
  return of;
}

/* shape: a, b; components as above, NULL where the target is no mixture. */
static target check_target(SEXP kind, SEXP shape, SEXP means, SEXP factors, SEXP constants, size_t dim) {
  const double *numbers = check_vector(shape, 2, "shape");
  target of = {
      .kind = (target_kind)check_choice(kind, TARGET_count, "kind"), .dim = dim, .a = numbers[0], .b = numbers[1]};
  if (of.kind == TARGET_mixture) {
    of.components = check_components(means, factors, constants, dim);
    return of;
  }
  if (dim < 2) Rf_error("`points` must have at least two columns.");
  if (!(of.a > 0.0) || !isfinite(of.a) || !isfinite(of.b)) {
    Rf_error("`shape` must be finite, its first number positive.");
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

/* The log of weight times density of each component, [n, K]. */
static SEXP pf_target_components(SEXP points, SEXP means, SEXP factors, SEXP constants, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points");
  const target of = {
      .kind = TARGET_mixture, .dim = at.dim, .components = check_components(means, factors, constants, at.dim)};
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_matrix(at.n, of.components.n));
  target_components(&of, packed_rows(at), at.n, REAL(out), scratch((size_t)team, target_workspace(&of)), team);
  UNPROTECT(1);
  return out;
}

static wgf_divergence check_wgf_divergence(SEXP kind, SEXP alpha) {
  const wgf_divergence d = {(wgf_kind)check_choice(kind, WGF_count, "kind"), check_number(alpha, "alpha")};
  if (d.kind == WGF_alpha && (!isfinite(d.alpha) || d.alpha == 0.0 || d.alpha == 1.0)) {
    Rf_error("`alpha` must be finite and neither 0 nor 1.");
  }
  return d;
}

/* Three columns: the weight w, the generator f and the growth g of the divergence at each log r. */
static SEXP pf_wgf_weights(SEXP kind, SEXP alpha, SEXP log_r, SEXP mean) {
  const wgf_divergence d = check_wgf_divergence(kind, alpha);
  size_t n;
  const double *at = check_doubles(log_r, &n, "log_r"), centre = check_number(mean, "mean");
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
static SEXP pf_wgf_move(SEXP points, SEXP log_p, SEXP score_p, SEXP log_q, SEXP score_q, SEXP kind, SEXP alpha,
                        SEXP plan) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points"), by_p = check_matrix(score_p, "score_p"),
                    by_q = check_matrix(score_q, "score_q");
  if (at.n < 1) Rf_error("`points` must have at least one row.");
  if (by_p.n != at.n || by_p.dim != at.dim || by_q.n != at.n || by_q.dim != at.dim) {
    Rf_error("The scores must have the extents of `points`.");
  }
  const double *p = check_vector(log_p, at.n, "log_p"), *q = check_vector(log_q, at.n, "log_q");
  const double *of = check_vector(plan, PLAN_numbers, "plan");
  const wgf_plan rule = {
      .divergence = check_wgf_divergence(kind, alpha),
      .cap = of[PLAN_cap],
      .floor = of[PLAN_floor],
      .log_own = of[PLAN_log_own],
      .step = of[PLAN_step],
      .share = of[PLAN_share],
      .scale2 = of[PLAN_scale2],
      .furthest = of[PLAN_furthest],
  };
  if (!(rule.cap >= 1.0) || !(rule.floor >= 0.0) || !(rule.furthest > 0.0)) {
    Rf_error("The cap must be at least 1, the floor not negative and the longest move positive.");
  }
  static const char *const names[] = {"points", "log_r", "weight", "record", "diverged"};
  SEXP values[5];
  values[0] = PROTECT(new_matrix(at.n, at.dim));
  values[1] = PROTECT(new_vector(at.n));
  values[2] = PROTECT(new_vector(at.n));
  values[3] = PROTECT(new_vector(6));
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

const R_CallMethodDef wgf_routines[] = {
    ROUTINE(pf_target_field, 7),
    ROUTINE(pf_target_components, 5),
    ROUTINE(pf_wgf_weights, 4),
    ROUTINE(pf_wgf_move, 8),
    NO_ROUTINE,
};
