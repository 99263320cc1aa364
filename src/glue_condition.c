/* Draws of mixtures of Gaussians, and mixtures of Gaussians and t conditioned on points and boxes. */
#include "glue_law.h"

#include <math.h>

#include "core/base/linalg.h"
#include "core/law/condition.h"

/* Positive doubles, perhaps infinite. */
static const double *read_positive(list_reader *list, const char *name, size_t n, int zero) {
  const named_value member = read_member(list, name);
  const double *value = check_vector(member.value, n, member.what);
  for (size_t i = 0; i < n; i++) {
    if (!(zero ? value[i] >= 0.0 && isfinite(value[i]) : value[i] > 0.0)) {
      Rf_error("`%s` must be %s.", member.what, zero ? "finite and at least 0" : "above 0");
    }
  }
  return value;
}

t_components check_mixture(SEXP mixture) {
  list_reader list = open_list(mixture, "mixture");
  const named_value means = read_member(&list, "means"), roots = read_member(&list, "roots");
  const matrix_view centres = check_matrix(means.value, means.what), lower = check_matrix(roots.value, roots.what);
  const size_t dim = centres.n, n = centres.dim, triangle = triangle_size(dim);
  if (dim < 1) Rf_error("`%s` must have at least one row.", means.what);
  if (lower.n != triangle || (lower.dim != n && lower.dim != 1)) {
    Rf_error("`%s` must be %.0f by %.0f, or have one column.", roots.what, (double)triangle, (double)n);
  }
  for (size_t k = 0; k < lower.dim; k++) {
    for (size_t c = 0; c < dim; c++) {
      if (!(lower.x[k * triangle + triangle_size(c) + c] > 0.0)) {
        Rf_error("`%s` must be triangles with positive diagonals.", roots.what);
      }
    }
  }
  const t_components law = {
      .weights = read_positive(&list, "weights", n, 1),
      .means = centres.x,
      .roots = lower.x,
      .df = read_positive(&list, "df", n, 0),
      .n = n,
      .dim = dim,
      .shared = lower.dim == 1,
  };
  close_list(&list);
  return law;
}

component_source check_source(const t_components *law) {
  double *upto = scratch(law->n, 1);
  sum_weights(law, upto);
  if (law->n < 1 || !(upto[law->n - 1] > 0.0)) Rf_error("`mixture$weights` must have a sum above 0.");
  for (size_t k = 0; k < law->n; k++) {
    if (isfinite(law->df[k])) Rf_error("`mixture$df` must be infinite.");
  }
  const component_source source = {.law = law, .upto = upto};
  return source;
}

/* n draws of a mixture of Gaussians, [n, d]. Draw i, from 0, has the component of particle i of the stream pick_stream
 * of pick_key, and the normal numbers of particle i of the stream of key. */
static SEXP pf_draw_components(SEXP n, SEXP mixture, SEXP pick_key, SEXP pick_stream, SEXP key, SEXP stream,
                               SEXP threads) {
  R_CheckUserInterrupt();
  const size_t count = (size_t)check_count(n, "n");
  const t_components law = check_mixture(mixture);
  component_source source = check_source(&law);
  source.pick_key = check_key(pick_key);
  source.pick_stream = (uint32_t)check_count(pick_stream, "pick_stream");
  source.key = check_key(key);
  source.stream = (uint32_t)check_count(stream, "stream");
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_matrix(count, law.dim));
  component_matrix(&source, count, REAL(out), scratch((size_t)team, component_workspace(&source)), team);
  UNPROTECT(1);
  return out;
}

/* order: the coordinates from 1 up, each once. */
static condition_pattern check_pattern(SEXP order, SEXP points, SEXP boxes, size_t dim) {
  if (TYPEOF(order) != INTSXP || (size_t)XLENGTH(order) != dim) {
    Rf_error("`order` must be %.0f integers.", (double)dim);
  }
  size_t *from_zero = (size_t *)R_alloc(dim, sizeof(size_t));
  char *seen = R_alloc(dim, 1);
  for (size_t c = 0; c < dim; c++) seen[c] = 0;
  for (size_t c = 0; c < dim; c++) {
    const int place = INTEGER_RO(order)[c];
    if (place == NA_INTEGER || place < 1 || (size_t)place > dim || seen[place - 1]) {
      Rf_error("`order` must name each coordinate once.");
    }
    seen[place - 1] = 1;
    from_zero[c] = (size_t)place - 1;
  }
  const condition_pattern pattern = {.order = from_zero,
                                     .points = (size_t)check_count(points, "points"),
                                     .boxes = (size_t)check_count(boxes, "boxes")};
  if (pattern.points > dim || pattern.boxes > dim - pattern.points) {
    Rf_error("`points` and `boxes` must not be more than the coordinates.");
  }
  return pattern;
}

