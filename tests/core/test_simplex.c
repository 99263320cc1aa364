#include "check.h"
#include "core/pair/simplex.h"

typedef struct {
  simplex_end end;
  double *potential; /* [n + m] */
} solution;

static solution solve(const double *cost, size_t n, size_t m) {
  const simplex_task task = {.cost = cost, .n = n, .m = m};
  solution out = {.potential = new_doubles(n + m)};
  const simplex_room room = {.nodes = malloc((n + m + 1) * sizeof(simplex_node)), .potential = out.potential};
  CHECK(simplex_solve(&task, &room, NULL, &out.end) == STATUS_ok, "n = %zu, m = %zu: refused", n, m);
  free(room.nodes);
  return out;
}

/* Squared distances of two clouds; kind 1: rounded, so that many are equal; 2: of very different lengths. */
static double *clouds(size_t n, size_t m, size_t dim, int kind) {
  double *x = new_doubles((n + m) * dim), *cost = new_doubles(n * m);
  normals(x, (n + m) * dim, 70u);
  for (size_t k = 0; k < (n + m) * dim; k++) x[k] = kind == 0 ? x[k] : kind == 1 ? floor(x[k]) : exp(3.0 * x[k]);
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < m; j++) {
      double sum = 0.0;
      for (size_t c = 0; c < dim; c++) sum += pow(x[i * dim + c] - x[(n + j) * dim + c], 2.0);
      cost[i * m + j] = sum;
    }
  }
  free(x);
  return cost;
}

/* The least mean cost over all one-to-one matches of n rows from row i on; `taken` marks the columns in use. */
static double every_match(const double *cost, size_t n, size_t i, unsigned taken) {
  if (i == n) return 0.0;
  double best = INFINITY;
  for (size_t j = 0; j < n; j++) {
    if (taken & (1u << j)) continue;
    best = fmin(best, cost[i * n + j] / (double)n + every_match(cost, n, i + 1, taken | (1u << j)));
  }
  return best;
}

/* The same with row i repeated r times and column j repeated s times. */
static double every_repeated_match(const double *cost, size_t n, size_t m, size_t r, size_t s) {
  const size_t size = n * r;
  double *repeated = new_doubles(size * size);
  for (size_t i = 0; i < size; i++) {
    for (size_t j = 0; j < size; j++) repeated[i * size + j] = cost[i / r * m + j / s];
  }
  const double out = every_match(repeated, size, 0, 0u);
  free(repeated);
  return out;
}

static void against_all_matches(void) {
  static const size_t shapes[][4] = {{1, 1, 1, 1}, {2, 2, 1, 1}, {7, 7, 1, 1}, {3, 2, 2, 3}, {2, 4, 4, 2}, {1, 6, 6, 1},
                                     {8, 4, 1, 2}, {8, 8, 1, 1}};
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
    for (int kind = 0; kind < 3; kind++) {
      const size_t *shape = shapes[k];
      double *cost = clouds(shape[0], shape[1], 2, kind);
      const solution found = solve(cost, shape[0], shape[1]);
      CHECK_NEAR(found.end.value, every_repeated_match(cost, shape[0], shape[1], shape[2], shape[3]),
                 TOLERANCE_ROUNDING);
      free(cost), free(found.potential);
    }
  }
}

/* The potentials are a proof: no reduced cost is negative, and their means add up to the value. */
static void proven(size_t n, size_t m, size_t dim, int kind) {
  double *cost = clouds(n, m, dim, kind);
  const solution found = solve(cost, n, m);
  const double *u = found.potential, *v = u + n;
  double least = 0.0, most = 0.0, dual = 0.0;
  for (size_t i = 0; i < n; i++) dual += u[i] / (double)n;
  for (size_t j = 0; j < m; j++) dual += v[j] / (double)m;
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < m; j++) {
      least = fmin(least, cost[i * m + j] - u[i] - v[j]);
      most = fmax(most, cost[i * m + j]);
    }
  }
  CHECK(least >= -TOLERANCE_ROUNDING * most, "n = %zu, m = %zu, d = %zu, kind %d: a reduced cost is %g", n, m, dim,
        kind, least);
  CHECK(fabs(dual - found.end.value) <= TOLERANCE_ROUNDING * most,
        "n = %zu, m = %zu, d = %zu, kind %d: the value is %.17g, its bound %.17g", n, m, dim, kind, found.end.value,
        dual);
  free(cost), free(found.potential);
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* In one dimension the least cost belongs to the sorted points. */
static void sorted(size_t n) {
  double *x = new_doubles(2 * n), *y = x + n, *cost = new_doubles(n * n), wanted = 0.0;
  normals(x, 2 * n, 71u);
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n; j++) cost[i * n + j] = (x[i] - y[j]) * (x[i] - y[j]);
  }
  const solution found = solve(cost, n, n);
  qsort(x, n, sizeof *x, compare), qsort(y, n, sizeof *y, compare);
  for (size_t i = 0; i < n; i++) wanted += (x[i] - y[i]) * (x[i] - y[i]) / (double)n;
  CHECK_NEAR(found.end.value, wanted, TOLERANCE_ROUNDING);
  free(x), free(cost), free(found.potential);
}

static int stop_at_once(void) {
  return 1;
}

static void refused(void) {
  double *cost = clouds(200, 200, 2, 0), *potential = new_doubles(400);
  const simplex_room room = {.nodes = malloc(401 * sizeof(simplex_node)), .potential = potential};
  simplex_task task = {.cost = cost, .n = 200, .m = 200};
  simplex_end end;
  CHECK(simplex_solve(&task, &room, stop_at_once, &end) == STATUS_interrupted, "Ctrl-C is not heard");
  task.n = 0;
  CHECK(simplex_solve(&task, &room, NULL, &end) == STATUS_bad_argument, "an empty cloud is taken");
  task.n = 200;
  cost[317] = INFINITY;
  CHECK(simplex_solve(&task, &room, NULL, &end) == STATUS_bad_argument, "an infinite cost is taken");
  cost[317] = NAN;
  CHECK(simplex_solve(&task, &room, NULL, &end) == STATUS_bad_argument, "a cost that is no number is taken");
  free(cost), free(potential), free(room.nodes);
}

void test_simplex(void) {
  against_all_matches();
  for (int kind = 0; kind < 3; kind++) {
    proven(150, 150, 1, kind);
    proven(200, 200, 3, kind);
    proven(120, 90, 2, kind);
    proven(97, 101, 20, kind);
    proven(5, 300, 2, kind);
    proven(300, 5, 2, kind);
  }
  sorted(1);
  sorted(250);
  refused();
}
