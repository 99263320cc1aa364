#include "check.h"
#include "core/base/linalg.h"
#include "core/flow/approximate.h"
#include "core/flow/field.h"
#include "core/flow/inverse.h"
#include "core/flow/volume.h"
#include "core/pair/batch.h"
#include "core/pair/mesh.h"
#include "core/pair/riesz.h"
#include "core/pair/slices.h"
#include "core/pair/tree.h"

#define MOST_THREADS 2

/* A world whose engine stands for its sources, and m points in no order. */
typedef struct {
  size_t n, dim, m;
  double *source, *mean, *query, *gradient, *bound, *other;
} scene;

static scene new_scene(size_t n, size_t dim, size_t m) {
  scene w = {.n = n, .dim = dim, .m = m};
  w.source = new_doubles(n * dim), w.mean = new_doubles(dim), w.query = new_doubles(m * dim);
  w.gradient = new_doubles(m * dim), w.bound = new_doubles(m), w.other = new_doubles(m * dim);
  normals(w.source, n * dim, 190u);
  normals(w.query, m * dim, 191u);
  mean_rows(w.mean, w.source, n, dim);
  return w;
}

static void free_scene(scene *w) {
  free(w->source), free(w->mean), free(w->query), free(w->gradient), free(w->bound), free(w->other);
}

