/* Regression trees and the conditional densities of their leaves. */
#include <limits.h>
#include <math.h>

#include "core/law/bins.h"
#include "core/law/forest.h"
#include "core/law/trees.h"
#include "glue_names.h"

static const int *check_ints(SEXP x, size_t *length, const char *what) {
  if (TYPEOF(x) != INTSXP) Rf_error("`%s` must be integers.", what);
  *length = (size_t)XLENGTH(x);
  return INTEGER_RO(x);
}

/* n integers between least and most. */
static const int *check_labels(SEXP x, size_t n, int least, int most, const char *what) {
  size_t length;
  const int *label = check_ints(x, &length, what);
  if (length != n) Rf_error("`%s` must be %.0f integers.", what, (double)n);
  for (size_t i = 0; i < n; i++) {
    if (label[i] < least || label[i] > most) Rf_error("`%s` must lie between %d and %d.", what, least, most);
  }
  return label;
}

/* [n, trees] numbers of times that rows are drawn, not negative. */
static const int *check_bags(SEXP x, size_t n, size_t *trees) {
  if (TYPEOF(x) != INTSXP || !Rf_isMatrix(x) || (size_t)Rf_nrows(x) != n || Rf_ncols(x) < 1) {
    Rf_error("`bags` must be an integer matrix with one row per point.");
  }
  *trees = (size_t)Rf_ncols(x);
  return check_labels(x, n * *trees, 0, SHRT_MAX, "bags");
}

static const unsigned char *check_bins(SEXP x, size_t n, size_t *features) {
  if (TYPEOF(x) != RAWSXP || !Rf_isMatrix(x) || (size_t)Rf_nrows(x) != n) {
    Rf_error("`bins` must be a matrix of raw bytes with one row per point.");
  }
  *features = (size_t)Rf_ncols(x);
  const unsigned char *bin = RAW_RO(x);
  for (size_t i = 0; i < n * *features; i++) {
    if (bin[i] >= MOST_BINS) Rf_error("`bins` must be below %d.", MOST_BINS);
  }
  return bin;
}

typedef struct {
  const tree_sample *sample;
  size_t own; /* response columns that one tree has for itself; 0: all trees share them */
  const int *bags;
  size_t *sizes;
  grown_tree *trees;
  int *integers; /* of each part */
  size_t n_integers, n_numbers;
  double *numbers;
} forest_plan;

static void grow_trees(size_t from, size_t to, size_t part, void *context) {
  const forest_plan *plan = context;
  for (size_t t = from; t < to; t++) {
    tree_sample sample = *plan->sample;
    sample.response += t * plan->own * sample.n;
    grow_tree(&sample, plan->bags + t * sample.n, plan->sizes[t], plan->trees + t,
              plan->integers + part * plan->n_integers, plan->numbers + part * plan->n_numbers);
  }
}

static int *integer_scratch(size_t a, size_t b) {
  return (int *)scratch(a, b / 2 + 1);
}

static grown_tree new_tree(const tree_sample *sample, size_t size) {
  const size_t nodes = tree_most_nodes(size, sample->min_leaf), leaves = tree_most_leaves(size, sample->min_leaf);
  grown_tree tree = {.feature = integer_scratch(3, nodes)};
  tree.bin = tree.feature + nodes;
  tree.first = tree.bin + nodes;
  if (sample->classes) {
    tree.counts = integer_scratch(sample->classes, leaves);
    tree.sums = scratch(sample->classes, leaves);
  } else {
    tree.members = integer_scratch(1, tree_most_members(size, sample->min_leaf));
  }
  return tree;
}

