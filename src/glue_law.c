/* Latent laws: mixtures, kernel estimates in one dimension, equilibria and shells. */
#include "glue_law.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/law/equilibrium.h"
#include "core/law/kde.h"
#include "core/law/mixture.h"
#include "core/law/surroundings.h"
#include "core/law/t_mixture.h"

gaussians check_gaussians(SEXP means, SEXP factors, size_t dim) {
  const matrix_view at = check_matrix(means, "means");
  if (at.n < 1 || at.dim != dim) Rf_error("`means` must have one row per component and the columns of `points`.");
  const gaussians of = {
      .means = packed_rows(at),
      .factors = check_extents(factors, triangle_size(dim), at.n, "factors"),
      .n = at.n,
      .dim = dim,
  };
  return of;
}

/* |A_a (y - m_a)|^2 of each point from each Gaussian, [n, K]. */
static SEXP pf_gaussian_lengths(SEXP points, SEXP means, SEXP factors, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points");
  const gaussians of = check_gaussians(means, factors, at.dim);
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_matrix(at.n, of.n));
  gaussian_all_lengths(&of, packed_rows(at), at.n, REAL(out), scratch((size_t)team, gaussian_workspace(&of)), team);
  UNPROTECT(1);
  return out;
}

static SEXP pf_mixture_log_density(SEXP points, SEXP means, SEXP factors, SEXP offsets, SEXP constants, SEXP widths,
                                   SEXP shares, SEXP from, SEXP count, SEXP self, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view at = check_matrix(points, "points"), of = check_matrix(means, "means");
  const int own = check_flag(self, "self");
  const row_range rows = check_rows(at, of, from, count, own);
  const int team = check_threads(threads);
  mixture_widths smoothing;
  smoothing.width = check_doubles(widths, &smoothing.n, "widths");
  smoothing.share = check_vector(shares, smoothing.n, "shares");
  if (smoothing.n < 1) Rf_error("`widths` must be at least one double.");
  for (size_t k = 0; k < smoothing.n; k++) {
    if (!(smoothing.width[k] > 0.0)) Rf_error("`widths` must be above 0.");
  }
  gaussians mixture = check_gaussians(means, factors, at.dim);
  mixture.offsets = Rf_isNull(offsets) ? NULL : check_extents(offsets, of.dim, of.n, "offsets");
  mixture.constants = check_vector(constants, of.n, "constants");
  SEXP out = PROTECT(new_matrix(rows.count, smoothing.n));
  const double *query = packed_rows(at) + rows.from * at.dim;
  mixture_log_density(&mixture, query, rows.count, own ? rows.from : NOT_A_COMPONENT, &smoothing, REAL(out),
                      scratch(1, mixture_workspace(of.n, of.dim, team)), team);
  UNPROTECT(1);
  return out;
}

/* index: an integer matrix of rows from 1 up; as ints from 0. */
static const int *check_index(SEXP index, size_t n) {
  if (TYPEOF(index) != INTSXP || !Rf_isMatrix(index) || (size_t)Rf_nrows(index) != n || Rf_ncols(index) < 1) {
    Rf_error("`index` must be an integer matrix with one row per point.");
  }
  const size_t size = (size_t)XLENGTH(index);
  const int *row = INTEGER_RO(index);
  int *near = (int *)R_alloc(size + 1, sizeof(int));
  for (size_t i = 0; i < size; i++) {
    if (row[i] == NA_INTEGER || row[i] < 1 || (size_t)row[i] > n) Rf_error("`index` must point to rows of `points`.");
    near[i] = row[i] - 1;
  }
  return near;
}

/* index: from 1. Results have one column per point. */
static SEXP pf_local_gaussians(SEXP points, SEXP index, SEXP shrinkage, SEXP least, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view of = check_matrix(points, "points");
  const int team = check_threads(threads);
  const surroundings around = {
      .points = packed_rows(of),
      .n = of.n,
      .dim = of.dim,
      .shrinkage = check_number(shrinkage, "shrinkage"),
      .least = check_number(least, "least"),
      .index = check_index(index, of.n),
      .k = (size_t)Rf_ncols(index),
  };
  static const char *const names[] = {"centres", "spread", "factors", "log_det"};
  SEXP values[4];
  values[0] = PROTECT(new_matrix(of.dim, of.n));
  values[1] = PROTECT(new_matrix(triangle_size(of.dim), of.n));
  values[2] = PROTECT(new_matrix(triangle_size(of.dim), of.n));
  values[3] = PROTECT(new_vector(of.n));
  const local_gaussians_out out = {
      .centres = REAL(values[0]), .roots = REAL(values[1]), .factors = REAL(values[2]), .log_det = REAL(values[3])};
  local_gaussians(&around, &out, scratch((size_t)team, local_gaussians_workspace(of.dim)), team);
  SEXP result = new_list(names, values, 4);
  UNPROTECT(4);
  return result;
}

