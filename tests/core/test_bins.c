/* Cells of numbers, and cuts that respect them. */
#include "check.h"
#include "core/law/bins.h"

#define ROWS 500
#define MOST ((size_t)63)

static void test_cells(void) {
  const double low[] = {-INFINITY, 0.0, 1.0}, high[] = {-1.0, 0.5, INFINITY}, mean[] = {-2.0, 0.2, 1.5};
  const cell_list cells = {low, high, mean, 3};
  CHECK(cell_of(&cells, -1.0) == 1 && cell_of(&cells, -0.5) == 0 && cell_of(&cells, 0.0) == 0, "ends of cells");
  CHECK(cell_of(&cells, 0.5) == 2 && cell_of(&cells, 0.6) == 0 && cell_of(&cells, 9.0) == 3, "cells further up");
}

/* No cut within a cell; equal shares of the rows between cuts; bins count the cuts below. */
static void test_cuts(void) {
  double z[ROWS], settled[ROWS], cuts[MOST];
  const double low = 0.0, high = 0.4, mean = 0.15;
  const cell_list cells = {&low, &high, &mean, 1};
  int cell[ROWS];
  unsigned char bin[ROWS];
  ends room[ROWS];
  normals(z, ROWS, 5u);
  const size_t count = find_bins(z, ROWS, &cells, MOST, cell, settled, cuts, bin, room);
  CHECK(count > 40 && count <= MOST, "%zu cuts", count);
  for (size_t k = 0; k < count; k++) {
    CHECK(cuts[k] <= low || cuts[k] >= high, "a cut within a cell: %g", cuts[k]);
    CHECK(k == 0 || cuts[k - 1] < cuts[k], "cuts do not increase");
  }
  size_t rows[MOST + 1] = {0};
  for (size_t i = 0; i < ROWS; i++) {
    size_t below = 0;
    for (size_t k = 0; k < count; k++) below += cuts[k] < z[i];
    CHECK(bin[i] == below, "row %zu is in bin %d, not %zu", i, bin[i], below);
    CHECK(cell[i] == (z[i] > low && z[i] <= high), "row %zu is in cell %d", i, cell[i]);
    CHECK(settled[i] == (cell[i] ? mean : z[i]), "row %zu is settled at %g", i, settled[i]);
    if (!cell[i]) rows[below]++;
  }
  for (size_t k = 0; k <= count; k++) CHECK(rows[k] <= 2 * ROWS / MOST, "bin %zu has %zu rows", k, rows[k]);
  CHECK(find_bins(z, ROWS, &cells, 0, cell, settled, cuts, bin, room) == 0 && bin[7] == 0, "cuts without cuts");
}

void test_bins(void) {
  test_cells();
  test_cuts();
}