/* The sizes of the bags, and room for the trees. */
static void make_room(forest_plan *plan, size_t count, size_t parts) {
  const size_t n = plan->sample->n;
  size_t most = 1;
  plan->sizes = (size_t *)R_alloc(count + 1, sizeof(size_t));
  plan->trees = (grown_tree *)R_alloc(count + 1, sizeof(grown_tree));
  for (size_t t = 0; t < count; t++) {
    size_t size = 0;
    for (size_t i = 0; i < n; i++) size += (size_t)plan->bags[i + t * n];
    if (size < 1 || size > INT_MAX / 8) Rf_error("Each column of `bags` must have a sum between 1 and 2^28.");
    if (size > most) most = size;
    plan->sizes[t] = size;
    plan->trees[t] = new_tree(plan->sample, size);
  }
  plan->n_integers = tree_integers(most, plan->sample->min_leaf);
  plan->integers = integer_scratch(parts, plan->n_integers);
  plan->n_numbers = most * plan->sample->responses;
  plan->numbers = scratch(parts, plan->n_numbers);
}

typedef struct {
  size_t nodes, members, leaves;
} tree_totals;

static tree_totals total_of(const grown_tree *trees, size_t count, size_t classes) {
  tree_totals total = {0, 0, 0};
  for (size_t t = 0; t < count; t++) {
    total.nodes += trees[t].nodes;
    total.members += trees[t].n_members;
    total.leaves += trees[t].leaves;
  }
  if (total.nodes > INT_MAX || total.members > INT_MAX || total.leaves * (classes + 1) > INT_MAX) {
    Rf_error("The trees are too large; grow fewer at a time.");
  }
  return total;
}

static void copy_leaves(const grown_tree *trees, size_t count, size_t classes, int *members, int *counts,
                        double *sums) {
  for (size_t t = 0; t < count; t++) {
    for (size_t k = 0; k < trees[t].n_members; k++) *members++ = trees[t].members[k];
    for (size_t k = 0; k < classes * trees[t].leaves; k++) {
      *counts++ = trees[t].counts[k];
      *sums++ = trees[t].sums[k];
    }
  }
}

/* One list from all trees: root [trees], nodes [2, N] (feature and first), bin [N], members, counts and sums
 * [classes, leaves]. Places count from the first tree. */
static SEXP join_trees(const grown_tree *trees, size_t count, size_t classes) {
  static const char *const names[] = {"root", "nodes", "bin", "members", "counts", "sums"};
  const tree_totals total = total_of(trees, count, classes);
  SEXP values[6];
  values[0] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)count));
  values[1] = PROTECT(new_integer_matrix(2, total.nodes));
  values[2] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)total.nodes));
  values[3] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)total.members));
  values[4] = PROTECT(new_integer_matrix(classes, classes ? total.leaves : 0));
  values[5] = PROTECT(new_matrix(classes, classes ? total.leaves : 0));
  int *node = INTEGER(values[1]), *bin = INTEGER(values[2]), first_node = 0, first_leaf = 0;
  for (size_t t = 0; t < count; t++) {
    INTEGER(values[0])[t] = first_node;
    for (size_t k = 0; k < trees[t].nodes; k++) {
      *node++ = trees[t].feature[k];
      *node++ = trees[t].first[k] + (trees[t].feature[k] < 0 ? first_leaf : first_node);
      *bin++ = trees[t].bin[k];
    }
    first_node += (int)trees[t].nodes;
    first_leaf += (int)(classes ? trees[t].leaves : trees[t].n_members);
  }
  copy_leaves(trees, count, classes, INTEGER(values[3]), INTEGER(values[4]), REAL(values[5]));
  SEXP result = new_list(names, values, 6);
  UNPROTECT(6);
  return result;
}

/* The rows in their order, from 0. */
static const int *check_order(SEXP order, size_t n) {
  const int *given = check_labels(order, n, 1, (int)n, "order");
  int *row = integer_scratch(n, 2);
  char *seen = R_alloc(n, 1);
  for (size_t i = 0; i < n; i++) seen[i] = 0;
  for (size_t i = 0; i < n; i++) {
    row[i] = given[i] - 1;
    if (seen[row[i]]++) Rf_error("`order` must name each row once.");
  }
  return row;
}

static matrix_view check_classes(SEXP base, size_t n, const char *what) {
  const matrix_view view = check_matrix(base, what);
  if (view.n != n || view.dim < 1 || view.dim > MOST_CLASSES) {
    Rf_error("`%s` must be a matrix with one row per point and 1 to %d columns.", what, MOST_CLASSES);
  }
  return view;
}

