/* Shares of classes and of laws. */
#include <limits.h>
#include <math.h>
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

/* Classes from 1 to `classes` as ints from 0. */
static const int *check_class_of(SEXP class_of, size_t n, size_t classes) {
  if (TYPEOF(class_of) != INTSXP || (size_t)XLENGTH(class_of) != n) {
    Rf_error("`class_of` must be one integer per row of `basis`.");
  }
  int *from_0 = (int *)scratch(n, 1);
  for (size_t i = 0; i < n; i++) {
    const int class = INTEGER_RO(class_of)[i]; /* NA is the least int */
    if (class < 1 || (size_t)class > classes) Rf_error("`class_of` must lie within `start`.");
    from_0[i] = class - 1;
  }
  return from_0;
}

/* A constant column of length 1, and the first `columns` columns of basis. */
static const double *with_constant(matrix_view basis, size_t columns) {
  double *out = scratch(basis.n, columns + 1);
  for (size_t i = 0; i < basis.n; i++) out[i] = 1.0 / sqrt((double)basis.n);
  memcpy(out + basis.n, basis.x, basis.n * columns * sizeof(double));
  return out;
}

/* list(along [1 + columns, classes], own [n, classes]), see logistic_ascend() and logistic_without(). The regression is
 * on a constant and the first `columns` columns of basis. class_of: from 1. */
static SEXP pf_logistic(SEXP basis, SEXP columns, SEXP class_of, SEXP start, SEXP steps, SEXP least_change) {
  R_CheckUserInterrupt();
  const matrix_view view = check_matrix(basis, "basis");
  size_t classes;
  const double *logs = check_doubles(start, &classes, "start"), least = check_number(least_change, "least_change");
  const size_t most = (size_t)check_count(steps, "steps"), some = (size_t)check_count(columns, "columns");
  if (view.n < 1 || view.n >= INT_MAX || classes < 1 || classes >= INT_MAX) {
    Rf_error("`basis` must have at least one row, and `start` at least one number.");
  }
  if (some > view.dim) Rf_error("`columns` must be at most the number of columns of `basis`.");
  const logistic of = {.basis = with_constant(view, some), .start = logs,
                       .class_of = check_class_of(class_of, view.n, classes), .n = view.n, .columns = some + 1,
                       .classes = classes};
  static const char *const names[] = {"along", "own"};
  SEXP values[2];
  values[0] = PROTECT(new_matrix(of.columns, of.classes));
  values[1] = PROTECT(new_matrix(of.n, of.classes));
  logistic_ascend(&of, most, least, REAL(values[0]), REAL(values[1]), scratch(1, logistic_workspace(&of)));
  logistic_without(&of, REAL(values[0]), REAL(values[1]), scratch(2, of.n));
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

const R_CallMethodDef shares_routines[] = {
    ROUTINE(pf_mixing_weights, 4),
    ROUTINE(pf_calibration_factors, 4),
    ROUTINE(pf_logistic, 6),
    NO_ROUTINE,
};
