#include "check.h"
#include "core/pair/neighbours.h"

typedef struct {
  double distance;
  int index;
} candidate;

static int nearer(const void *left, const void *right) {
  const candidate *a = left, *b = right;
  if (a->distance != b->distance) return a->distance < b->distance ? -1 : 1;
  return a->index - b->index;
}

static void against_sorting(size_t n, size_t dim, size_t k, int own, int ties) {
  const size_t m = own ? n : 11, from = m / 3, count = m - from;
  double *source = new_doubles(n * dim), *query = source;
  normals(source, n * dim, 70u);
  if (!own) {
    query = new_doubles(m * dim);
    normals(query, m * dim, 71u);
  }
  if (ties) {
    /* whole numbers: equal distances are equal to the last bit */
    for (size_t i = 0; i < n * dim; i++) source[i] = round(source[i]);
    if (!own) {
      for (size_t i = 0; i < m * dim; i++) query[i] = round(query[i]);
    }
  }
  double *distance = new_doubles(count * k), *again = new_doubles(count * k);
  double *workspace = new_doubles(2 * neighbours_workspace(dim, k));
  int *index = malloc((count * k + 1) * sizeof *index), *index_again = malloc((count * k + 1) * sizeof *index);
  candidate *all = malloc((n + 1) * sizeof *all);
  if (!index || !index_again || !all) exit(2);
  const distance_task task = {
      .query = query, .source = source, .from = from, .count = count, .n_source = n, .dim = dim};
  nearest_rows(&task, own, k, index, distance, workspace, 1);
  int right = 1;
  for (size_t i = 0; i < count; i++) {
    size_t n_all = 0;
    for (size_t a = 0; a < n; a++) {
      if (own && a == from + i) continue;
      double r2 = 0.0;
      for (size_t c = 0; c < dim; c++) {
        const double z = query[(from + i) * dim + c] - source[a * dim + c];
        r2 += z * z;
      }
      all[n_all].distance = sqrt(r2);
      all[n_all++].index = (int)a;
    }
    qsort(all, n_all, sizeof *all, nearer);
    for (size_t j = 0; j < k; j++) {
      right = right && index[j * count + i] == all[j].index &&
              near(distance[j * count + i], all[j].distance, TOLERANCE_ROUNDING);
    }
  }
  CHECK(right, "n = %zu, d = %zu, k = %zu%s%s: not the nearest rows", n, dim, k, own ? ", own" : "",
        ties ? ", ties" : "");
  nearest_rows(&task, own, k, index_again, again, workspace, 2);
  CHECK(!memcmp(index, index_again, count * k * sizeof *index) && !memcmp(distance, again, count * k * sizeof *again),
        "n = %zu, d = %zu: the neighbours depend on the threads", n, dim);
  if (!own) free(query);
  free(source), free(distance), free(again), free(index), free(index_again), free(all), free(workspace);
}

/* Balls around whole numbers of whole radius: points on the border are inside, to the last bit. */
static void against_counting(size_t n, size_t m, size_t dim) {
  const size_t from = m / 3, count = m - from;
  double *source = new_doubles(n * dim), *query = new_doubles(m * dim), *radius = new_doubles(n);
  double *nearest = new_doubles(count), *again = new_doubles(count);
  double *workspace = new_doubles(2 * neighbours_workspace(dim, 0));
  int *within = malloc((count + 1) * sizeof *within), *within_again = malloc((count + 1) * sizeof *within);
  if (!within || !within_again) exit(2);
  normals(source, n * dim, 72u);
  normals(query, m * dim, 73u);
  for (size_t i = 0; i < n * dim; i++) source[i] = round(source[i]);
  for (size_t i = 0; i < m * dim; i++) query[i] = round(query[i]);
  for (size_t a = 0; a < n; a++) radius[a] = (double)(a % 5);
  const distance_task task = {
      .query = query, .source = source, .from = from, .count = count, .n_source = n, .dim = dim};
  count_within(&task, radius, within, nearest, workspace, 1);
  int right = 1;
  for (size_t i = 0; i < count; i++) {
    int inside = 0;
    double least = INFINITY;
    for (size_t a = 0; a < n; a++) {
      double r2 = 0.0;
      for (size_t c = 0; c < dim; c++) {
        const double z = query[(from + i) * dim + c] - source[a * dim + c];
        r2 += z * z;
      }
      inside += r2 <= radius[a] * radius[a];
      least = fmin(least, sqrt(r2));
    }
    right = right && within[i] == inside && nearest[i] == least;
  }
  CHECK(right, "n = %zu, m = %zu, d = %zu: not the balls that hold the row", n, m, dim);
  count_within(&task, radius, within_again, again, workspace, 2);
  CHECK(!memcmp(within, within_again, count * sizeof *within) && !memcmp(nearest, again, count * sizeof *again),
        "n = %zu, d = %zu: the counts depend on the threads", n, dim);
  free(source), free(query), free(radius), free(nearest), free(again), free(workspace), free(within);
  free(within_again);
}

