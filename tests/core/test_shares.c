/* Logistic regression at its optimum, weights of mixtures against their equations, calibrated means. */
#include "check.h"
#include "core/law/shares.h"

#define ROWS 200
#define COLUMNS 2
#define CLASSES 3

static double sum_of(const double *x, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += x[i];
  return sum;
}

/* At the optimum the gradient basis' (truth - shares) is 0, and shares of each row add up to 1. */
static void test_logistic(void) {
  double basis[ROWS * COLUMNS], along[COLUMNS * CLASSES], shares[ROWS * CLASSES];
  const double start[CLASSES] = {log(0.5), log(0.25), log(0.25)};
  int class_of[ROWS];
  normals(basis, ROWS, 3u);
  for (size_t i = 0; i < ROWS; i++) {
    class_of[i] = basis[i] > 0.3 ? (i % 4 == 0 ? 1 : 2) : (int)(i % 2);
    basis[i] /= sqrt((double)ROWS);
    basis[ROWS + i] = 1.0 / sqrt((double)ROWS);
  }
  const logistic of = {basis, start, class_of, ROWS, COLUMNS, CLASSES};
  double *workspace = new_doubles(logistic_workspace(&of));
  logistic_ascend(&of, 20000, 1e-13, along, shares, workspace);
  free(workspace);
  for (size_t k = 0; k < COLUMNS; k++) {
    for (size_t c = 0; c < CLASSES; c++) {
      double gradient = 0.0;
      for (size_t i = 0; i < ROWS; i++) {
        gradient += basis[k * ROWS + i] * ((class_of[i] == (int)c) - shares[c * ROWS + i]);
      }
      CHECK(fabs(gradient) < TOLERANCE_ASCENT, "the gradient of column %zu, class %zu is %g", k, c, gradient);
    }
  }
  for (size_t i = 0; i < ROWS; i++) {
    CHECK_NEAR(shares[i] + shares[ROWS + i] + shares[2 * ROWS + i], 1.0, TOLERANCE_ROUNDING);
  }
}

/* Two densities, each of which is far above the other on its own rows: the weights are the shares of the rows. */
static void test_weights(void) {
  double density[ROWS * 2], weights[2] = {0.5, 0.5}, room[ROWS + 8];
  for (size_t i = 0; i < ROWS; i++) {
    density[i] = i < 50 ? 1.0 : 1e-12;
    density[ROWS + i] = i < 50 ? 1e-12 : 1.0;
  }
  const mixed_densities of = {density, ROWS, 2};
  mixing_steps(&of, 20, weights, room);
  CHECK_NEAR(weights[0], 0.25, 1e-9);
  CHECK_NEAR(weights[1], 0.75, 1e-9);
}

/* Nearly equal densities: at the optimum the mean of density_k / mixture is 1 for each part with weight. */
static void test_rounds(void) {
  double density[ROWS * 2], weights[2] = {0.5, 0.5}, room[ROWS + 8], noise[ROWS];
  normals(noise, ROWS, 9u);
  for (size_t i = 0; i < ROWS; i++) {
    density[i] = exp(0.3 * noise[i]);
    density[ROWS + i] = exp(-0.3 * noise[i]);
  }
  const mixed_densities of = {density, ROWS, 2};
  mixing_rounds(&of, 200, 100.0, weights, room);
  CHECK_NEAR(sum_of(weights, 2), 1.0, TOLERANCE_ROUNDING);
  for (size_t k = 0; k < 2; k++) {
    double mean = 0.0;
    for (size_t i = 0; i < ROWS; i++) {
      mean += density[k * ROWS + i] / (weights[0] * density[i] + weights[1] * density[ROWS + i]) / ROWS;
    }
    CHECK(weights[k] < 1e-3 || fabs(mean - 1.0) < TOLERANCE_WEIGHTS, "part %zu has the mean ratio %g", k, mean);
  }
}

static void test_calibration(void) {
  double shares[ROWS * 2], factors[2], room[ROWS + 2], mean = 0.0;
  const double wanted[2] = {0.3, 0.7};
  normals(shares, ROWS, 4u);
  for (size_t i = 0; i < ROWS; i++) {
    shares[i] = 1.0 / (1.0 + exp(shares[i]));
    shares[ROWS + i] = 1.0 - shares[i];
  }
  const mixed_densities of = {shares, ROWS, 2};
  calibrate_shares(&of, wanted, 500, 1e-14, factors, room);
  for (size_t i = 0; i < ROWS; i++) {
    mean += factors[0] * shares[i] / (factors[0] * shares[i] + factors[1] * shares[ROWS + i]) / ROWS;
  }
  CHECK_NEAR(mean, 0.3, TOLERANCE_ROUNDING);
}

void test_shares(void) {
  test_logistic();
  test_weights();
  test_rounds();
  test_calibration();
}
