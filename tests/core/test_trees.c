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
  int order[ROWS], class_of[ROWS], bag[ROWS];
  double expected[2 * ROWS];
} rows_of_test;

/* The response is 0 or 10 as the second feature says, plus a little that increases with the row. */
static tree_sample make_sample(rows_of_test *rows, size_t min_leaf) {
  for (size_t i = 0; i < ROWS; i++) {
    rows->bin[i] = (unsigned char)(i * 7 % MOST_BINS);
    rows->bin[ROWS + i] = i < ROWS / 4 ? 3 : 9;
    rows->response[i] = (i < ROWS / 4 ? 0.0 : 10.0) + 1e-3 * (double)i;
    rows->order[i] = (int)i;
    rows->bag[i] = i % 2 ? 2 : 1;
  }
  const tree_sample sample = {.n = ROWS,
                              .features = FEATURES,
                              .bin = rows->bin,
                              .response = rows->response,
                              .order = rows->order,
                              .responses = 1,
                              .min_leaf = min_leaf,
                              .most_rows = 10};
  return sample;
}

#define SIZE (ROWS * 3 / 2)

typedef struct {
  int feature[2 * SIZE + 2], bin[2 * SIZE + 2], first[2 * SIZE + 2], members[2 * SIZE + 1], counts[2 * SIZE + 2];
  double sums[2 * SIZE + 2];
  grown_tree tree;
} tree_of_test;

static void grow(const tree_sample *sample, const int *bag, tree_of_test *of) {
  of->tree = (grown_tree){.feature = of->feature, .bin = of->bin, .first = of->first, .members = of->members,
                          .counts = of->counts, .sums = of->sums};
  int *integers = malloc(tree_integers(SIZE, sample->min_leaf) * sizeof(int));
  double *numbers = new_doubles(SIZE * MOST_RESPONSES);
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
  CHECK(left[0] == 10, "the left leaf is wrong");
  for (int k = 0; k < 10; k++) { /* of 150 rows drawn, in order, those at 7, 22, 37, ...: three for two rows */
    const int place = (2 * k + 1) * 150 / 20, row = 2 * (place / 3) + (place % 3 > 0);
    CHECK(left[1 + k] == row, "row %d is kept, not %d", left[1 + k], row);
  }
}

/* Grown to the end: each row of the bag is in the leaf that its bins lead to, and in no other. */
static void test_grown(void) {
  static rows_of_test rows;
  static tree_of_test of;
  tree_sample sample = make_sample(&rows, 3);
  sample.most_rows = SIZE;
  grow(&sample, rows.bag, &of);
  size_t total = 0, leaves = 0;
  int right = 1, large = 1;
  for (size_t node = 0; node < of.tree.nodes; node++) {
    if (of.feature[node] >= 0) continue;
    const int *list = of.members + of.first[node];
    for (int k = 1; k <= list[0]; k++) {
      size_t at = 0;
      while (of.feature[at] >= 0) {
        at = (size_t)of.first[at] +
             (rows.bin[(size_t)list[k] + (size_t)of.feature[at] * ROWS] <= of.bin[at] ? 0 : 1);
      }
      if (at != node) right = 0;
    }
    if (list[0] < 3) large = 0;
    total += (size_t)list[0];
    leaves++;
  }
  CHECK(right, "a row is in a leaf of others");
  CHECK(large && total == SIZE, "leaves have %d rows, not %d, or too few each", (int)total, SIZE);
  CHECK(of.tree.nodes == 2 * leaves - 1 && leaves == of.tree.leaves && leaves > 20, "there are %d leaves", (int)leaves);
}

