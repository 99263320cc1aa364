#include "check.h"
#include "core/pair/mutual.h"
#include "core/pair/riesz.h"
#include "core/pair/simd.h"

#define MOST_THREADS 2
/* force [n, dim], then weight, bound, repulsion, nearest, each [n] */
#define COLUMNS(dim) ((dim) + 4)

typedef struct {
  size_t n, dim;
  double s, epsilon;
} layout;

static pair_sums sums_in(double *store, size_t n, size_t dim) {
  double *extra = store + n * dim;
  const pair_sums sums = {.force = store, .row_stride = 1, .column_stride = n, .weight = extra, .bound = extra + n,
                          .repulsion = extra + 2 * n, .nearest = extra + 3 * n};
  return sums;
}

/* One pair after the other, in long double; `scale` has the sums of the absolute terms. */
static void reference(const layout *l, const double *x, double *out, double *scale) {
  const size_t n = l->n, dim = l->dim;
  const long double s = (long double)l->s;
  for (size_t i = 0; i < n; i++) {
    long double total[4] = {0.0L, 0.0L, 0.0L, INFINITY}, size = 0.0L;
    for (size_t c = 0; c < dim; c++) out[c * n + i] = scale[c * n + i] = 0.0;
    for (size_t a = 0; a < n; a++) {
      if (a == i) continue;
      long double r2 = 0.0L;
      for (size_t c = 0; c < dim; c++) {
        const long double z = (long double)x[i * dim + c] - (long double)x[a * dim + c];
        r2 += z * z;
      }
      const long double u = r2 + (long double)l->epsilon, w = powl(u, -(s / 2.0L + 1.0L));
      for (size_t c = 0; c < dim; c++) {
        const long double z = (long double)x[i * dim + c] - (long double)x[a * dim + c];
        out[c * n + i] += (double)(w * z);
        scale[c * n + i] += (double)fabsl(w * z);
      }
      total[0] += w;
      total[1] += w / u * r2;
      total[2] += l->s == 0.0 ? -0.5L * logl(u) : w * u / s;
      size += l->s == 0.0 ? 1.0L + 0.5L * fabsl(logl(u)) : w * u / fabsl(s);
      if (r2 < total[3]) total[3] = r2;
    }
    for (size_t k = 0; k < 4; k++) {
      out[(dim + k) * n + i] = (double)total[k];
      scale[(dim + k) * n + i] = k == 2 ? (double)size : (double)total[k];
    }
  }
}

static double worst(const double *a, const double *b, const double *scale, size_t n) {
  double most = 0.0;
  for (size_t i = 0; i < n; i++) {
    if (a[i] == b[i]) continue;
    const double error = fabs(a[i] - b[i]) / scale[i];
    most = error >= most ? error : error == error ? most : INFINITY;
  }
  return most;
}

/* All rounds, `step` of them a call, on the current table. */
static void run(const layout *l, const double *x, size_t step, int threads, double *out) {
  mutual_task task = {.rows = x, .n = l->n, .dim = l->dim, .kernel = riesz_kernel(l->s, l->epsilon)};
  mutual_prepare(&task);
  double *state = new_doubles(mutual_state(l->n, l->dim));
  double *workspace = new_doubles(mutual_workspace(l->n, l->dim, threads));
  const size_t rounds = mutual_rounds(l->n, l->dim);
  mutual_clear(&task, state);
  for (size_t from = 0; from < rounds; from += step) {
    mutual_advance(&task, state, from, rounds - from < step ? rounds : from + step, workspace, threads);
  }
  const pair_sums sums = sums_in(out, l->n, l->dim);
  mutual_close(&task, state, &sums, workspace);
  free(state), free(workspace);
}

static void on_every_table(const layout *l, double unit) {
  const size_t n = l->n, dim = l->dim, size = n * COLUMNS(dim);
  double *x = new_doubles(n * dim), *expected = new_doubles(size), *scale = new_doubles(size);
  double *one = new_doubles(size), *other = new_doubles(size);
  normals(x, n * dim, 70u);
  for (size_t i = 0; i < n * dim; i++) x[i] *= unit;
  reference(l, x, expected, scale);
  const char *names[8];
  const size_t n_names = simd_available(names, 8);
  for (size_t t = 0; t < n_names; t++) {
    simd_select(names[t]);
    run(l, x, 1000, 1, one);
    const double error = worst(one, expected, scale, size);
    CHECK(error <= TOLERANCE_KERNEL, "%s: %zu rows, d = %zu, s = %g, epsilon = %g, unit %g: off by %g", names[t], n,
          dim, l->s, l->epsilon, unit, error);
    run(l, x, 1, MOST_THREADS, other);
    CHECK(!memcmp(one, other, size * sizeof(double)),
          "%s: %zu rows, d = %zu, s = %g: the bits depend on the threads or on how rounds are split", names[t], n, dim,
          l->s);
    run(l, x, 3, 1, other);
    CHECK(!memcmp(one, other, size * sizeof(double)), "%s: %zu rows, d = %zu, s = %g: three rounds a call", names[t], n,
          dim, l->s);
  }
  simd_init();
  free(x), free(expected), free(scale), free(one), free(other);
}

