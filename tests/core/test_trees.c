/* A split that is plain to see, what leaves keep, and the densities and draws that are made of them. */
#include "check.h"
#include "core/law/forest.h"
#include "core/law/trees.h"

#define ROWS 400
#define FEATURES 2
#define TREES 3

typedef struct {
  unsigned char bin[ROWS * FEATURES];
  double response[ROWS];
  int order[ROWS], cell[ROWS], bag[ROWS];
} rows_of_test;

/* The response is 0 or 10 as the second feature says, plus a little that increases with the row. */
static tree_sample make_sample(rows_of_test *rows, size_t min_leaf) {
  for (size_t i = 0; i < ROWS; i++) {
    rows->bin[i] = (unsigned char)(i * 7 % MOST_BINS);
    rows->bin[ROWS + i] = i < ROWS / 4 ? 3 : 9;
    rows->response[i] = (i < ROWS / 4 ? 0.0 : 10.0) + 1e-3 * (double)i;
    rows->order[i] = (int)i;
    rows->cell[i] = 0;
    rows->bag[i] = i % 2 ? 2 : 1;
  }
  const tree_sample sample = {.n = ROWS,
                              .features = FEATURES,
                              .bin = rows->bin,
                              .response = rows->response,
                              .order = rows->order,
                              .cell = rows->cell,
                              .min_leaf = min_leaf,
                              .most_rows = 10};
  return sample;
}

#define SIZE (ROWS * 3 / 2)

typedef struct {
  int feature[2 * SIZE + 2], bin[2 * SIZE + 2], first[2 * SIZE + 2], members[5 * SIZE + 3];
  grown_tree tree;
} tree_of_test;

static void grow(const tree_sample *sample, const int *bag, tree_of_test *of) {
  of->tree = (grown_tree){.feature = of->feature, .bin = of->bin, .first = of->first, .members = of->members};
  int *integers = malloc(tree_integers(SIZE, sample->min_leaf) * sizeof(int));
  double *numbers = new_doubles(SIZE);
  grow_tree(sample, bag, SIZE, &of->tree, integers, numbers);
  free(integers);
  free(numbers);
}

static void test_plain_split(void) {
  static rows_of_test rows;
  static tree_of_test of;
  const tree_sample sample = make_sample(&rows, SIZE / 4);
  grow(&sample, rows.bag, &of);
  CHECK(of.feature[0] == 1 && of.bin[0] == 3 && of.feature[1] < 0, "the first split is not the plain one");
  const int *left = of.members + of.first[1];
  CHECK(left[LEAF_KEPT] == 10 && left[LEAF_LIGHT] == SIZE / 4 && left[LEAF_CELLS] == 0, "the left leaf is wrong");
  for (int k = 0; k < 10; k++) { /* of 150 rows drawn, in order, those at 7, 22, 37, ...: three for two rows */
    const int place = (2 * k + 1) * 150 / 20, row = 2 * (place / 3) + (place % 3 > 0);
    CHECK(left[LEAF_HEADER + k] == row, "row %d is kept, not %d", left[LEAF_HEADER + k], row);
  }
}

/* Grown to the end: each row of the bag is in the leaf that its bins lead to, and in no other. */
static void test_grown(void) {
  static rows_of_test rows;
  static tree_of_test of;
  tree_sample sample = make_sample(&rows, 3);
  for (size_t i = 0; i < ROWS; i += 5) rows.cell[i] = 1 + (int)(i % 3);
  grow(&sample, rows.bag, &of);
  size_t total = 0, leaves = 0;
  int right = 1, large = 1;
  for (size_t node = 0; node < of.tree.nodes; node++) {
    if (of.feature[node] >= 0) continue;
    const int *header = of.members + of.first[node], *pair = header + LEAF_HEADER + header[LEAF_KEPT];
    size_t size = (size_t)header[LEAF_LIGHT];
    for (int c = 0; c < header[LEAF_CELLS]; c++) size += (size_t)pair[2 * c + 1];
    for (int k = 0; k < header[LEAF_KEPT]; k++) {
      const size_t row = (size_t)header[LEAF_HEADER + k];
      size_t at = 0;
      while (of.feature[at] >= 0) {
        at = (size_t)of.first[at] + (rows.bin[row + (size_t)of.feature[at] * ROWS] <= of.bin[at] ? 0 : 1);
      }
      if (at != node || rows.cell[row] != 0) right = 0;
    }
    if (size < 3) large = 0;
    total += size;
    leaves++;
  }
  CHECK(right, "a row is in a leaf of others");
  CHECK(large && total == SIZE, "leaves have %d rows, not %d, or too few each", (int)total, SIZE);
  CHECK(of.tree.nodes == 2 * leaves - 1 && leaves > 20, "there are %d leaves", (int)leaves);
}

/* One split at 0.5 of the first feature: rows 0 and 1 on the left; row 2, and cell 1 three times, on the right. */
static const int root[TREES] = {0, 0, 1}, node[] = {0, 1, -1, 0, -1, 5};
static const int members[] = {2, 2, 0, 0, 1, 1, 1, 1, 2, 1, 3};
static const double cut[] = {0.5, 0.0, 0.0}, response[] = {0.0, 1.0, 5.0};
static const double cells[] = {-INFINITY, 0.0, -INFINITY, INFINITY};

static forest_view make_forest(const double *points, size_t n) {
  const forest_view of = {
      .trees =
          {.trees = TREES, .nodes = 3, .n_members = 11, .root = root, .node = node, .members = members, .cut = cut},
      .points = points,
      .response = response,
      .cells = cells,
      .n = n,
      .n_cells = 2};
  return of;
}

static double bell(double u, double h) {
  return exp(-0.5 * u * u / (h * h)) / (h * sqrt(2.0 * acos(-1.0)));
}