static void read_classes(tree_sample *sample, SEXP class_of, SEXP expected) {
  const matrix_view view = check_classes(expected, sample->n, "expected");
  sample->classes = view.dim;
  sample->expected = view.x;
  sample->class_of = check_labels(class_of, sample->n, 0, (int)view.dim - 1, "class_of");
}

/* Trees from, from + 1, ... of `bags`. response: a matrix with `responses` columns for all trees, or as many for each.
 * order: the rows from 1 up. class_of: NULL for value trees; classes from 0. */
static SEXP pf_grow_trees(SEXP bins, SEXP response, SEXP responses, SEXP order, SEXP bags, SEXP min_leaf,
                          SEXP most_rows, SEXP class_of, SEXP expected, SEXP from, SEXP count, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view values = check_matrix(response, "response");
  tree_sample sample = {.n = values.n, .responses = (size_t)check_count(responses, "responses")};
  size_t trees;
  if (sample.n < 1 || sample.n >= INT_MAX) Rf_error("`response` must not be empty.");
  const int *bag = check_bags(bags, sample.n, &trees);
  const size_t first = (size_t)check_count(from, "from"), some = (size_t)check_count(count, "count");
  if (first > trees || some > trees - first) Rf_error("`from` and `count` must lie within the columns of `bags`.");
  const int shared = values.dim == sample.responses;
  if (sample.responses < 1 || sample.responses > MOST_RESPONSES ||
      (!shared && values.dim != sample.responses * trees)) {
    Rf_error("`response` must have `responses` columns, 1 to %d, or as many for each tree.", MOST_RESPONSES);
  }
  sample.bin = check_bins(bins, sample.n, &sample.features);
  sample.order = check_order(order, sample.n);
  sample.min_leaf = (size_t)check_count(min_leaf, "min_leaf");
  sample.most_rows = (size_t)check_count(most_rows, "most_rows");
  if (sample.min_leaf < 1 || sample.most_rows < 1) Rf_error("`min_leaf` and `most_rows` must be at least 1.");
  if (!Rf_isNull(class_of)) read_classes(&sample, class_of, expected);
  forest_plan plan = {.sample = &sample, .own = shared ? 0 : sample.responses, .bags = bag + first * sample.n};
  sample.response = values.x + first * plan.own * sample.n;
  const double work = (double)sample.n * (double)(sample.features + 1) * (double)some * 20.0;
  const int team = threads_worth(work, check_threads(threads));
  make_room(&plan, some, (size_t)team);
  parallel_ranges(some, team, grow_trees, &plan);
  return join_trees(plan.trees, some, sample.classes);
}

/* A forest as R has it: what pf_grow_trees() returns, with cuts in the place of bins. rows: 0 for a class forest. */
static forest read_forest(SEXP x, size_t features, size_t rows, const int **members) {
  forest of;
  list_reader list = open_list(x, "forest");
  const named_value node = read_member(&list, "nodes"), cut = read_member(&list, "cut");
  if (TYPEOF(node.value) != INTSXP || !Rf_isMatrix(node.value) || Rf_nrows(node.value) != 2) {
    Rf_error("`%s` must be an integer matrix with two rows.", node.what);
  }
  of.node = INTEGER_RO(node.value);
  of.nodes = (size_t)Rf_ncols(node.value);
  of.cut = check_vector(cut.value, of.nodes, cut.what);
  const named_value root = read_member(&list, "root"), kept = read_member(&list, "members");
  size_t n_members;
  of.root = check_ints(root.value, &of.trees, root.what);
  *members = check_ints(kept.value, &n_members, kept.what);
  close_list(&list);
  if (!roots_sound(&of)) Rf_error("`forest$root` must be places of nodes.");
  if (!nodes_sound(&of, features)) Rf_error("`forest$nodes` must be trees on the columns of `points`.");
  if (rows ? !members_sound(&of, *members, n_members, rows) : n_members > 0) {
    Rf_error("`forest$members` must be those of `forest$nodes`.");
  }
  return of;
}