static double largest_difference(const double *a, const double *b, size_t n) {
  double most = 0.0;
  for (size_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
  return most;
}

/* What is true of every engine: threads, single points, differences, and the step undone. `error`: how far the gradient
 * may be from that of the pair engine. */
static void check_engine(scene *w, const sums_engine *engine, double error, const char *label) {
  const size_t m = w->m, dim = w->dim, total = m * dim;
  const approximate_field field = {.engine = *engine, .mean = w->mean, .factor = 1.0};
  double *room = new_doubles(approximate_workspace(&field, m, MOST_THREADS));
  approximate_gradient(&field, w->query, m, 1, m, w->gradient, w->bound, room, 1);
  approximate_gradient(&field, w->query, m, 1, m, w->other, NULL, room, MOST_THREADS);
  CHECK(!memcmp(w->gradient, w->other, total * sizeof(double)), "%s: bits depend on threads", label);
  for (size_t i = 0; i < m; i += 7) {
    double single[16];
    approximate_gradient(&field, w->query + i, 1, 1, m, single, NULL, room, 1);
    for (size_t c = 0; c < dim; c++) {
      CHECK(single[c] == w->gradient[c * m + i], "%s: point %zu depends on the others", label, i);
    }
  }
  pair_task task = {.query = w->query, .n_query = m, .row_stride = 1, .column_stride = m, .source = w->source,
                    .n_source = w->n, .dim = dim, .self = NO_SELF, .kernel = engine->kernel};
  pairwise_prepare(&task);
  double *rest = new_doubles(3 * m), *pairs = new_doubles(pairwise_workspace(dim));
  const field_values exact = {.gradient = w->other, .curvature = rest, .repulsion = rest + m, .nearest = rest + 2 * m,
                              .weight = new_doubles(m)};
  field_rows(&task, w->mean, &exact, pairs, 1);
  const double off = largest_difference(w->gradient, w->other, total);
  CHECK(off <= error, "%s: the gradient is off by %g", label, off);
  free(rest), free(pairs), free(exact.weight), free(room);
}

/* log det (I - gamma J) against central differences, and y - gamma g(y) undone. */
static void check_step(scene *w, const sums_engine *engine, double gamma, const char *label) {
  const size_t m = w->m, dim = w->dim, total = m * dim;
  const double h = 1e-5;
  const approximate_field field = {.engine = *engine, .mean = w->mean, .factor = 1.0};
  double *room = new_doubles(approximate_workspace(&field, m, 1)), *log_det = new_doubles(m);
  double *jacobian = new_doubles(m * dim * dim), *moved = new_doubles(total), *high = new_doubles(total);
  double *low = new_doubles(total), *curvature = new_doubles(m);
  for (size_t k = 0; k < dim; k++) {
    for (int side = -1; side <= 1; side += 2) {
      memcpy(moved, w->query, total * sizeof(double));
      for (size_t i = 0; i < m; i++) moved[k * m + i] += side * h;
      approximate_gradient(&field, moved, m, 1, m, side > 0 ? high : low, NULL, room, 1);
    }
    for (size_t c = 0; c < dim; c++) {
      for (size_t i = 0; i < m; i++) {
        jacobian[(i * dim + c) * dim + k] =
            (c == k ? 1.0 : 0.0) - gamma * (high[c * m + i] - low[c * m + i]) / (2.0 * h);
      }
    }
  }
  approximate_log_det(&field, gamma, w->query, m, 1, m, log_det, room, 1);
  approximate_curvature(&field, w->query, m, 1, m, curvature, room, 1);
  approximate_gradient(&field, w->query, m, 1, m, w->gradient, w->bound, room, 1);
  for (size_t i = 0; i < m; i++) {
    double *a = jacobian + i * dim * dim, wanted = 0.0;
    for (size_t c = 0; c < dim; c++) {
      for (size_t k = 0; k < c; k++) a[c * dim + k] = 0.5 * (a[c * dim + k] + a[k * dim + c]);
    }
    CHECK(cholesky_factor(a, dim), "%s: the step is not one-to-one at point %zu", label, i);
    for (size_t c = 0; c < dim; c++) wanted += 2.0 * log(a[c * dim + c]);
    CHECK(fabs(log_det[i] - wanted) <= 10.0 * TOLERANCE_DIFFERENCE, "%s: log det %g, by differences %g", label,
          log_det[i], wanted);
    /* the bound of a tree lacks the change of its weights */
    CHECK(curvature[i] <= w->bound[i] + 1e-2 * fabs(w->bound[i]) + 1e-9, "%s: curvature %g over its bound %g", label,
          curvature[i], w->bound[i]);
  }
  double *y = moved, *residual = curvature;
  for (size_t i = 0; i < total; i++) y[i] = w->query[i] - gamma * w->gradient[i];
  int *evaluations = calloc(m, sizeof *evaluations);
  if (!evaluations) exit(2);
  const inverse_step step = {.mean = w->mean, .n = engine->n, .dim = dim, .potential = engine->kernel, .gamma = gamma,
                             .engine = engine};
  double *back_room = new_doubles(backward_workspace(dim) + engine->workspace);
  double *volume = new_doubles(m), *plain = new_doubles(total);
  invert_points(&step, y, y, m, SOLVER_TOLERANCE, 30, w->other, residual, evaluations, volume, back_room, 1);
  const double off = largest_difference(w->other, w->query, total);
  CHECK(off <= TOLERANCE_INVERSE, "%s: the inverse is off by %g", label, off);
  approximate_log_det(&field, gamma, w->other, m, 1, m, log_det, room, 1);
  CHECK(!memcmp(volume, log_det, m * sizeof(double)), "%s: the inverse has other log-determinants", label);
  /* the same without the use of Jacobians, and from where Newton's method does not begin well */
  sums_engine slow = *engine;
  slow.cheap_jacobian = 0;
  inverse_step other = step;
  other.engine = &slow;
  invert_points(&other, y, y, m, SOLVER_TOLERANCE, 30, plain, residual, evaluations, NULL, back_room, 1);
  CHECK(largest_difference(w->other, plain, total) <= TOLERANCE_INVERSE, "%s: Newton's inverse is another", label);
  for (size_t i = 0; i < total; i++) high[i] = 3.0 * y[i];
  invert_points(&step, y, high, m, SOLVER_TOLERANCE, 30, plain, residual, evaluations, volume, back_room, 1);
  CHECK(largest_difference(w->other, plain, total) <= TOLERANCE_INVERSE, "%s: a far guess has another inverse", label);
  free(volume), free(plain);
  free(room), free(log_det), free(jacobian), free(moved), free(high), free(low), free(curvature), free(evaluations);
  free(back_room);
}

static void test_batch(size_t n, size_t dim, size_t m, double s) {
  scene w = new_scene(n, dim, m);
  pair_task task = {.source = w.source, .n_source = n, .dim = dim, .self = NO_SELF, .kernel = riesz_kernel(s, 0.5)};
  const sums_engine engine = batch_engine(&task);
  check_engine(&w, &engine, TOLERANCE_ROUNDING * 10.0, "batch");
  check_step(&w, &engine, 0.1, "batch");
  free_scene(&w);
}

/* Room for a tree of the sources of a scene. */
static tree_parts new_tree(const scene *w, size_t degree) {
  tree_parts tree = {.n = w->n, .dim = w->dim, .degree = degree};
  tree_extent(w->n, degree, w->dim, &tree.nodes, &tree.inner);
  const size_t width = w->dim + 1;
  tree.order = malloc(w->n * sizeof *tree.order);
  tree.node = malloc(tree.nodes * NODE_numbers * sizeof *tree.node);
  if (!tree.order || !tree.node) exit(2);
  tree.particle = new_doubles(w->n * width), tree.box = new_doubles(tree.nodes * BOX_DOUBLES(w->dim));
  tree.proxy = new_doubles(tree.inner * tree_proxies(degree, w->dim) * width);
  tree_build(&tree, w->source);
  return tree;
}

static void free_tree(tree_parts *tree) {
  free(tree->order), free(tree->node), free(tree->particle), free(tree->box), free(tree->proxy);
}

/* Each source stands in one place; the charges of each node are as many as its sources. */
static void check_tree(const tree_parts *tree) {
  char *seen = calloc(tree->n, 1);
  if (!seen) exit(2);
  for (size_t i = 0; i < tree->n; i++) seen[tree->order[i]]++;
  for (size_t i = 0; i < tree->n; i++) CHECK(seen[i] == 1, "source %zu stands in %d places", i, seen[i]);
  const size_t proxies = tree_proxies(tree->degree, tree->dim), width = tree->dim + 1;
  size_t inner = 0;
  for (size_t k = 0; k < tree->nodes; k++) {
    const int *node = tree->node + k * NODE_numbers;
    if (!node[NODE_right]) continue;
    inner++;
    double total = 0.0;
    const double *charge = tree->proxy + (size_t)node[NODE_inner] * proxies * width + width - 1;
    for (size_t p = 0; p < proxies; p++) total += charge[p * width];
    CHECK_NEAR(total / node[NODE_count], 1.0, TOLERANCE_KERNEL * 10.0);
  }
  CHECK(inner == tree->inner, "%zu inner nodes, not %zu", inner, tree->inner);
  free(seen);
}

/* equal: all sources but one are in the same place. */
static void test_tree(size_t n, size_t dim, size_t m, double s, size_t degree, double error, int equal) {
  scene w = new_scene(n, dim, m);
  for (size_t i = 1; equal && i + 1 < n; i++) memcpy(w.source + i * dim, w.source, dim * sizeof(double));
  mean_rows(w.mean, w.source, n, dim);
  tree_parts tree = new_tree(&w, degree);
  check_tree(&tree);
  const sums_engine engine = tree_engine(&tree, riesz_kernel(s, 0.1));
  check_engine(&w, &engine, error, "tree");
  check_step(&w, &engine, 0.05, "tree");
  free_tree(&tree);
  free_scene(&w);
}

/* A mesh of the sources of a scene with `side` cells along each axis, from the box of the points within `most` of 0. */
static void test_mesh(size_t n, size_t dim, size_t m, double s, size_t side, double most, double error) {
  scene w = new_scene(n, dim, m);
  const double radius = 4.0 * most / (double)side, spacing = radius / 3.0;
  mesh_parts mesh = {.n = n, .dim = dim, .grid = {.nodes = {1, 1, 1}, .spacing = spacing}, .cells = {1, 1, 1},
                     .side = radius / 2.0, .split = kernel_split(riesz_kernel(s, 0.1), radius, 3)};
  for (size_t c = 0; c < dim; c++) {
    mesh.cells[c] = side;
    mesh.grid.nodes[c] = (size_t)ceil(1.5 * (double)side) + 2 * MESH_EDGE + 1;
    mesh.corner[c] = -most;
    mesh.start[c] = -0.5 * spacing * (double)(mesh.grid.nodes[c] - 1);
  }
  const size_t nodes = grid_size(&mesh.grid), room = grid_workspace(&mesh.grid, MOST_THREADS);
  double *column = new_doubles(n * dim), *work = new_doubles(room), *again = new_doubles(nodes);
  int *cell = malloc(n * sizeof *cell);
  mesh.first = malloc((mesh_cells(&mesh) + 1) * sizeof *mesh.first);
  if (!cell || !mesh.first) exit(2);
  mesh.source = new_doubles((n + NEAR_PADDING) * dim), mesh.coefficient = new_doubles(nodes);
  unpack_rows(column, w.source, n, dim);
  mesh_sort(&mesh, column, cell);
  size_t outside = 0;
  for (size_t i = 0; i < n; i++) outside += cell[i] < 0;
  CHECK((size_t)mesh.first[0] == outside && mesh.first[mesh_cells(&mesh)] == (int)n, "sources are lost in the cells");
  mesh_solve(&mesh, work, 1);
  memcpy(again, mesh.coefficient, nodes * sizeof(double));
  mesh_solve(&mesh, work, MOST_THREADS);
  CHECK(!memcmp(again, mesh.coefficient, nodes * sizeof(double)), "the bits of a grid depend on threads");
  for (size_t i = 0; i < m * dim; i++) w.query[i] *= 1.5; /* into the band and beyond */
  const sums_engine engine = mesh_engine(&mesh, mesh.split.kernel);
  check_engine(&w, &engine, error, "mesh");
  check_step(&w, &engine, 0.05, "mesh");
  free(column), free(work), free(again), free(cell), free(mesh.first), free(mesh.source), free(mesh.coefficient);
  free_scene(&w);
}

/* E [xi k(<xi, z>)] = w z, with <xi, z/|z|> = cos(theta) of density sin(theta)^(d-2). */
static void test_slice_kernel(size_t dim, double s, double epsilon, double r) {
  double sum = 0.0, total = 0.0;
  for (int i = 0; i < 20000; i++) {
    const double theta = 3.14159265358979323846 * (i + 0.5) / 20000.0;
    const double density = pow(sin(theta), (double)dim - 2.0);
    sum += density * cos(theta) * slice_kernel(dim, s, epsilon, r * cos(theta));
    total += density;
  }
  CHECK_NEAR(sum / total, r * pow(r * r + epsilon, -(s / 2.0 + 1.0)), 1e-4);
}

/* Directions along the axes, a radial part psi = 0.2 + 0.1 v, and splines that are checked where there is one. */
static void test_slices(size_t n, size_t dim, size_t m, double s, double error) {
  scene w = new_scene(n, dim, m);
  double *column = new_doubles(n * dim), *direction = new_doubles(dim * dim), *start = new_doubles(dim);
  double radial[12];
  unpack_rows(column, w.source, n, dim);
  slice_parts parts = {.n = n, .dim = dim, .count = dim, .grid = 800, .spacing = 0.025, .direction = direction,
                       .start = start, .spline = new_doubles(800 * dim), .radial = radial, .radials = 12,
                       .mean = w.mean, .scale = 1.5};
  for (size_t i = 0; i < 12; i++) radial[i] = dim == 1 ? 0.0 : 0.2 + 0.1 * ((double)i - 1.0) / 9.0;
  for (size_t c = 0; c < dim * dim; c++) direction[c] = c % (dim + 1) ? 0.0 : 1.0;
  for (size_t c = 0; c < dim; c++) start[c] = w.mean[c] - 10.0;
  const pair_kernel kernel = riesz_kernel(s, 0.2);
  double *room = new_doubles(slices_workspace(&parts, MOST_THREADS)), *again = new_doubles(800 * dim);
  slices_build(&parts, column, kernel, room, 1);
  memcpy(again, parts.spline, 800 * dim * sizeof(double));
  slices_build(&parts, column, kernel, room, MOST_THREADS);
  CHECK(!memcmp(again, parts.spline, 800 * dim * sizeof(double)), "the bits of splines depend on threads");
  const sums_engine engine = slices_engine(&parts, kernel);
  check_engine(&w, &engine, error, "slices");
  check_step(&w, &engine, 0.1, "slices");
  free(column), free(direction), free(start), free(parts.spline), free(room), free(again);
  free_scene(&w);
}

void test_approximate(void) {
  test_slice_kernel(3, -1.0, 0.1, 0.7);
  test_slice_kernel(5, 0.0, 0.3, 1.2);
  test_slice_kernel(4, -1.0, 0.2, 0.5);
  test_slice_kernel(2, 0.0, 0.1, 2.0);
  test_slices(300, 1, 50, -0.5, 1e-5); /* one direction is all there is */
  test_slices(300, 3, 33, -1.0, INFINITY);
  test_slices(50, 2, 70, 0.0, INFINITY);
  test_tree(2, 2, 3, 0.0, 3, TOLERANCE_ROUNDING, 0); /* one leaf: the pairs themselves */
  test_tree(700, 1, 50, -0.5, 4, 1e-3, 0);
  test_tree(1501, 2, 100, 0.0, 3, 6e-3, 0);
  test_tree(1501, 2, 30, 0.5, 6, 1e-4, 0);
  test_tree(2047, 3, 40, 1.0, 2, 2e-2, 0);
  test_tree(600, 2, 30, -1.0, 3, 6e-3, 1);
  test_mesh(2, 2, 3, 0.0, 8, 4.0, 1e-2);
  test_mesh(700, 1, 60, -0.5, 40, 5.0, 1e-2);
  test_mesh(700, 1, 60, -0.5, 20, 1.5, 1e-2); /* many sources outside */
  test_mesh(1501, 2, 150, 0.0, 30, 5.0, 1e-2);
  test_mesh(900, 2, 50, 1.0, 17, 1.8, 1e-2);
  test_mesh(1200, 3, 60, 1.0, 16, 4.0, 1e-2);
  test_batch(2, 1, 1, -0.5);
  test_batch(37, 2, 300, 0.0);
  test_batch(60, 5, 33, 2.5);
}
