/* Sorting against the library, and what two samples have along a line against sums over all pairs. */
#include "check.h"
#include "core/base/sorting.h"
#include "core/pair/groups.h"
#include "core/pair/lines.h"

#define TEAM 3

static int by_size(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The same numbers in the order of qsort(). */
static void check_sort(double *x, size_t n, const char *what) {
  double *wanted = new_doubles(n), *scratch = new_doubles(n);
  if (n) memcpy(wanted, x, n * sizeof(double));
  qsort(wanted, n, sizeof(double), by_size);
  sort_numbers(x, n, scratch);
  size_t wrong = 0;
  for (size_t i = 0; i < n; i++) wrong += x[i] != wanted[i];
  CHECK(wrong == 0, "sorting %s, n %zu: %zu numbers at the wrong place", what, n, wrong);
  free(wanted);
  free(scratch);
}

static void test_sorting(void) {
  const size_t sizes[] = {0, 1, 2, 63, 64, 65, 500, 3000};
  for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
    const size_t n = sizes[k];
    double *x = new_doubles(n);
    normals(x, n, 3);
    check_sort(x, n, "normals");
    check_sort(x, n, "what is sorted");
    for (size_t i = 0; i < n; i++) x[i] = (double)(n - i);
    check_sort(x, n, "a falling sequence");
    for (size_t i = 0; i < n; i++) x[i] = (double)(i * 7919 % 5) - 2.0;
    check_sort(x, n, "ties");
    normals(x, n, 4);
    for (size_t i = 0; i < n; i++) x[i] = (i % 3 ? 1e9 : -1e9) + 1e-5 * x[i]; /* one and the same first digits */
    check_sort(x, n, "two far clusters");
    normals(x, n, 5);
    for (size_t i = 0; i < n; i++) x[i] = i % 7 ? x[i] * pow(10.0, 300.0 * sin((double)i)) : i % 2 ? 0.0 : -0.0;
    check_sort(x, n, "all sizes");
    if (n) x[0] = INFINITY, x[n - 1] = -INFINITY;
    check_sort(x, n, "infinities");
    free(x);
  }
}

/* Two samples [n, dim], [m, dim] and `count` lines. */
typedef struct {
  double *x, *y, *direction;
  line_task task;
} two_samples;

static two_samples draw_samples(size_t n, size_t m, size_t dim, size_t count, int whole) {
  two_samples s = {.x = new_doubles(n * dim), .y = new_doubles(m * dim), .direction = new_doubles(count * dim)};
  normals(s.x, n * dim, 6);
  normals(s.y, m * dim, 7);
  normals(s.direction, count * dim, 8);
  for (size_t i = 0; whole && i < n * dim; i++) s.x[i] = floor(s.x[i]);
  for (size_t i = 0; whole && i < m * dim; i++) s.y[i] = floor(s.y[i]);
  if (dim == 1) s.direction[0] = 1.0;
  s.task = (line_task){
      .x = s.x, .y = s.y, .n = n, .m = m, .dim = dim, .direction = s.direction, .count = count};
  return s;
}

static void drop_samples(two_samples *s) {
  free(s->x);
  free(s->y);
  free(s->direction);
}

static double along(const double *x, size_t n, size_t dim, size_t i, const double *direction) {
  double sum = 0.0;
  for (size_t c = 0; c < dim; c++) sum += direction[c] * x[c * n + i];
  return sum;
}

/* The mean distance along a line of a row of x to one of y. */
static double mean_distance(const double *x, size_t n, const double *y, size_t m, size_t dim, const double *direction) {
  long double sum = 0.0L;
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < m; j++) sum += fabs(along(x, n, dim, i, direction) - along(y, m, dim, j, direction));
  }
  return (double)(sum / ((long double)n * (long double)m));
}

static void test_energies(size_t n, size_t m, size_t dim, size_t count, int whole) {
  two_samples s = draw_samples(n, m, dim, count, whole);
  double *room = new_doubles(TEAM * lines_workspace(n, m)), *sums = new_doubles(count * LINE_SUMS);
  double *again = new_doubles(count * LINE_SUMS);
  line_energies(&s.task, sums, room, 1);
  line_energies(&s.task, again, room, TEAM);
  CHECK(!memcmp(sums, again, count * LINE_SUMS * sizeof(double)), "energies: other bits on %d threads", TEAM);
  for (size_t l = 0; l < count; l++) {
    const double *direction = s.direction + l * dim, *found = sums + l * LINE_SUMS;
    const double across = mean_distance(s.x, n, s.y, m, dim, direction);
    const double within_x = mean_distance(s.x, n, s.x, n, dim, direction);
    const double within_y = mean_distance(s.y, m, s.y, m, dim, direction);
    CHECK_NEAR(found[0], 2.0 * across - within_x - within_y, TOLERANCE_ROUNDING);
    CHECK_NEAR(found[1], within_x, TOLERANCE_ROUNDING);
    CHECK_NEAR(found[2], within_y, TOLERANCE_ROUNDING);
  }
  free(room);
  free(sums);
  free(again);
  drop_samples(&s);
}