static row_range check_points(matrix_view at, SEXP from, SEXP count) {
  const row_range rows = {(size_t)check_count(from, "from"), (size_t)check_count(count, "count"), 0};
  if (rows.from > at.n || rows.count > at.n - rows.from) {
    Rf_error("`from` and `count` must lie within the rows of `points`.");
  }
  return rows;
}

/* NULL, or a [2, rows] matrix of increasing pairs. */
static const double *read_gaps(SEXP gap, size_t rows) {
  if (Rf_isNull(gap)) return NULL;
  if (TYPEOF(gap) != REALSXP || !Rf_isMatrix(gap) || Rf_nrows(gap) != 2 || (size_t)Rf_ncols(gap) != rows) {
    Rf_error("`gap` must be a matrix of doubles with two rows and one column per response.");
  }
  const double *ends = REAL_RO(gap);
  for (size_t r = 0; r < rows; r++) {
    if (!(ends[2 * r] < ends[2 * r + 1])) Rf_error("The first row of `gap` must be below the second.");
  }
  return ends;
}

static value_forest read_values(SEXP x, matrix_view points, SEXP response, SEXP gap, double pooled) {
  size_t rows;
  value_forest of = {.points = points.x, .n = points.n, .response = check_doubles(response, &rows, "response")};
  if (rows < 1) Rf_error("`response` must not be empty.");
  of.trees = read_forest(x, points.dim, rows, &of.members);
  of.gap = read_gaps(gap, rows);
  of.pooled = pooled;
  if (!(pooled > 0.0)) Rf_error("The pooled variance must be above 0.");
  return of;
}

/* bags: NULL, or the trees that drew a point leave it out. */
static const int *read_bags(SEXP bags, size_t n, size_t trees) {
  if (Rf_isNull(bags)) return NULL;
  size_t columns;
  const int *bag = check_bags(bags, n, &columns);
  if (columns != trees) Rf_error("`bags` must have one column per tree.");
  return bag;
}

/* [count, length of `widths`]. */
static SEXP pf_forest_density(SEXP points, SEXP forest, SEXP response, SEXP gap, SEXP z, SEXP shift, SEXP pooled,
                              SEXP widths, SEXP bags, SEXP from, SEXP count, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view rows = check_matrix(points, "points");
  const row_range range = check_points(rows, from, count);
  const value_forest of = read_values(forest, rows, response, gap, check_number(pooled, "pooled"));
  size_t n_widths;
  const leaf_query query = {
      .width = check_doubles(widths, &n_widths, "widths"),
      .z = check_vector(z, rows.n, "z"),
      .shift = check_vector(shift, rows.n, "shift"),
      .bag = read_bags(bags, rows.n, of.trees.trees),
      .widths = n_widths,
  };
  if (n_widths < 1 || n_widths > MOST_WIDTHS) Rf_error("`widths` must be 1 to %d numbers.", MOST_WIDTHS);
  for (size_t w = 0; w < n_widths; w++) {
    if (!(query.width[w] > 0.0)) Rf_error("`widths` must be above 0.");
  }
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_matrix(range.count, n_widths));
  forest_density(&of, &query, range.from, range.count, REAL(out), team);
  UNPROTECT(1);
  return out;
}

/* gaps: both ends of one after the other. */
static SEXP pf_backoff_density(SEXP z, SEXP mean, SEXP gaps, SEXP sd, SEXP reach) {
  size_t n, n_ends;
  const double *at = check_doubles(z, &n, "z"), *middle = check_vector(mean, n, "mean");
  backoff_law of = {.gap = check_doubles(gaps, &n_ends, "gaps"), .sd = check_number(sd, "sd"),
                    .reach = check_number(reach, "reach")};
  of.gaps = n_ends / 2;
  if (n_ends % 2) Rf_error("`gaps` must be pairs of numbers.");
  if (!(of.sd > 0.0)) Rf_error("`sd` must be above 0.");
  SEXP out = PROTECT(new_vector(n));
  for (size_t i = 0; i < n; i++) REAL(out)[i] = backoff_density(&of, at[i], middle[i]);
  UNPROTECT(1);
  return out;
}

