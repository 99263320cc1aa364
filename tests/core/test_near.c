#include "check.h"
#include "core/pair/near.h"
#include "core/pair/riesz.h"
#include "core/pair/simd.h"

#define SOURCES ((size_t)41)
#define STRIDE (SOURCES + NEAR_PADDING)

/* w - T at the squared distance t, and its derivative. */
static double rest_at(const split_kernel *split, double t, double *slope) {
  const double u = t + split->kernel.epsilon, w = pow(u, -split->kernel.exponent), x = t - split->cut;
  double value = 0.0, change = 0.0;
  if (t >= split->cut) return *slope = 0.0;
  for (size_t k = GRID_MOST_TERMS; k-- > 0;) {
    change = change * x + value;
    value = value * x + split->term[k];
  }
  *slope = -split->kernel.exponent * w / u - change;
  return w - value;
}

static void reference(const double *y, const double *source, size_t dim, const near_run *run, size_t runs,
                      const split_kernel *split, double *sums) {
  memset(sums, 0, NEAR_MAX_ROWS * sizeof(double));
  for (size_t r = 0; r < runs; r++) {
    for (size_t a = run[r].from; a < run[r].to; a++) {
      double z[NEAR_MAX_DIM], t = 0.0, slope;
      for (size_t c = 0; c < dim; c++) z[c] = y[c] - source[c * STRIDE + a], t += z[c] * z[c];
      const double value = rest_at(split, t, &slope);
      double *entry = sums + dim + 1;
      for (size_t c = 0; c < dim; c++) {
        sums[c] += value * z[c];
        for (size_t e = 0; e <= c; e++) *entry++ += 2.0 * slope * z[c] * z[e];
      }
      sums[dim] += value;
    }
  }
}

/* Runs of 1, 7, 0 and 20 sources, on every instruction set. */
static void test_kernels(const char *set, size_t dim, double s, double radius) {
  const near_run run[] = {{0, 1}, {3, 10}, {12, 12}, {20, 40}};
  const pair_kernel kernel = riesz_kernel(s, 0.05);
  const split_kernel split = radius > 0.0 ? kernel_split(kernel, radius, 3) : kernel_unsplit(kernel);
  double source[NEAR_MAX_DIM * STRIDE], y[NEAR_MAX_DIM], wanted[NEAR_MAX_ROWS], sums[NEAR_MAX_ROWS];
  normals(source, NEAR_MAX_DIM * STRIDE, 320u);
  normals(y, NEAR_MAX_DIM, 321u);
  reference(y, source, dim, run, 4, &split, wanted);
  for (int mode = NEAR_force; mode < NEAR_modes; mode++) {
    near_kernel_for((near_mode)mode, kernel.kind, dim)(y, sums, source, STRIDE, run, 4, &split);
    const size_t rows = mode == NEAR_force ? dim + 1 : dim + 1 + dim * (dim + 1) / 2;
    for (size_t k = 0; k < rows; k++) {
      /* the sums over 28 sources cancel in part */
      CHECK(fabs(sums[k] - wanted[k]) <= 1e-10 * (1.0 + fabs(wanted[k])),
            "%s: dim %zu, s %g, row %zu is %.17g, not %.17g", set, dim, s, k, sums[k], wanted[k]);
    }
  }
}

/* The potential has the slope w/2 on both sides of the cut, and no jump there. */
static void test_split(double s) {
  const split_kernel split = kernel_split(riesz_kernel(s, 0.1), 0.8, 3);
  const double h = 1e-5;
  for (double t = 0.02; t < 2.0; t += 0.0799) {
    double slope;
    const double w = kernel_weight(&split.kernel, t + 0.1) - rest_at(&split, t, &slope);
    const double by_difference = (split_potential(&split, t + h) - split_potential(&split, t - h)) / h;
    CHECK(fabs(w - by_difference) <= TOLERANCE_DIFFERENCE * (1.0 + fabs(w)), "s %g: the slope at %g is %g, not %g", s,
          t, by_difference, w);
  }
}

void test_near(void) {
  const char *names[8], *before = simd_current()->name;
  const size_t sets = simd_available(names, 8);
  const double s[] = {-1.0, 0.0, 0.5, 1.0, 2.0};
  for (size_t k = 0; k < 5; k++) {
    test_split(s[k]);
    for (size_t set = 0; set < sets; set++) {
      simd_select(names[set]);
      for (size_t dim = 1; dim <= NEAR_MAX_DIM; dim++) {
        test_kernels(names[set], dim, s[k], 1.1);
        test_kernels(names[set], dim, s[k], 0.0);
      }
    }
  }
  simd_select(before);
}
