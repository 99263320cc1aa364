#include "check.h"
#include "core/base/linalg.h"
#include "core/pair/pairwise.h"
#include "core/pair/riesz.h"
#include "core/pair/simd.h"

/* Two threads at most, as much room as they need. */
#define MOST_THREADS 2

typedef struct {
  size_t n_query, n_source, dim;
  int self; /* the queries are the sources */
  double s, epsilon;
} layout;

/* What pair_sums points to. */
typedef struct {
  double *force; /* column-major [n_query, dim] */
  double *weight, *bound, *repulsion, *nearest;
  double *hessian; /* [n_query, dim (dim+1) / 2] */
} all_stored;

static all_stored new_store(size_t n, size_t dim) {
  const all_stored store = {.force = new_doubles(n * dim),
                            .weight = new_doubles(n),
                            .bound = new_doubles(n),
                            .repulsion = new_doubles(n),
                            .nearest = new_doubles(n),
                            .hessian = new_doubles(n * triangle_size(dim))};
  return store;
}

static void free_store(all_stored *store) {
  free(store->force), free(store->weight), free(store->bound), free(store->repulsion), free(store->nearest);
  free(store->hessian);
}

static int same_bits(const all_stored *a, const all_stored *b, size_t n, size_t dim) {
  const size_t row = n * sizeof(double);
  return !memcmp(a->force, b->force, row * dim) && !memcmp(a->weight, b->weight, row) &&
         !memcmp(a->bound, b->bound, row) && !memcmp(a->repulsion, b->repulsion, row) &&
         !memcmp(a->nearest, b->nearest, row) && !memcmp(a->hessian, b->hessian, row * triangle_size(dim));
}

/* The sums in long double, one pair after the other, and in `scale` the sums of the absolute terms. */
static void reference(const layout *l, const double *query, const double *source, all_stored *out, all_stored *scale) {
  const long double s = (long double)l->s, epsilon = (long double)l->epsilon;
  long double *z = malloc(l->dim * sizeof *z), *force = malloc(l->dim * sizeof *force);
  double *hessian = new_doubles(triangle_size(l->dim));
  if (!z || !force) exit(2);
  for (size_t i = 0; i < l->n_query; i++) {
    for (size_t e = 0; e < triangle_size(l->dim); e++) hessian[e] = scale->hessian[i * triangle_size(l->dim) + e] = 0.0;
    long double weight = 0.0L, bound = 0.0L, repulsion = 0.0L, absolute = 0.0L, nearest = INFINITY;
    for (size_t c = 0; c < l->dim; c++) {
      force[c] = 0.0L;
      scale->force[c * l->n_query + i] = 0.0;
    }
    for (size_t a = 0; a < l->n_source; a++) {
      if (l->self && a == i) continue;
      long double r2 = 0.0L;
      for (size_t c = 0; c < l->dim; c++) {
        z[c] = (long double)query[i * l->dim + c] - (long double)source[a * l->dim + c];
        r2 += z[c] * z[c];
      }
      const long double u = r2 + epsilon, w = powl(u, -(s / 2.0L + 1.0L));
      for (size_t c = 0; c < l->dim; c++) {
        force[c] += w * z[c];
        scale->force[c * l->n_query + i] += (double)fabsl(w * z[c]);
      }
      for (size_t c = 0, k = 0; c < l->dim; c++) {
        for (size_t e = 0; e <= c; e++, k++) {
          hessian[k] += (double)(w / u * z[c] * z[e]);
          scale->hessian[i * triangle_size(l->dim) + k] += (double)fabsl(w / u * z[c] * z[e]);
        }
      }
      weight += w;
      bound += w / u * r2;
      repulsion += l->s == 0.0 ? -0.5L * logl(u) : w * u / s;
      /* a logarithm near 0 is only as good as its argument */
      absolute += l->s == 0.0 ? 1.0L + 0.5L * fabsl(logl(u)) : w * u / fabsl(s);
      if (r2 < nearest) nearest = r2;
    }
    for (size_t c = 0; c < l->dim; c++) out->force[c * l->n_query + i] = (double)force[c];
    memcpy(out->hessian + i * triangle_size(l->dim), hessian, triangle_size(l->dim) * sizeof(double));
    out->weight[i] = scale->weight[i] = (double)weight;
    out->bound[i] = scale->bound[i] = (double)bound;
    out->repulsion[i] = (double)repulsion;
    scale->repulsion[i] = (double)absolute;
    out->nearest[i] = scale->nearest[i] = (double)nearest;
  }
  free(z), free(force), free(hessian);
}

