/* Regression trees and the conditional densities of their leaves. */
#include <limits.h>
#include <math.h>

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
  const int *bags;
  size_t *sizes;
  grown_tree *trees;
  int *integers; /* of each part */
  size_t n_integers, most_size;
  double *numbers;
} forest_plan;

static void grow_trees(size_t from, size_t to, size_t part, void *context) {
  const forest_plan *plan = context;
  for (size_t t = from; t < to; t++) {
    grow_tree(plan->sample, plan->bags + t * plan->sample->n, plan->sizes[t], plan->trees + t,
              plan->integers + part * plan->n_integers, plan->numbers + part * plan->most_size);
  }
}

static int *integer_scratch(size_t a, size_t b) {
  return (int *)scratch(a, b / 2 + 1);
}

/* The sizes of the bags, and room for the trees. */
static void make_room(forest_plan *plan, size_t count, size_t parts) {
  const size_t n = plan->sample->n, least = plan->sample->min_leaf;
  plan->sizes = (size_t *)R_alloc(count + 1, sizeof(size_t));
  plan->trees = (grown_tree *)R_alloc(count + 1, sizeof(grown_tree));
  plan->most_size = 1;
  for (size_t t = 0; t < count; t++) {
    size_t size = 0;
    for (size_t i = 0; i < n; i++) size += (size_t)plan->bags[i + t * n];
    if (size < 1 || size > INT_MAX / 8) Rf_error("Each column of `bags` must have a sum between 1 and 2^28.");
    if (size > plan->most_size) plan->most_size = size;
    plan->sizes[t] = size;
    int *room = integer_scratch(3 * tree_most_nodes(size, least) + tree_most_members(size, least), 1);
    plan->trees[t].feature = room;
    plan->trees[t].bin = room + tree_most_nodes(size, least);
    plan->trees[t].first = plan->trees[t].bin + tree_most_nodes(size, least);
    plan->trees[t].members = plan->trees[t].first + tree_most_nodes(size, least);
  }
  plan->n_integers = tree_integers(plan->most_size, least);
  plan->integers = integer_scratch(parts, plan->n_integers);
  plan->numbers = scratch(parts, plan->most_size);
}

/* One list from all trees: root [trees], nodes [2, N] (feature and first), bin [N], members. Places count from the
 * first tree. */
static SEXP join_trees(const grown_tree *trees, size_t count) {
  static const char *const names[] = {"root", "nodes", "bin", "members"};
  size_t nodes = 0, members = 0;
  for (size_t t = 0; t < count; t++) {
    nodes += trees[t].nodes;
    members += trees[t].n_members;
  }
  if (nodes > INT_MAX || members > INT_MAX) Rf_error("The trees are too large; grow fewer at a time.");
  SEXP values[4];
  values[0] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)count));
  values[1] = PROTECT(new_integer_matrix(2, nodes));
  values[2] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)nodes));
  values[3] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)members));
  int *node = INTEGER(values[1]), *bin = INTEGER(values[2]), *member = INTEGER(values[3]);
  int first_node = 0, first_member = 0;
  for (size_t t = 0; t < count; t++) {
    INTEGER(values[0])[t] = first_node;
    for (size_t k = 0; k < trees[t].nodes; k++) {
      *node++ = trees[t].feature[k];
      *node++ = trees[t].first[k] + (trees[t].feature[k] < 0 ? first_member : first_node);
      *bin++ = trees[t].bin[k];
    }
    for (size_t k = 0; k < trees[t].n_members; k++) *member++ = trees[t].members[k];
    first_node += (int)trees[t].nodes;
    first_member += (int)trees[t].n_members;
  }
  SEXP result = new_list(names, values, 4);
  UNPROTECT(4);
  return result;
}

