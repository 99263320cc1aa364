/* Latent laws and the random numbers behind them. */
#include "glue.h"

#include <stdint.h>

#include "core/law/equilibrium.h"
#include "core/base/parallel.h"

SEXP pf_equilibrium_radius(SEXP dim, SEXP s) {
  return Rf_ScalarReal(equilibrium_radius((size_t)check_count(dim, "dim"), check_number(s, "s")));
}

SEXP pf_draw_shell(SEXP n, SEXP centre, SEXP radius, SEXP kind, SEXP s, SEXP key, SEXP threads) {
  R_CheckUserInterrupt();
  const size_t rows = (size_t)check_count(n, "n"), dim = (size_t)XLENGTH(centre);
  const double *middle = check_vector(centre, dim, "centre");
  const double size = check_number(radius, "radius"), exponent = check_number(s, "s");
  const int which = check_count(kind, "kind");
  const rng_key seed = check_key(key);
  const int team = threads_limit(check_threads(threads));
  if (dim < 1) Rf_error("`centre` must have at least one coordinate.");
  if (which > SHELL_equilibrium) Rf_error("`kind` must be 0, 1 or 2.");
  SEXP out = PROTECT(new_matrix(rows, dim));
  const status done = draw_shell(REAL(out), rows, dim, middle, size, (shell)which, exponent, seed, team);
  UNPROTECT(1);
  if (done != STATUS_ok) Rf_error("`radius` must be finite and `s` between -2 and the number of coordinates.");
  return out;
}

typedef void (*filler)(double *, size_t, size_t, rng_key, uint32_t, uint64_t, int);

static SEXP fill_matrix(SEXP n, SEXP m, SEXP key, SEXP stream, SEXP threads, filler fill) {
  R_CheckUserInterrupt();
  const size_t rows = (size_t)check_count(n, "n"), columns = (size_t)check_count(m, "m");
  const rng_key seed = check_key(key);
  const uint32_t number = (uint32_t)check_count(stream, "stream");
  const int team = threads_limit(check_threads(threads));
  SEXP out = PROTECT(new_matrix(rows, columns));
  fill(REAL(out), rows, columns, seed, number, 0, team);
  UNPROTECT(1);
  return out;
}

SEXP pf_draw_uniform(SEXP n, SEXP m, SEXP key, SEXP stream, SEXP threads) {
  return fill_matrix(n, m, key, stream, threads, fill_uniform);
}

SEXP pf_draw_normal(SEXP n, SEXP m, SEXP key, SEXP stream, SEXP threads) {
  return fill_matrix(n, m, key, stream, threads, fill_normal);
}

/* One Philox block, for the published known answers: words go in and out as doubles. */
SEXP pf_philox(SEXP counter, SEXP key) {
  const double *c = check_vector(counter, 4, "counter"), *k = check_vector(key, 2, "key");
  uint32_t in[4], seed[2], word[4];
  for (int i = 0; i < 4; i++) in[i] = (uint32_t)(uint64_t)c[i];
  for (int i = 0; i < 2; i++) seed[i] = (uint32_t)(uint64_t)k[i];
  philox4x32(in, seed, word);
  SEXP out = PROTECT(Rf_allocVector(REALSXP, 4));
  for (int i = 0; i < 4; i++) REAL(out)[i] = (double)word[i];
  UNPROTECT(1);
  return out;
}