/* Rows on both sides of every unit, block and group of sources. */
static void ragged_extents(void) {
  const size_t dim[] = {1, 2, 3, 15, 50}, large[] = {127, 128, 135, 137, 257};
  const double s[] = {0.0, -1.0, 2.0, 13.0, 0.5};
  for (size_t j = 0; j < 5; j++) {
    for (size_t n = 0; n <= 65; n++) {
      const layout l = {n, dim[j], s[(n + j) % 5], 0.05};
      on_every_table(&l, 1.0);
    }
    for (size_t i = 0; i < 5; i++) {
      const layout l = {large[i], dim[j], s[(i + j) % 5], 0.05};
      on_every_table(&l, 1.0);
    }
  }
  /* more than TILE_MAX_TILES scalar tiles in a block, and eight blocks; enough work for two threads */
  const layout many = {2100, 1, 0.0, 0.05}, wide = {400, 200, 1.0, 0.05};
  on_every_table(&many, 1.0);
  on_every_table(&wide, 1.0);
}

static void whole_range(void) {
  const double s[] = {0.0, -1.0, 1.0, -1.5};
  for (size_t k = 0; k < 4; k++) {
    const layout bare = {37, 3, s[k], 0.0}, tiny = {37, 3, s[k], 1e-300}, far = {37, 3, s[k], 0.05};
    on_every_table(&bare, 1.0);
    on_every_table(&tiny, 1.0);
    on_every_table(&tiny, 1e-60);
    on_every_table(&bare, 1e60);
    if (s[k] < 0.0) on_every_table(&far, 1e102);
  }
}

/* Equal rows without softening repel infinitely, and nobody else; with it they do not move each other. */
static void coincident_rows(void) {
  enum { N = 24, DIM = 2 };
  double x[N * DIM], out[N * COLUMNS(DIM)];
  const size_t twin[] = {3, 10, 21}; /* in the same unit, in another, in the last */
  const char *names[8];
  const size_t n_names = simd_available(names, 8);
  for (size_t t = 0; t < n_names; t++) {
    simd_select(names[t]);
    for (size_t k = 0; k < 3; k++) {
      normals(x, N * DIM, 71u);
      memcpy(x + twin[k] * DIM, x + 2 * DIM, DIM * sizeof(double));
      const layout bare = {N, DIM, 0.0, 0.0}, soft = {N, DIM, 0.0, 0.1};
      const double *weight = out + N * DIM, *nearest = out + N * (DIM + 3);
      run(&bare, x, 1, 1, out);
      CHECK(isinf(weight[2]) && isinf(weight[twin[k]]) && isfinite(weight[5]), "%s: infinite weights", names[t]);
      CHECK(!isfinite(out[2]) && nearest[2] == 0.0 && nearest[twin[k]] == 0.0 && nearest[5] > 0.0, "%s: equal rows",
            names[t]);
      run(&soft, x, 1, 1, out);
      CHECK(isfinite(out[2]) && nearest[2] == 0.0, "%s: softened equal rows", names[t]);
    }
  }
  simd_init();
}

/* The forces of a sample on itself add up to nothing. */
static void no_force_from_within(void) {
  enum { N = 500, DIM = 3 };
  double *x = new_doubles(N * DIM), *out = new_doubles(N * COLUMNS(DIM));
  normals(x, N * DIM, 72u);
  const layout l = {N, DIM, 1.0, 0.01};
  run(&l, x, 1, 2, out);
  for (size_t c = 0; c < DIM; c++) {
    double total = 0.0, size = 0.0;
    for (size_t i = 0; i < N; i++) total += out[c * N + i], size += fabs(out[c * N + i]);
    CHECK(fabs(total) <= TOLERANCE_ROUNDING * size, "coordinate %zu: the forces add up to %g of %g", c, total, size);
  }
  free(x), free(out);
}

/* Two threads have equal shares, a round is brief, and no block is empty. */
static void rounds(void) {
  const size_t n[] = {128, 1000, 15000, 100000, 1000000}, dim[] = {1, 15, MUTUAL_DIM};
  for (size_t i = 0; i < 5; i++) {
    for (size_t j = 0; j < 3; j++) {
      const size_t count = mutual_rounds(n[i], dim[j]);
      const double work = (double)n[i] * (double)n[i] * (double)(dim[j] + 4) / (double)count;
      CHECK(count % 4 == 0 && count <= n[i] / 32 && work < 1.1e10, "%zu rows, d = %zu: %zu rounds", n[i], dim[j],
            count);
    }
  }
  CHECK(mutual_rounds(0, 3) == 1 && mutual_rounds(60, 3) == 1, "few rows are one block");
}

void test_mutual(void) {
  rounds();
  ragged_extents();
  whole_range();
  coincident_rows();
  no_force_from_within();
}