/* Trees from, from + 1, ... of `bags`. order: the rows from 1 up by increasing response. */
static SEXP pf_grow_trees(SEXP bins, SEXP response, SEXP order, SEXP cell, SEXP bags, SEXP min_leaf, SEXP most_rows,
                          SEXP from, SEXP count, SEXP threads) {
  R_CheckUserInterrupt();
  tree_sample sample = {.response = check_doubles(response, &sample.n, "response")};
  size_t trees;
  const int *bag = check_bags(bags, sample.n, &trees);
  const size_t first = (size_t)check_count(from, "from"), some = (size_t)check_count(count, "count");
  if (sample.n < 1 || sample.n >= INT_MAX) Rf_error("`response` must not be empty.");
  if (first > trees || some > trees - first) Rf_error("`from` and `count` must lie within the columns of `bags`.");
  sample.bin = check_bins(bins, sample.n, &sample.features);
  sample.cell = check_labels(cell, sample.n, 0, MOST_CELLS, "cell");
  const int *by_response = check_labels(order, sample.n, 1, (int)sample.n, "order");
  sample.min_leaf = (size_t)check_count(min_leaf, "min_leaf");
  sample.most_rows = (size_t)check_count(most_rows, "most_rows");
  if (sample.min_leaf < 1 || sample.most_rows < 1) Rf_error("`min_leaf` and `most_rows` must be at least 1.");
  int *row = integer_scratch(sample.n, 2);
  char *seen = R_alloc(sample.n, 1);
  for (size_t i = 0; i < sample.n; i++) seen[i] = 0;
  for (size_t i = 0; i < sample.n; i++) {
    row[i] = by_response[i] - 1;
    if (seen[row[i]]++) Rf_error("`order` must name each row once.");
  }
  sample.order = row;
  forest_plan plan = {.sample = &sample, .bags = bag + first * sample.n};
  const double work = (double)sample.n * (double)(sample.features + 1) * (double)some * 20.0;
  const int team = threads_worth(work, check_threads(threads));
  make_room(&plan, some, (size_t)team);
  parallel_ranges(some, team, grow_trees, &plan);
  return join_trees(plan.trees, some);
}

static const int *read_ints(list_reader *list, const char *name, size_t *length) {
  const named_value member = read_member(list, name);
  return check_ints(member.value, length, member.what);
}

/* A forest as R has it: what pf_grow_trees() returns, with cuts in the place of bins. */
static forest read_forest(SEXP x, size_t features, size_t rows, size_t cells) {
  forest of;
  list_reader list = open_list(x, "forest");
  const named_value node = read_member(&list, "nodes"), cut = read_member(&list, "cut");
  if (TYPEOF(node.value) != INTSXP || !Rf_isMatrix(node.value) || Rf_nrows(node.value) != 2) {
    Rf_error("`%s` must be an integer matrix with two rows.", node.what);
  }
  of.node = INTEGER_RO(node.value);
  of.nodes = (size_t)Rf_ncols(node.value);
  of.cut = check_vector(cut.value, of.nodes, cut.what);
  of.root = read_ints(&list, "root", &of.trees);
  of.members = read_ints(&list, "members", &of.n_members);
  close_list(&list);
  if (!roots_sound(&of)) Rf_error("`forest$root` must be places of nodes.");
  if (!nodes_sound(&of, features, rows, cells)) Rf_error("`forest$members` must be those of `forest$nodes`.");
  return of;
}

/* [2, K] with at least one column. */
static const double *check_cells(SEXP cells, size_t *n) {
  if (TYPEOF(cells) != REALSXP || !Rf_isMatrix(cells) || Rf_nrows(cells) != 2 || Rf_ncols(cells) < 1 ||
      Rf_ncols(cells) > MOST_CELLS) {
    Rf_error("`cells` must be a matrix of doubles with two rows and between 1 and %d columns.", MOST_CELLS);
  }
  *n = (size_t)Rf_ncols(cells);
  const double *ends = REAL_RO(cells);
  for (size_t c = 0; c < *n; c++) {
    if (!(ends[2 * c] < ends[2 * c + 1])) Rf_error("The first row of `cells` must be below the second.");
  }
  return ends;
}

static row_range check_points(matrix_view at, SEXP from, SEXP count) {
  const row_range rows = {(size_t)check_count(from, "from"), (size_t)check_count(count, "count"), 0};
  if (rows.from > at.n || rows.count > at.n - rows.from) {
    Rf_error("`from` and `count` must lie within the rows of `points`.");
  }
  return rows;
}

