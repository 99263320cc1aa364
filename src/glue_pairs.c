/* Sums over pairs of points, also within the parts of divisions, and neighbours. */
#include "glue_names.h"

#include <math.h>

#include "core/law/kde.h"
#include "core/net/divisions.h"
#include "core/pair/neighbours.h"
#include "core/pair/riesz.h"

/* The kernels that R names, and in which sets of them. */
enum { KERNELS_all = 1, KERNELS_density = 2, KERNELS_force = 4 };

enum { KERNEL_gaussian, KERNEL_laplace, KERNEL_distance, KERNEL_unit, KERNEL_count };

static const struct {
  const char *word;
  int sets;
} kernels[KERNEL_count] = {
    [KERNEL_gaussian] = {"gaussian", KERNELS_all | KERNELS_density | KERNELS_force}, /* exp(-|z|^2 / (2 bandwidth^2)) */
    [KERNEL_laplace] = {"laplace", KERNELS_all | KERNELS_density},                   /* exp(-|z| / bandwidth) */
    [KERNEL_distance] = {"distance", KERNELS_all},                                   /* |z|, whatever the bandwidth */
    [KERNEL_unit] = {"unit", KERNELS_force},                                         /* (|z|^2 + bandwidth^2)^(-1/2) */
};

static pair_kernel check_kernel(SEXP kernel, SEXP bandwidth, int set) {
  const char *words[KERNEL_count];
  int of_word[KERNEL_count], n = 0;
  for (int k = 0; k < KERNEL_count; k++) {
    if (!(kernels[k].sets & set)) continue;
    words[n] = kernels[k].word;
    of_word[n++] = k;
  }
  const int which = of_word[check_choice(NAMED(kernel), words, n)];
  const double width = check_number(bandwidth, "bandwidth");
  if (which == KERNEL_distance) return kernel_distance();
  if (!(width > 0.0) || !isfinite(width)) Rf_error("`bandwidth` must be finite and positive.");
  if (which == KERNEL_gaussian) return kernel_gaussian(width);
  return which == KERNEL_laplace ? kernel_laplace(width) : riesz_kernel(-1.0, width * width);
}

/* The pair engine on all queries of a task. */
static void run_engine(const pair_task *task, const pair_sums *out, int team) {
  pairwise_all(task, out, scratch((size_t)team, pairwise_workspace(task->dim)), team);
}

static SEXP pf_pairwise_sums(SEXP query, SEXP source, SEXP self, SEXP s, SEXP epsilon, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const pair_kernel potential = check_potential(s, epsilon);
  const int own = check_flag(self, "self"), team = check_threads(threads);
  if (to.dim != of.dim) Rf_error("`query` and `source` must have the same number of columns.");
  if (own && to.n > of.n) Rf_error("With `self`, each row of `query` must be a row of `source`.");
  const row_range rows = {.count = to.n, .own = own};
  const pair_task task = row_task(to, of, rows, potential);

  static const char *const names[] = {"force", "weight", "bound", "repulsion", "nearest"};
  SEXP values[5];
  values[0] = PROTECT(new_matrix(task.n_query, task.dim));
  for (int i = 1; i < 5; i++) values[i] = PROTECT(new_vector(task.n_query));
  const pair_sums out = {
      .force = REAL(values[0]),
      .row_stride = 1,
      .column_stride = task.n_query,
      .weight = REAL(values[1]),
      .bound = REAL(values[2]),
      .repulsion = REAL(values[3]),
      .nearest = REAL(values[4]),
  };
  run_engine(&task, &out, team);
  SEXP result = new_list(names, values, 5);
  UNPROTECT(5);
  return result;
}

static SEXP pf_kernel_sums(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP kernel, SEXP bandwidth,
                           SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const row_range rows = check_rows(to, of, from, count, check_flag(self, "self"));
  const pair_kernel weight = check_kernel(kernel, bandwidth, KERNELS_all);
  const int team = check_threads(threads);
  const pair_task task = row_task(to, of, rows, weight);
  SEXP result = PROTECT(new_vector(rows.count));
  const pair_sums out = {.weight = REAL(result)};
  run_engine(&task, &out, team);
  UNPROTECT(1);
  return result;
}

/* [count, d]: sum over the source of w z, z = y - x; with "unit" w z is nearly the direction of z. */
static SEXP pf_kernel_force(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP kernel, SEXP bandwidth,
                            SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const row_range rows = check_rows(to, of, from, count, check_flag(self, "self"));
  const pair_kernel weight = check_kernel(kernel, bandwidth, KERNELS_force);
  const int team = check_threads(threads);
  const pair_task task = row_task(to, of, rows, weight);
  SEXP result = PROTECT(new_matrix(task.n_query, task.dim));
  const pair_sums out = {.force = REAL(result), .row_stride = 1, .column_stride = task.n_query};
  run_engine(&task, &out, team);
  UNPROTECT(1);
  return result;
}

