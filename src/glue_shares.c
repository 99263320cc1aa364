/* Shares of classes and of laws. */
#include <limits.h>
#include <string.h>

#include "core/law/shares.h"
#include "glue_names.h"

/* Steps of EM from `weights`, or, with `longest` above 0, at most so many rounds of accelerated EM. */
static SEXP pf_mixing_weights(SEXP density, SEXP weights, SEXP steps, SEXP longest) {
  R_CheckUserInterrupt();
  const matrix_view view = check_matrix(density, "density");
  if (view.n < 1 || view.dim < 1) Rf_error("`density` must have at least one row and one column.");
  const mixed_densities of = {.density = view.x, .n = view.n, .parts = view.dim};
  const double *start = check_vector(weights, of.parts, "weights"), most = check_number(longest, "longest");
  const size_t count = (size_t)check_count(steps, "steps");
  SEXP out = PROTECT(new_vector(of.parts));
  memcpy(REAL(out), start, of.parts * sizeof(double));
  double *room = scratch(1, of.n + 4 * of.parts);
  if (most > 0.0) mixing_rounds(&of, count, most, REAL(out), room);
  else mixing_steps(&of, count, REAL(out), room);
  UNPROTECT(1);
  return out;
}

static SEXP pf_calibration_factors(SEXP shares, SEXP wanted, SEXP rounds, SEXP least_change) {
  R_CheckUserInterrupt();
  const matrix_view view = check_matrix(shares, "shares");
  if (view.n < 1 || view.dim < 1) Rf_error("`shares` must have at least one row and one column.");
  const mixed_densities of = {.density = view.x, .n = view.n, .parts = view.dim};
  const double *means = check_vector(wanted, of.parts, "wanted"), least = check_number(least_change, "least_change");
  const size_t most = (size_t)check_count(rounds, "rounds");
  SEXP out = PROTECT(new_vector(of.parts));
  calibrate_shares(&of, means, most, least, REAL(out), scratch(1, of.n + of.parts));
  UNPROTECT(1);
  return out;
}

/* list(along [columns, classes], shares [n, classes]), see logistic_ascend(). class_of: from 1. */
static SEXP pf_logistic(SEXP basis, SEXP class_of, SEXP start, SEXP steps, SEXP least_change) {
  R_CheckUserInterrupt();
  const matrix_view view = check_matrix(basis, "basis");
  size_t classes;
  const double *logs = check_doubles(start, &classes, "start"), least = check_number(least_change, "least_change");
  const size_t most = (size_t)check_count(steps, "steps");
  if (view.n < 1 || view.n >= INT_MAX || classes < 1 || classes >= INT_MAX) {
    Rf_error("`basis` must have at least one row, and `start` at least one number.");
  }
  if (TYPEOF(class_of) != INTSXP || (size_t)XLENGTH(class_of) != view.n) {
    Rf_error("`class_of` must be one integer per row of `basis`.");
  }
  int *class_from_0 = (int *)scratch(view.n, 1);
  for (size_t i = 0; i < view.n; i++) {
    const int class = INTEGER_RO(class_of)[i]; /* NA is the least int */
    if (class < 1 || (size_t)class > classes) Rf_error("`class_of` must lie within `start`.");
    class_from_0[i] = class - 1;
  }
  const logistic of = {
      .basis = view.x, .start = logs, .class_of = class_from_0, .n = view.n, .columns = view.dim, .classes = classes};
  static const char *const names[] = {"along", "shares"};
  SEXP values[2];
  values[0] = PROTECT(new_matrix(of.columns, of.classes));
  values[1] = PROTECT(new_matrix(of.n, of.classes));
  logistic_ascend(&of, most, least, REAL(values[0]), REAL(values[1]), scratch(1, logistic_workspace(&of)));
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

const R_CallMethodDef shares_routines[] = {
    ROUTINE(pf_mixing_weights, 4),
    ROUTINE(pf_calibration_factors, 4),
    ROUTINE(pf_logistic, 5),
    NO_ROUTINE,
};