/* Two responses: the second one tells the split, and the leaves sum up classes and what is expected. */
static void test_classes(void) {
  static rows_of_test rows;
  static tree_of_test of;
  double *response = new_doubles(2 * ROWS);
  tree_sample sample = make_sample(&rows, SIZE / 4);
  for (size_t i = 0; i < ROWS; i++) {
    response[i] = i % 2 ? 0.1 : -0.1;
    response[ROWS + i] = i < ROWS / 4 ? -1.0 : 2.0;
    rows.class_of[i] = i % 3 == 0;
    rows.expected[i] = 0.25;
    rows.expected[ROWS + i] = 0.75;
  }
  sample.response = response;
  sample.responses = 2;
  sample.most_rows = 0;
  sample.classes = 2;
  sample.class_of = rows.class_of;
  sample.expected = rows.expected;
  grow(&sample, rows.bag, &of);
  CHECK(of.feature[0] == 1 && of.bin[0] == 3 && of.first[1] == 0, "the split is not the plain one");
  int ones = 0;
  for (size_t i = 0; i < ROWS / 4; i++) ones += rows.class_of[i] * rows.bag[i];
  CHECK(of.counts[1] == ones && of.counts[0] == SIZE / 4 - ones, "class 1 has %d rows, not %d", of.counts[1], ones);
  CHECK_NEAR(of.sums[0], 0.25 * SIZE / 4, TOLERANCE_ROUNDING);
  CHECK_NEAR(of.sums[1], 0.75 * SIZE / 4, TOLERANCE_ROUNDING);
  free(response);
}

/* One split at 0.5 of the first feature: rows 0 and 1 left, row 2 right. The third tree is its left leaf. */
static const int root[TREES] = {0, 0, 1}, node[] = {0, 1, -1, 0, -1, 3}, members[] = {2, 0, 1, 1, 2};
static const double cut[] = {0.5, 0.0, 0.0}, response[] = {0.0, 1.0, 5.0};
static const double gap[] = {-INFINITY, -4.5, -4.5, INFINITY, -0.5, 2.0};
static const double pooled = 0.5;

static value_forest make_forest(const double *points, size_t n) {
  const value_forest of = {.trees = {.trees = TREES, .nodes = 3, .root = root, .node = node, .cut = cut},
                           .members = members,
                           .points = points,
                           .response = response,
                           .n = n,
                           .pooled = pooled};
  return of;
}

static double bell(double u, double h) {
  return exp(-0.5 * u * u / (h * h)) / (h * sqrt(2.0 * acos(-1.0)));
}

static double below(double z) {
  return 0.5 * erfc(-z * sqrt(0.5));
}

/* Kernels of the left leaf, mean 0.5 and variance (2 * 0.25 + pooled) / 2, and of the right one, mean 5 and variance
 * pooled. */
static double left_mean(int row, double w) {
  return 0.5 + (row ? 0.5 : -0.5) / sqrt(1.0 + w * w);
}
static double kernel_sd(double variance, double w) {
  return sqrt(variance * w * w / (1.0 + w * w));
}

static void test_density(void) {
  const double points[] = {0.5, 0.6}, z[] = {1.3, 6.2}, shift[] = {1.0, 1.0}, width[] = {0.4, 2.0};
  const int bag[] = {0, 0, 1, 0, 0, 1};
  value_forest of = make_forest(points, 2);
  leaf_query query = {.z = z, .shift = shift, .width = width, .widths = 2};
  double out[4];
  forest_density(&of, &query, 0, 2, out, 1);
  for (size_t w = 0; w < 2; w++) {
    const double h = width[w], sd = kernel_sd(0.5 * (0.5 + pooled), h);
    const double left = 0.5 * (bell(0.3 - left_mean(0, h), sd) + bell(0.3 - left_mean(1, h), sd));
    CHECK_NEAR(out[2 * w], left, TOLERANCE_ROUNDING);
    const double other = 0.5 * (bell(5.2 - left_mean(0, h), sd) + bell(5.2 - left_mean(1, h), sd));
    CHECK_NEAR(out[2 * w + 1], (2.0 * bell(0.2, kernel_sd(pooled, h)) + other) / 3.0, TOLERANCE_ROUNDING);
  }
  query.bag = bag;
  query.widths = 1;
  forest_density(&of, &query, 1, 1, out, 2);
  CHECK_NEAR(out[0], bell(0.2, kernel_sd(pooled, 0.4)), TOLERANCE_ROUNDING);
  /* row 2 has the gap (-0.5, 2), so its mean is moved to 2, and the point 6.2 is outside */
  of.gap = gap;
  forest_density(&of, &query, 1, 1, out, 1);
  CHECK(out[0] == 0.0, "a kernel leaves its gap");
  const double inside[] = {0.0, 1.5};
  query.z = inside;
  forest_density(&of, &query, 1, 1, out, 1);
  const double sd = kernel_sd(pooled, 0.4);
  CHECK_NEAR(out[0], bell(0.5, sd) / (0.5 - below(-2.5 / sd)), TOLERANCE_TAIL);
}

