/* Fields whose sums an engine approximates: batches of sources, trees, slices, meshes. */
#include "glue_names.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "core/flow/approximate.h"
#include "core/flow/inverse.h"
#include "core/pair/batch.h"
#include "core/pair/mesh.h"
#include "core/pair/riesz.h"
#include "core/pair/slices.h"
#include "core/pair/tree.h"


static const double *read_vector(list_reader *list, const char *name, size_t length) {
  const named_value member = read_member(list, name);
  return check_vector(member.value, length, member.what);
}

static matrix_view read_matrix(list_reader *list, const char *name) {
  const named_value member = read_member(list, name);
  return check_matrix(member.value, member.what);
}

static sums_engine read_batch(list_reader *list, pair_kernel kernel) {
  const matrix_view source = read_matrix(list, "source");
  pair_task *task = (pair_task *)R_alloc(1, sizeof *task);
  const pair_task start = {
      .source = packed_rows(source), .n_source = source.n, .dim = source.dim, .self = NO_SELF, .kernel = kernel};
  *task = start;
  return batch_engine(task);
}

static const int *check_integers(named_value x, size_t n, size_t m) {
  if (TYPEOF(x.value) != INTSXP || !Rf_isMatrix(x.value) || (size_t)Rf_nrows(x.value) != n ||
      (size_t)Rf_ncols(x.value) != m) {
    Rf_error("`%s` must be a matrix of %.0f by %.0f integers.", x.what, (double)n, (double)m);
  }
  return INTEGER_RO(x.value);
}

/* Stops unless every node points to sources, halves and proxies that are there, on a path that is not too long. */
static void check_nodes(const tree_parts *tree) {
  int *depth = (int *)R_alloc(tree->nodes + 1, sizeof(int));
  depth[0] = 1;
  for (size_t i = 0; i < tree->nodes; i++) {
    const int *node = tree->node + i * NODE_numbers;
    const size_t first = (size_t)node[NODE_first], count = (size_t)node[NODE_count], right = (size_t)node[NODE_right];
    int good = node[NODE_first] >= 0 && node[NODE_count] > 0 && first < tree->n && count <= tree->n - first;
    if (good && node[NODE_right]) {
      good = node[NODE_right] > 0 && right > i + 1 && right < tree->nodes && node[NODE_inner] >= 0 &&
             (size_t)node[NODE_inner] < tree->inner && node[NODE_axis] >= 0 &&
             (size_t)node[NODE_axis] < tree->dim && depth[i] < TREE_MOST_DEPTH;
      if (good) depth[i + 1] = depth[right] = depth[i] + 1;
    }
    if (!good) Rf_error("`frame$node` must be the nodes of a tree.");
  }
}

/* list(degree, particle [dim + 1, n], node, box, proxy) as pf_tree_build() made it. */
static sums_engine read_tree(list_reader *list, pair_kernel kernel) {
  const named_value degree = read_member(list, "degree");
  const int of = check_count(degree.value, degree.what);
  const matrix_view particle = read_matrix(list, "particle");
  const named_value node = read_member(list, "node"), box = read_member(list, "box");
  const named_value proxy = read_member(list, "proxy");
  if (of < TREE_LEAST_DEGREE || of > TREE_MOST_DEGREE) Rf_error("`frame$degree` is out of range.");
  if (particle.n < 2 || particle.n > CHARGE_MAX_DIM + 1) Rf_error("`frame$particle` must have 2 to 4 rows.");
  tree_parts *tree = (tree_parts *)R_alloc(1, sizeof *tree);
  const tree_parts start = {.n = particle.dim, .dim = particle.n - 1, .degree = (size_t)of,
                            .particle = (double *)(size_t)particle.x};
  *tree = start;
  tree_extent(tree->n, tree->degree, tree->dim, &tree->nodes, &tree->inner);
  const size_t proxies = tree_proxies(tree->degree, tree->dim);
  tree->node = (int *)(size_t)check_integers(node, NODE_numbers, tree->nodes);
  tree->box = (double *)(size_t)check_extents(box.value, BOX_DOUBLES(tree->dim), tree->nodes, box.what);
  tree->proxy = (double *)(size_t)check_vector(proxy.value, tree->inner * proxies * (tree->dim + 1), proxy.what);
  check_nodes(tree);
  return tree_engine(tree, kernel);
}