/* share and pull [n, K]: where the algorithm is; the first call has them equal, with log_likelihood -Inf. Roots: one
 * column per component, upper triangles R by columns, C = R'R. `steps` is fewer than asked for where it has settled. */
static SEXP pf_t_mixture_fit(SEXP points, SEXP share, SEXP pull, SEXP df, SEXP prior, SEXP log_likelihood,
                             SEXP most_steps, SEXP least_gain, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view of = check_matrix(points, "points"), by = check_matrix(share, "share");
  const double *weights = check_extents(pull, of.n, by.dim, "pull");
  const t_mixture law = {
      .components = by.dim, .df = check_number(df, "df"), .prior = check_number(prior, "prior")};
  const size_t steps = (size_t)check_count(most_steps, "most_steps");
  const double gain = check_number(least_gain, "least_gain");
  double total = check_number(log_likelihood, "log_likelihood");
  const int team = check_threads(threads);
  if (by.n != of.n || by.n < 1 || by.dim < 1) Rf_error("`share` must have one row per point and at least one column.");
  if (steps < 1) Rf_error("`most_steps` must be at least 1.");
  if (!(law.df > 0.0) || !(law.prior >= 0.0)) Rf_error("`df` must be above 0 and `prior` at least 0.");
  static const char *const names[] = {"share", "pull", "rows", "means", "roots", "log_likelihood", "steps"};
  SEXP values[7];
  values[0] = PROTECT(new_matrix(of.n, by.dim));
  values[1] = PROTECT(new_matrix(of.n, by.dim));
  values[2] = PROTECT(new_vector(by.dim));
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

static const double *check_increasing(SEXP x, size_t *n, const char *what) {
  const double *value = check_doubles(x, n, what);
  for (size_t i = 0; i < *n; i++) {
    if (!isfinite(value[i]) || (i > 0 && value[i] < value[i - 1])) {
      Rf_error("`%s` must be finite and in increasing order.", what);
    }
  }
  return value;
}

/* The share of the kernel estimate above each of `at`. */
static SEXP pf_kernel_tail(SEXP sorted, SEXP at, SEXP width) {
  R_CheckUserInterrupt();
  size_t n, m;
  const double *values = check_increasing(sorted, &n, "sorted"), *knots = check_increasing(at, &m, "at");
  const double h = check_number(width, "width");
  if (n < 1 || !(h > 0.0)) Rf_error("`sorted` must not be empty and `width` must be above 0.");
  SEXP out = PROTECT(new_vector(m));
  kernel_tail(values, n, knots, m, h, REAL(out));
  UNPROTECT(1);
  return out;
}

static SEXP pf_left_out_density(SEXP sorted, SEXP width) {
  R_CheckUserInterrupt();
  size_t n;
  const double *values = check_increasing(sorted, &n, "sorted"), h = check_number(width, "width");
  if (n < 2 || !(h > 0.0)) Rf_error("`sorted` must be at least two numbers and `width` must be above 0.");
  return Rf_ScalarReal(left_out_density(values, n, h));
}

static SEXP pf_equilibrium_radius(SEXP dim, SEXP s) {
  return Rf_ScalarReal(equilibrium_radius((size_t)check_count(dim, "dim"), check_number(s, "s")));
}

static shell check_shell(named_value x) {
  static const char *const words[SHELL_count] = {
      [SHELL_sphere] = "sphere", [SHELL_ball] = "ball", [SHELL_equilibrium] = "equilibrium"};
  return (shell)check_choice(x, words, SHELL_count);
}

static SEXP pf_draw_shell(SEXP n, SEXP centre, SEXP radius, SEXP kind, SEXP s, SEXP key, SEXP threads) {
  R_CheckUserInterrupt();
  size_t dim;
  const size_t rows = (size_t)check_count(n, "n");
  const double *middle = check_doubles(centre, &dim, "centre");
  const double size = check_number(radius, "radius"), exponent = check_number(s, "s");
  const shell which = check_shell(NAMED(kind));
  const rng_key seed = check_key(key);
  const int team = check_threads(threads);
  if (dim < 1) Rf_error("`centre` must have at least one coordinate.");
  SEXP out = PROTECT(new_matrix(rows, dim));
  const status done = draw_shell(REAL(out), rows, dim, middle, size, which, exponent, seed, team);
  UNPROTECT(1);
  if (done != STATUS_ok) Rf_error("`radius` must be finite and `s` between -2 and the number of coordinates.");
  return out;
}

const R_CallMethodDef law_routines[] = {
    ROUTINE(pf_gaussian_lengths, 4),
    ROUTINE(pf_mixture_log_density, 11),
    ROUTINE(pf_local_gaussians, 5),
    ROUTINE(pf_t_mixture_fit, 9),
    ROUTINE(pf_kernel_tail, 3),
    ROUTINE(pf_left_out_density, 2),
    ROUTINE(pf_equilibrium_radius, 2),
    ROUTINE(pf_draw_shell, 7),
    NO_ROUTINE,
};
