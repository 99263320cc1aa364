/* Densities: the volume of a step, mixtures of Gaussians. */
#include "glue.h"

#include "core/forward.h"
#include "core/mixture.h"
#include "core/threads.h"

SEXP pf_step_log_det(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP gamma, SEXP s, SEXP epsilon,
                     SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const pair_kernel potential = check_potential(s, epsilon);
  const double step = check_number(gamma, "gamma");
  const int team = threads_limit(check_threads(threads));
  if (of.n < 2) Rf_error("`source` must have at least two rows.");
  if (of.dim > TILE_HESSIAN_DIM) Rf_error("`source` must have at most %d columns.", TILE_HESSIAN_DIM);
  pair_task task = check_row_task(to, of, from, count, self, potential);
  pairwise_prepare(&task);
  SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)task.n_query));
  step_log_det(&task, step, REAL(out), scratch(1, step_log_det_workspace(task.dim, team)), team);
  UNPROTECT(1);
  return out;
}

SEXP pf_mixture_log_density(SEXP points, SEXP means, SEXP factors, SEXP constants, SEXP widths, SEXP from, SEXP count,
                            SEXP self, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points"), of = check_matrix(means, "means");
  if (of.n < 1) Rf_error("`means` must have at least one row.");
  const int own = check_flag(self, "self");
  const row_range rows = check_rows(at, of, from, count, own);
  const int team = threads_limit(check_threads(threads));
  const double *log_constants = check_vector(constants, of.n, "constants");
  if (TYPEOF(widths) != REALSXP || XLENGTH(widths) < 1) Rf_error("`widths` must be at least one double.");
  const size_t n_widths = (size_t)XLENGTH(widths);
  const double *width = check_vector(widths, n_widths, "widths");
  for (size_t k = 0; k < n_widths; k++) {
    if (!(width[k] > 0.0)) Rf_error("`widths` must be above 0.");
  }
  const double *triangles = NULL;
  if (!Rf_isNull(factors)) {
    const matrix_view view = check_matrix(factors, "factors");
    if (view.n != of.dim * (of.dim + 1) / 2 || view.dim != of.n) {
      Rf_error("`factors` must have one column a component, the lower triangle row by row.");
    }
    triangles = view.x;
  }
  const gaussian_mixture mixture = {packed_rows(of), triangles, log_constants, of.n, of.dim};
  SEXP out = PROTECT(new_matrix(rows.count, n_widths));
  const double *query = packed_rows(at) + rows.from * at.dim;
  mixture_log_density(&mixture, query, rows.count, own ? rows.from : NOT_A_COMPONENT, width, n_widths, REAL(out),
                      scratch((size_t)team, mixture_workspace(of.n, of.dim)), team);
  UNPROTECT(1);
  return out;
}
