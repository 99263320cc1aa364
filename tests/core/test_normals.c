#include "check.h"
#include "core/base/instructions.h"
#include "core/base/normals.h"

/* Box and Muller's transform of the same two uniform numbers in long double. The angle is that of double precision. */
static double reference(rng_key key, uint32_t stream, uint64_t particle, uint32_t slot) {
  rng_sequence seq;
  rng_start(&seq, key, stream, particle);
  seq.block = slot;
  const double u = rng_uniform(&seq), angle = 6.283185307179586476925286766559 * rng_uniform(&seq);
  return (double)(sqrtl(-2.0L * logl(u)) * cosl((long double)angle));
}

/* Among 200,000 numbers some radii come from uniform numbers within 1e-5 of 0 or 1, and some angles lie within 1e-5 of
 * each quarter of a turn. */
static void check_values(const char *name) {
  enum { N = 20000, M = 10 };
  const rng_key key = {{31u, 7u}};
  double *x = new_doubles((size_t)N * M), worst = 0.0;
  fill_normal(x, N, M, key, 9, ((uint64_t)1 << 32) - 50, 1); /* the upper word of the particle counts */
  for (uint32_t j = 0; j < M; j++) {
    for (size_t i = 0; i < N; i++) {
      const double wanted = reference(key, 9, ((uint64_t)1 << 32) - 50 + i, j);
      worst = fmax(worst, fabs(x[j * N + i] - wanted) / fabs(wanted));
    }
  }
  CHECK(worst <= TOLERANCE_NORMAL, "%s: normal numbers miss by %g of themselves", name, worst);
  free(x);
}

/* A number depends on its place alone: not on how many there are, nor on the way in which they lie. */
static void check_places(const char *name) {
  enum { N = 150, M = 7, FIRST = 11 };
  const rng_key key = {{3u, 4u}};
  double whole[N * M], part[(N - FIRST) * M], columns[N * M];
  fill_normal(whole, N, M, key, 5, 0, 1);
  fill_normal_columns(columns, N, M, key, 5, 0);
  for (size_t n = 1; n <= N - FIRST; n += n < 20 ? 1 : 17) {
    fill_normal(part, n, M, key, 5, FIRST, 1);
    int same = 1;
    for (size_t i = 0; i < n * M; i++) same &= part[i] == whole[i / n * N + FIRST + i % n];
    fill_normal_columns(part, n, M, key, 5, FIRST);
    for (size_t i = 0; i < n * M; i++) same &= part[i] == columns[FIRST * M + i];
    CHECK(same, "%s: %zu rows differ from those of a longer matrix", name, n);
  }
  int same = 1;
  for (size_t i = 0; i < N * M; i++) same &= columns[i] == whole[i % M * N + i / M];
  CHECK(same, "%s: the transposed matrix differs", name);
}

void test_normals(void) {
  const char *before = simd_name(), *names[4];
  const size_t n = simd_available(names, 4);
  for (size_t i = 0; i < n; i++) {
    simd_select(names[i]);
    check_values(names[i]);
    check_places(names[i]);
  }
  simd_select(before);
}