/* list(rows, direction [d, count], start, spacing, spline [grid, count], radial, scale); see slices.h. */
static sums_engine read_slices(list_reader *list, pair_kernel kernel) {
  const matrix_view direction = read_matrix(list, "direction"), spline = read_matrix(list, "spline");
  const named_value radial = read_member(list, "radial");
  size_t radials;
  const double *psi = check_doubles(radial.value, &radials, radial.what);
  slice_parts *parts = (slice_parts *)R_alloc(1, sizeof *parts);
  const slice_parts start = {.n = (size_t)read_count(list, "rows"),
                             .dim = direction.n,
                             .count = direction.dim,
                             .grid = spline.n,
                             .spacing = read_number(list, "spacing"),
                             .direction = direction.x,
                             .start = read_vector(list, "start", direction.dim),
                             .spline = (double *)(size_t)spline.x,
                             .radial = psi,
                             .radials = radials,
                             .scale = read_number(list, "scale"),
                             .mean = read_vector(list, "mean", direction.n)};
  *parts = start;
  if (parts->dim < 1 || spline.dim != parts->count || parts->grid < SLICES_LEAST_GRID || !(parts->spacing > 0.0)) {
    Rf_error("`frame$spline` must have one column per direction and at least %d rows.", (int)SLICES_LEAST_GRID);
  }
  if (radials < SLICES_LEAST_RADIALS || !(parts->scale > 0.0)) {
    Rf_error("`frame$radial` must have at least %d entries, and `frame$scale` be above 0.", (int)SLICES_LEAST_RADIALS);
  }
  return slices_engine(parts, kernel);
}

/* Positive whole numbers, one per axis that is used; 1 for the others. Returns how many there are. */
static size_t read_axes(list_reader *list, const char *name, size_t *values, double most) {
  const named_value member = read_member(list, name);
  const size_t dim = TYPEOF(member.value) == INTSXP ? (size_t)XLENGTH(member.value) : 0;
  if (dim < 1 || dim > GRID_MAX_DIM) Rf_error("`%s` must be 1 to %d integers.", member.what, (int)GRID_MAX_DIM);
  double total = 1.0;
  for (size_t c = 0; c < GRID_MAX_DIM; c++) {
    const int value = c < dim ? INTEGER_RO(member.value)[c] : 1;
    if (value == NA_INTEGER || value < 1) Rf_error("`%s` must be positive integers.", member.what);
    values[c] = (size_t)value;
    total *= (double)value;
  }
  if (total > most) Rf_error("`%s` must have a product of at most %.0f.", member.what, most);
  return dim;
}

#define MOST_CELLS 1e8