static SEXP list_picked(const picked *out, size_t count) {
  static const char *const names[] = {"mean", "sd", "low", "high", "mass"};
  SEXP values[5];
  for (int k = 0; k < 5; k++) values[k] = PROTECT(new_vector(count));
  for (size_t i = 0; i < count; i++) {
    REAL(values[0])[i] = out[i].mean;
    REAL(values[1])[i] = out[i].sd;
    REAL(values[2])[i] = out[i].low;
    REAL(values[3])[i] = out[i].high;
    REAL(values[4])[i] = out[i].mass;
  }
  SEXP result = new_list(names, values, 5);
  UNPROTECT(5);
  return result;
}

/* list(mean, sd, low, high, mass), see forest_pick(). law: width, pooled variance. */
static SEXP pf_forest_pick(SEXP points, SEXP forest, SEXP response, SEXP gap, SEXP shift, SEXP low, SEXP high, SEXP law,
                           SEXP key, SEXP stream, SEXP from, SEXP count, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view rows = check_matrix(points, "points");
  const row_range range = check_points(rows, from, count);
  const double *numbers = check_vector(law, 2, "law");
  const value_forest of = read_values(forest, rows, response, gap, numbers[1]);
  const pick_query query = {
      .shift = check_vector(shift, rows.n, "shift"),
      .low = check_vector(low, rows.n, "low"),
      .high = check_vector(high, rows.n, "high"),
      .width = numbers[0],
      .key = check_key(key),
      .stream = (unsigned)check_count(stream, "stream"),
  };
  if (!(query.width > 0.0)) Rf_error("`law` must have a width above 0.");
  for (size_t i = 0; i < rows.n; i++) {
    if (!(query.low[i] <= query.high[i])) Rf_error("`low` must not be above `high`.");
  }
  const int team = check_threads(threads);
  picked *out = (picked *)R_alloc(range.count + 1, sizeof(picked));
  forest_pick(&of, &query, range.from, range.count, out, team);
  return list_picked(out, range.count);
}

/* settings: the ratios are those of so many, see forest_own_shares(). */
static class_forest read_class_forest(SEXP points, SEXP forest, SEXP base, SEXP ratio, SEXP bags, size_t settings) {
  const matrix_view rows = check_matrix(points, "points");
  const matrix_view shares = check_classes(base, rows.n, "base"), ratios = check_matrix(ratio, "ratio");
  if (ratios.n != shares.dim) Rf_error("`ratio` must have one row per class.");
  class_forest of = {.points = rows.x, .base = shares.x, .ratio = ratios.x, .n = rows.n, .classes = shares.dim};
  const int *members;
  of.trees = read_forest(forest, rows.dim, 0, &members);
  if (ratios.dim % settings || !leaves_sound(&of.trees, ratios.dim / settings)) {
    Rf_error("`ratio` must have one column per leaf.");
  }
  of.bag = read_bags(bags, rows.n, of.trees.trees);
  return of;
}

/* [count, classes], see forest_shares(). */
static SEXP pf_forest_shares(SEXP points, SEXP forest, SEXP base, SEXP ratio, SEXP bags, SEXP from, SEXP count,
                             SEXP threads) {
  R_CheckUserInterrupt();
  const row_range range = check_points(check_matrix(points, "points"), from, count);
  const class_forest of = read_class_forest(points, forest, base, ratio, bags, 1);
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_matrix(range.count, of.classes));
  forest_shares(&of, range.from, range.count, REAL(out), team);
  UNPROTECT(1);
  return out;
}

/* [n, settings], see forest_own_shares(). class_of: from 0. */
static SEXP pf_forest_own_shares(SEXP points, SEXP forest, SEXP base, SEXP ratio, SEXP settings, SEXP class_of,
                                 SEXP bags, SEXP threads) {
  R_CheckUserInterrupt();
  class_query query = {.settings = (size_t)check_count(settings, "settings")};
  if (query.settings < 1 || query.settings > MOST_SETTINGS) {
    Rf_error("`settings` must be 1 to %d.", MOST_SETTINGS);
  }
  const class_forest of = read_class_forest(points, forest, base, ratio, bags, query.settings);
  query.leaves = (size_t)Rf_ncols(ratio) / query.settings;
  query.class_of = check_labels(class_of, of.n, 0, (int)of.classes - 1, "class_of");
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_matrix(of.n, query.settings));
  forest_own_shares(&of, &query, REAL(out), team);
  UNPROTECT(1);
  return out;
}