/* Both samples repeated to n m values: equal places are coupled. */
static double repeated_transport(const two_samples *s, const double *direction, double p) {
  const size_t n = s->task.n, m = s->task.m, dim = s->task.dim;
  double *x = new_doubles(n * m), *y = new_doubles(n * m);
  for (size_t i = 0; i < n * m; i++) {
    x[i] = along(s->x, n, dim, i / m, direction);
    y[i] = along(s->y, m, dim, i / n, direction);
  }
  qsort(x, n * m, sizeof(double), by_size);
  qsort(y, n * m, sizeof(double), by_size);
  long double sum = 0.0L;
  for (size_t i = 0; i < n * m; i++) sum += powl(fabsl((long double)x[i] - (long double)y[i]), p);
  free(x);
  free(y);
  const double mean = (double)(sum / (long double)(n * m));
  return p > 2.0 ? pow(mean, 1.0 / p) : mean;
}

static void test_transports(size_t n, size_t m, size_t dim, size_t count) {
  two_samples s = draw_samples(n, m, dim, count, 0);
  double *room = new_doubles(TEAM * lines_workspace(n, m)), *cost = new_doubles(count), *again = new_doubles(count);
  const double orders[] = {1.0, 1.5, 2.0, 5.0};
  for (size_t k = 0; k < 4; k++) {
    line_transports(&s.task, orders[k], cost, room, 1);
    line_transports(&s.task, orders[k], again, room, TEAM);
    CHECK(!memcmp(cost, again, count * sizeof(double)), "transport: other bits on %d threads", TEAM);
    for (size_t l = 0; l < count; l++) {
      CHECK_NEAR(cost[l], repeated_transport(&s, s.direction + l * dim, orders[k]), TOLERANCE_ROUNDING);
    }
  }
  free(room);
  free(cost);
  free(again);
  drop_samples(&s);
}

/* Whole numbers in one column: with enough points every value is one, and the distances are exact. */
static void test_groups(size_t groups, size_t size, size_t dim, double error) {
  const size_t n = groups * size, count = dim == 1 ? 1 : 3;
  double *x = new_doubles(n * dim), *direction = new_doubles(count * dim);
  normals(x, n * dim, 9);
  normals(direction, count * dim, 10);
  if (dim == 1) direction[0] = 1.0;
  for (size_t i = 0; dim == 1 && i < n; i++) x[i] = floor(2.0 * x[i]);
  const group_task task = {
      .x = x, .groups = groups, .size = size, .dim = dim, .direction = direction, .count = count, .points = 400};
  double *room = new_doubles(groups_workspace(&task, TEAM)), *found = new_doubles(groups * groups);
  double *again = new_doubles(groups * groups), *part = new_doubles(2 * size * dim);
  group_distances(&task, found, room, 1);
  group_distances(&task, again, room, TEAM);
  CHECK(!memcmp(found, again, groups * groups * sizeof(double)), "groups: other bits on %d threads", TEAM);
  for (size_t g = 0; g < groups; g++) {
    for (size_t h = 0; h < groups; h++) {
      for (size_t c = 0; c < dim; c++) {
        memcpy(part + c * size, x + c * n + g * size, size * sizeof(double));
        memcpy(part + (dim + c) * size, x + c * n + h * size, size * sizeof(double));
      }
      double wanted = 0.0;
      for (size_t l = 0; l < count; l++) {
        wanted += mean_distance(part, size, part + dim * size, size, dim, direction + l * dim) / (double)count;
      }
      CHECK_NEAR(found[g * groups + h], wanted, error);
    }
  }
  free(x);
  free(direction);
  free(room);
  free(found);
  free(again);
  free(part);
}

void test_lines(void) {
  test_sorting();
  test_energies(1, 1, 1, 1, 0);
  test_energies(7, 300, 1, 1, 0);
  test_energies(90, 40, 3, 11, 0);
  test_energies(60, 60, 2, 9, 1); /* ties */
  test_transports(1, 5, 1, 1);
  test_transports(30, 30, 3, 9);
  test_transports(24, 36, 2, 5);
  test_groups(5, 70, 1, TOLERANCE_ROUNDING);
  test_groups(6, 50, 3, 0.02); /* steps between 400 points of 300 rows */
}