/* list(nodes, start, spacing, radius, terms, cells, corner, side): the grid and the cells without what is on them. */
static mesh_parts *read_mesh_shape(list_reader *list, pair_kernel kernel) {
  mesh_parts *mesh = (mesh_parts *)R_alloc(1, sizeof *mesh);
  memset(mesh, 0, sizeof *mesh);
  mesh->dim = read_axes(list, "nodes", mesh->grid.nodes, MOST_CELLS);
  const size_t with_cells = read_axes(list, "cells", mesh->cells, MOST_CELLS);
  if (with_cells != mesh->dim) Rf_error("`frame$cells` must have one entry per axis.");
  for (size_t c = 0; c < mesh->dim; c++) {
    if (mesh->grid.nodes[c] < GRID_LEAST_NODES || mesh->grid.nodes[c] > GRID_MOST_NODES) {
      Rf_error("`frame$nodes` must lie between %d and %d.", (int)GRID_LEAST_NODES, (int)GRID_MOST_NODES);
    }
  }
  memcpy(mesh->start, read_vector(list, "start", mesh->dim), mesh->dim * sizeof(double));
  memcpy(mesh->corner, read_vector(list, "corner", mesh->dim), mesh->dim * sizeof(double));
  mesh->grid.spacing = read_number(list, "spacing");
  mesh->side = read_number(list, "side");
  const double radius = read_number(list, "radius");
  const int terms = read_count(list, "terms");
  if (!(mesh->grid.spacing > 0.0) || !(radius > 0.0) || !(mesh->side >= MESH_LEAST_SIDE * radius)) {
    Rf_error("`frame$spacing`, `frame$radius` and `frame$side` must be above 0, and the side no less than %g radii.",
             MESH_LEAST_SIDE);
  }
  if (terms < 1 || terms > (int)GRID_MOST_TERMS) Rf_error("`frame$terms` is out of range.");
  mesh->split = kernel_split(kernel, radius, (size_t)terms);
  return mesh;
}

/* The shape with source [n + NEAR_PADDING, d], first and coefficient as pf_mesh_build() made them. */
static sums_engine read_mesh(list_reader *list, pair_kernel kernel) {
  mesh_parts *mesh = read_mesh_shape(list, kernel);
  const matrix_view source = read_matrix(list, "source");
  const named_value first = read_member(list, "first");
  if (source.dim != mesh->dim || source.n <= NEAR_PADDING) Rf_error("`frame$source` must have one column per axis.");
  if (TYPEOF(first.value) != INTSXP || (size_t)XLENGTH(first.value) != mesh_cells(mesh) + 1) {
    Rf_error("`frame$first` must be one integer per cell, and one.");
  }
  mesh->n = source.n - NEAR_PADDING;
  mesh->source = (double *)(size_t)source.x;
  mesh->first = (int *)(size_t)INTEGER_RO(first.value);
  mesh->coefficient = (double *)(size_t)read_vector(list, "coefficient", grid_size(&mesh->grid));
  return mesh_engine(mesh, kernel);
}

static sums_engine read_engine(list_reader *list, pair_kernel kernel) {
  static const char *const engines[] = {"batch", "tree", "mesh", "slices"};
  switch (check_choice(read_member(list, "engine"), engines, 4)) {
    case 0:
      return read_batch(list, kernel);
    case 1:
      return read_tree(list, kernel);
    case 2:
      return read_mesh(list, kernel);
    default:
      return read_slices(list, kernel);
  }
}

/* list(engine, s, epsilon, mean, factor, own, ...) with the members that the engine needs. */
static approximate_field read_field(SEXP frame) {
  list_reader list = open_list(frame, "frame");
  const double s = read_number(&list, "s"), epsilon = read_number(&list, "epsilon");
  if (!(s > -2.0) || !isfinite(s)) Rf_error("`frame$s` must be finite and above -2.");
  if (!(epsilon > 0.0) || !isfinite(epsilon)) Rf_error("`frame$epsilon` must be finite and above 0.");
  const pair_kernel kernel = riesz_kernel(s, epsilon);
  approximate_field field = {.factor = read_number(&list, "factor"), .own = read_flag(&list, "own")};
  field.engine = read_engine(&list, kernel);
  if (field.engine.n < 2) Rf_error("`frame` must have at least two sources.");
  field.mean = read_vector(&list, "mean", field.engine.dim);
  close_list(&list);
  return field;
}

/* Rows [from, from + count) of a matrix. */
typedef struct {
  const double *x;
  size_t count, stride;
} row_view;

static row_view check_rows_of(SEXP query, SEXP from, SEXP count, size_t dim) {
  const matrix_view all = check_matrix(query, "query");
  const size_t first = (size_t)check_count(from, "from"), rows = (size_t)check_count(count, "count");
  if (all.dim != dim) Rf_error("`query` must have %.0f columns.", (double)dim);
  if (first > all.n || rows > all.n - first) Rf_error("`from` and `count` must lie within the rows of `query`.");
  const row_view view = {.x = all.x + first, .count = rows, .stride = all.n};
  return view;
}

