/* Densities: the volume of a step, mixtures of Gaussians. */
#include "glue.h"

#include <math.h>
#include <string.h>

#include "core/flow/field.h"
#include "core/law/kde.h"
#include "core/law/mixture.h"
#include "core/law/t_mixture.h"
#include "core/base/parallel.h"

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

static const double *check_extents(SEXP x, size_t n, size_t dim, const char *what) {
  const matrix_view view = check_matrix(x, what);
  if (view.n != n || view.dim != dim) Rf_error("`%s` must be %.0f by %.0f.", what, (double)n, (double)dim);
  return view.x;
}

SEXP pf_mixture_log_density(SEXP points, SEXP means, SEXP factors, SEXP offsets, SEXP constants, SEXP widths,
                            SEXP shares, SEXP from, SEXP count, SEXP self, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points"), of = check_matrix(means, "means");
  if (of.n < 1) Rf_error("`means` must have at least one row.");
  const int own = check_flag(self, "self");
  const row_range rows = check_rows(at, of, from, count, own);
  const int team = threads_limit(check_threads(threads));
  const double *log_constants = check_vector(constants, of.n, "constants");
  if (TYPEOF(widths) != REALSXP || XLENGTH(widths) < 1) Rf_error("`widths` must be at least one double.");
  const size_t n_widths = (size_t)XLENGTH(widths);
  const double *width = check_vector(widths, n_widths, "widths"), *share = check_vector(shares, n_widths, "shares");
  for (size_t k = 0; k < n_widths; k++) {
    if (!(width[k] > 0.0)) Rf_error("`widths` must be above 0.");
  }
  /* one column a component: packed, seen from C */
  const double *triangles = check_extents(factors, of.dim * (of.dim + 1) / 2, of.n, "factors");
  const double *moved = Rf_isNull(offsets) ? NULL : check_extents(offsets, of.dim, of.n, "offsets");
  const gaussian_mixture mixture = {packed_rows(of), triangles, moved, log_constants, of.n, of.dim};
  SEXP out = PROTECT(new_matrix(rows.count, n_widths));
  const double *query = packed_rows(at) + rows.from * at.dim;
  double *workspace = scratch((size_t)team + 1, mixture_workspace(of.n, of.dim));
  mixture_log_density(&mixture, query, rows.count, own ? rows.from : NOT_A_COMPONENT, width, share, n_widths, REAL(out),
                      workspace, team);
  UNPROTECT(1);
  return out;
}

/* index: from 1. Results have one column a point. */
SEXP pf_local_gaussians(SEXP points, SEXP index, SEXP shrinkage, SEXP least, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view of = check_matrix(points, "points");
  const int team = threads_limit(check_threads(threads));
  const double shrink = check_number(shrinkage, "shrinkage"), floor = check_number(least, "least");
  if (TYPEOF(index) != INTSXP || !Rf_isMatrix(index) || (size_t)Rf_nrows(index) != of.n || Rf_ncols(index) < 1) {
    Rf_error("`index` must be an integer matrix with one row a point.");
  }
  const size_t k = (size_t)Rf_ncols(index), triangle = of.dim * (of.dim + 1) / 2;
  int *near = (int *)R_alloc(of.n * k + 1, sizeof(int));
  for (size_t i = 0; i < of.n * k; i++) {
    near[i] = INTEGER_RO(index)[i] - 1;
    if (near[i] < 0 || (size_t)near[i] >= of.n) Rf_error("`index` must point to rows of `points`.");
  }
  static const char *const names[] = {"centres", "spread", "factors", "log_det"};
  SEXP values[4];
  values[0] = PROTECT(new_matrix(of.dim, of.n));
  values[1] = PROTECT(new_matrix(triangle, of.n));
  values[2] = PROTECT(new_matrix(triangle, of.n));
  values[3] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)of.n));
  local_gaussians(packed_rows(of), of.n, of.dim, near, k, shrink, floor, REAL(values[0]), REAL(values[1]),
                  REAL(values[2]), REAL(values[3]), scratch((size_t)team, local_gaussians_workspace(of.dim)), team);
  SEXP result = new_list(names, values, 4);
  UNPROTECT(4);
  return result;
}