/* Largest |a - b| / scale; NaN counts as infinite. */
static double worst(const double *a, const double *b, const double *scale, size_t n) {
  double most = 0.0;
  for (size_t i = 0; i < n; i++) {
    if (a[i] == b[i]) continue;
    const double error = fabs(a[i] - b[i]) / scale[i];
    most = error >= most ? error : most == most && error == error ? most : INFINITY;
  }
  return most;
}

static double worst_sum(const all_stored *a, const all_stored *b, const all_stored *scale, size_t n, size_t dim) {
  double most = worst(a->force, b->force, scale->force, n * dim);
  most = fmax(most, worst(a->weight, b->weight, scale->weight, n));
  most = fmax(most, worst(a->bound, b->bound, scale->bound, n));
  most = fmax(most, worst(a->repulsion, b->repulsion, scale->repulsion, n));
  most = fmax(most, worst(a->hessian, b->hessian, scale->hessian, n * triangle_size(dim)));
  return fmax(most, worst(a->nearest, b->nearest, scale->nearest, n));
}

static pair_task make_task(const layout *l, const double *query, const double *source) {
  pair_task task = {.query = query,
                    .n_query = l->n_query,
                    .row_stride = l->dim,
                    .column_stride = 1,
                    .source = source,
                    .n_source = l->n_source,
                    .dim = l->dim,
                    .self = l->self ? 0 : NO_SELF,
                    .kernel = riesz_kernel(l->s, l->epsilon)};
  pairwise_prepare(&task);
  return task;
}

static pair_sums all_sums(const all_stored *store, size_t n) {
  const pair_sums sums = {.force = store->force,
                          .row_stride = 1,
                          .column_stride = n,
                          .weight = store->weight,
                          .bound = store->bound,
                          .repulsion = store->repulsion,
                          .nearest = store->nearest,
                          .hessian = store->hessian};
  return sums;
}

/* One layout on the current table. */
static void on_table(const layout *l, const double *query, const double *source, const all_stored *expected,
                     const all_stored *scale, double *workspace) {
  const char *name = simd_current()->name;
  const size_t n = l->n_query, dim = l->dim;
  const pair_task task = make_task(l, query, source);
  all_stored one = new_store(n, dim), two = new_store(n, dim);
  const pair_sums sums_one = all_sums(&one, n), sums_two = all_sums(&two, n);
  pairwise_all(&task, &sums_one, workspace, 1);
  const double error = worst_sum(&one, expected, scale, n, dim);
  CHECK(error <= TOLERANCE_KERNEL, "%s: %zu against %zu%s, d = %zu, s = %g, epsilon = %g: off by %g", name, n,
        l->n_source, l->self ? " (self)" : "", dim, l->s, l->epsilon, error);
  pairwise_all(&task, &sums_two, workspace, MOST_THREADS);
  CHECK(same_bits(&one, &two, n, dim), "%s: %zu against %zu, d = %zu, s = %g: the bits depend on the threads", name,
        n, l->n_source, dim, l->s);

  /* the plain kernels, from column-major queries into row-major forces */
  double *columns = new_doubles(n * dim), *rows = new_doubles(n * dim);
  for (size_t i = 0; i < n; i++) {
    for (size_t c = 0; c < dim; c++) columns[c * n + i] = query[i * dim + c];
  }
  pair_task turned = task;
  turned.query = columns;
  turned.row_stride = 1;
  turned.column_stride = n;
  const pair_sums plain = {.force = rows, .row_stride = dim, .column_stride = 1, .weight = two.weight};
  pairwise_all(&turned, &plain, workspace, 1);
  for (size_t i = 0; i < n; i++) {
    for (size_t c = 0; c < dim; c++) two.force[c * n + i] = rows[i * dim + c];
  }
  const double plain_error = fmax(worst(two.force, expected->force, scale->force, n * dim),
                                  worst(two.weight, expected->weight, scale->weight, n));
  /* weights alone, and the extras without the Hessian */
  const pair_sums weights = {.weight = two.weight};
  pairwise_all(&task, &weights, workspace, 1);
  const double weight_error = worst(two.weight, expected->weight, scale->weight, n);
  CHECK(weight_error <= TOLERANCE_KERNEL, "%s, weights: %zu against %zu, d = %zu, s = %g: off by %g", name, n,
        l->n_source, dim, l->s, weight_error);
  pair_sums extras = sums_two;
  extras.hessian = NULL;
  memcpy(two.hessian, expected->hessian, n * triangle_size(dim) * sizeof(double));
  pairwise_all(&task, &extras, workspace, 1);
  const double extras_error = worst_sum(&two, expected, scale, n, dim);
  CHECK(extras_error <= TOLERANCE_KERNEL, "%s, full: %zu against %zu, d = %zu, s = %g: off by %g", name, n, l->n_source,
        dim, l->s, extras_error);
  CHECK(plain_error <= TOLERANCE_KERNEL, "%s, plain: %zu against %zu%s, d = %zu, s = %g: off by %g", name, n,
        l->n_source, l->self ? " (self)" : "", dim, l->s, plain_error);
  free(columns), free(rows);
  free_store(&one), free_store(&two);
}

