/* Sums of exponentials by hand, and where a plain sum would overflow or vanish. */
#include "check.h"
#include "core/base/exponentials.h"

void test_exponentials(void) {
  const double few[] = {log(1.0), log(2.0), log(5.0)};
  CHECK_NEAR(log_sum_exp(few, 3), log(8.0), TOLERANCE_ROUNDING);
  CHECK_NEAR(log_mean_exp(few, 3), log(8.0 / 3.0), TOLERANCE_ROUNDING);
  for (double shift = -1e6; shift <= 1e6; shift += 1e6) {
    const double far[] = {shift + log(1.0), shift + log(3.0), shift - 100.0};
    CHECK_NEAR(log_sum_exp(far, 3), shift + log(4.0), 1e-9);
    CHECK_NEAR(log_mean_exp(far, 2), shift + log(2.0), 1e-9);
  }
  const double nothing[] = {-INFINITY, -INFINITY};
  CHECK(log_sum_exp(nothing, 2) == -INFINITY && log_mean_exp(nothing, 2) == -INFINITY, "a sum of nothing");
  CHECK(log_sum_exp(nothing, 0) == -INFINITY, "an empty sum");
  double shares[] = {-800.0 + log(1.0), 7.0, -800.0 + log(3.0), 7.0};
  const double total = log_to_shares(shares, 2, 2);
  CHECK_NEAR(total, -800.0 + log(4.0), TOLERANCE_ROUNDING);
  CHECK_NEAR(shares[0], 0.25, 1e-12);
  CHECK_NEAR(shares[2], 0.75, 1e-12);
  CHECK(shares[1] == 7.0 && shares[3] == 7.0, "numbers between the strides changed");
}
