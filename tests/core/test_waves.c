#include "check.h"
#include "core/net/products.h"
#include "core/net/waves.h"
#include "core/pair/simd.h"

/* Angles around every quarter of a turn, small and large ones, and what is no number: against libm. */
static void check_turn(const product_table *table) {
  enum { N = 4096 };
  double *sine = new_doubles(N), *cosine = new_doubles(N), *angle = new_doubles(N), worst = 0.0;
  normals(angle, N, 31u);
  for (size_t i = 0; i < N; i++) {
    const double turns = (double)(i % 64) - 32.0;
    angle[i] = i < 1024 ? turns * 1.5707963267948966 + angle[i] * 1e-6 : angle[i] * pow(10.0, (double)(i % 20) - 8.0);
  }
  angle[7] = 0.0, angle[4000] = INFINITY, angle[4001] = NAN;
  memcpy(sine, angle, N * sizeof(double));
  table->turn(sine, cosine, N);
  for (size_t i = 0; i < N; i++) {
    if (i == 4000 || i == 4001) continue;
    worst = fmax(worst, fmax(fabs(sine[i] - sin(angle[i])), fabs(cosine[i] - cos(angle[i]))));
  }
  CHECK(worst <= 4e-16, "%s: sines and cosines miss by %g", table->name, worst);
  CHECK(sine[7] == 0.0 && cosine[7] == 1.0, "%s: the sine of 0 is %g", table->name, sine[7]);
  CHECK(isnan(sine[4000]) && isnan(cosine[4001]), "%s: a sine of infinity", table->name);
  free(sine), free(cosine), free(angle);
}

/* Means and pull against plain loops, and the same bits on any number of threads. */
static void check_waves(size_t n, size_t dim, size_t count) {
  double *x = new_doubles(n * dim), *t = new_doubles(count * dim), *pull = new_doubles(n * dim), worst = 0.0;
  double *again = new_doubles(n * dim), *re = new_doubles(2 * count), *im = new_doubles(2 * count);
  normals(x, n * dim, 32u), normals(t, count * dim, 33u);
  const waves w = {.n = n, .dim = dim, .count = count, .x = x, .t = t};
  double *workspace = new_doubles(waves_workspace(&w, 5));
  waves_means(&w, re, im, workspace, 1);
  waves_pull(&w, re, im, pull, workspace, 1);
  waves_means(&w, re + count, im + count, workspace, 5);
  waves_pull(&w, re, im, again, workspace, 3);
  CHECK(!memcmp(re, re + count, count * sizeof(double)) && !memcmp(im, im + count, count * sizeof(double)) &&
            !memcmp(pull, again, n * dim * sizeof(double)),
        "%s: other bits on other threads at n = %zu", simd_current()->name, n);
  double *plain = again;
  memset(plain, 0, n * dim * sizeof(double));
  for (size_t k = 0; k < count; k++) {
    double real = 0.0, imaginary = 0.0;
    for (size_t i = 0; i < n; i++) {
      double angle = 0.0;
      for (size_t c = 0; c < dim; c++) angle += t[c * count + k] * x[i * dim + c];
      real += cos(angle) / (double)n, imaginary += sin(angle) / (double)n;
      const double slope = im[k] * cos(angle) - re[k] * sin(angle);
      for (size_t c = 0; c < dim; c++) plain[i * dim + c] += slope * t[c * count + k];
    }
    worst = fmax(worst, fmax(fabs(real - re[k]), fabs(imaginary - im[k])));
  }
  for (size_t i = 0; i < n * dim; i++) worst = fmax(worst, fabs(plain[i] - pull[i]) / (double)count);
  CHECK(worst <= TOLERANCE_ROUNDING, "%s: n %zu, dim %zu, %zu frequencies miss by %g", simd_current()->name, n, dim,
        count, worst);
  free(x), free(t), free(pull), free(again), free(re), free(im), free(workspace);
}

void test_waves(void) {
  const char *names[4];
  const size_t n = simd_available(names, 4);
  for (size_t i = 0; i < n; i++) {
    simd_select(names[i]);
    check_turn(product_current());
    check_waves(1, 1, 1);
    check_waves(63, 2, 17);
    check_waves(512, 3, 128);
    check_waves(129, 21, 5);
  }
  simd_init();
}