static void on_every_table(const layout *l, double unit) {
  double *source = new_doubles(l->n_source * l->dim), *query = source;
  normals(source, l->n_source * l->dim, 60u);
  for (size_t i = 0; i < l->n_source * l->dim; i++) source[i] *= unit;
  if (!l->self) {
    query = new_doubles(l->n_query * l->dim);
    normals(query, l->n_query * l->dim, 61u);
    for (size_t i = 0; i < l->n_query * l->dim; i++) query[i] *= unit;
  }
  all_stored expected = new_store(l->n_query, l->dim), scale = new_store(l->n_query, l->dim);
  double *workspace = new_doubles(MOST_THREADS * pairwise_hessian_workspace(l->dim));
  reference(l, query, source, &expected, &scale);
  const char *names[8];
  const size_t n_names = simd_available(names, 8);
  for (size_t t = 0; t < n_names; t++) {
    simd_select(names[t]);
    on_table(l, query, source, &expected, &scale, workspace);
  }
  simd_init();
  if (!l->self) free(query);
  free(source), free(workspace);
  free_store(&expected), free_store(&scale);
}

/* Rows on both sides of every lane count, tile and block. */
static void ragged_extents(void) {
  const size_t n[] = {0, 1, 2, 7, 8, 9, 64, 257}, dim[] = {1, 2, 3, 5, 15, 16, 17, 50};
  const double s[] = {0.0, -1.0, 2.0, 13.0, 0.5};
  for (size_t i = 0; i < 8; i++) {
    for (size_t j = 0; j < 8; j++) {
      for (size_t k = 0; k < 5; k++) {
        const layout own = {n[i], n[i], dim[j], 1, s[k], 0.05};
        if (n[i] < 100 || k % 4 == 0) on_every_table(&own, 1.0); /* the largest is slow under sanitizers */
        const layout few_queries = {13, n[i], dim[j], 0, s[k], 0.05};
        on_every_table(&few_queries, 1.0);
        const layout few_sources = {n[i], 5, dim[j], 0, s[k], 0.05};
        on_every_table(&few_sources, 1.0);
      }
    }
  }
  const layout many = {40, 1100, 2, 0, 0.0, 0.05}, many_wide = {40, 300, 50, 0, 1.0, 0.05};
  on_every_table(&many, 1.0);
  on_every_table(&many_wide, 1.0);
}

/* Where the estimated reciprocals must not be used. */
static void whole_range(void) {
  const double s[] = {0.0, -1.0, 1.0, -1.5};
  for (size_t k = 0; k < 4; k++) {
    const layout bare = {33, 33, 3, 1, s[k], 0.0}, tiny = {33, 33, 3, 1, s[k], 1e-300};
    on_every_table(&bare, 1.0);
    on_every_table(&tiny, 1.0);
    on_every_table(&tiny, 1e-60);
    on_every_table(&bare, 1e60);
    /* w/u is below the smallest double here for s >= 0 */
    const layout far = {33, 33, 3, 1, s[k], 0.05};
    if (s[k] < 0.0) on_every_table(&far, 1e102);
  }
}

