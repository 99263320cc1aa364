/* Weighted moments against sums by hand, and the same bits on two threads. */
#include "check.h"
#include "core/moments.h"

#define ROWS 400
#define DIM 3

void test_moments(void) {
  const double points[] = {0.0, 0.0, 2.0, 0.0, 2.0, 4.0};
  const double weights[] = {1.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0};
  double means[6], scatters[9], workspace[2 * DIM];
  weighted_moments(points, 3, 2, weights, 3, means, scatters, workspace, 1);
  const double mean_wanted[] = {1.5, 2.0, 0.0, 0.0, 2.0, 0.0}, wanted[] = {3.0, 4.0, 16.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
  for (size_t i = 0; i < 6; i++) CHECK_NEAR(means[i], mean_wanted[i], TOLERANCE_ROUNDING);
  for (size_t i = 0; i < 9; i++) CHECK_NEAR(scatters[i], wanted[i], TOLERANCE_ROUNDING);

  static double cloud[ROWS * DIM], shares[ROWS * 5];
  for (size_t i = 0; i < ROWS * DIM; i++) cloud[i] = sin(1.7 * (double)i);
  for (size_t i = 0; i < ROWS * 5; i++) shares[i] = 1.0 + cos(0.3 * (double)i);
  double one[5 * (DIM + DIM * (DIM + 1) / 2)], two[5 * (DIM + DIM * (DIM + 1) / 2)];
  weighted_moments(cloud, ROWS, DIM, shares, 5, one, one + 5 * DIM, workspace, 1);
  weighted_moments(cloud, ROWS, DIM, shares, 5, two, two + 5 * DIM, workspace, 2);
  CHECK(memcmp(one, two, sizeof one) == 0, "moments differ between one thread and two");
}
