#include "glue.h"

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
  return n;
}

double *scratch(size_t a, size_t b) {
  if (b && a > SIZE_MAX / sizeof(double) / b) Rf_error("The problem is too large for this machine's addresses.");
  const size_t count = a * b;
  return (double *)R_alloc(count > 0 ? count : 1, sizeof(double));
}

double *aligned_scratch(size_t n) {
  enum { LINE = 64 };
  double *out = scratch(n + LINE / sizeof(double), 1);
  const size_t beyond = (uintptr_t)out % LINE;
  return beyond ? out + (LINE - beyond) / sizeof(double) : out;
}

SEXP new_matrix(size_t n, size_t dim) {
  return Rf_allocMatrix(REALSXP, (int)n, (int)dim);
}

const double *packed_rows(matrix_view view) {
  double *out = scratch(view.n, view.dim);
  pack_rows(out, view.x, view.n, view.dim);
  return out;
}

void unpack_rows(double *out, const double *packed, size_t n, size_t dim) {
  for (size_t i = 0; i < n; i++) {
    for (size_t c = 0; c < dim; c++) out[c * n + i] = packed[i * dim + c];
  }
}

row_range check_rows(matrix_view query, matrix_view source, SEXP from, SEXP count, int own) {
  const row_range rows = {(size_t)check_count(from, "from"), (size_t)check_count(count, "count")};
  if (query.dim != source.dim) Rf_error("`query` and `source` must have the same number of columns.");
  if (rows.from > query.n || rows.count > query.n - rows.from) {
    Rf_error("`from` and `count` must lie within the rows of `query`.");
  }
  if (own && query.n > source.n) Rf_error("With `self`, each row of `query` must be a row of `source`.");
  return rows;
}

/* Rows [from, from + count) of the query as a task; with `self` query row i is source row i. */
pair_task check_row_task(matrix_view query, matrix_view source, SEXP from, SEXP count, SEXP self,
                         pair_kernel kernel) {
  const int own = check_flag(self, "self");
  const row_range rows = check_rows(query, source, from, count, own);
  const pair_task task = {query.x + rows.from, rows.count, 1,         query.n, packed_rows(source), source.n,
                          source.dim,          own ? rows.from : NO_SELF, NULL, kernel, NULL};
  return task;
}

SEXP new_list(const char *const *names, SEXP *values, int n) {
  SEXP out = PROTECT(Rf_allocVector(VECSXP, n)), labels = PROTECT(Rf_allocVector(STRSXP, n));
  for (int i = 0; i < n; i++) {
    SET_VECTOR_ELT(out, i, values[i]);
    SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
  }
  Rf_setAttrib(out, R_NamesSymbol, labels);
  UNPROTECT(2);
  return out;
}