static void check_triangles(const approximate_field *field) {
  if (field->engine.dim > TILE_HESSIAN_DIM) {
    Rf_error("`frame` must have at most %d columns.", (int)TILE_HESSIAN_DIM);
  }
}

/* The gradient [count, dim] of the field, and with `bounded` the bounds of its curvature. */
static SEXP pf_frame_gradient(SEXP query, SEXP frame, SEXP from, SEXP count, SEXP bounded, SEXP threads) {
  static const char *const names[] = {"gradient", "curvature"};
  R_CheckUserInterrupt();
  const approximate_field field = read_field(frame);
  const row_view rows = check_rows_of(query, from, count, field.engine.dim);
  const int both = check_flag(bounded, "bounded"), team = check_threads(threads);
  SEXP values[2];
  values[0] = PROTECT(new_matrix(rows.count, field.engine.dim));
  values[1] = PROTECT(both ? new_vector(rows.count) : R_NilValue);
  approximate_gradient(&field, rows.x, rows.count, 1, rows.stride, REAL(values[0]), both ? REAL(values[1]) : NULL,
                       scratch(1, approximate_workspace(&field, rows.count, team)), team);
  SEXP result = new_list(names, values, both ? 2 : 1);
  UNPROTECT(2);
  return result;
}

static SEXP pf_frame_curvature(SEXP query, SEXP frame, SEXP threads) {
  R_CheckUserInterrupt();
  const approximate_field field = read_field(frame);
  check_triangles(&field);
  const matrix_view rows = check_matrix(query, "query");
  if (rows.dim != field.engine.dim) Rf_error("`query` must have %.0f columns.", (double)field.engine.dim);
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_vector(rows.n));
  approximate_curvature(&field, rows.x, rows.n, 1, rows.n, REAL(out),
                        scratch(1, approximate_workspace(&field, rows.n, team)), team);
  UNPROTECT(1);
  return out;
}

static SEXP pf_frame_log_det(SEXP query, SEXP frame, SEXP from, SEXP count, SEXP gamma, SEXP threads) {
  R_CheckUserInterrupt();
  const approximate_field field = read_field(frame);
  check_triangles(&field);
  const row_view rows = check_rows_of(query, from, count, field.engine.dim);
  const double step = check_number(gamma, "gamma");
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_vector(rows.count));
  approximate_log_det(&field, step, rows.x, rows.count, 1, rows.stride, REAL(out),
                      scratch(1, approximate_workspace(&field, rows.count, team)), team);
  UNPROTECT(1);
  return out;
}

/* The points from which the step led to y; with `volume` also the log-determinants of the step there. */
static SEXP pf_frame_backward(SEXP y, SEXP guess, SEXP frame, SEXP gamma, SEXP tolerance, SEXP most_evaluations,
                              SEXP volume, SEXP threads) {
  static const char *const names[] = {"points", "residual", "evaluations", "log_det"};
  R_CheckUserInterrupt();
  const approximate_field field = read_field(frame);
  const matrix_view points = check_matrix(y, "y");
  if (points.dim != field.engine.dim) Rf_error("`y` must have %.0f columns.", (double)field.engine.dim);
  const double *start = check_extents(guess, points.n, points.dim, "guess");
  const double accuracy = check_number(tolerance, "tolerance");
  const int most = check_count(most_evaluations, "most_evaluations"), measured = check_flag(volume, "volume");
  const int team = check_threads(threads);
  if (measured) check_triangles(&field);
  const inverse_step step = {
      .mean = field.mean,
      .n = field.engine.n,
      .dim = field.engine.dim,
      .potential = field.engine.kernel,
      .gamma = check_number(gamma, "gamma") * field.factor,
      .engine = &field.engine,
  };
  SEXP values[4];
  values[0] = PROTECT(new_matrix(points.n, points.dim));
  values[1] = PROTECT(new_vector(points.n));
  values[2] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)points.n));
  values[3] = PROTECT(measured ? new_vector(points.n) : R_NilValue);
  double *workspace = scratch((size_t)team, backward_workspace(points.dim) + field.engine.workspace);
  invert_points(&step, points.x, start, points.n, accuracy, most, REAL(values[0]), REAL(values[1]),
                INTEGER(values[2]), measured ? REAL(values[3]) : NULL, workspace, team);
  SEXP result = new_list(names, values, measured ? 4 : 3);
  UNPROTECT(4);
  return result;
}

