#include "check.h"
#include "core/net/divisions.h"
#include "core/pair/simd.h"

/* Zeros and ones, some divisions with no row and some with all rows in the first part. */
static double *some_parts(size_t n, size_t count) {
  double *first = new_doubles(n * count);
  normals(first, n * count, 75u);
  for (size_t l = 0; l < count; l++) {
    for (size_t i = 0; i < n; i++) {
      double *own = first + l * n + i;
      *own = l % 5 == 3 ? 0.0 : l % 5 == 4 ? 1.0 : *own > 0.3 * (double)(l % 3) ? 1.0 : 0.0;
    }
  }
  return first;
}

/* The largest error of `within` and `touched`, relative to the sum over all pairs, by plain sums. */
static double largest_error(const division_task *task, const division_results *found) {
  const size_t n = task->n, dim = task->dim;
  double *within = new_doubles(task->count), *touched = new_doubles(task->count), all = 0.0, error = 0.0;
  for (size_t l = 0; l < task->count; l++) within[l] = touched[l] = 0.0;
  for (size_t i = 0; i < n; i++) {
    double of_row = 0.0;
    for (size_t j = 0; j < n; j++) {
      double square = 0.0;
      for (size_t c = 0; c < dim; c++) {
        const double z = task->rows[i * dim + c] - task->rows[j * dim + c];
        square += z * z;
      }
      const double weight = i == j ? 0.0 : kernel_weight(&task->kernel, square);
      of_row += weight;
      for (size_t l = 0; l < task->count; l++) within[l] += task->first[l * n + i] * task->first[l * n + j] * weight;
    }
    all += of_row;
    for (size_t l = 0; l < task->count; l++) touched[l] += task->first[l * n + i] * of_row;
    error = fmax(error, fabs(found->of_row[i] - of_row) / (of_row + 1e-300));
  }
  for (size_t l = 0; l < task->count; l++) {
    const double gap = fmax(fabs(found->within[l] - within[l]), fabs(found->touched[l] - touched[l]));
    error = fmax(error, gap / (all + 1e-300));
  }
  free(within), free(touched);
  return error;
}

static division_results new_results(size_t n, size_t count) {
  return (division_results){new_doubles(count), new_doubles(count), new_doubles(n)};
}

static void drop(division_results *results) {
  free(results->within), free(results->touched), free(results->of_row);
}

static int stop_at_once(void) {
  return 1;
}

static void check_sums(size_t n, size_t dim, size_t count, pair_kernel kernel) {
  double *rows = new_doubles(n * dim), *first = some_parts(n, count);
  normals(rows, n * dim, 76u);
  const division_task task = {.rows = rows, .n = n, .dim = dim, .kernel = kernel, .first = first, .count = count};
  division_results one = new_results(n, count), three = new_results(n, count);
  double *workspace = new_doubles(division_workspace(&task, 3));
  const char *names[8];
  const size_t n_names = simd_available(names, 8);
  for (size_t t = 0; t < n_names; t++) {
    simd_select(names[t]);
    CHECK(division_sums(&task, &one, NULL, workspace, 1) == STATUS_ok, "divisions refused");
    const double error = largest_error(&task, &one);
    CHECK(error <= TOLERANCE_ROUNDING, "%s: n = %zu, d = %zu, %zu divisions: a sum is off by %g", names[t], n, dim,
          count, error);
    division_sums(&task, &three, NULL, workspace, 3);
    CHECK(!memcmp(one.within, three.within, count * sizeof(double)) &&
              !memcmp(one.touched, three.touched, count * sizeof(double)) &&
              !memcmp(one.of_row, three.of_row, n * sizeof(double)),
          "%s: n = %zu, %zu divisions: sums depend on the threads", names[t], n, count);
  }
  CHECK(division_sums(&task, &one, stop_at_once, workspace, 1) == STATUS_interrupted, "Ctrl-C is not heard");
  drop(&one), drop(&three);
  free(rows), free(first), free(workspace);
}

void test_divisions(void) {
  check_sums(1, 1, 1, kernel_distance());
  check_sums(2, 3, 2, kernel_gaussian(1.0));
  check_sums(70, 2, 17, kernel_distance());
  check_sums(131, 5, 40, kernel_laplace(0.7));
  check_sums(400, 3, 130, kernel_gaussian(2.0)); /* enough products for a second thread */
  check_sums(2500, 1, 3, kernel_distance());     /* more than one block of rows */
}
