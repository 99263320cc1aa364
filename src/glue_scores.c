/* Scores: optimal transport. */
#include "glue_names.h"

#include <string.h>

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

const R_CallMethodDef scores_routines[] = {
    ROUTINE(pf_sinkhorn_steps, 8),
    NO_ROUTINE,
};