/* The tree of the rows of x; R keeps its parts as it keeps any vector. */
static SEXP pf_tree_build(SEXP x, SEXP degree) {
  static const char *const names[] = {"particle", "node", "box", "proxy"};
  R_CheckUserInterrupt();
  const matrix_view rows = check_matrix(x, "x");
  const int of = check_count(degree, "degree");
  if (rows.dim > CHARGE_MAX_DIM) Rf_error("`x` must have at most %d columns.", (int)CHARGE_MAX_DIM);
  if (rows.n < 2 || rows.n > INT_MAX) Rf_error("`x` must have between 2 and %d rows.", INT_MAX);
  if (of < TREE_LEAST_DEGREE || of > TREE_MOST_DEGREE) {
    Rf_error("`degree` must be between %d and %d.", TREE_LEAST_DEGREE, TREE_MOST_DEGREE);
  }
  tree_parts tree = {.n = rows.n, .dim = rows.dim, .degree = (size_t)of};
  tree_extent(tree.n, tree.degree, tree.dim, &tree.nodes, &tree.inner);
  SEXP values[4];
  values[0] = PROTECT(new_matrix(tree.dim + 1, tree.n));
  values[1] = PROTECT(new_integer_matrix(NODE_numbers, tree.nodes));
  values[2] = PROTECT(new_matrix(BOX_DOUBLES(tree.dim), tree.nodes));
  values[3] = PROTECT(new_vector(tree.inner * tree_proxies(tree.degree, tree.dim) * (tree.dim + 1)));
  tree.particle = REAL(values[0]);
  tree.node = INTEGER(values[1]);
  tree.box = REAL(values[2]);
  tree.proxy = REAL(values[3]);
  tree.order = (int *)R_alloc(tree.n, sizeof(int));
  tree_build(&tree, packed_rows(rows));
  SEXP result = new_list(names, values, 4);
  UNPROTECT(4);
  return result;
}

/* Stops unless the grid holds every source that lies in the cells. */
static void check_mesh_edges(const mesh_parts *mesh) {
  const double edge = (double)MESH_EDGE * mesh->grid.spacing;
  for (size_t c = 0; c < mesh->dim; c++) {
    const double low = mesh->corner[c] - mesh->start[c];
    const double high = mesh->start[c] + mesh->grid.spacing * (double)(mesh->grid.nodes[c] - 1) -
                        (mesh->corner[c] + mesh->side * (double)mesh->cells[c]);
    /* far from 0 the edges are rounded; a spacing of the edge is to spare */
    if (!(fmin(low, high) >= edge - 0.5 * mesh->grid.spacing)) Rf_error("`shape$nodes` must reach beyond the cells.");
  }
}

