#include "core/law/forest.h"

#include <math.h>

#include "core/base/parallel.h"
#include "core/law/trees.h"

/* Work of one tree at one point, in the unit of threads_worth(). */
#define TREE_WORK 200.0

typedef struct {
  size_t kept, light, cells;
  double total;             /* rows, with those in cells */
  const int *row, *in_cell; /* in_cell: pairs of cell and number */
} leaf;

static leaf read_leaf(const int *members) {
  leaf of = {
      .kept = (size_t)members[LEAF_KEPT],
      .light = (size_t)members[LEAF_LIGHT],
      .cells = (size_t)members[LEAF_CELLS],
      .row = members + LEAF_HEADER,
  };
  of.in_cell = of.row + of.kept;
  of.total = (double)of.light;
  for (size_t c = 0; c < of.cells; c++) of.total += of.in_cell[2 * c + 1];
  return of;
}

/* The leaf of tree t that point i falls into. */
static leaf find_leaf(const forest_view *of, size_t t, size_t i) {
  const forest *trees = &of->trees;
  size_t node = (size_t)trees->root[t];
  while (trees->node[2 * node] >= 0) {
    const double x = of->points[i + (size_t)trees->node[2 * node] * of->n];
    node = (size_t)trees->node[2 * node + 1] + (x <= trees->cut[node] ? 0 : 1);
  }
  return read_leaf(trees->members + trees->node[2 * node + 1]);
}

static int leaf_sound(const forest *of, size_t first, size_t rows, size_t cells) {
  if (of->n_members < LEAF_HEADER || first > of->n_members - LEAF_HEADER) return 0;
  const int *header = of->members + first, *next = header + LEAF_HEADER;
  if (header[LEAF_KEPT] < 0 || header[LEAF_LIGHT] < header[LEAF_KEPT] || header[LEAF_CELLS] < 0) return 0;
  const size_t kept = (size_t)header[LEAF_KEPT], in_cells = (size_t)header[LEAF_CELLS];
  const size_t room = of->n_members - first - LEAF_HEADER;
  if (kept > room || in_cells > (room - kept) / 2 || kept + in_cells == 0) return 0;
  if ((kept == 0) != (header[LEAF_LIGHT] == 0)) return 0;
  for (size_t k = 0; k < kept; k++, next++) {
    if (*next < 0 || (size_t)*next >= rows) return 0;
  }
  for (size_t c = 0; c < in_cells; c++, next += 2) {
    if (next[0] < 1 || (size_t)next[0] > cells || next[1] < 1) return 0;
  }
  return 1;
}

int roots_sound(const forest *of) {
  for (size_t t = 0; t < of->trees; t++) {
    if (of->root[t] < 0 || (size_t)of->root[t] >= of->nodes) return 0;
  }
  return of->trees > 0;
}

int nodes_sound(const forest *of, size_t features, size_t rows, size_t cells) {
  for (size_t k = 0; k < of->nodes; k++) {
    if (of->node[2 * k + 1] < 0) return 0;
    const size_t first = (size_t)of->node[2 * k + 1];
    if (of->node[2 * k] < 0) {
      if (!leaf_sound(of, first, rows, cells)) return 0;
    } else if ((size_t)of->node[2 * k] >= features || first <= k || first + 1 >= of->nodes) {
      return 0; /* children come after their parent, so that each path ends */
    }
  }
  return 1;
}

/* Adds the density of a leaf at the query's widths. With half the variance a kernel's exponential is squared. */
static void add_leaf(const forest_view *of, const leaf_query *query, leaf in, size_t i, double *sum) {
  const double rate = -0.5 / (query->width * query->width), root_2pi = sqrt(2.0 * acos(-1.0));
  double kernels[MOST_WIDTHS] = {0.0}, inside = 0.0;
  for (size_t k = 0; k < in.kept; k++) {
    const double u = query->at[i] - of->response[in.row[k]];
    double value = exp(rate * u * u);
    for (size_t w = 0; w < query->widths; w++, value *= value) kernels[w] += value;
  }
  for (size_t c = 0; c < in.cells; c++) {
    if (in.in_cell[2 * c] == query->cell[i]) inside = query->inside[i] * in.in_cell[2 * c + 1];
  }
  double factor = in.kept ? (double)in.light / ((double)in.kept * root_2pi * query->width) : 0.0;
  for (size_t w = 0; w < query->widths; w++, factor *= sqrt(2.0)) {
    sum[w] += (kernels[w] * factor + inside) / in.total;
  }
}

typedef struct {
  const forest_view *of;
  const leaf_query *query;
  size_t from, count;
  double *out;
} density_plan;

static void run_densities(size_t from, size_t to, size_t part, void *context) {
  const density_plan *plan = context;
  const leaf_query *query = plan->query;
  (void)part;
  for (size_t row = from; row < to; row++) {
    const size_t i = plan->from + row;
    double sum[MOST_WIDTHS] = {0.0}, trees = 0.0;
    for (size_t t = 0; t < plan->of->trees.trees; t++) {
      if (query->bag && query->bag[i + t * plan->of->n] > 0) continue;
      add_leaf(plan->of, query, find_leaf(plan->of, t, i), i, sum);
      trees += 1.0;
    }
    for (size_t w = 0; w < query->widths; w++) plan->out[row + w * plan->count] = trees > 0.0 ? sum[w] / trees : 0.0;
  }
}

void forest_density(const forest_view *of, const leaf_query *query, size_t from, size_t count, double *out,
                    int threads) {
  density_plan plan = {.of = of, .query = query, .from = from, .count = count, .out = out};
  const double work = (double)count * (double)of->trees.trees * TREE_WORK;
  parallel_ranges(count, threads_worth(work, threads), run_densities, &plan);
}