/* A coincident pair without softening: an infinite weight, not a finite number that looks right. */
static void coincident_pair(void) {
  const double x[] = {1.0, 2.0, 1.0, 2.0, 0.0, 0.0};
  const layout l = {3, 3, 2, 1, 0.0, 0.0};
  double *workspace = new_doubles(pairwise_hessian_workspace(2));
  const char *names[8];
  const size_t n_names = simd_available(names, 8);
  for (size_t t = 0; t < n_names; t++) {
    simd_select(names[t]);
    const pair_task task = make_task(&l, x, x);
    all_stored store = new_store(3, 2);
    const pair_sums sums = all_sums(&store, 3);
    pairwise_all(&task, &sums, workspace, 1);
    CHECK(isinf(store.weight[0]) && isinf(store.weight[1]), "%s: the weights are %g and %g", names[t], store.weight[0],
          store.weight[1]);
    CHECK(!isfinite(store.force[0]), "%s: the force is %g", names[t], store.force[0]);
    CHECK(store.nearest[0] == 0.0 && isfinite(store.weight[2]), "%s: the other rows", names[t]);
    free_store(&store);
  }
  simd_init();
  free(workspace);
}

/* A row's bits must not depend on the rows computed beside it: queries from any row on, and, where they
 * are sources themselves, from any whole tile on. */
static void blocks_of_rows(void) {
  enum { N = 100, DIM = 5 };
  double x[N * DIM];
  normals(x, N * DIM, 62u);
  const size_t from[] = {0, 1, 5, 8, 31, 32, 40, 99};
  double *workspace = new_doubles(pairwise_hessian_workspace(DIM));
  const char *names[8];
  const size_t n_names = simd_available(names, 8);
  for (size_t t = 0; t < n_names; t++) {
    simd_select(names[t]);
    for (int self = 0; self < 2; self++) {
      const layout l = {N, N, DIM, self, 0.0, 0.05};
      all_stored whole = new_store(N, DIM);
      const pair_sums sums = all_sums(&whole, N);
      const pair_task task = make_task(&l, x, x);
      pairwise_all(&task, &sums, workspace, 1);
      for (size_t k = 0; k < 8; k++) {
        if (self && from[k] % 8) continue;
        const size_t n = N - from[k];
        all_stored part = new_store(n, DIM), expected = new_store(n, DIM);
        const pair_sums part_sums = all_sums(&part, n);
        pair_task block = task;
        block.query = x + from[k] * DIM;
        block.n_query = n;
        if (self) block.self = from[k];
        pairwise_all(&block, &part_sums, workspace, 1);
        for (size_t c = 0; c < DIM; c++)
          memcpy(expected.force + c * n, whole.force + c * N + from[k], n * sizeof(double));
        memcpy(expected.weight, whole.weight + from[k], n * sizeof(double));
        memcpy(expected.bound, whole.bound + from[k], n * sizeof(double));
        memcpy(expected.repulsion, whole.repulsion + from[k], n * sizeof(double));
        memcpy(expected.hessian, whole.hessian + from[k] * triangle_size(DIM), n * triangle_size(DIM) * sizeof(double));
        memcpy(expected.nearest, whole.nearest + from[k], n * sizeof(double));
        CHECK(same_bits(&part, &expected, n, DIM), "%s: rows from %zu on%s differ from the same rows of the whole",
              names[t], from[k], self ? " (self)" : "");
        free_store(&part), free_store(&expected);
      }
      free_store(&whole);
    }
  }
  simd_init();
  free(workspace);
}