/* The rows of x in their cells, and the coefficients of the grid; shape as read_mesh_shape() reads it. */
static SEXP pf_mesh_build(SEXP x, SEXP shape, SEXP s, SEXP epsilon, SEXP threads) {
  static const char *const names[] = {"source", "first", "coefficient"};
  R_CheckUserInterrupt();
  const matrix_view rows = check_matrix(x, "x");
  const pair_kernel kernel = check_potential(s, epsilon);
  const int team = check_threads(threads);
  if (!(kernel.epsilon > 0.0)) Rf_error("`epsilon` must be above 0.");
  if (rows.n < 2 || rows.n > INT_MAX) Rf_error("`x` must have between 2 and %d rows.", INT_MAX);
  list_reader list = open_list(shape, "shape");
  mesh_parts *mesh = read_mesh_shape(&list, kernel);
  close_list(&list);
  if (rows.dim != mesh->dim) Rf_error("`x` must have one column per axis.");
  check_mesh_edges(mesh);
  mesh->n = rows.n;
  SEXP values[3];
  values[0] = PROTECT(new_matrix(rows.n + NEAR_PADDING, rows.dim));
  values[1] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)(mesh_cells(mesh) + 1)));
  values[2] = PROTECT(new_vector(grid_size(&mesh->grid)));
  mesh->source = REAL(values[0]);
  mesh->first = INTEGER(values[1]);
  mesh->coefficient = REAL(values[2]);
  mesh_sort(mesh, rows.x, (int *)R_alloc(rows.n, sizeof(int)));
  R_CheckUserInterrupt();
  mesh_solve(mesh, scratch(1, grid_workspace(&mesh->grid, team)), team);
  SEXP result = new_list(names, values, 3);
  UNPROTECT(3);
  return result;
}

/* The splines [grid, count] of the directions [d, count] for the rows of x. */
static SEXP pf_slices_build(SEXP x, SEXP direction, SEXP start, SEXP spacing, SEXP grid, SEXP s, SEXP epsilon,
                            SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view rows = check_matrix(x, "x"), along = check_matrix(direction, "direction");
  const pair_kernel kernel = check_potential(s, epsilon);
  const int team = check_threads(threads), points = check_count(grid, "grid");
  if (along.n != rows.dim) Rf_error("`direction` must have one row per column of `x`.");
  if ((size_t)points < SLICES_LEAST_GRID) Rf_error("`grid` must be at least %d.", (int)SLICES_LEAST_GRID);
  slice_parts parts = {.n = rows.n,
                       .dim = rows.dim,
                       .count = along.dim,
                       .grid = (size_t)points,
                       .spacing = check_number(spacing, "spacing"),
                       .direction = along.x,
                       .start = check_vector(start, along.dim, "start")};
  if (!(parts.spacing > 0.0) || !isfinite(parts.spacing)) Rf_error("`spacing` must be finite and above 0.");
  if (!(kernel.epsilon > 0.0)) Rf_error("`epsilon` must be above 0.");
  SEXP out = PROTECT(new_matrix(parts.grid, parts.count));
  parts.spline = REAL(out);
  slices_build(&parts, rows.x, kernel, scratch(1, slices_workspace(&parts, team)), team);
  UNPROTECT(1);
  return out;
}

/* Numbers of the rows of `query` by which neighbours lie close together: those of leaves of a tree or of cells. */
static SEXP pf_frame_places(SEXP query, SEXP frame, SEXP threads) {
  const approximate_field field = read_field(frame);
  const matrix_view rows = check_matrix(query, "query");
  const int team = check_threads(threads);
  if (rows.dim != field.engine.dim) Rf_error("`query` must have %.0f columns.", (double)field.engine.dim);
  const int cells = field.engine.sums == mesh_sums;
  if (!cells && field.engine.sums != tree_sums) Rf_error("`frame` must be that of a tree or a mesh.");
  SEXP out = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)rows.n));
  if (cells) mesh_places(field.engine.data, rows.x, rows.n, INTEGER(out), team);
  else tree_places(field.engine.data, rows.x, rows.n, INTEGER(out), team);
  UNPROTECT(1);
  return out;
}

const R_CallMethodDef fields_routines[] = {
    ROUTINE(pf_frame_gradient, 6), ROUTINE(pf_frame_curvature, 3), ROUTINE(pf_frame_log_det, 6),
    ROUTINE(pf_frame_backward, 8), ROUTINE(pf_frame_places, 3),   ROUTINE(pf_tree_build, 2),
    ROUTINE(pf_mesh_build, 5),     ROUTINE(pf_slices_build, 8),   NO_ROUTINE,
};
