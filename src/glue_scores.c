/* Scores: kernel sums, rows of a kernel matrix, optimal transport. */
#include "glue.h"

#include <math.h>
#include <string.h>

#include "core/pair/distances.h"
#include "core/pair/sinkhorn.h"
#include "core/base/parallel.h"

/* Steps of one call, so that R can listen for Ctrl-C in between. */
#define MOST_STEPS 1000

static pair_kernel check_kernel(SEXP kernel, SEXP bandwidth) {
  const char *name = check_string(kernel, "kernel");
  const double width = check_number(bandwidth, "bandwidth");
  if (!strcmp(name, "distance")) return kernel_distance();
  if (!(width > 0.0) || !isfinite(width)) Rf_error("`bandwidth` must be finite and positive.");
  if (!strcmp(name, "gaussian")) return kernel_gaussian(width);
  if (!strcmp(name, "laplace")) return kernel_laplace(width);
  Rf_error("`kernel` must be \"gaussian\", \"laplace\" or \"distance\".");
}

SEXP pf_kernel_sums(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP kernel, SEXP bandwidth,
                    SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const int own = check_flag(self, "self");
  const row_range rows = check_rows(to, of, from, count, own);
  const pair_kernel weight = check_kernel(kernel, bandwidth);
  const int team = threads_limit(check_threads(threads));
  SEXP result = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)rows.count));
  pair_task task = {to.x + rows.from, rows.count, 1,    to.n,   packed_rows(of), of.n,
                    of.dim,           own ? rows.from : NO_SELF, NULL, weight, NULL};
  pairwise_prepare(&task);
  const pair_sums out = {.weight = REAL(result)};
  pairwise_all(&task, &out, scratch((size_t)team, pairwise_workspace(of.dim)), team);
  UNPROTECT(1);
  return result;
}

/* Row `from + i` of the query against all sources: [count, n_source]. */
SEXP pf_kernel_rows(SEXP query, SEXP source, SEXP from, SEXP count, SEXP kernel, SEXP bandwidth, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const row_range rows = check_rows(to, of, from, count, 0);
  const pair_kernel weight = check_kernel(kernel, bandwidth);
  const int team = threads_limit(check_threads(threads));
  SEXP result = PROTECT(new_matrix(rows.count, of.n));
  const distance_task task = {packed_rows(to), packed_rows(of), rows.from, rows.count, of.n, of.dim};
  kernel_rows(&task, &weight, REAL(result), scratch((size_t)team, distances_workspace(of.dim, 0)), team);
  UNPROTECT(1);
  return result;
}

/* A few steps from the potentials f [n], g [m]; `y` NULL: x against itself, where g is not used. */
SEXP pf_sinkhorn_steps(SEXP x, SEXP y, SEXP f, SEXP g, SEXP epsilon, SEXP relaxation, SEXP n_steps, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view from = check_matrix(x, "x"), to = y == R_NilValue ? from : check_matrix(y, "y");
  if (from.dim != to.dim) Rf_error("`x` and `y` must have the same number of columns.");
  if (from.n < 1 || to.n < 1) Rf_error("`x` and `y` must have at least one row.");
  const double *start_f = check_vector(f, from.n, "f"), *start_g = check_vector(g, to.n, "g");
  const double blur2 = check_number(epsilon, "epsilon"), factor = check_number(relaxation, "relaxation");
  const int steps = check_count(n_steps, "n_steps"), team = threads_limit(check_threads(threads));
  if (steps < 1 || steps > MOST_STEPS) Rf_error("`n_steps` must lie between 1 and %d.", MOST_STEPS);

  static const char *const names[] = {"f", "g", "error", "value"};
  SEXP values[4];
  values[0] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)from.n));
  values[1] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)to.n));
  for (int i = 2; i < 4; i++) values[i] = PROTECT(Rf_allocVector(REALSXP, 1));
  transport_state state = {REAL(values[0]), REAL(values[1]), 0.0, 0.0};
  for (size_t i = 0; i < from.n; i++) state.f[i] = start_f[i];
  for (size_t j = 0; j < to.n; j++) state.g[j] = start_g[j];
  const transport_task task = {packed_rows(from), y == R_NilValue ? NULL : packed_rows(to), from.n, to.n, from.dim};
  double *workspace = scratch(sinkhorn_workspace(&task, team), 1);
  if (sinkhorn_steps(&task, &state, blur2, factor, (size_t)steps, workspace, team) != STATUS_ok) {
    Rf_error("`epsilon` must be finite and positive and `relaxation` between 0 and 2.");
  }
  REAL(values[2])[0] = state.error;
  REAL(values[3])[0] = state.value;
  SEXP result = new_list(names, values, 4);
  UNPROTECT(4);
  return result;
}