/* score [count, d], NULL where it is not wanted. */
static SEXP pf_kde(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP kernel, SEXP bandwidth, SEXP score,
                   SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const row_range rows = check_rows(to, of, from, count, check_flag(self, "self"));
  const pair_kernel weight = check_kernel(kernel, bandwidth, KERNELS_density);
  const int wanted = check_flag(score, "score"), team = check_threads(threads);
  if (of.n < (rows.own ? 2 : 1)) Rf_error("`source` has too few rows.");
  const pair_task task = row_task(to, of, rows, weight);
  static const char *const names[] = {"log_density", "score"};
  SEXP values[2];
  values[0] = PROTECT(new_vector(task.n_query));
  values[1] = PROTECT(wanted ? new_matrix(task.n_query, task.dim) : R_NilValue);
  kde_field(&task, REAL(values[0]), wanted ? REAL(values[1]) : NULL, 1, task.n_query,
            scratch(1, kde_workspace(of.n, of.dim, team)), team);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

/* Query rows of a range against all sources, by their distances. */
static distance_task distances_of(matrix_view query, matrix_view source, row_range rows) {
  const distance_task task = {
      .query = packed_rows(query),
      .source = packed_rows(source),
      .from = rows.from,
      .count = rows.count,
      .n_source = source.n,
      .dim = source.dim,
  };
  return task;
}

/* Leaves by a long jump if the user pressed Ctrl-C; all memory is R's. */
static int interrupted(void) {
  R_CheckUserInterrupt();
  return 0;
}

/* first [n, divisions]: for each division of the rows of x whether a row is in the first part, 1 or 0. */
static SEXP pf_division_sums(SEXP x, SEXP first, SEXP kernel, SEXP bandwidth, SEXP threads) {
  const matrix_view sample = check_matrix(x, "x"), parts = check_matrix(first, "first");
  if (parts.n != sample.n) Rf_error("`first` must have one row per row of `x`.");
  const int team = check_threads(threads);
  const division_task task = {
      .rows = packed_rows(sample),
      .n = sample.n,
      .dim = sample.dim,
      .kernel = check_kernel(kernel, bandwidth, KERNELS_all),
      .first = parts.x,
      .count = parts.dim,
  };
  static const char *const names[] = {"within", "touched", "of_row"};
  SEXP values[3];
  values[0] = PROTECT(new_vector(task.count));
  values[1] = PROTECT(new_vector(task.count));
  values[2] = PROTECT(new_vector(task.n));
  const division_results out = {.within = REAL(values[0]), .touched = REAL(values[1]), .of_row = REAL(values[2])};
  division_sums(&task, &out, interrupted, scratch(1, division_workspace(&task, team)), team);
  SEXP result = new_list(names, values, 3);
  UNPROTECT(3);
  return result;
}

/* index [count, k] from 1. */
static SEXP pf_neighbours(SEXP query, SEXP source, SEXP from, SEXP count, SEXP self, SEXP k, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const int team = check_threads(threads), own = check_flag(self, "self");
  const size_t neighbours = (size_t)check_count(k, "k");
  const row_range rows = check_rows(to, of, from, count, own);
  if (neighbours < 1 || of.n < (size_t)own || neighbours > of.n - (size_t)own) {
    Rf_error("`k` must be at least 1 and at most the number of rows to choose from.");
  }
  const distance_task task = distances_of(to, of, rows);
  static const char *const names[] = {"index", "distance"};
  SEXP values[2];
  values[0] = PROTECT(new_integer_matrix(rows.count, neighbours));
  values[1] = PROTECT(new_matrix(rows.count, neighbours));
  nearest_rows(&task, own, neighbours, INTEGER(values[0]), REAL(values[1]),
               scratch((size_t)team, neighbours_workspace(of.dim, neighbours)), team);
  for (size_t i = 0; i < rows.count * neighbours; i++) INTEGER(values[0])[i]++;
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

static SEXP pf_count_within(SEXP query, SEXP source, SEXP from, SEXP count, SEXP radius, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view to = check_matrix(query, "query"), of = check_matrix(source, "source");
  const double *radii = check_vector(radius, of.n, "radius");
  const int team = check_threads(threads);
  const row_range rows = check_rows(to, of, from, count, 0);
  const distance_task task = distances_of(to, of, rows);
  static const char *const names[] = {"count", "nearest"};
  SEXP values[2];
  values[0] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)rows.count));
  values[1] = PROTECT(new_vector(rows.count));
  count_within(&task, radii, INTEGER(values[0]), REAL(values[1]),
               scratch((size_t)team, neighbours_workspace(of.dim, 0)), team);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

const R_CallMethodDef pairs_routines[] = {
    ROUTINE(pf_pairwise_sums, 6), /* for tests alone */
    ROUTINE(pf_kernel_sums, 8),
    ROUTINE(pf_kernel_force, 8),
    ROUTINE(pf_kde, 9),
    ROUTINE(pf_division_sums, 5),
    ROUTINE(pf_neighbours, 7),
    ROUTINE(pf_count_within, 6),
    NO_ROUTINE,
};
