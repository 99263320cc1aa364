/* Weighted moments against sums by hand, and the same bits on two threads. */
#include "check.h"
#include "core/law/moments.h"

#define ROWS 5000
#define DIM 3
#define SETS 5
#define TRIANGLE (DIM * (DIM + 1) / 2)

static void test_by_hand(void) {
  const double points[] = {0.0, 0.0, 2.0, 0.0, 2.0, 4.0};
  const double weights[] = {1.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0};
  double means[6], scatters[9], *workspace = new_doubles(moments_workspace(3, 2, 3, 1));
  weighted_moments(points, 3, 2, weights, 3, means, scatters, workspace, 1);
  const double mean_wanted[] = {1.5, 2.0, 0.0, 0.0, 2.0, 0.0},
               wanted[] = {3.0, 4.0, 16.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
  for (size_t i = 0; i < 6; i++) CHECK_NEAR(means[i], mean_wanted[i], TOLERANCE_ROUNDING);
  for (size_t i = 0; i < 9; i++) CHECK_NEAR(scatters[i], wanted[i], TOLERANCE_ROUNDING);
  free(workspace);
}

/* Several parts, the last rows of each not a whole block; enough work for a second thread. */
static void test_many_rows(void) {
  double *cloud = new_doubles(ROWS * DIM), *shares = new_doubles(ROWS * SETS),
         *room = new_doubles(moments_workspace(ROWS, DIM, SETS, 2));
  for (size_t i = 0; i < ROWS * DIM; i++) cloud[i] = 3.0 + sin(1.7 * (double)i);
  for (size_t i = 0; i < ROWS * SETS; i++) shares[i] = 1.0 + cos(0.3 * (double)i);
  double one[SETS * (DIM + TRIANGLE)], two[SETS * (DIM + TRIANGLE)];
  weighted_moments(cloud, ROWS, DIM, shares, SETS, one, one + SETS * DIM, room, 1);
  weighted_moments(cloud, ROWS, DIM, shares, SETS, two, two + SETS * DIM, room, 2);
  CHECK(memcmp(one, two, sizeof one) == 0, "moments differ between one thread and two");
  const double *weight = shares + 3 * ROWS;
  double total = 0.0, sum[2] = {0.0, 0.0}, product = 0.0;
  for (size_t i = 0; i < ROWS; i++) {
    total += weight[i];
    for (size_t c = 0; c < 2; c++) sum[c] += weight[i] * cloud[i * DIM + c];
  }
  for (size_t i = 0; i < ROWS; i++) {
    product += weight[i] * (cloud[i * DIM] - sum[0] / total) * (cloud[i * DIM + 1] - sum[1] / total);
  }
  CHECK_NEAR(one[3 * DIM + 1], sum[1] / total, TOLERANCE_ROUNDING);
  /* sums of 5000 terms */
  CHECK_NEAR(one[SETS * DIM + 3 * TRIANGLE + 1], product, 100.0 * TOLERANCE_ROUNDING);
  free(cloud);
  free(shares);
  free(room);
}

void test_moments(void) {
  test_by_hand();
  test_many_rows();
}
