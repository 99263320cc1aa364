#include "check.h"
#include "core/base/normals.h"
#include "core/base/rng.h"

/* Known answers of the Random123 distribution (kat_vectors, philox4x32-10). */
static void known_answers(void) {
  static const uint32_t counter[3][4] = {{0u, 0u, 0u, 0u},
                                         {0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu},
                                         {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}};
  static const uint32_t key[3][2] = {{0u, 0u}, {0xffffffffu, 0xffffffffu}, {0xa4093822u, 0x299f31d0u}};
  static const uint32_t answer[3][4] = {{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u},
                                        {0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu},
                                        {0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}};
  for (int i = 0; i < 3; i++) {
    uint32_t out[4];
    philox4x32(counter[i], key[i], out);
    CHECK(!memcmp(out, answer[i], sizeof out), "philox known answer %d", i);
  }
}

typedef double (*draw)(rng_sequence *seq, double a, double b);

static double draw_uniform(rng_sequence *seq, double a, double b) {
  (void)a, (void)b;
  return rng_uniform(seq);
}
static double draw_normal(rng_sequence *seq, double a, double b) {
  (void)a, (void)b;
  return rng_normal(seq);
}
static double draw_gamma(rng_sequence *seq, double a, double b) {
  (void)b;
  return rng_gamma(seq, a);
}

/* Mean and variance against theirs; `fourth` is the fourth central moment over the squared variance. */
static void check_moments(const char *name, draw one, double a, double b, double mean, double variance,
                          double fourth) {
  enum { N = 40000 };
  const rng_key key = {{2024u, 11u}};
  rng_sequence seq;
  rng_start(&seq, key, 3, 5);
  double sum = 0.0, squares = 0.0;
  for (int i = 0; i < N; i++) {
    const double x = one(&seq, a, b) - mean;
    sum += x;
    squares += x * x;
  }
  const double error_mean = sqrt(variance / N), error_variance = variance * sqrt((fourth - 1.0) / N);
  CHECK(fabs(sum / N) < STANDARD_ERRORS * error_mean, "%s(%g, %g): the mean is off by %g", name, a, b, sum / N);
  CHECK(fabs(squares / N - variance) < STANDARD_ERRORS * error_variance,
        "%s(%g, %g): the variance is %g, not %g", name, a, b, squares / N, variance);
}

static void check_beta(double a, double b) {
  const double n = a + b, mean = a / n, variance = a * b / (n * n * (n + 1.0));
  const double excess = 6.0 * ((a - b) * (a - b) * (n + 1.0) - a * b * (n + 2.0)) / (a * b * (n + 2.0) * (n + 3.0));
  check_moments("beta", rng_beta, a, b, mean, variance, 3.0 + excess);
}

static void distributions(void) {
  check_moments("uniform", draw_uniform, 0.0, 0.0, 0.5, 1.0 / 12.0, 1.8);
  check_moments("normal", draw_normal, 0.0, 0.0, 0.0, 1.0, 3.0);
  const double shape[] = {0.3, 1.0, 4.5, 60.0};
  for (size_t i = 0; i < 4; i++) {
    check_moments("gamma", draw_gamma, shape[i], 0.0, shape[i], shape[i], 3.0 + 6.0 / shape[i]);
  }
  check_beta(0.5, 2.0);
  check_beta(7.5, 1.0);
  check_beta(1.0, 1.5);
}

static void uniforms_in_range(void) {
  const rng_key key = {{1u, 2u}};
  rng_sequence seq;
  rng_start(&seq, key, 0, 0);
  double least = 1.0, most = 0.0;
  for (int i = 0; i < 100000; i++) {
    const double u = rng_uniform(&seq);
    least = fmin(least, u);
    most = fmax(most, u);
  }
  CHECK(least > 0.0 && most < 1.0, "uniforms from %g to 1 - %g", least, 1.0 - most);
  CHECK(least < 1e-3 && most > 1.0 - 1e-3, "uniforms only from %g to %g", least, most);
}

/* Row i of a filled matrix is the sequence of particle first + i: blocks of rows fit together, and more
 * columns leave the first ones as they were. */
static void filled_matrices(void) {
  enum { N = 9, M = 5, FIRST = 4 };
  const rng_key key = {{99u, 1u}};
  double whole[N * M], part[(N - FIRST) * M], narrow[N * (M - 2)], other[N * M];
  void (*const fill[2])(double *, size_t, size_t, rng_key, uint32_t, uint64_t, int) = {fill_uniform, fill_normal};
  for (int kind = 0; kind < 2; kind++) {
    fill[kind](whole, N, M, key, 6, 0, 1);
    fill[kind](part, N - FIRST, M, key, 6, FIRST, 1);
    fill[kind](narrow, N, M - 2, key, 6, 0, 1);
    fill[kind](other, N, M, key, 7, 0, 1);
    int same_part = 1, same_narrow = 1, any_equal = 0;
    for (int j = 0; j < M; j++) {
      for (int i = 0; i < N; i++) {
        if (i >= FIRST && part[j * (N - FIRST) + i - FIRST] != whole[j * N + i]) same_part = 0;
        if (j < M - 2 && narrow[j * N + i] != whole[j * N + i]) same_narrow = 0;
        if (other[j * N + i] == whole[j * N + i]) any_equal = 1;
      }
    }
    CHECK(same_part, "fill %d: a block of rows differs from the whole", kind);
    CHECK(same_narrow, "fill %d: the first columns depend on the number of columns", kind);
    CHECK(!any_equal, "fill %d: two streams share a number", kind);
  }
  double far[2], low[2];
  fill_uniform(far, 2, 1, key, 0, (uint64_t)1 << 32, 1);
  fill_uniform(low, 2, 1, key, 0, 0, 1);
  CHECK(far[0] != low[0] && far[1] != low[1], "particles 2^32 apart share their numbers");
  static double one[3 * 9000], two[3 * 9000];
  fill_normal(one, 9000, 3, key, 5, 0, 1);
  fill_normal(two, 9000, 3, key, 5, 0, 2);
  CHECK(memcmp(one, two, sizeof one) == 0, "normal numbers depend on the number of threads");
  fill_normal(NULL, 0, 3, key, 0, 0, 2);
  fill_normal(low, 2, 0, key, 0, 0, 2);
}

void test_rng(void) {
  known_answers();
  distributions();
  uniforms_in_range();
  filled_matrices();
}
