/* The kernel estimate against long double sums, far points included, on every instruction set and thread count. */
#include "check.h"
#include "core/law/kde.h"
#include "core/pair/simd.h"

#define N 70
#define M 12

typedef struct {
  double log_density, score[8];
} estimate;

static estimate reference(const double *y, const double *source, size_t n, size_t dim, size_t own,
                          const pair_kernel *kernel) {
  estimate out = {0.0, {0.0}};
  const int gaussian = kernel->kind == WEIGHT_gaussian;
  long double least = INFINITY, sum = 0.0L, shift[8] = {0.0L};
  for (int pass = 0; pass < 2; pass++) {
    for (size_t a = 0; a < n; a++) {
      if (a == own) continue;
      long double u = 0.0L;
      for (size_t c = 0; c < dim; c++) {
        const long double z = (long double)y[c] - (long double)source[a * dim + c];
        u += z * z;
      }
      const long double cost = (long double)kernel->rate * (gaussian ? u : sqrtl(u));
      if (pass == 0) {
        if (cost < least) least = cost;
        continue;
      }
      const long double w = expl(least - cost);
      sum += w;
      for (size_t c = 0; c < dim; c++) shift[c] += w * ((long double)y[c] - (long double)source[a * dim + c]);
    }
  }
  const long double count = own == NO_SELF ? (long double)n : (long double)n - 1.0L;
  out.log_density = (double)(logl(sum / count) - least) - kde_log_volume(kernel, dim);
  const double factor = gaussian ? 2.0 * kernel->rate : kernel->rate * kernel->rate / ((double)dim + 1.0);
  for (size_t c = 0; c < dim; c++) out.score[c] = -factor * (double)(shift[c] / sum);
  return out;
}

static void test_against_reference(size_t dim, const pair_kernel *kernel, int self, const char *set) {
  double *source = new_doubles(N * dim), *query = new_doubles(N * dim);
  normals(source, N * dim, 1);
  const size_t n = self ? N : M;
  for (size_t i = 0; i < n; i++) {
    /* the last three are out of reach of the exponential */
    for (size_t c = 0; c < dim; c++)
      query[c * n + i] = self ? source[i * dim + c] : 0.3 * (double)i + (i + 3 >= M ? 200.0 : 0.0);
  }
  double *density = new_doubles(n), *score = new_doubles(n * dim), *twice = new_doubles(n * dim);
  double *workspace = new_doubles(kde_workspace(N, dim, 2));
  pair_task task = {.query = query, .n_query = n, .row_stride = 1, .column_stride = n, .source = source,
                    .n_source = N, .dim = dim, .self = self ? 0 : NO_SELF, .kernel = *kernel};
  pairwise_prepare(&task);
  kde_field(&task, density, score, 1, n, workspace, 1);
  for (size_t i = 0; i < n; i++) {
    double y[8];
    for (size_t c = 0; c < dim; c++) y[c] = query[c * n + i];
    const estimate wanted = reference(y, source, N, dim, self ? i : NO_SELF, kernel);
    CHECK(near(density[i], wanted.log_density, 1e-11), "log-density %zu of %s in %zu: %.17g, not %.17g", i, set, dim,
          density[i], wanted.log_density);
    for (size_t c = 0; c < dim; c++) {
      CHECK(near(score[c * n + i], wanted.score[c], 1e-10), "score %zu of %s in %zu: %.17g, not %.17g", i, set, dim,
            score[c * n + i], wanted.score[c]);
    }
  }
  kde_field(&task, density, twice, 1, n, workspace, 2);
  CHECK(!memcmp(score, twice, n * dim * sizeof(double)), "two threads give other bits in %zu", dim);
  kde_field(&task, density, NULL, 0, 0, workspace, 1);
  CHECK(isfinite(density[0]), "no density without score");
  free(source), free(query), free(density), free(score), free(twice), free(workspace);
}

/* Against the normal distribution function; points far on either side have no part of it, or all. */
static void test_tail(void) {
  const double x[] = {-3.0, -0.2, -0.2, 0.0, 0.7, 50.0}, at[] = {-60.0, -3.0, -0.21, 0.4, 0.9, 49.9, 70.0}, h = 0.25;
  double tail[7];
  kernel_tail(x, 6, at, 7, h, tail);
  for (size_t j = 0; j < 7; j++) {
    double sum = 0.0;
    for (size_t i = 0; i < 6; i++) sum += 0.5 * erfc((at[j] - x[i]) / h * sqrt(0.5)) / 6.0;
    CHECK(fabs(tail[j] - sum) < TOLERANCE_TAIL, "the tail at %g is %g, not %g", at[j], tail[j], sum);
  }
}

/* Against the sum over all pairs, where the grid is fine. */
static void test_left_out(void) {
  const double x[] = {-1.0, -0.6, -0.2, -0.2, 0.0, 0.7, 1.1}, h = 0.3;
  double wanted = 0.0;
  for (size_t i = 0; i < 7; i++) {
    double sum = 0.0;
    for (size_t j = 0; j < 7; j++) {
      if (j != i) sum += exp(-0.5 * (x[i] - x[j]) * (x[i] - x[j]) / (h * h)) / (sqrt(2.0 * acos(-1.0)) * h);
    }
    wanted += log(sum / 6.0) / 7.0;
  }
  CHECK(fabs(left_out_density(x, 7, h) - wanted) < TOLERANCE_GRID, "the mean log-density is %g, not %g",
        left_out_density(x, 7, h), wanted);
  const double far[] = {0.0, 1e6};
  CHECK(isfinite(left_out_density(far, 2, 1e-3)), "no mean log-density of far numbers");
}

void test_kde(void) {
  test_tail();
  test_left_out();
  const pair_kernel kernels[] = {kernel_gaussian(0.5), kernel_laplace(0.5)};
  const char *names[8];
  const char *before = simd_current()->name;
  const size_t sets = simd_available(names, 8);
  for (size_t s = 0; s < sets; s++) {
    simd_select(names[s]);
    for (size_t dim = 1; dim <= 8; dim += dim < 3 ? 1 : 5) {
      for (int k = 0; k < 2; k++) {
        for (int self = 0; self < 2; self++) test_against_reference(dim, &kernels[k], self, names[s]);
      }
    }
  }
  simd_select(before);
}