/* The cells of all coordinates, one after the other: low, high and mean of each. */
typedef struct {
  const double *at;
  const int *counts; /* [d] */
  double *low, *high, *mean;
  size_t most;
} all_cells;

static all_cells read_cells(SEXP cells, SEXP counts, size_t d) {
  size_t length;
  all_cells of = {.at = check_doubles(cells, &length, "cells"), .most = 1};
  of.counts = check_labels(counts, d, 0, INT_MAX, "counts");
  size_t all = 0;
  for (size_t j = 0; j < d; j++) {
    all += (size_t)of.counts[j];
    if ((size_t)of.counts[j] > of.most) of.most = (size_t)of.counts[j];
  }
  if (length != 3 * all) Rf_error("`cells` must be three numbers for each of the cells that `counts` says.");
  of.low = scratch(3, of.most);
  of.high = of.low + of.most;
  of.mean = of.high + of.most;
  return of;
}

/* The cells of coordinate j; moves on to those of the next. */
static cell_list next_cells(all_cells *of, size_t j) {
  const size_t n = (size_t)of->counts[j];
  for (size_t k = 0; k < n; k++) {
    of->low[k] = of->at[3 * k];
    of->high[k] = of->at[3 * k + 1];
    of->mean[k] = of->at[3 * k + 2];
    if (!(of->low[k] < of->high[k]) || (k > 0 && of->low[k] < of->high[k - 1])) {
      Rf_error("`cells` must be increasing and must not overlap.");
    }
  }
  of->at += 3 * n;
  return (cell_list){.low = of->low, .high = of->high, .mean = of->mean, .n = n};
}

/* list(cell [n, d], settled [n, d], bins [n, d], cuts), see find_bins(). */
static SEXP pf_find_bins(SEXP points, SEXP cells, SEXP counts, SEXP most) {
  R_CheckUserInterrupt();
  const matrix_view rows = check_matrix(points, "points");
  const size_t n = rows.n, d = rows.dim, most_cuts = (size_t)check_count(most, "most");
  if (most_cuts >= MOST_BINS) Rf_error("`most` must be below %d.", MOST_BINS);
  all_cells of = read_cells(cells, counts, d);
  static const char *const names[] = {"cell", "settled", "bins", "cuts"};
  SEXP values[4];
  values[0] = PROTECT(new_integer_matrix(n, d));
  values[1] = PROTECT(new_matrix(n, d));
  values[2] = PROTECT(Rf_allocMatrix(RAWSXP, (int)n, (int)d));
  values[3] = PROTECT(Rf_allocVector(VECSXP, (R_xlen_t)d));
  ends *room = (ends *)scratch(n, 2);
  double *cut = scratch(1, most_cuts);
  for (size_t j = 0; j < d; j++) {
    const cell_list own = next_cells(&of, j);
    const size_t count = find_bins(rows.x + j * n, n, &own, most_cuts, INTEGER(values[0]) + j * n,
                                   REAL(values[1]) + j * n, cut, RAW(values[2]) + j * n, room);
    SET_VECTOR_ELT(values[3], (R_xlen_t)j, new_vector(count));
    for (size_t k = 0; k < count; k++) REAL(VECTOR_ELT(values[3], (R_xlen_t)j))[k] = cut[k];
  }
  SEXP result = new_list(names, values, 4);
  UNPROTECT(4);
  return result;
}

const R_CallMethodDef trees_routines[] = {
    ROUTINE(pf_find_bins, 4),
    ROUTINE(pf_grow_trees, 12),
    ROUTINE(pf_forest_density, 12),
    ROUTINE(pf_backoff_density, 5),
    ROUTINE(pf_forest_pick, 13),
    ROUTINE(pf_forest_shares, 8),
    ROUTINE(pf_forest_own_shares, 8),
    NO_ROUTINE,
};