/* The probability of [low, high] under the standard normal law, without loss in the upper tail. */
static double interval_mass(double low, double high) {
  if (!(low < high)) return 0.0;
  if (low > 0.0) return 0.5 * (erfc(low * sqrt(0.5)) - erfc(high * sqrt(0.5)));
  return 0.5 * (erfc(-high * sqrt(0.5)) - erfc(-low * sqrt(0.5)));
}

/* The mass of N(mean, sd^2) in the box of point i and in [low, high]; the density where the box is a point. */
static double mass_within(const pick_query *query, size_t i, double mean, double sd, double low, double high) {
  const double from = query->low[i], to = query->high[i];
  if (from < to) return interval_mass((fmax(low, from) - mean) / sd, (fmin(high, to) - mean) / sd);
  const double z = (from - mean) / sd;
  return from < low || from > high ? 0.0 : exp(-0.5 * z * z) / (sqrt(2.0 * acos(-1.0)) * sd);
}

/* A running sum over components, which notes where it passes `target`. */
typedef struct {
  double sum, target;
  int pick, found;
} component_sum;

static void add_component(component_sum *so_far, double mass, int pick) {
  so_far->sum += mass;
  if (so_far->found || !(mass > 0.0)) return;
  so_far->pick = pick;
  so_far->found = so_far->sum > so_far->target;
}

/* `share` of a cell, 1 up. */
static void add_cell(const forest_view *of, const pick_query *query, size_t i, int cell, double share,
                     component_sum *so_far) {
  const double *ends = of->cells + 2 * (size_t)(cell - 1);
  const double all = interval_mass((ends[0] - query->centre) / query->scale, (ends[1] - query->centre) / query->scale);
  add_component(so_far, share * mass_within(query, i, query->centre, query->scale, ends[0], ends[1]) / all, -cell);
}

static void add_leaf_components(const forest_view *of, const pick_query *query, size_t i, leaf in, double share,
                                component_sum *so_far) {
  const double each = in.kept ? share * (double)in.light / ((double)in.kept * in.total) : 0.0;
  for (size_t k = 0; k < in.kept; k++) {
    const double mean = query->shift[i] + of->response[in.row[k]];
    add_component(so_far, each * mass_within(query, i, mean, query->width, -INFINITY, INFINITY), in.row[k] + 1);
  }
  for (size_t c = 0; c < in.cells; c++) {
    add_cell(of, query, i, in.in_cell[2 * c], share * in.in_cell[2 * c + 1] / in.total, so_far);
  }
}

static component_sum sum_components(const forest_view *of, const pick_query *query, size_t i, double target) {
  component_sum so_far = {.sum = 0.0, .target = target, .pick = 0, .found = 0};
  const double near = 1.0 - query->wide, share = near * (1.0 - query->backoff) / (double)of->trees.trees;
  const double middle = query->shift[i] + query->middle;
  add_cell(of, query, i, (int)of->n_cells, query->wide, &so_far);
  const double mass = mass_within(query, i, middle, query->spread, -INFINITY, INFINITY);
  add_component(&so_far, near * query->backoff * mass, 0);
  for (size_t t = 0; t < of->trees.trees; t++) {
    add_leaf_components(of, query, i, find_leaf(of, t, i), share, &so_far);
  }
  return so_far;
}

/* Without a box: a tree, then a member of its leaf. */
static int pick_freely(const forest_view *of, const pick_query *query, size_t i, rng_sequence *random) {
  if (rng_uniform(random) < query->wide) return -(int)of->n_cells;
  if (rng_uniform(random) < query->backoff) return 0;
  const size_t t = (size_t)(rng_uniform(random) * (double)of->trees.trees);
  const leaf in = find_leaf(of, t < of->trees.trees ? t : of->trees.trees - 1, i);
  double place = rng_uniform(random) * in.total;
  if (place < (double)in.light) {
    const size_t k = (size_t)(place / (double)in.light * (double)in.kept);
    return in.row[k < in.kept ? k : in.kept - 1] + 1;
  }
  place -= (double)in.light;
  size_t c = 0;
  for (; c + 1 < in.cells && place >= in.in_cell[2 * c + 1]; c++) place -= in.in_cell[2 * c + 1];
  return in.cells ? -in.in_cell[2 * c] : in.row[in.kept - 1] + 1;
}

typedef struct {
  const forest_view *of;
  const pick_query *query;
  size_t from;
  int *pick;
  double *log_mass;
} pick_plan;

static void run_picks(size_t from, size_t to, size_t part, void *context) {
  const pick_plan *plan = context;
  const pick_query *query = plan->query;
  (void)part;
  for (size_t row = from; row < to; row++) {
    const size_t i = plan->from + row;
    rng_sequence random;
    rng_start(&random, query->key, query->stream, i);
    if (query->low[i] == -INFINITY && query->high[i] == INFINITY) {
      plan->pick[row] = pick_freely(plan->of, query, i, &random);
      plan->log_mass[row] = 0.0;
      continue;
    }
    const double all = sum_components(plan->of, query, i, INFINITY).sum;
    plan->pick[row] = sum_components(plan->of, query, i, rng_uniform(&random) * all).pick;
    plan->log_mass[row] = log(all);
  }
}

void forest_pick(const forest_view *of, const pick_query *query, size_t from, size_t count, int *pick,
                 double *log_mass, int threads) {
  pick_plan plan = {.of = of, .query = query, .from = from, .pick = pick, .log_mass = log_mass};
  const double work = (double)count * (double)of->trees.trees * TREE_WORK;
  parallel_ranges(count, threads_worth(work, threads), run_picks, &plan);
}
