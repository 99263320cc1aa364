/* Scores within their cells. */
#include <limits.h>
#include <string.h>

#include "core/law/settle.h"
#include "glue_names.h"

/* Elements of log P(from < Z < to). */
static SEXP pf_log_interval(SEXP from, SEXP to) {
  size_t n;
  const double *low = check_doubles(from, &n, "from"), *high = check_vector(to, n, "to");
  SEXP out = PROTECT(new_vector(n));
  for (size_t i = 0; i < n; i++) REAL(out)[i] = log_normal_between(low[i], high[i]);
  UNPROTECT(1);
  return out;
}

static SEXP pf_truncated_normal(SEXP from, SEXP to, SEXP u) {
  size_t n;
  const double *low = check_doubles(from, &n, "from"), *high = check_vector(to, n, "to");
  const double *uniform = check_vector(u, n, "u");
  SEXP out = PROTECT(new_vector(n));
  for (size_t i = 0; i < n; i++) REAL(out)[i] = normal_between(low[i], high[i], uniform[i]);
  UNPROTECT(1);
  return out;
}

/* Rows from 1 up, as ints from 0. */
static const int *read_rows(SEXP rows, size_t n, size_t *count) {
  if (TYPEOF(rows) != INTSXP) Rf_error("`rows` must be integers.");
  *count = (size_t)XLENGTH(rows);
  int *at = (int *)scratch(*count / 2 + 1, 1);
  for (size_t k = 0; k < *count; k++) {
    const int row = INTEGER_RO(rows)[k]; /* NA is the least int */
    if (row < 1 || (size_t)row > n) Rf_error("`rows` must be rows of the scores.");
    at[k] = row - 1;
  }
  return at;
}

/* What one sweep draws anew in each column: rows that are known up to their cells, all known rows, which then get the
 * quantiles in their order, and missing rows. Each is a list with one entry per column; `missing` are rows of the
 * precision matrix [dim, dim] by columns, which for missing rows may leave out a coordinate. */
typedef struct {
  SEXP held, known, gone;
  const double *precision, *missing;
} sweep_plan;

static void sweep_column(gibbs_column *of, const sweep_plan *plan, int threads) {
  const R_xlen_t j = (R_xlen_t)of->column;
  size_t count;
  const int *held = read_rows(VECTOR_ELT(plan->held, j), of->n, &count);
  of->precision = plan->precision + of->column * of->dim;
  if (count > 0) {
    settle_rows(of, held, count, threads);
    const int *known = read_rows(VECTOR_ELT(plan->known, j), of->n, &count);
    rank_rows(of, known, count, (placed_number *)scratch(count, 4), threads);
  }
  const int *gone = read_rows(VECTOR_ELT(plan->gone, j), of->n, &count);
  of->precision = plan->missing + of->column * of->dim;
  settle_rows(of, gone, count, threads);
}

static SEXP check_lists(SEXP x, size_t dim, const char *what) {
  if (TYPEOF(x) != VECSXP || (size_t)XLENGTH(x) != dim) Rf_error("`%s` must be a list, one entry per column.", what);
  return x;
}

/* z after one sweep over its columns, in their order. low, high [n, dim], which may be infinite; u [n, dim];
 * mean [dim]; precision, missing [dim, dim]; held, known, gone: lists of rows, see sweep_plan. */
static SEXP pf_settle_sweep(SEXP z, SEXP low, SEXP high, SEXP u, SEXP mean, SEXP precision, SEXP missing, SEXP held,
                            SEXP known, SEXP gone, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view view = check_matrix(z, "z");
  const double *from = check_vector(low, view.n * view.dim, "low"), *to = check_vector(high, view.n * view.dim, "high");
  const double *uniform = check_extents(u, view.n, view.dim, "u");
  const sweep_plan plan = {
      .held = check_lists(held, view.dim, "held"),
      .known = check_lists(known, view.dim, "known"),
      .gone = check_lists(gone, view.dim, "gone"),
      .precision = check_extents(precision, view.dim, view.dim, "precision"),
      .missing = check_extents(missing, view.dim, view.dim, "missing"),
  };
  const int team = check_threads(threads);
  gibbs_column of = {.n = view.n, .dim = view.dim, .mean = check_vector(mean, view.dim, "mean")};
  SEXP out = PROTECT(new_matrix(view.n, view.dim));
  of.z = REAL(out);
  memcpy(of.z, view.x, view.n * view.dim * sizeof(double));
  for (of.column = 0; of.column < view.dim; of.column++) {
    const void *heap = vmaxget();
    of.low = from + of.column * view.n;
    of.high = to + of.column * view.n;
    of.u = uniform + of.column * view.n;
    sweep_column(&of, &plan, team);
    vmaxset(heap);
  }
  UNPROTECT(1);
  return out;
}

const R_CallMethodDef settle_routines[] = {
    ROUTINE(pf_log_interval, 2),
    ROUTINE(pf_truncated_normal, 3),
    ROUTINE(pf_settle_sweep, 11),
    NO_ROUTINE,
};
