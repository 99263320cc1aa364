/* Runs the stand-alone tests and prints "core: N checks, N failed". */
#include <stdarg.h>

#include "check.h"
#include "core/base/rng.h"
#include "core/pair/simd.h"
#include "core/base/parallel.h"

/* Failures printed; beyond, they are only counted. */
#define MOST_PRINTED 40

unsigned checks_done = 0, checks_failed = 0;

void record_check(int passed, const char *file, int line, const char *format, ...) {
  checks_done++;
  if (passed) return;
  checks_failed++;
  if (checks_failed > MOST_PRINTED) return;
  va_list values;
  va_start(values, format);
  fprintf(stderr, "%s:%d: ", file, line);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  va_end(values);
}

int near(double value, double expected, double tolerance) {
  if (value == expected) return 1; /* infinities too */
  return fabs(value - expected) <= tolerance * fmax(1.0, fabs(expected));
}

double *new_doubles(size_t n) {
  double *x = malloc((n ? n : 1) * sizeof(double));
  if (!x) {
    fputs("out of memory\n", stderr);
    exit(2);
  }
  for (size_t i = 0; i < n; i++) x[i] = NAN;
  return x;
}

void normals(double *out, size_t n, uint32_t seed) {
  const rng_key key = {{seed, 7u}};
  rng_sequence seq;
  rng_start(&seq, key, 0, 0);
  for (size_t i = 0; i < n; i++) out[i] = rng_normal(&seq);
}

int main(void) {
  threads_init();
  simd_init();
  test_rng();
  test_normals();
  test_linalg();
  test_fft();
  test_moments();
  test_fingerprint();
  test_parallel();
  test_exponentials();
  test_simd();
  test_sums();
  test_riesz();
  test_equilibrium();
  test_pairwise();
  test_mutual();
  test_near();
  test_kde();
  test_lines();
  test_targets();
  test_gaussians();
  test_interval();
  test_settle();
  test_shares();
  test_components();
  test_condition();
  test_wgf();
  test_neighbours();
  test_simplex();
  test_sinkhorn();
  test_field();
  test_inverse();
  test_approximate();
  test_products();
  test_divisions();
  test_network();
  test_generator();
  test_autoencoder();
  test_waves();
  test_spectral();
  test_t_mixture();
  test_bins();
  test_trees();
  test_divergence();
  test_gpa();
  test_energy();
  printf("core: %u checks, %u failed\n", checks_done, checks_failed);
  return checks_failed > 0;
}
