/* The layout of accumulators: sizes, what no pair leaves, where the sums go, alignment. */
#include "check.h"
#include "core/pair/sums.h"

enum { DIM = 3, LANES = 4 };

static sums_layout layout_with(rows_behind behind) {
  const sums_layout layout = {.dim = DIM, .lanes = LANES, .behind = behind};
  return layout;
}

static void test_sizes(void) {
  const sums_layout plain = layout_with(BEHIND_nothing), triangle = layout_with(BEHIND_triangle);
  const sums_layout logarithms = layout_with(BEHIND_logarithms);
  CHECK(sums_rows(&plain) == DIM + 4 && sums_size(&plain) == (DIM + 4) * LANES, "plain rows");
  CHECK(sums_rows(&triangle) == DIM + 4 + 6, "rows with a triangle");
  CHECK(sums_rows(&logarithms) == DIM + 6, "rows with logarithms");
}

static void test_no_pair(void) {
  const sums_layout layout = layout_with(BEHIND_logarithms);
  double *sums = new_doubles(sums_size(&layout));
  sums_clear(&layout, sums);
  for (size_t row = 0; row < sums_rows(&layout); row++) {
    const double wanted = row == DIM + EXTRA_nearest ? INFINITY : row == DIM + EXTRA_mantissa ? 1.0 : 0.0;
    for (size_t l = 0; l < LANES; l++) CHECK(sums[row * LANES + l] == wanted, "row %zu of no pair", row);
  }
  free(sums);
}

/* Row r of lane 2 holds r + 1. */
static void test_store(rows_behind behind, double s, double repulsion) {
  const sums_layout layout = layout_with(behind);
  double *sums = new_doubles(sums_size(&layout));
  for (size_t row = 0; row < sums_rows(&layout); row++) sums[row * LANES + 2] = (double)row + 1.0;
  double force[2 * DIM], weight[2], bound[2], energy[2], nearest[2], hessian[12];
  pair_sums out = {
      .force = force,
      .row_stride = 1,
      .column_stride = 2,
      .weight = weight,
      .bound = bound,
      .repulsion = energy,
      .nearest = nearest,
      .hessian = behind == BEHIND_triangle ? hessian : NULL,
  };
  sums_store(&layout, sums + 2, s, &out, 1);
  for (size_t c = 0; c < DIM; c++) CHECK(force[2 * c + 1] == (double)c + 1.0, "force %zu", c);
  CHECK(weight[1] == 4.0 && bound[1] == 5.0 && nearest[1] == 7.0, "extras are %g, %g, %g", weight[1], bound[1],
        nearest[1]);
  CHECK_NEAR(energy[1], repulsion, TOLERANCE_ROUNDING);
  for (size_t e = 0; out.hessian && e < 6; e++) CHECK(hessian[6 + e] == 8.0 + (double)e, "entry %zu", e);
  /* the same into row 0 of sums from row 1 on */
  for (size_t c = 0; c < 2 * DIM; c++) force[c] = 0.0;
  const pair_sums second = sums_from(&out, 1, DIM);
  sums_store(&layout, sums + 2, s, &second, 0);
  CHECK(force[1] == 1.0 && force[3] == 2.0 && force[0] == 0.0, "sums_from leads elsewhere");
  const pair_sums none = {.force = NULL};
  sums_store(&layout, sums + 2, s, &none, 0);
  free(sums);
}

static void test_alignment(void) {
  double room[40];
  for (size_t k = 0; k < 16; k++) {
    double *at = cache_aligned(room + k);
    CHECK((uintptr_t)at % 64 == 0 && at >= room + k && at < room + k + CACHE_ROOM, "place %zu", k);
  }
}

void test_sums(void) {
  test_sizes();
  test_no_pair();
  test_store(BEHIND_nothing, 2.0, 6.0 / 2.0);
  test_store(BEHIND_triangle, 0.0, -0.5 * 6.0);
  test_store(BEHIND_logarithms, 0.0, -0.5 * (6.0 + log(8.0) + 9.0 * log(2.0)));
  test_store(BEHIND_logarithms, -1.0, -6.0);
  test_alignment();
}