static void test_density(void) {
  const double points[] = {0.5, 0.6}, at[] = {0.3, 5.2}, inside[] = {0.0, 0.7};
  const int cell[] = {0, 1}, bag[] = {0, 0, 1, 0, 0, 1};
  const forest_view of = make_forest(points, 2);
  leaf_query query = {.at = at, .cell = cell, .inside = inside, .width = 0.4, .widths = 3};
  double out[6];
  forest_density(&of, &query, 0, 2, out, 1);
  for (size_t w = 0; w < 3; w++) {
    const double h = 0.4 * pow(0.5, 0.5 * (double)w);
    const double left = 0.5 * (bell(0.3, h) + bell(0.7, h)), right = 0.25 * bell(0.2, h) + 0.75 * 0.7;
    CHECK_NEAR(out[2 * w], left, TOLERANCE_ROUNDING); /* the third tree begins at the left leaf */
    const double other = 0.5 * (bell(5.2, h) + bell(4.2, h));
    CHECK_NEAR(out[2 * w + 1], (2.0 * right + other) / 3.0, TOLERANCE_ROUNDING);
  }
  query.bag = bag;
  query.widths = 1;
  forest_density(&of, &query, 1, 1, out, 2);
  CHECK_NEAR(out[0], 0.25 * bell(0.2, 0.4) + 0.75 * 0.7, TOLERANCE_ROUNDING);
}

static double below(double z) {
  return 0.5 * erfc(-z * sqrt(0.5));
}

static void test_pick(void) {
  enum { N = 20000 };
  double *points = new_doubles(N), *shift = new_doubles(N), *low = new_doubles(N), *high = new_doubles(N);
  double *mass = new_doubles(2 * N);
  int *pick = malloc(2 * N * sizeof(int));
  for (size_t i = 0; i < N; i++) {
    points[i] = 2.0;
    shift[i] = -5.0;
    low[i] = i % 2 ? -1.0 : -INFINITY;
    high[i] = i % 2 ? 0.5 : INFINITY;
  }
  low[3] = high[3] = -0.25;
  const forest_view of = make_forest(points, N);
  const pick_query query = {.shift = shift, .low = low, .high = high, .width = 0.5, .backoff = 0.2, .wide = 0.1,
                            .middle = 5.5, .spread = 2.0, .centre = 0.0, .scale = 1.0, .key = {{1u, 2u}}, .stream = 4};
  forest_pick(&of, &query, 0, N, pick, mass, 2);
  forest_pick(&of, &query, 7, N - 7, pick + N, mass + N, 1);
  CHECK(memcmp(pick + 7, pick + N, (N - 7) * sizeof(int)) == 0, "a draw depends on the block or on threads");
  /* the first two trees lead to the right leaf, the third to the left one; row 2 has the mean 0 */
  const double box = below(0.5) - below(-1.0), third = 0.9 * 0.8 / 3.0;
  const double row = below(1.0) - below(-2.0), back = below(0.0) - below(-0.75);
  const double in_cell = (below(0.0) - below(-1.0)) / 0.5;
  const double left = 0.5 * (below((0.5 + 5.0) / 0.5) - below((-1.0 + 5.0) / 0.5) + below(9.0) - below(6.0));
  const double all = 0.1 * box + 0.18 * back + third * (2.0 * (0.25 * row + 0.75 * in_cell) + left);
  CHECK_NEAR(exp(mass[1]), all, TOLERANCE_ROUNDING);
  CHECK(mass[0] == 0.0, "a point without a box has log-mass %g", mass[0]);
  const double near_left = 0.5 * (bell(4.75, 0.5) + bell(3.75, 0.5));
  CHECK_NEAR(exp(mass[3]), 0.1 * bell(0.25, 1.0) + 0.18 * bell(0.75, 2.0) +
             third * (2.0 * (0.25 * bell(0.25, 0.5) + 0.75 * bell(0.25, 1.0) / 0.5) + near_left), TOLERANCE_ROUNDING);
  double share[2] = {0.0, 0.0};
  for (size_t i = 0; i < N; i++) share[i % 2] += pick[i] == -1 ? 2.0 / N : 0.0;
  const double free_share = third * 1.5, box_share = third * 1.5 * in_cell / all;
  const double error = STANDARD_ERRORS * sqrt(0.25 / (N / 2));
  CHECK(fabs(share[0] - free_share) < error, "the cell is drawn %g, not %g", share[0], free_share);
  CHECK(fabs(share[1] - box_share) < error, "in the box the cell is drawn %g, not %g", share[1], box_share);
  free(points);
  free(shift);
  free(low);
  free(high);
  free(mass);
  free(pick);
}

static void test_sound(void) {
  const double points[] = {0.0};
  forest of = make_forest(points, 1).trees;
  CHECK(roots_sound(&of) && nodes_sound(&of, 1, 3, 1), "the forest is refused");
  CHECK(!nodes_sound(&of, 0, 3, 1) && !nodes_sound(&of, 1, 2, 1) && !nodes_sound(&of, 1, 3, 0),
        "a feature, a row or a cell beyond its number is accepted");
  const int circle[] = {0, 0, -1, 0, -1, 5}, beyond[] = {0, 1, -1, 0, -1, 9};
  of.node = circle;
  CHECK(!nodes_sound(&of, 1, 3, 1), "a circle is accepted");
  of.node = beyond;
  CHECK(!nodes_sound(&of, 1, 3, 1), "a leaf beyond the members is accepted");
  const int far[] = {0, 3, 0};
  of.root = far;
  CHECK(!roots_sound(&of), "a root beyond the nodes is accepted");
}

void test_trees(void) {
  test_plain_split();
  test_grown();
  test_density();
  test_pick();
  test_sound();
}
