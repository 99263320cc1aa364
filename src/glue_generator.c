/* Networks that turn draws of a base law into points: one update, and the fields that say where points should move. */
#ifndef USE_FC_LEN_T
#define USE_FC_LEN_T
#endif
#include "glue.h"

#include <math.h>
#include <string.h>

#include "core/net/adam.h"
#include "core/pair/riesz.h"
#include "core/base/parallel.h"
#include "glue_network.h"

/* One update by Adam of a network with parameters and moments learner [P, 3] after `updates` of them, from the
 * derivatives of a scalar by its outputs at x. */
SEXP pf_network_update(SEXP learner, SEXP updates, SEXP widths, SEXP smoothing, SEXP x, SEXP output_gradient, SEXP rate) {
  R_CheckUserInterrupt();
  const network net = check_network(widths, check_number(smoothing, "smoothing"));
  const size_t size = network_parameters(&net);
  const matrix_view of = check_matrix(learner, "learner"), at = check_matrix(x, "x"),
                    by_output = check_matrix(output_gradient, "output_gradient");
  if (of.n != size || of.dim != 3) Rf_error("`learner` must have a row a parameter and three columns.");
  if (at.dim != net.width[0]) Rf_error("`x` must have as many columns as the network has inputs.");
  if (by_output.n != at.n || by_output.dim != net.width[net.depth]) {
    Rf_error("`output_gradient` must have a row a row of `x` and a column an output.");
  }
  const double done = check_number(updates, "updates");
  const adam_settings settings = {-check_number(rate, "rate"), 0.9, 0.99, 1e-8};
  SEXP out = PROTECT(new_matrix(size, 3));
  double *state = REAL(out);
  memcpy(state, of.x, 3 * size * sizeof(double));
  const double *points = packed_rows(at);
  double *workspace = scratch(1, network_workspace(&net, at.n)), *gradient = scratch(size, 1);
  network_forward(&net, state, points, at.n, workspace, 1);
  network_backward(&net, state, points, at.n, packed_rows(by_output), gradient, NULL, workspace);
  adam_step(state, state + size, state + 2 * size, gradient, size, done + 1.0, &settings);
  for (size_t i = 0; i < 3 * size; i++) {
    if (!isfinite(state[i])) Rf_error("The weights of the network left the range of numbers; lower `rate`.");
  }
  UNPROTECT(1);
  return out;
}

/* force [count, d] = sum over the source of w z, z = y - x: w = exp(-|z|^2 / (2 bandwidth^2)) of "gaussian", or
 * (|z|^2 + bandwidth^2)^(-1/2) of "unit", which is the direction of z. */
SEXP pf_kernel_force(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP kernel, SEXP bandwidth,
                     SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const char *name = check_string(kernel, "kernel");
  const double width = check_number(bandwidth, "bandwidth");
  if (!(width > 0.0) || !isfinite(width)) Rf_error("`bandwidth` must be finite and positive.");
  const int gaussian = !strcmp(name, "gaussian");
  if (!gaussian && strcmp(name, "unit") != 0) Rf_error("`kernel` must be \"gaussian\" or \"unit\".");
  const int team = threads_limit(check_threads(threads));
  pair_task task = check_row_task(to, of, from, count, self, gaussian ? kernel_gaussian(width) : riesz_kernel(-1.0, width * width));
  pairwise_prepare(&task);
  SEXP result = PROTECT(new_matrix(task.n_query, task.dim));
  const pair_sums out = {.force = REAL(result), .row_stride = 1, .column_stride = task.n_query};
  pairwise_all(&task, &out, scratch((size_t)team, pairwise_workspace(task.dim)), team);
  UNPROTECT(1);
  return result;
}