static void packing(void) {
  enum { N = 4, DIM = 3 };
  double x[N * DIM], packed[N * DIM];
  normals(x, N * DIM, 63u);
  pack_rows(packed, x, N, DIM);
  int same = 1;
  for (size_t i = 0; i < N; i++) {
    for (size_t c = 0; c < DIM; c++) same = same && packed[i * DIM + c] == x[c * N + i];
  }
  CHECK(same, "pack_rows is no transpose");
  pack_rows(NULL, NULL, 0, DIM);
  double back[N * DIM];
  unpack_rows(back, packed, N, DIM);
  CHECK(!memcmp(back, x, sizeof x), "unpack_rows does not undo pack_rows");
}

/* Gaussian, Laplace and distance weights: sums and forces against long double, coincident and far pairs too. */
static void other_kernels(void) {
  enum { QUERIES = 21, SOURCES = 45 };
  const size_t dim[] = {1, 2, 3, 20, 60};
  const double unit[] = {1e-8, 1.0, 30.0, 1e20};
  const char *names[8];
  const size_t n_names = simd_available(names, 8);
  for (size_t j = 0; j < 5; j++) {
    const size_t d = dim[j];
    double *x = new_doubles(SOURCES * d), *y = new_doubles(QUERIES * d), *force = new_doubles(QUERIES * d);
    double weight[QUERIES], alone[QUERIES], *workspace = new_doubles(pairwise_workspace(d));
    for (size_t k = 0; k < 4 * 3; k++) {
      const double scale = unit[k / 3];
      const pair_kernel kernels[] = {kernel_gaussian(0.7 * scale), kernel_laplace(0.7 * scale), kernel_distance()};
      const pair_kernel kernel = kernels[k % 3];
      normals(x, SOURCES * d, 63u);
      normals(y, QUERIES * d, 64u);
      for (size_t i = 0; i < SOURCES * d; i++) x[i] *= scale;
      for (size_t i = 0; i < QUERIES * d; i++) y[i] *= i < d ? 40.0 * scale : scale;
      memcpy(x + 7 * d, y + 3 * d, d * sizeof(double));
      for (size_t t = 0; t < n_names; t++) {
        simd_select(names[t]);
        pair_task task = {.query = y, .n_query = QUERIES, .row_stride = d, .column_stride = 1, .source = x,
                    .n_source = SOURCES, .dim = d, .self = NO_SELF, .kernel = kernel};
        pairwise_prepare(&task);
        const pair_sums sums = {.force = force, .row_stride = d, .column_stride = 1, .weight = weight};
        const pair_sums only = {.weight = alone};
        pairwise_all(&task, &sums, workspace, 1);
        pairwise_all(&task, &only, workspace, 1);
        double error = 0.0;
        for (size_t i = 0; i < QUERIES; i++) {
          long double total = 0.0L, along = 0.0L, size = 0.0L;
          for (size_t a = 0; a < SOURCES; a++) {
            long double r2 = 0.0L;
            for (size_t c = 0; c < d; c++) {
              const long double z = (long double)y[i * d + c] - (long double)x[a * d + c];
              r2 += z * z;
            }
            const long double rate = (long double)kernel.rate;
            const long double w = kernel.kind == WEIGHT_gaussian  ? expl(-rate * r2)
                                  : kernel.kind == WEIGHT_laplace ? expl(-rate * sqrtl(r2))
                                                                  : sqrtl(r2);
            total += w;
            along += w * ((long double)y[i * d] - (long double)x[a * d]);
            size += w * fabsl((long double)y[i * d] - (long double)x[a * d]);
          }
          /* below 1e-300 a weight is as good as nothing; an exponent is only as good as its own rounding */
          const double floor = 1e-300;
          error = fmax(error, fabs(weight[i] - (double)total) / ((double)total + floor));
          error = fmax(error, fabs(alone[i] - (double)total) / ((double)total + floor));
          error = fmax(error, fabs(force[i * d] - (double)along) / ((double)size + floor));
        }
        CHECK(error <= TOLERANCE_KERNEL, "%s: kernel %d, d = %zu, unit %g: off by %g", names[t], (int)kernel.kind, d,
              scale, error);
      }
    }
    free(x), free(y), free(force), free(workspace);
  }
  simd_init();
}

void test_pairwise(void) {
  other_kernels();
  packing();
  ragged_extents();
  whole_range();
  coincident_pair();
  blocks_of_rows();
}