/* [count, widths]. bags: NULL, or the trees that drew a point leave it out. */
static SEXP pf_forest_density(SEXP points, SEXP forest, SEXP response, SEXP at, SEXP cell, SEXP inside, SEXP width,
                              SEXP widths, SEXP bags, SEXP from, SEXP count, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view rows = check_matrix(points, "points");
  const row_range range = check_points(rows, from, count);
  size_t n_response, trees = 0;
  forest_view of = {.points = rows.x, .n = rows.n, .response = check_doubles(response, &n_response, "response")};
  of.trees = read_forest(forest, rows.dim, n_response, MOST_CELLS);
  const leaf_query query = {
      .at = check_vector(at, rows.n, "at"),
      .cell = check_labels(cell, rows.n, 0, MOST_CELLS, "cell"),
      .inside = check_vector(inside, rows.n, "inside"),
      .bag = Rf_isNull(bags) ? NULL : check_bags(bags, rows.n, &trees),
      .width = check_number(width, "width"),
      .widths = (size_t)check_count(widths, "widths"),
  };
  if (query.bag && trees != of.trees.trees) Rf_error("`bags` must have one column per tree.");
  if (!(query.width > 0.0)) Rf_error("`width` must be above 0.");
  if (query.widths < 1 || query.widths > MOST_WIDTHS) Rf_error("`widths` must lie between 1 and %d.", MOST_WIDTHS);
  const int team = check_threads(threads);
  SEXP out = PROTECT(new_matrix(range.count, query.widths));
  forest_density(&of, &query, range.from, range.count, REAL(out), team);
  UNPROTECT(1);
  return out;
}

/* list(pick, log_mass), see forest_pick(). law: width, backoff, wide, middle, spread, centre, scale. */
static SEXP pf_forest_pick(SEXP points, SEXP forest, SEXP response, SEXP cells, SEXP shift, SEXP low, SEXP high,
                           SEXP law, SEXP key, SEXP stream, SEXP from, SEXP count, SEXP threads) {
  R_CheckUserInterrupt();
  const matrix_view rows = check_matrix(points, "points");
  const row_range range = check_points(rows, from, count);
  size_t n_response;
  forest_view of = {.points = rows.x, .n = rows.n, .response = check_doubles(response, &n_response, "response")};
  of.cells = check_cells(cells, &of.n_cells);
  of.trees = read_forest(forest, rows.dim, n_response, of.n_cells);
  const double *numbers = check_vector(law, 7, "law");
  const pick_query query = {
      .shift = check_vector(shift, rows.n, "shift"),
      .low = check_vector(low, rows.n, "low"),
      .high = check_vector(high, rows.n, "high"),
      .width = numbers[0],
      .backoff = numbers[1],
      .wide = numbers[2],
      .middle = numbers[3],
      .spread = numbers[4],
      .centre = numbers[5],
      .scale = numbers[6],
      .key = check_key(key),
      .stream = (unsigned)check_count(stream, "stream"),
  };
  if (!(query.width > 0.0) || !(query.spread > 0.0) || !(query.scale > 0.0)) {
    Rf_error("`law` must have a width, a spread and a scale above 0.");
  }
  if (!(query.backoff >= 0.0 && query.backoff <= 1.0) || !(query.wide >= 0.0 && query.wide <= 1.0)) {
    Rf_error("`law` must have shares between 0 and 1.");
  }
  for (size_t i = 0; i < rows.n; i++) {
    if (!(query.low[i] <= query.high[i])) Rf_error("`low` must not be above `high`.");
  }
  const int team = check_threads(threads);
  static const char *const names[] = {"pick", "log_mass"};
  SEXP values[2];
  values[0] = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)range.count));
  values[1] = PROTECT(new_vector(range.count));
  forest_pick(&of, &query, range.from, range.count, INTEGER(values[0]), REAL(values[1]), team);
  SEXP result = new_list(names, values, 2);
  UNPROTECT(2);
  return result;
}

const R_CallMethodDef trees_routines[] = {
    ROUTINE(pf_grow_trees, 10),
    ROUTINE(pf_forest_density, 12),
    ROUTINE(pf_forest_pick, 13),
    NO_ROUTINE,
};