static void against_weights(size_t n, size_t m, size_t dim) {
  const size_t from = m / 3, count = m - from;
  double *source = new_doubles(n * dim), *query = new_doubles(m * dim), *out = new_doubles(count * n);
  double *again = new_doubles(count * n), *workspace = new_doubles(2 * distances_workspace(dim, 0));
  normals(source, n * dim, 74u);
  normals(query, m * dim, 75u);
  const pair_kernel kernel = kernel_laplace(0.7);
  const distance_task task = {
      .query = query, .source = source, .from = from, .count = count, .n_source = n, .dim = dim};
  kernel_rows(&task, &kernel, out, workspace, 1);
  for (size_t i = 0; i < count; i++) {
    for (size_t a = 0; a < n; a++) {
      double r2 = 0.0;
      for (size_t c = 0; c < dim; c++) {
        const double z = query[(from + i) * dim + c] - source[a * dim + c];
        r2 += z * z;
      }
      CHECK(near(out[a * count + i], exp(-sqrt(r2) / 0.7), TOLERANCE_ROUNDING), "weight %zu, %zu in d = %zu", i, a,
            dim);
    }
  }
  kernel_rows(&task, &kernel, again, workspace, 2);
  CHECK(!memcmp(out, again, count * n * sizeof *out), "n = %zu, d = %zu: the weights depend on the threads", n, dim);
  free(source), free(query), free(out), free(again), free(workspace);
}

static void on_this_table(void) {
  const size_t dim[] = {1, 2, 3, 4, 5, 17, 50, 300};
  for (size_t j = 0; j < 8; j++) {
    for (int own = 0; own < 2; own++) {
      against_sorting(2, dim[j], 1, own, 0);
      against_sorting(40, dim[j], 1, own, 0);
      against_sorting(40, dim[j], 39, own, 0);
      against_sorting(300, dim[j], 7, own, 0);
      against_sorting(60, dim[j], 12, own, 1);
    }
    against_counting(0, 4, dim[j]);
    against_counting(1, 1, dim[j]);
    against_counting(7, 9, dim[j]);
    against_counting(301, 70, dim[j]);
    against_weights(33, 13, dim[j]);
  }
}

void test_neighbours(void) {
  const char *names[4];
  const size_t n = simd_available(names, 4);
  for (size_t i = 0; i < n; i++) {
    simd_select(names[i]);
    on_this_table();
  }
  double none = 0.0, *workspace = new_doubles(2 * neighbours_workspace(1, 1));
  int index = 0;
  const distance_task empty = {.query = &none, .source = &none, .from = 0, .count = 0, .n_source = 1, .dim = 1};
  nearest_rows(&empty, 0, 1, &index, &none, workspace, 2);
  const double same[] = {3.0, 3.0};
  const distance_task twice = {.query = same, .source = same, .from = 0, .count = 1, .n_source = 2, .dim = 1};
  nearest_rows(&twice, 1, 1, &index, &none, workspace, 1);
  CHECK(index == 1 && none == 0.0, "a duplicate row is %d at %g", index, none);
  free(workspace);
}