/* share and pull [n, K]: where the algorithm is; the first call has them equal, with log_likelihood -Inf. Roots: one
 * column a component, upper triangles R by columns, C = R'R. `steps` is fewer than asked for where it has settled. */
SEXP pf_t_mixture_fit(SEXP points, SEXP share, SEXP pull, SEXP df, SEXP prior, SEXP log_likelihood, SEXP most_steps,
                      SEXP least_gain, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view of = check_matrix(points, "points"), by = check_matrix(share, "share");
  const double *weights = check_extents(pull, of.n, by.dim, "pull");
  const t_mixture law = {by.dim, check_number(df, "df"), check_number(prior, "prior")};
  const size_t steps = (size_t)check_count(most_steps, "most_steps");
  const double gain = check_number(least_gain, "least_gain");
  double total = check_number(log_likelihood, "log_likelihood");
  const int team = threads_limit(check_threads(threads));
  if (by.n != of.n || by.n < 1 || by.dim < 1) Rf_error("`share` must have one row a point and at least one column.");
  if (steps < 1) Rf_error("`most_steps` must be at least 1.");
  if (!(law.df > 0.0) || !(law.prior >= 0.0)) Rf_error("`df` must be above 0 and `prior` at least 0.");
  static const char *const names[] = {"share", "pull", "rows", "means", "roots", "log_likelihood", "steps"};
  SEXP values[7];
  values[0] = PROTECT(new_matrix(of.n, by.dim));
  values[1] = PROTECT(new_matrix(of.n, by.dim));
  values[2] = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)by.dim));
  values[3] = PROTECT(new_matrix(by.dim, of.dim));
  values[4] = PROTECT(new_matrix(of.dim * of.dim, by.dim));
  memcpy(REAL(values[0]), by.x, of.n * by.dim * sizeof(double));
  memcpy(REAL(values[1]), weights, of.n * by.dim * sizeof(double));
  double *means = scratch(by.dim, of.dim);
  size_t made = 0;
  const status done = t_mixture_fit(&law, packed_rows(of), of.n, of.dim, steps, gain, REAL(values[0]), REAL(values[1]),
                                    REAL(values[2]), means, REAL(values[4]), &total, &made,
                                    scratch(1, t_mixture_workspace(&law, of.n, of.dim, team)), team);
  unpack_rows(REAL(values[3]), means, by.dim, of.dim);
  values[5] = PROTECT(Rf_ScalarReal(done == STATUS_ok ? total : NAN));
  values[6] = PROTECT(Rf_ScalarInteger((int)made));
  SEXP result = new_list(names, values, 7);
  UNPROTECT(7);
  return result;
}

static const double *check_increasing(SEXP x, size_t n, const char *what) {
  const double *value = check_vector(x, n, what);
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(value[i]) || (i > 0 && value[i] < value[i - 1])) Rf_error("`%s` must be finite and in increasing order.", what);
  }
  return value;
}

/* The share of the kernel estimate above each of `at`. */
SEXP pf_kernel_tail(SEXP sorted, SEXP at, SEXP width) {
  R_CheckUserInterrupt();
  if (TYPEOF(sorted) != REALSXP || TYPEOF(at) != REALSXP) Rf_error("`sorted` and `at` must be doubles.");
  const size_t n = (size_t)XLENGTH(sorted), m = (size_t)XLENGTH(at);
  const double h = check_number(width, "width");
  if (n < 1 || !(h > 0.0)) Rf_error("`sorted` must not be empty and `width` must be above 0.");
  const double *values = check_increasing(sorted, n, "sorted"), *knots = check_increasing(at, m, "at");
  SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)m));
  kernel_tail(values, n, knots, m, h, REAL(out));
  UNPROTECT(1);
  return out;
}
