/* The normal law on intervals against interval.h and printed values; scores that stay within their cells; ranks. */
#include "check.h"
#include "core/base/rng.h"
#include "core/law/interval.h"
#include "core/law/settle.h"

#define ROWS 4000
#define DIM 2

static void test_quantiles(void) {
  CHECK_NEAR(normal_quantile(0.975), 1.959963984540054, TOLERANCE_ROUNDING);
  CHECK_NEAR(normal_quantile(1e-10), -6.361340902404056, TOLERANCE_ROUNDING);
  CHECK(normal_quantile(0.5) == 0.0, "the median is not 0");
  for (double p = 0.001; p < 1.0; p += 0.037) {
    CHECK_NEAR(0.5 * erfc(-normal_quantile(p) * sqrt(0.5)), p, TOLERANCE_ROUNDING);
  }
}

/* Everywhere: in the middle, far out, narrow, open to one side. */
static void test_intervals(void) {
  static const double from[] = {-1.0, 0.5, 3.0, -9.0, 12.0, -30.0, 40.0, 0.1, -2.0, -INFINITY, 5.0};
  static const double to[] = {2.0, 0.6, INFINITY, -8.5, 12.5, -29.0, 41.0, 0.1 + 1e-7, -2.0 + 1e-10, -3.0, 5.001};
  const tailed normal = {.df = INFINITY, .half_step = 0.0};
  for (size_t k = 0; k < sizeof from / sizeof *from; k++) {
    const interval of = open_interval(normal, from[k], to[k]);
    CHECK_NEAR(log_normal_between(from[k], to[k]), of.log_mass, TOLERANCE_SHARE);
    for (double u = 0.05; u < 1.0; u += 0.3) {
      const double z = normal_between(from[k], to[k], u), width = fmin(to[k] - from[k], 1.0);
      CHECK(z >= from[k] && z <= to[k], "%g is outside of [%g, %g]", z, from[k], to[k]);
      CHECK(fabs(z - interval_quantile(&of, from[k] > 0.0 ? 1.0 - u : u)) < TOLERANCE_SHARE * fmax(1.0, width),
            "the %g-quantile within [%g, %g] is %.17g", u, from[k], to[k], z);
    }
  }
  CHECK(log_normal_between(1.0, 1.0) == -INFINITY && log_normal_between(2.0, 1.0) == -INFINITY, "no interval has mass");
  CHECK(isnan(log_normal_between(NAN, 1.0)) && isnan(normal_between(0.0, NAN, 0.5)), "NaN is lost");
}

/* A coordinate with the correlation r to a known one: free rows have the mean r x and the variance 1 - r^2. */
static void test_gibbs(void) {
  const double r = 0.6, precision[DIM] = {-r / (1.0 - r * r), 1.0 / (1.0 - r * r)}, mean[DIM] = {0.0, 0.0};
  double *z = new_doubles(DIM * ROWS), *low = new_doubles(ROWS), *high = new_doubles(ROWS), *u = new_doubles(ROWS);
  int *rows = malloc(ROWS * sizeof(int));
  const rng_key key = {{5u, 7u}};
  rng_sequence random;
  rng_start(&random, key, 0, 0);
  for (int i = 0; i < ROWS; i++) {
    rows[i] = i;
    z[i] = i % 2 ? 1.0 : -1.0;
    z[ROWS + i] = 0.0;
    low[i] = i < ROWS / 2 ? -INFINITY : 0.5;
    high[i] = i < ROWS / 2 ? INFINITY : 0.75;
    u[i] = rng_uniform(&random);
  }
  const gibbs_column of = {z, ROWS, DIM, 1, low, high, u, mean, precision};
  settle_rows(&of, rows, ROWS, 2);
  double sum = 0.0, squares = 0.0;
  for (size_t i = 0; i < ROWS / 2; i++) {
    const double rest = z[ROWS + i] - r * z[i];
    sum += rest;
    squares += rest * rest;
  }
  const double n = ROWS / 2, variance = 1.0 - r * r;
  CHECK(fabs(sum / n) < STANDARD_ERRORS * sqrt(variance / n), "the mean is off by %g", sum / n);
  CHECK(fabs(squares / n - variance) < STANDARD_ERRORS * variance * sqrt(2.0 / n), "the variance is %g", squares / n);
  for (size_t i = ROWS / 2; i < ROWS; i++) {
    CHECK(z[ROWS + i] >= 0.5 && z[ROWS + i] <= 0.75, "row %zu left its cell", i);
  }
  free(z);
  free(low);
  free(high);
  free(u);
  free(rows);
}

