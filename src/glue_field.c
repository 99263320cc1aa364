/* The flow of the particles: field, curvature, volume, inverse. */
#include "glue_names.h"

#include <limits.h>
#include <string.h>

#include "core/flow/curvature.h"
#include "core/flow/field.h"
#include "core/flow/inverse.h"
#include "core/flow/volume.h"
#include "core/pair/riesz.h"

static const double *column_means(const double *rows, size_t n, size_t dim) {
  double *out = scratch(dim, 1);
  mean_rows(out, rows, n, dim);
  return out;
}

/* Room for a field, as R sees it and as the core does; `list` is protected. */
typedef struct {
  SEXP list;
  field_values out;
} field_list;

static field_list new_field(size_t n, size_t dim) {
  static const char *const names[] = {"gradient", "curvature", "repulsion", "nearest"};
  SEXP values[4];
  values[0] = PROTECT(new_matrix(n, dim));
  for (int i = 1; i < 4; i++) values[i] = PROTECT(new_vector(n));
  SEXP list = new_list(names, values, 4);
  UNPROTECT(4);
  PROTECT(list);
  const field_list field = {
      .list = list,
      .out = {.gradient = REAL(values[0]),
              .curvature = REAL(values[1]),
              .repulsion = REAL(values[2]),
              .nearest = REAL(values[3]),
              .weight = scratch(n, 1)},
  };
  return field;
}

static SEXP pf_field(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP s, SEXP epsilon, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const pair_kernel potential = check_potential(s, epsilon);
  const row_range rows = check_rows(to, of, from, count, check_flag(self, "self"));
  const int team = check_threads(threads);
  if (of.n < 2) Rf_error("`source` must have at least two rows.");
  const pair_task task = row_task(to, of, rows, potential);
  const field_list field = new_field(task.n_query, task.dim);
  field_rows(&task, column_means(task.source, of.n, of.dim), &field.out,
             scratch((size_t)team, pairwise_workspace(task.dim)), team);
  UNPROTECT(1);
  return field.list;
}

/* Rounds in which the field of n particles at themselves is made; 0 where pf_field does it as fast. */
static SEXP pf_sample_rounds(SEXP n, SEXP dim) {
  const size_t particles = (size_t)check_count(n, "n"), columns = (size_t)check_count(dim, "dim");
  if (columns > MUTUAL_DIM) return Rf_ScalarInteger(0);
  const size_t rounds = mutual_rounds(particles, columns);
  if (rounds > INT_MAX) Rf_error("`n` is too large: the field would take %.0f rounds.", (double)rounds);
  return Rf_ScalarInteger((int)rounds);
}

/* Rounds [from, to): the sums so far, or the field after the last round. `state`: the sums of the rounds
 * before, NULL where there are none. */
static SEXP pf_sample_field(SEXP x, SEXP state, SEXP from, SEXP to, SEXP s, SEXP epsilon, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view particles = check_matrix(x, "x");
  const size_t n = particles.n, dim = particles.dim, size = mutual_state(n, dim), rounds = mutual_rounds(n, dim);
  const size_t first = (size_t)check_count(from, "from"), last = (size_t)check_count(to, "to");
  const pair_kernel potential = check_potential(s, epsilon);
  const int team = check_threads(threads);
  if (n < 2) Rf_error("`x` must have at least two rows.");
  if (first > last || last > rounds) Rf_error("`from` and `to` must lie within the rounds, in this order.");
  if (first == 0 ? state != R_NilValue : TYPEOF(state) != REALSXP || (size_t)XLENGTH(state) != size) {
    Rf_error("`state` must be NULL before the first round and the sums so far before any other.");
  }
  mutual_task task = {.rows = packed_rows(particles), .n = n, .dim = dim, .kernel = potential};
  if (mutual_prepare(&task) != STATUS_ok) Rf_error("`s` and `epsilon` must be those of a Riesz potential.");
  double *workspace = scratch(1, mutual_workspace(n, dim, team)), *sums = aligned_scratch(size);
  if (first == 0) {
    mutual_clear(&task, sums);
  } else {
    memcpy(sums, REAL_RO(state), size * sizeof(double));
  }
  if (last < rounds) {
    SEXP result = PROTECT(new_vector(size));
    mutual_advance(&task, sums, first, last, workspace, team);
    memcpy(REAL(result), sums, size * sizeof(double));
    UNPROTECT(1);
    return result;
  }
  const field_list field = new_field(n, dim);
  mutual_advance(&task, sums, first, last, workspace, team);
  field_of_sample(&task, sums, column_means(task.rows, n, dim), &field.out, workspace);
  UNPROTECT(1);
  return field.list;
}

