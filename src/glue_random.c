/* Random numbers: functions of a key, a stream and the row. */
#include <string.h>

#include "core/base/fingerprint.h"
#include "core/base/linalg.h"
#include "core/base/normals.h"
#include "glue.h"

typedef void (*filler)(double *, size_t, size_t, rng_key, uint32_t, uint64_t, int);

static SEXP fill_matrix(SEXP n, SEXP m, SEXP key, SEXP stream, SEXP threads, filler fill) {
  R_CheckUserInterrupt();
  const size_t rows = (size_t)check_count(n, "n"), columns = (size_t)check_count(m, "m");
  const rng_key seed = check_key(key);
  const uint32_t number = (uint32_t)check_count(stream, "stream");
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_matrix(rows, columns));
  fill(REAL(out), rows, columns, seed, number, 0, team);
  UNPROTECT(1);
  return out;
}

static SEXP pf_draw_uniform(SEXP n, SEXP m, SEXP key, SEXP stream, SEXP threads) {
  return fill_matrix(n, m, key, stream, threads, fill_uniform);
}

static SEXP pf_draw_normal(SEXP n, SEXP m, SEXP key, SEXP stream, SEXP threads) {
  return fill_matrix(n, m, key, stream, threads, fill_normal);
}

/* [n, m] uniform numbers that depend on the content of the rows of x [n, k] alone: equal rows get equal numbers. */
static SEXP pf_draw_of_rows(SEXP x, SEXP m, SEXP key, SEXP stream) {
  R_CheckUserInterrupt();
  const size_t columns = (size_t)check_count(m, "m");
  const rng_key seed = check_key(key);
  const uint32_t number = (uint32_t)check_count(stream, "stream");
  const matrix_view view = check_matrix(x, "x");
  SEXP out = PROTECT(new_matrix(view.n, columns));
  double *u = REAL(out);
  for (size_t i = 0; i < view.n; i++) {
    uint64_t hash = FINGERPRINT_START;
    for (size_t j = 0; j < view.dim; j++) {
      const double value = view.x[i + j * view.n] + 0.0; /* -0 becomes 0 */
      hash = fingerprint_add(hash, &value, 1);
    }
    rng_sequence draws;
    rng_start(&draws, seed, number, hash);
    for (size_t j = 0; j < columns; j++) u[i + j * view.n] = rng_uniform(&draws);
  }
  UNPROTECT(1);
  return out;
}

/* The first entries of a random permutation of 1 .. m, one per uniform number of u: entry i changes places with one of
 * those from i on. */
static SEXP pf_partial_permutation(SEXP m, SEXP u) {
  const size_t all = (size_t)check_count(m, "m");
  size_t n;
  const double *share = check_doubles(u, &n, "u");
  if (n > all) Rf_error("`u` must be at most `m` numbers.");
  int *left = (int *)R_alloc(all + 1, sizeof(int));
  for (size_t i = 0; i < all; i++) left[i] = (int)(i + 1);
  SEXP out = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)n));
  for (size_t i = 0; i < n; i++) {
    if (!(share[i] >= 0.0) || !(share[i] < 1.0)) Rf_error("`u` must be numbers from 0 to below 1.");
    /* no product is rounded up to `all - i`, because a number below 1 is at most 1 - 2^-53 */
    const size_t j = i + (size_t)(share[i] * (double)(all - i));
    INTEGER(out)[i] = left[j];
    left[j] = left[i];
  }
  UNPROTECT(1);
  return out;
}

/* Columns of z [d, size sets] in sets of `size`, each set made orthogonal and of length 1. */
static SEXP pf_orthonormal_sets(SEXP z, SEXP size) {
  R_CheckUserInterrupt();
  const matrix_view view = check_matrix(z, "z");
  const size_t own = (size_t)check_count(size, "size");
  if (own < 1 || own > view.n || view.dim % own) {
    Rf_error("`size` must be at most the number of rows of `z`, and divide that of columns.");
  }
  SEXP out = PROTECT(new_matrix(view.n, view.dim));
  memcpy(REAL(out), view.x, view.n * view.dim * sizeof(double));
  for (size_t first = 0; first < view.dim; first += own) make_orthonormal(REAL(out) + first * view.n, own, view.n);
  UNPROTECT(1);
  return out;
}

/* One Philox block, for the published known answers: words go in and out as doubles. */
static SEXP pf_philox(SEXP counter, SEXP key) {
  const double *c = check_vector(counter, 4, "counter"), *k = check_vector(key, 2, "key");
  uint32_t in[4], seed[2], word[4];
  for (int i = 0; i < 4; i++) in[i] = (uint32_t)check_whole(c[i], UINT32_MAX, "counter");
  for (int i = 0; i < 2; i++) seed[i] = (uint32_t)check_whole(k[i], UINT32_MAX, "key");
  philox4x32(in, seed, word);
  SEXP out = PROTECT(Rf_allocVector(REALSXP, 4));
  for (int i = 0; i < 4; i++) REAL(out)[i] = (double)word[i];
  UNPROTECT(1);
  return out;
}

const R_CallMethodDef random_routines[] = {
    ROUTINE(pf_draw_uniform, 5),
    ROUTINE(pf_draw_normal, 5),
    ROUTINE(pf_draw_of_rows, 4),
    ROUTINE(pf_partial_permutation, 2),
    ROUTINE(pf_orthonormal_sets, 2),
    ROUTINE(pf_philox, 2), /* for tests alone */
    NO_ROUTINE,
};
