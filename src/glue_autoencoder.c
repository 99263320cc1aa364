/* The training of an autoencoder. */
#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/net/autoencoder.h"
#include "glue_network.h"

/* Columns [width, 2] of lower and upper ends; NULL stands for none. */
static const double *check_bounds(SEXP bounds, size_t width) {
  if (!Rf_isNull(bounds)) return check_extents(bounds, width, 2, "bounds");
  double *none = scratch(width, 2);
  for (size_t c = 0; c < width; c++) {
    none[c] = -INFINITY;
    none[width + c] = INFINITY;
  }
  return none;
}

static autoencoder check_autoencoder(SEXP encoder, SEXP decoder, SEXP bounds) {
  autoencoder net = {.encoder = check_network(encoder, 0.0), .decoder = check_network(decoder, 0.0)};
  const size_t width = net.encoder.width[0], latent = net.encoder.width[net.encoder.depth];
  if (net.decoder.width[0] != latent || net.decoder.width[net.decoder.depth] != width) {
    Rf_error("The decoder must lead from the outputs of the encoder back to its inputs.");
  }
  net.lower = check_bounds(bounds, width);
  net.upper = net.lower + width;
  return net;
}

/* The columns of points [width, n] that `rows` names, counted from 1, one after the other. */
static void gather(double *out, matrix_view points, const int *rows, size_t count) {
  for (size_t i = 0; i < count; i++) {
    memcpy(out + i * points.n, points.x + (size_t)(rows[i] - 1) * points.n, points.n * sizeof(double));
  }
}

static const int *check_order(SEXP order, matrix_view points) {
  if (TYPEOF(order) != INTSXP || XLENGTH(order) < 1) Rf_error("`order` must be whole numbers, at least one.");
  const int *at = INTEGER_RO(order);
  for (R_xlen_t i = 0; i < XLENGTH(order); i++) {
    if (at[i] == NA_INTEGER || at[i] < 1 || (size_t)at[i] > points.dim) {
      Rf_error("`order` must lie within the columns of `points`.");
    }
  }
  return at;
}

/* Learner [P, 3], which had `updates`, after those on batches of `batch` of the points [width, n] in `order`; NULL if a
 * number is not finite. bounds: NULL or [width, 2]. */
static SEXP pf_autoencoder_epoch(SEXP learner, SEXP updates, SEXP encoder, SEXP decoder, SEXP bounds, SEXP points,
                                 SEXP order, SEXP batch, SEXP rate, SEXP threads) {
  const int team = check_threads(threads);
  const autoencoder net = check_autoencoder(encoder, decoder, bounds);
  const size_t size = autoencoder_parameters(&net), width = net.encoder.width[0];
  const double *before = check_extents(learner, size, 3, "learner");
  const matrix_view from = check_matrix(points, "points");
  if (from.n != width) Rf_error("`points` must have one row per input of the encoder.");
  const int *rows = check_order(order, from);
  const size_t n = (size_t)XLENGTH(order), each = (size_t)check_count(batch, "batch");
  if (each < 1) Rf_error("`batch` must be at least 1.");
  const size_t most = each < n ? each : n;
  uint64_t done = check_updates(updates);
  const adam_settings adam = {
      .rate = -check_number(rate, "rate"), .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
  SEXP out = PROTECT(new_matrix(size, 3));
  memcpy(REAL(out), before, 3 * size * sizeof(double));
  double *x = scratch(width, most), *workspace = scratch(1, autoencoder_workspace(&net, most));
  for (size_t first = 0; first < n; first += each, done++) {
    R_CheckUserInterrupt();
    const size_t count = n - first < each ? n - first : each;
    gather(x, from, rows + first, count);
    autoencoder_update(REAL(out), done, &net, x, count, &adam, workspace, team);
  }
  UNPROTECT(1);
  /* what is not finite stays so */
  return all_finite(REAL(out), 3 * size) ? out : R_NilValue;
}

const R_CallMethodDef autoencoder_routines[] = {
    ROUTINE(pf_autoencoder_epoch, 10),
    NO_ROUTINE,
};