static void test_pick(void) {
  enum { N = 20000 };
  double *points = new_doubles(N), *shift = new_doubles(N), *low = new_doubles(N), *high = new_doubles(N);
  picked *out = malloc(2 * N * sizeof(picked));
  for (size_t i = 0; i < N; i++) {
    points[i] = 2.0;
    shift[i] = -5.0;
    low[i] = i % 2 ? -1.0 : -INFINITY;
    high[i] = i % 2 ? 0.5 : INFINITY;
  }
  low[3] = high[3] = -0.25;
  value_forest of = make_forest(points, N);
  const pick_query query = {.shift = shift, .low = low, .high = high, .width = 0.5, .key = {{1u, 2u}}, .stream = 4};
  forest_pick(&of, &query, 0, N, out, 2);
  forest_pick(&of, &query, 7, N - 7, out + N, 1);
  CHECK(memcmp(out + 7, out + N, (N - 7) * sizeof(picked)) == 0, "a draw depends on the block or on threads");
  /* the first two trees lead to the right leaf, whose kernel has the mean 0, the third to the left one */
  const double sd = kernel_sd(pooled, 0.5), left_sd = kernel_sd(0.5 * (0.5 + pooled), 0.5);
  const double right = below(0.5 / sd) - below(-1.0 / sd);
  double left = 0.0, left_density = 0.0;
  for (int row = 0; row < 2; row++) {
    const double mean = left_mean(row, 0.5) - 5.0;
    left += 0.5 * (below((0.5 - mean) / left_sd) - below((-1.0 - mean) / left_sd));
    left_density += 0.5 * bell(-0.25 - mean, left_sd);
  }
  CHECK_NEAR(out[1].mass, (2.0 * right + left) / 3.0, TOLERANCE_ROUNDING);
  CHECK_NEAR(out[3].mass, (2.0 * bell(0.25, sd) + left_density) / 3.0, TOLERANCE_ROUNDING);
  CHECK(out[0].mass == 1.0 && out[0].low == -INFINITY, "a point without a box has mass %g", out[0].mass);
  double share[2] = {0.0, 0.0};
  for (size_t i = 0; i < N; i++) share[i % 2] += out[i].mean == 0.0 ? 2.0 / N : 0.0;
  const double error = STANDARD_ERRORS * sqrt(0.25 / (N / 2)), box_share = 2.0 * right / (2.0 * right + left);
  CHECK(fabs(share[0] - 2.0 / 3.0) < error, "row 2 is drawn %g", share[0]);
  CHECK(fabs(share[1] - box_share) < error, "in the box row 2 is drawn %g, not %g", share[1], box_share);
  of.gap = gap;
  forest_pick(&of, &query, 0, 100, out, 1);
  for (size_t i = 0; i < 100; i += 2) {
    if (out[i].mean == 0.0) CHECK(out[i].low == -0.5 && out[i].high == 2.0, "row 2 has another gap");
    else CHECK(out[i].mean >= out[i].low && out[i].mean <= out[i].high, "a mean is outside its gap");
  }
  free(points);
  free(shift);
  free(low);
  free(high);
  free(out);
}