/* Equal values get the mean of their ranks, and nothing leaves its cell. */
static void test_ranks(void) {
  double z[5] = {3.0, -1.0, 3.0, 0.0, 9.0}, u[5] = {0.0}, mean = 0.0, precision = 1.0;
  const double low[5] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, 2.0};
  const double high[5] = {INFINITY, INFINITY, INFINITY, INFINITY, 3.0};
  const int rows[5] = {0, 1, 2, 3, 4};
  placed_number room[10];
  const gibbs_column of = {z, 5, 1, 0, low, high, u, &mean, &precision};
  rank_rows(&of, rows, 5, room, 1);
  const double wanted[5] = {normal_quantile(0.6), normal_quantile(0.1), normal_quantile(0.6), normal_quantile(0.3),
                            2.0 + 1e-4};
  for (size_t i = 0; i < 5; i++) CHECK_NEAR(z[i], wanted[i], TOLERANCE_ROUNDING);
}

/* Many values, of which every third is equal to others, against counts; and the same on two threads. */
static void test_many_ranks(void) {
  enum { MANY = 20000, LOOKED = 40 };
  double *z = new_doubles(MANY), *old = new_doubles(MANY), *twin = new_doubles(MANY), *low = new_doubles(MANY);
  double *high = new_doubles(MANY), u = 0.5, mean = 0.0, precision = 1.0;
  int *rows = malloc(MANY * sizeof *rows);
  placed_number *room = malloc(2 * MANY * sizeof *room);
  if (!rows || !room) exit(2);
  normals(old, MANY, 96u);
  for (size_t i = 0; i < MANY; i++) {
    if (i % 3 == 0) old[i] = floor(2.0 * old[i]);
    low[i] = -INFINITY, high[i] = INFINITY, rows[i] = (int)i;
  }
  memcpy(z, old, MANY * sizeof(double));
  memcpy(twin, old, MANY * sizeof(double));
  gibbs_column of = {z, MANY, 1, 0, low, high, &u, &mean, &precision};
  rank_rows(&of, rows, MANY, room, 1);
  of.z = twin;
  rank_rows(&of, rows, MANY, room, 2);
  CHECK(!memcmp(z, twin, MANY * sizeof(double)), "ranks depend on the threads");
  for (size_t i = 0; i < LOOKED; i++) {
    double rank = 0.5;
    for (size_t a = 0; a < MANY; a++) rank += old[a] < old[i] ? 1.0 : old[a] == old[i] ? 0.5 : 0.0;
    CHECK_NEAR(z[i], normal_quantile((rank - 0.5) / MANY), TOLERANCE_ROUNDING);
  }
  free(z), free(old), free(twin), free(low), free(high), free(rows), free(room);
}

/* A NaN has a rank of its own, and the ranks come to an end. */
static void test_ranks_of_nan(void) {
  double z[3] = {NAN, 1.0, NAN}, u[3] = {0.0}, mean = 0.0, precision = 1.0;
  const double low[3] = {-INFINITY, -INFINITY, -INFINITY}, high[3] = {INFINITY, INFINITY, INFINITY};
  const int rows[3] = {0, 1, 2};
  placed_number room[6];
  const gibbs_column of = {z, 3, 1, 0, low, high, u, &mean, &precision};
  rank_rows(&of, rows, 3, room, 1);
  double sum = 0.0;
  for (size_t i = 0; i < 3; i++) sum += z[i];
  CHECK_NEAR(sum, 0.0, TOLERANCE_ROUNDING);
}

void test_settle(void) {
  test_quantiles();
  test_intervals();
  test_gibbs();
  test_ranks();
  test_many_ranks();
  test_ranks_of_nan();
}
