#include "glue.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>

#include "core/pair/riesz.h"

matrix_view check_matrix(SEXP x, const char *what) {
  if (TYPEOF(x) != REALSXP || !Rf_isMatrix(x)) Rf_error("`%s` must be a matrix of doubles.", what);
  const matrix_view view = {REAL_RO(x), (size_t)Rf_nrows(x), (size_t)Rf_ncols(x)};
  if (view.dim < 1) Rf_error("`%s` must have at least one column.", what);
  for (size_t i = 0; i < view.n * view.dim; i++) {
    if (!isfinite(view.x[i])) Rf_error("`%s` must be finite.", what);
  }
  return view;
}

double check_number(SEXP x, const char *what) {
  if (TYPEOF(x) != REALSXP || XLENGTH(x) != 1 || ISNAN(REAL_RO(x)[0])) {
    Rf_error("`%s` must be one number.", what);
  }
  return REAL_RO(x)[0];
}

int check_count(SEXP x, const char *what) {
  if (TYPEOF(x) != INTSXP || XLENGTH(x) != 1 || INTEGER_RO(x)[0] == NA_INTEGER || INTEGER_RO(x)[0] < 0) {
    Rf_error("`%s` must be one whole number that is not negative.", what);
  }
  return INTEGER_RO(x)[0];
}

const double *check_extents(SEXP x, size_t n, size_t dim, const char *what) {
  const matrix_view view = check_matrix(x, what);
  if (view.n != n || view.dim != dim) Rf_error("`%s` must be %.0f by %.0f.", what, (double)n, (double)dim);
  return view.x;
}

uint64_t check_whole(double x, double most, const char *what) {
  if (!(x >= 0.0) || !(x <= most) || !(x <= LARGEST_WHOLE) || x != floor(x)) {
    Rf_error("`%s` must be one whole number between 0 and %.0f.", what, most);
  }
  return (uint64_t)x;
}

int check_flag(SEXP x, const char *what) {
  if (TYPEOF(x) != LGLSXP || XLENGTH(x) != 1 || LOGICAL_RO(x)[0] == NA_LOGICAL) {
    Rf_error("`%s` must be TRUE or FALSE.", what);
  }
  return LOGICAL_RO(x)[0];
}

const char *check_string(SEXP x, const char *what) {
  if (TYPEOF(x) != STRSXP || XLENGTH(x) != 1 || STRING_ELT(x, 0) == NA_STRING) {
    Rf_error("`%s` must be one string.", what);
  }
  return CHAR(STRING_ELT(x, 0));
}

const double *check_vector(SEXP x, size_t length, const char *what) {
  if (TYPEOF(x) != REALSXP || (size_t)XLENGTH(x) != length) {
    Rf_error("`%s` must be %.0f doubles.", what, (double)length);
  }
  const double *value = REAL_RO(x);
  for (size_t i = 0; i < length; i++) {
    if (ISNAN(value[i])) Rf_error("`%s` must not be NaN.", what);
  }
  return value;
}

const double *check_doubles(SEXP x, size_t *length, const char *what) {
  if (TYPEOF(x) != REALSXP) Rf_error("`%s` must be doubles.", what);
  *length = (size_t)XLENGTH(x);
  return check_vector(x, *length, what);
}

pair_kernel check_potential(SEXP s, SEXP epsilon) {
  const double exponent = check_number(s, "s"), softening = check_number(epsilon, "epsilon");
  if (!(exponent > -2.0) || !isfinite(exponent)) Rf_error("`s` must be finite and above -2.");
  if (!(softening >= 0.0) || !isfinite(softening)) Rf_error("`epsilon` must be finite and not negative.");
  return riesz_kernel(exponent, softening);
}

rng_key check_key(SEXP key) {
  if (TYPEOF(key) != INTSXP || XLENGTH(key) != 2) Rf_error("`key` must be two integers.");
  const rng_key out = {{(uint32_t)INTEGER_RO(key)[0], (uint32_t)INTEGER_RO(key)[1]}};
  return out;
}

int check_threads(SEXP threads) {
  const int n = check_count(threads, "threads");
  if (n < 1) Rf_error("`threads` must be at least 1.");
  return threads_limit(n);
}

double *scratch(size_t a, size_t b) {
  if (b && a > SIZE_MAX / sizeof(double) / b) Rf_error("The problem is too large for this machine's addresses.");
  const size_t count = a * b;
  return (double *)R_alloc(count > 0 ? count : 1, sizeof(double));
}

double *aligned_scratch(size_t n) {
  if (n > SIZE_MAX - CACHE_ROOM) Rf_error("The problem is too large for this machine's addresses.");
  return cache_aligned(scratch(n + CACHE_ROOM, 1));
}

SEXP new_vector(size_t n) {
  if (n > (size_t)R_XLEN_T_MAX) Rf_error("A result of %.0f numbers is too large for R.", (double)n);
  return Rf_allocVector(REALSXP, (R_xlen_t)n);
}

/* R's extents of a matrix are ints. */
static SEXP new_matrix_of(SEXPTYPE type, size_t n, size_t dim) {
  if (n > INT_MAX || dim > INT_MAX || (dim > 0 && n > (size_t)R_XLEN_T_MAX / dim)) {
    Rf_error("A result of %.0f rows and %.0f columns is too large for R.", (double)n, (double)dim);
  }
  return Rf_allocMatrix(type, (int)n, (int)dim);
}

SEXP new_matrix(size_t n, size_t dim) {
  return new_matrix_of(REALSXP, n, dim);
}

SEXP new_integer_matrix(size_t n, size_t dim) {
  return new_matrix_of(INTSXP, n, dim);
}

const double *packed_rows(matrix_view view) {
  double *out = scratch(view.n, view.dim);
  pack_rows(out, view.x, view.n, view.dim);
  return out;
}

row_range check_rows(matrix_view query, matrix_view source, SEXP from, SEXP count, int own) {
  const row_range rows = {(size_t)check_count(from, "from"), (size_t)check_count(count, "count"), own};
  if (query.dim != source.dim) Rf_error("`query` and `source` must have the same number of columns.");
  if (rows.from > query.n || rows.count > query.n - rows.from) {
    Rf_error("`from` and `count` must lie within the rows of `query`.");
  }
  if (own && query.n > source.n) Rf_error("With `self`, each row of `query` must be a row of `source`.");
  return rows;
}

pair_task row_task(matrix_view query, matrix_view source, row_range rows, pair_kernel kernel) {
  pair_task task = {
      .query = query.x + rows.from,
      .n_query = rows.count,
      .row_stride = 1,
      .column_stride = query.n,
      .source = packed_rows(source),
      .n_source = source.n,
      .dim = source.dim,
      .self = rows.own ? rows.from : NO_SELF,
      .kernel = kernel,
  };
  pairwise_prepare(&task);
  return task;
}
