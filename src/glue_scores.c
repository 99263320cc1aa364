/* Scores: optimal transport. */
#include "glue_names.h"

#include <string.h>

#include "core/pair/distances.h"
#include "core/pair/simplex.h"
#include "core/pair/sinkhorn.h"

/* Steps of one call, so that R can listen for Ctrl-C in between. */
#define MOST_STEPS 1000

/* A few steps from the potentials f [n], g [m]; `y` NULL: x against itself, where g is not used. */
static SEXP pf_sinkhorn_steps(SEXP x, SEXP y, SEXP f, SEXP g, SEXP epsilon, SEXP relaxation, SEXP n_steps,
                              SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view from = check_matrix(x, "x"), to = y == R_NilValue ? from : check_matrix(y, "y");
  if (from.dim != to.dim) Rf_error("`x` and `y` must have the same number of columns.");
  if (from.n < 1 || to.n < 1) Rf_error("`x` and `y` must have at least one row.");
  const double *start_f = check_vector(f, from.n, "f"), *start_g = check_vector(g, to.n, "g");
  const double blur2 = check_number(epsilon, "epsilon"), factor = check_number(relaxation, "relaxation");
  const int steps = check_count(n_steps, "n_steps"), team = check_threads(threads);
  if (steps < 1 || steps > MOST_STEPS) Rf_error("`n_steps` must lie between 1 and %d.", MOST_STEPS);

  static const char *const names[] = {"f", "g", "error", "value"};
  SEXP values[4];
  values[0] = PROTECT(new_vector(from.n));
  values[1] = PROTECT(new_vector(to.n));
  memcpy(REAL(values[0]), start_f, from.n * sizeof(double));
  memcpy(REAL(values[1]), start_g, to.n * sizeof(double));
  transport_state state = {.f = REAL(values[0]), .g = REAL(values[1])};
  const transport_task task = {
      .x = packed_rows(from),
      .y = y == R_NilValue ? NULL : packed_rows(to),
      .n = from.n,
      .m = to.n,
      .dim = from.dim,
  };
  double *workspace = scratch(sinkhorn_workspace(&task, team), 1);
  if (sinkhorn_steps(&task, &state, blur2, factor, (size_t)steps, workspace, team) != STATUS_ok) {
    Rf_error("`epsilon` must be finite and positive and `relaxation` between 0 and 2.");
  }
  values[2] = PROTECT(Rf_ScalarReal(state.error));
  values[3] = PROTECT(Rf_ScalarReal(state.value));
  SEXP result = new_list(names, values, 4);
  UNPROTECT(4);
  return result;
}

/* Leaves by a long jump if the user pressed Ctrl-C; all memory is R's. */
static int interrupted(void) {
  R_CheckUserInterrupt();
  return 0;
}

/* Coordinates of pairs between two questions whether the user pressed Ctrl-C: some 0.1 s. */
#define COORDINATES_BETWEEN 2e8

/* |x_i - y_j|^2, [n, m], one row per point of x. */
static const double *squared_costs(matrix_view x, matrix_view y, int team) {
  double *cost = scratch(x.n, y.n);
  const double fit = COORDINATES_BETWEEN / ((double)x.n * ((double)x.dim + 4.0));
  const size_t step = ((size_t)fit / DISTANCE_CHUNK + 1) * DISTANCE_CHUNK;
  distance_task task = {.query = packed_rows(y), .source = packed_rows(x), .n_source = x.n, .dim = x.dim};
  double *workspace = scratch((size_t)team, distances_workspace(x.dim, 0));
  for (size_t from = 0; from < y.n; from += step) {
    R_CheckUserInterrupt();
    task.from = from;
    task.count = step < y.n - from ? step : y.n - from;
    squared_distances(&task, cost + from, y.n, workspace, team);
  }
  return cost;
}

/* The least mean of |x_i - y_j|^2 over all couplings of the two samples. */
static SEXP pf_least_cost(SEXP x, SEXP y, SEXP threads) {
  const matrix_view from = check_matrix(x, "x"), to = check_matrix(y, "y");
  if (from.dim != to.dim) Rf_error("`x` and `y` must have the same number of columns.");
  if (from.n < 1 || to.n < 1) Rf_error("`x` and `y` must have at least one row.");
  const int team = check_threads(threads);
  const simplex_task task = {.cost = squared_costs(from, to, team), .n = from.n, .m = to.n};
  const size_t nodes = from.n + to.n + 1;
  const simplex_room room = {
      .nodes = (simplex_node *)R_alloc(nodes, sizeof(simplex_node)),
      .potential = scratch(nodes, 1),
  };
  simplex_end end;
  if (simplex_solve(&task, &room, interrupted, &end) != STATUS_ok) Rf_error("The distances left the range of numbers.");

  static const char *const names[] = {"value", "pivots"};
  SEXP values[2];
  values[0] = PROTECT(Rf_ScalarReal(end.value));
  values[1] = PROTECT(Rf_ScalarReal((double)end.pivots));
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

const R_CallMethodDef scores_routines[] = {
    ROUTINE(pf_least_cost, 3),
    ROUTINE(pf_sinkhorn_steps, 8),
    NO_ROUTINE,
};