/* In the left leaf class 0 is doubled, in the right one it is halved. */
static void test_leaf_shares(void) {
  const double points[] = {0.5, 0.6}, base[] = {0.3, 0.5, 0.7, 0.5}, ratio[] = {2.0, 1.0, 0.5, 1.0};
  const int leaf_node[] = {0, 1, -1, 0, -1, 1}, bag[] = {0, 1, 0, 1, 0, 1};
  class_forest of = {.trees = {.trees = TREES, .nodes = 3, .root = root, .node = leaf_node, .cut = cut},
                     .points = points, .base = base, .ratio = ratio, .n = 2, .classes = 2};
  double out[4];
  forest_shares(&of, 0, 2, out, 2);
  CHECK_NEAR(out[0], 0.6 / 1.3, TOLERANCE_ROUNDING);
  CHECK_NEAR(out[1], (2.0 * 0.25 / 0.75 + 1.0 / 1.5) / 3.0, TOLERANCE_ROUNDING);
  CHECK_NEAR(out[0] + out[2], 1.0, TOLERANCE_ROUNDING);
  of.bag = bag;
  forest_shares(&of, 1, 1, out, 1);
  CHECK_NEAR(out[0], 0.5, TOLERANCE_ROUNDING); /* all trees have drawn it */
}

/* More points than go down a tree together, from the middle on: three leaves in paths of two lengths, in two features,
 * beside the leaves that plain comparisons name. */
static void test_many_shares(void) {
  enum { MANY = 1001, FROM = 3 };
  const int two_roots[] = {0, 5}, leaf_node[] = {0, 1, -1, 0, 1, 3, -1, 1, -1, 2, -1, 1};
  const double cuts[] = {0.3, 0.0, 0.6, 0.0, 0.0, 0.0}, ratio[] = {2.0, 1.0, 0.5, 1.0, 1.0, 3.0};
  double *points = new_doubles(2 * MANY), *base = new_doubles(2 * MANY), *out = new_doubles(2 * MANY);
  class_forest of = {.trees = {.trees = 2, .nodes = 6, .root = two_roots, .node = leaf_node, .cut = cuts},
                     .points = points, .base = base, .ratio = ratio, .n = MANY, .classes = 2};
  for (size_t i = 0; i < MANY; i++) {
    points[i] = (double)(i % 10) / 10.0, points[i + MANY] = (double)(i % 7) / 7.0;
    base[i] = (double)(1 + i % 3) / 4.0, base[i + MANY] = 1.0 - base[i];
  }
  forest_shares(&of, FROM, MANY - FROM, out, 2);
  for (size_t i = FROM; i < MANY; i++) {
    const size_t leaf = points[i] <= 0.3 ? 0 : points[i + MANY] <= 0.6 ? 1 : 2;
    double wanted = 0.0;
    for (size_t t = 0; t < 2; t++) {
      const double *of_leaf = ratio + 2 * (t == 0 ? leaf : 1), own = base[i] * of_leaf[0];
      wanted += 0.5 * own / (own + base[i + MANY] * of_leaf[1]);
    }
    CHECK_NEAR(out[i - FROM], wanted, TOLERANCE_ROUNDING);
  }
  free(points);
  free(base);
  free(out);
}

static void test_sound(void) {
  const double points[] = {0.0};
  forest of = make_forest(points, 1).trees;
  CHECK(roots_sound(&of) && nodes_sound(&of, 1) && members_sound(&of, members, 5, 3), "the forest is refused");
  CHECK(!nodes_sound(&of, 0) && !members_sound(&of, members, 5, 2) && !members_sound(&of, members, 4, 3),
        "a feature, a row or a member beyond its number is accepted");
  CHECK(leaves_sound(&of, 4) && !leaves_sound(&of, 3), "a leaf beyond its number is accepted");
  const int circle[] = {0, 0, -1, 0, -1, 3};
  of.node = circle;
  CHECK(!nodes_sound(&of, 1), "a circle is accepted");
  of.node = node;
  const int far[] = {0, 3, 0};
  of.root = far;
  CHECK(!roots_sound(&of), "a root beyond the nodes is accepted");
}

void test_trees(void) {
  test_plain_split();
  test_grown();
  test_classes();
  test_density();
  test_pick();
  test_leaf_shares();
  test_many_shares();
  test_sound();
}