static matrix_view check_bounds(SEXP x, const char *what) {
  if (TYPEOF(x) != REALSXP || !Rf_isMatrix(x)) Rf_error("`%s` must be a matrix of doubles.", what);
  const matrix_view view = {REAL_RO(x), (size_t)Rf_nrows(x), (size_t)Rf_ncols(x)};
  for (size_t i = 0; i < view.n * view.dim; i++) {
    if (ISNAN(view.x[i])) Rf_error("`%s` must not be NaN.", what);
  }
  return view;
}

/* Points are finite and equal in both, boxes and free coordinates are not empty. */
static void check_conditions(matrix_view lower, matrix_view upper, const condition_pattern *pattern) {
  for (size_t j = 0; j < lower.dim; j++) {
    const double *low = lower.x + pattern->order[j] * lower.n, *high = upper.x + pattern->order[j] * lower.n;
    for (size_t i = 0; i < lower.n; i++) {
      if (j < pattern->points ? low[i] != high[i] || !isfinite(low[i]) : !(low[i] < high[i])) {
        Rf_error("`lower` must be finite and equal to `upper` at the points, and below it at the others.");
      }
    }
  }
}

static const uint64_t *check_numbers(SEXP rows, size_t n) {
  if (TYPEOF(rows) != INTSXP || (size_t)XLENGTH(rows) != n) Rf_error("`rows` must be one integer per condition.");
  uint64_t *out = (uint64_t *)R_alloc(n + 1, sizeof(uint64_t));
  for (size_t i = 0; i < n; i++) {
    const int row = INTEGER_RO(rows)[i];
    if (row == NA_INTEGER || row < 0) Rf_error("`rows` must not be negative.");
    out[i] = (uint64_t)row;
  }
  return out;
}

/* lower, upper [m, d], all of one pattern. x [m, d], or NULL if no draw is wanted. */
static SEXP pf_condition(SEXP mixture, SEXP lower, SEXP upper, SEXP order, SEXP points, SEXP boxes, SEXP rows,
                         SEXP proposals, SEXP draw, SEXP key, SEXP stream, SEXP threads) {
  R_CheckUserInterrupt();
  const t_components law = check_mixture(mixture);
  const matrix_view low = check_bounds(lower, "lower"), high = check_bounds(upper, "upper");
  if (low.dim != law.dim || high.dim != law.dim || low.n != high.n) {
    Rf_error("`lower` and `upper` must have equal extents and one column per coordinate.");
  }
  const condition_pattern pattern = check_pattern(order, points, boxes, law.dim);
  check_conditions(low, high, &pattern);
  const int wanted = check_flag(draw, "draw"), team = check_threads(threads);
  const condition_task task = {
      .lower = packed_rows(low),
      .upper = packed_rows(high),
      .rows = check_numbers(rows, low.n),
      .m = low.n,
      .proposals = (size_t)check_count(proposals, "proposals"),
      .key = check_key(key),
      .stream = (uint32_t)check_count(stream, "stream"),
  };
  if (task.proposals < 1) Rf_error("`proposals` must be at least 1.");
  static const char *const names[] = {"x", "log_probability", "variance", "effective"};
  SEXP values[4];
  values[0] = PROTECT(wanted ? new_matrix(low.n, law.dim) : R_NilValue);
  for (int i = 1; i < 4; i++) values[i] = PROTECT(new_vector(low.n));
  const condition_out out = {.x = wanted ? scratch(low.n, law.dim) : NULL,
                             .log_probability = REAL(values[1]),
                             .variance = REAL(values[2]),
                             .effective = REAL(values[3])};
  condition_rows(&law, &pattern, &task, &out, scratch(1, condition_workspace(&law, &pattern, &task, team)), team);
  if (wanted) unpack_rows(REAL(values[0]), out.x, low.n, law.dim);
  SEXP result = new_list(names, values, 4);
  UNPROTECT(4);
  return result;
}

const R_CallMethodDef condition_routines[] = {
    ROUTINE(pf_condition, 12),
    ROUTINE(pf_draw_components, 7),
    NO_ROUTINE,
};