static SEXP pf_step_log_det(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP gamma, SEXP s,
                            SEXP epsilon, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const pair_kernel potential = check_potential(s, epsilon);
  const double step = check_number(gamma, "gamma");
  const row_range rows = check_rows(to, of, from, count, check_flag(self, "self"));
  const int team = check_threads(threads);
  if (of.n < 2) Rf_error("`source` must have at least two rows.");
  if (of.dim > TILE_HESSIAN_DIM) Rf_error("`source` must have at most %d columns.", (int)TILE_HESSIAN_DIM);
  const pair_task task = row_task(to, of, rows, potential);
  SEXP out = PROTECT(new_vector(task.n_query));
  step_log_det(&task, step, REAL(out), scratch(1, step_log_det_workspace(task.dim, team)), team);
  UNPROTECT(1);
  return out;
}

static SEXP pf_largest_curvature(SEXP x, SEXP bounds, SEXP s, SEXP epsilon, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view particles = check_matrix(x, "x");
  const double *bound = check_vector(bounds, particles.n, "bounds");
  const pair_kernel potential = check_potential(s, epsilon);
  const int team = check_threads(threads);
  if (particles.n < 2) Rf_error("`x` must have at least two rows.");
  ranked_row *ranking = (ranked_row *)R_alloc(particles.n, sizeof(ranked_row));
  double *workspace = scratch(1, curvature_workspace(particles.n, particles.dim, team));
  return Rf_ScalarReal(largest_curvature(packed_rows(particles), particles.n, particles.dim, &potential, bound,
                                         ranking, workspace, team));
}

static inverse_step check_step(matrix_view y, matrix_view source, SEXP gamma, SEXP s, SEXP epsilon) {
  if (y.dim != source.dim) Rf_error("`y` and `source` must have the same number of columns.");
  if (source.n < 2) Rf_error("`source` must have at least two rows.");
  const double *rows = packed_rows(source);
  const inverse_step step = {
      .source = rows,
      .mean = column_means(rows, source.n, source.dim),
      .n = source.n,
      .dim = source.dim,
      .potential = check_potential(s, epsilon),
      .gamma = check_number(gamma, "gamma"),
  };
  return step;
}

static SEXP pf_backward_exact(SEXP y, SEXP guess, SEXP source, SEXP gamma, SEXP s, SEXP epsilon, SEXP tolerance,
                              SEXP most_evaluations, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view points = check_matrix(y, "y"), start = check_matrix(guess, "guess");
  const matrix_view of = check_matrix(source, "source");
  if (start.n != points.n || start.dim != points.dim) Rf_error("`guess` must have the extents of `y`.");
  const double accuracy = check_number(tolerance, "tolerance");
  const int most = check_count(most_evaluations, "most_evaluations"), team = check_threads(threads);
  const inverse_step step = check_step(points, of, gamma, s, epsilon);

  static const char *const names[] = {"points", "residual", "evaluations"};
  SEXP values[3];
  values[0] = PROTECT(new_matrix(points.n, points.dim));
  values[1] = PROTECT(new_vector(points.n));
  values[2] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)points.n));
  double *workspace = scratch((size_t)team, backward_workspace(points.dim));
  invert_points(&step, points.x, start.x, points.n, accuracy, most, REAL(values[0]), REAL(values[1]),
                INTEGER(values[2]), NULL, workspace, team);
  SEXP result = new_list(names, values, 3);
  UNPROTECT(3);
  return result;
}

/* start: y, or the points that an earlier call gave for it. */
static SEXP pf_backward_paper(SEXP y, SEXP start, SEXP source, SEXP gamma, SEXP s, SEXP epsilon, SEXP beta,
                              SEXP n_inner, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view points = check_matrix(y, "y"), at = check_matrix(start, "start"),
                    of = check_matrix(source, "source");
  if (at.n != points.n || at.dim != points.dim) Rf_error("`start` must have the extents of `y`.");
  const double rate = check_number(beta, "beta");
  const int inner = check_count(n_inner, "n_inner"), team = check_threads(threads);
  const inverse_step step = check_step(points, of, gamma, s, epsilon);

  static const char *const names[] = {"points", "residual"};
  SEXP values[2];
  values[0] = PROTECT(new_matrix(points.n, points.dim));
  values[1] = PROTECT(new_vector(points.n));
  double *workspace = scratch((size_t)team, backward_workspace(points.dim));
  invert_points_paper(&step, points.x, at.x, points.n, rate, inner, REAL(values[0]), REAL(values[1]), workspace, team);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

static SEXP pf_pair_curvature(SEXP s, SEXP epsilon) {
  const pair_kernel potential = check_potential(s, epsilon);
  return Rf_ScalarReal(riesz_curvature(&potential));
}

const R_CallMethodDef field_routines[] = {
    ROUTINE(pf_field, 8),
    ROUTINE(pf_sample_rounds, 2),
    ROUTINE(pf_sample_field, 7),
    ROUTINE(pf_step_log_det, 9),
    ROUTINE(pf_largest_curvature, 5),
    ROUTINE(pf_backward_exact, 9),
    ROUTINE(pf_backward_paper, 9),
    ROUTINE(pf_pair_curvature, 2),
    NO_ROUTINE,
};
