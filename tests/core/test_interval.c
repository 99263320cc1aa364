/* Masses and quantiles of normal and t intervals against closed forms and integrals. */
#include "check.h"
#include "core/law/interval.h"

static tailed law_of(double df) {
  const tailed law = {.df = df, .half_step = t_half_step(df)};
  return law;
}

/* y of x */
static double to_y(tailed law, double x) {
  return isinf(law.df) ? x : asinh(x / sqrt(law.df));
}

static double mass(double df, double low, double high) {
  const tailed law = law_of(df);
  return open_interval(law, to_y(law, low), to_y(law, high)).log_mass;
}

static double upper_of_cauchy(double x) {
  return atan2(1.0, x) / acos(-1.0);
}

static void test_known(void) {
  /* the .975 quantile of the normal law, and its tails at 8 and at 40 (the latter by Abramowitz and Stegun 26.2.12) */
  CHECK_NEAR(mass(INFINITY, -1.959963984540054, 1.959963984540054), log(0.95), TOLERANCE_ROUNDING);
  CHECK_NEAR(mass(INFINITY, 8.0, INFINITY), log(6.220960574271786e-16), TOLERANCE_ROUNDING);
  CHECK_NEAR(mass(INFINITY, -INFINITY, -40.0), -804.60844201, 1e-9);
  CHECK_NEAR(mass(INFINITY, -INFINITY, INFINITY), 0.0, TOLERANCE_ROUNDING);
  /* t with one and with two degrees of freedom in closed form */
  const double at[] = {0.01, 0.7, 1.5, 3.0, 40.0, 1e5};
  for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
    const double x = at[i];
    CHECK_NEAR(mass(1.0, x, INFINITY), log(upper_of_cauchy(x)), TOLERANCE_ROUNDING);
    /* 1/2 - x / (2 sqrt(2 + x^2)), without the difference */
    const double root = sqrt(2.0 + x * x);
    CHECK_NEAR(mass(2.0, -INFINITY, -x), -log(root * (root + x)), TOLERANCE_ROUNDING);
    CHECK_NEAR(mass(2.0, -x, x), log(x / root), TOLERANCE_ROUNDING);
  }
  /* many degrees of freedom: nearly normal */
  CHECK_NEAR(mass(1e9, 1.0, 2.0), mass(INFINITY, 1.0, 2.0), 1e-7);
  double step = t_half_step(3.0);
  CHECK_NEAR(step, log(2.0 / sqrt(acos(-1.0))), TOLERANCE_ROUNDING);
  for (double df = 3.0; df < 1500.0; df += 1.0) step = next_half_step(df, step);
  CHECK_NEAR(step, t_half_step(1500.0), 10.0 * TOLERANCE_ROUNDING);
}

/* The parts of an interval make up the whole, wherever they are. */
static void test_parts(void) {
  const double dfs[] = {0.5, 1.0, 4.0, 80.0, 3000.0, INFINITY};
  const double edges[] = {-50.0, -8.0, -1.0, -1e-3, 0.0, 1e-5, 2.0, 9.0, 31.0, 32.0};
  enum { EDGES = sizeof edges / sizeof *edges };
  for (size_t i = 0; i < sizeof dfs / sizeof *dfs; i++) {
    for (size_t a = 0; a + 2 < EDGES; a++) {
      for (size_t c = a + 2; c < EDGES; c++) {
        double most = -INFINITY, sum = 0.0;
        for (size_t b = a; b < c; b++) most = fmax(most, mass(dfs[i], edges[b], edges[b + 1]));
        for (size_t b = a; b < c; b++) sum += exp(mass(dfs[i], edges[b], edges[b + 1]) - most);
        const double whole = mass(dfs[i], edges[a], edges[c]);
        CHECK(fabs(most + log(sum) - whole) < 1e-9, "df %g, %g to %g: %.17g, not %.17g", dfs[i], edges[a], edges[c],
              most + log(sum), whole);
      }
    }
  }
}

/* The mass below the u-quantile is u times all. */
static void test_quantiles(void) {
  const double dfs[] = {0.5, 1.0, 4.0, 80.0, INFINITY};
  const double lows[] = {-INFINITY, -9.0, -1.0, 0.0, 0.5, 8.0, 35.0, 1e4};
  const double widths[] = {1e-6, 1e-2, 1.0, 20.0, INFINITY};
  const double us[] = {1e-10, 0.03, 0.5, 0.8, 1.0 - 1e-6};
  for (size_t i = 0; i < 5 * 8 * 5 * 5; i++) {
    const tailed law = law_of(dfs[i % 5]);
    const double low = lows[i / 5 % 8], u = us[i / 200];
    const double high = isinf(low) ? -2.0 : low + widths[i / 40 % 5];
    const interval of = open_interval(law, to_y(law, low), to_y(law, high));
    const double y = interval_quantile(&of, u);
    CHECK(y >= of.low - 1e-15 * fabs(of.low) && y <= of.high, "a quantile is outside its interval");
    if (!(y > of.low)) continue;
    const double share = exp(open_interval(law, of.low, y).log_mass - of.log_mass);
    /* u is known to the rounding of 1, because it is taken from both sides; y - low has the rounding of y */
    const double error = 1e-7 + 1e-15 / u + 1e-15 * fabs(y) / (y - of.low);
    CHECK(fabs(share / u - 1.0) < error, "df %g, from %g, width %g: share %.12g, not %.12g", law.df, low, high - low,
          share, u);
  }
}

void test_interval(void) {
  test_known();
  test_parts();
  test_quantiles();
}
