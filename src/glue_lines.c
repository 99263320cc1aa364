/* Scores of large tables: two samples, or groups of rows, along lines. */
#include "glue.h"

#include <math.h>

#include "core/pair/groups.h"
#include "core/pair/lines.h"

/* Points of a line at which distribution functions are compared. */
#define MOST_POINTS 65536

static line_task check_task(SEXP x, SEXP y, SEXP direction) {
  const matrix_view from = check_matrix(x, "x"), to = check_matrix(y, "y");
  const matrix_view along = check_matrix(direction, "direction");
  if (from.dim != to.dim) Rf_error("`x` and `y` must have the same number of columns.");
  if (from.n < 1 || to.n < 1) Rf_error("`x` and `y` must have at least one row.");
  if (along.n != from.dim) Rf_error("`direction` must have one row per column of `x`.");
  const line_task task = {
      .x = from.x, .y = to.x, .n = from.n, .m = to.n, .dim = from.dim, .direction = along.x, .count = along.dim};
  return task;
}

/* direction [dim, count]; a matrix [3, count]: the energy distance and the mean distances within x and within y. */
static SEXP pf_line_energies(SEXP x, SEXP y, SEXP direction, SEXP threads) {
  R_CheckUserInterrupt();
  const line_task task = check_task(x, y, direction);
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_matrix(LINE_SUMS, task.count));
  line_energies(&task, REAL(out), scratch((size_t)team, lines_workspace(task.n, task.m)), team);
  UNPROTECT(1);
  return out;
}

/* [count]: W_p^p along each line, and W_p for p > 2. */
static SEXP pf_line_transports(SEXP x, SEXP y, SEXP direction, SEXP p, SEXP threads) {
  R_CheckUserInterrupt();
  const line_task task = check_task(x, y, direction);
  const double order = check_number(p, "p");
  const int team = check_threads(threads);
  if (!(order >= 1.0)) Rf_error("`p` must be at least 1.");
  SEXP out = PROTECT(new_vector(task.count));
  line_transports(&task, order, REAL(out), scratch((size_t)team, lines_workspace(task.n, task.m)), team);
  UNPROTECT(1);
  return out;
}

/* [groups, groups]: mean distances along the lines between groups of equally many rows, one group after the other. */
static SEXP pf_group_distances(SEXP x, SEXP groups, SEXP direction, SEXP points, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view rows = check_matrix(x, "x"), along = check_matrix(direction, "direction");
  const size_t number = (size_t)check_count(groups, "groups"), places = (size_t)check_count(points, "points");
  const int team = check_threads(threads);
  if (along.n != rows.dim) Rf_error("`direction` must have one row per column of `x`.");
  if (along.dim < 1) Rf_error("`direction` must have at least one column.");
  if (number < 1 || rows.n < 1 || rows.n % number) Rf_error("`groups` must divide the rows of `x`.");
  if (places < 2 || places > MOST_POINTS) Rf_error("`points` must lie between 2 and %d.", MOST_POINTS);
  const group_task task = {.x = rows.x,
                           .groups = number,
                           .size = rows.n / number,
                           .dim = rows.dim,
                           .direction = along.x,
                           .count = along.dim,
                           .points = places};
  SEXP out = PROTECT(new_matrix(number, number));
  group_distances(&task, REAL(out), scratch(1, groups_workspace(&task, team)), team);
  UNPROTECT(1);
  return out;
}

const R_CallMethodDef lines_routines[] = {
    ROUTINE(pf_line_energies, 4),
    ROUTINE(pf_line_transports, 5),
    ROUTINE(pf_group_distances, 5),
    NO_ROUTINE,
};
