#include "core/law/forest.h"

#include <math.h>
#include <string.h>

#include "core/base/parallel.h"
#include "core/pair/widened.h"
#include "core/law/trees.h"

/* Work of one tree at one point, in the unit of threads_worth(). */
#define TREE_WORK 200.0
/* Work of the kernels of one leaf, of one width. */
#define KERNEL_WORK 400.0

typedef struct {
  size_t kept;
  const int *row;
} leaf;

/* The child of an inner node to which a point goes. at: its first coordinate, n numbers before the next. */
static inline size_t child_of(const forest *trees, size_t node, const double *at, size_t n) {
  const double x = at[(size_t)trees->node[2 * node] * n];
  return (size_t)trees->node[2 * node + 1] + (x <= trees->cut[node] ? 0 : 1);
}

/* What the leaf of tree t has as `first` that point i of `points` [n, .] falls into. */
static size_t find_leaf(const forest *trees, const double *points, size_t n, size_t t, size_t i) {
  size_t node = (size_t)trees->root[t];
  while (trees->node[2 * node] >= 0) node = child_of(trees, node, points + i, n);
  return (size_t)trees->node[2 * node + 1];
}

static leaf rows_of(const value_forest *of, size_t t, size_t i) {
  const int *members = of->members + find_leaf(&of->trees, of->points, of->n, t, i);
  return (leaf){.kept = (size_t)members[0], .row = members + 1};
}

int roots_sound(const forest *of) {
  for (size_t t = 0; t < of->trees; t++) {
    if (of->root[t] < 0 || (size_t)of->root[t] >= of->nodes) return 0;
  }
  return of->trees > 0;
}

int nodes_sound(const forest *of, size_t features) {
  for (size_t k = 0; k < of->nodes; k++) {
    if (of->node[2 * k + 1] < 0) return 0;
    if (of->node[2 * k] < 0) continue;
    const size_t first = (size_t)of->node[2 * k + 1];
    /* children come after their parent, so that each path ends */
    if ((size_t)of->node[2 * k] >= features || first <= k || first + 1 >= of->nodes) return 0;
  }
  return 1;
}

static int list_sound(const int *members, size_t n_members, size_t first, size_t rows) {
  if (first >= n_members || members[first] < 1 || (size_t)members[first] >= n_members - first) return 0;
  for (int k = 1; k <= members[first]; k++) {
    const int row = members[first + (size_t)k];
    if (row < 0 || (size_t)row >= rows) return 0;
  }
  return 1;
}

int members_sound(const forest *of, const int *members, size_t n_members, size_t rows) {
  for (size_t k = 0; k < of->nodes; k++) {
    if (of->node[2 * k] < 0 && !list_sound(members, n_members, (size_t)of->node[2 * k + 1], rows)) return 0;
  }
  return 1;
}

int leaves_sound(const forest *of, size_t leaves) {
  for (size_t k = 0; k < of->nodes; k++) {
    if (of->node[2 * k] < 0 && (size_t)of->node[2 * k + 1] >= leaves) return 0;
  }
  return 1;
}

typedef struct {
  double mean, sd;
} leaf_shape;

static leaf_shape shape_of(const value_forest *of, leaf in) {
  double mean = 0.0, squares = 0.0;
  for (size_t k = 0; k < in.kept; k++) mean += of->response[in.row[k]];
  mean /= (double)in.kept;
  for (size_t k = 0; k < in.kept; k++) {
    const double apart = of->response[in.row[k]] - mean;
    squares += apart * apart;
  }
  return (leaf_shape){mean, sqrt((squares + of->pooled) / (double)in.kept)};
}

/* The probability of [low, high] under the standard normal law, without loss in the upper tail. */
static double interval_mass(double low, double high) {
  if (!(low < high)) return 0.0;
  if (low > 0.0) return 0.5 * (erfc(low * sqrt(0.5)) - erfc(high * sqrt(0.5)));
  return 0.5 * (erfc(-high * sqrt(0.5)) - erfc(-low * sqrt(0.5)));
}

/* The nearest number in a gap. */
static double into_gap(const backoff_law *of, double mean) {
  double best = INFINITY;
  for (size_t k = 0; k < of->gaps; k++) {
    const double inside = fmin(fmax(mean, of->gap[2 * k]), of->gap[2 * k + 1]);
    if (fabs(inside - mean) < fabs(best - mean)) best = inside;
  }
  return best;
}

double backoff_density(const backoff_law *of, double z, double mean) {
  const double at = into_gap(of, mean), u = (z - at) / of->sd;
  double mass = 0.0;
  int within = 0;
  for (size_t k = 0; k < of->gaps; k++) {
    const double low = of->gap[2 * k], high = of->gap[2 * k + 1];
    mass += interval_mass((low - at) / of->sd, (high - at) / of->sd);
    within = within || ((z > low || z == -of->reach) && z <= high);
  }
  if (!within || !(fabs(z) <= of->reach) || !(mass > 0.0)) return 0.0;
  return exp(-0.5 * u * u) / (sqrt(2.0 * acos(-1.0)) * of->sd * mass);
}

/* The kernel of a row of a leaf, moved by `shift`, without its mass. */
static picked kernel_of(const value_forest *of, leaf_shape shape, int row, double shift, double width) {
  const double shrink = 1.0 / sqrt(1.0 + width * width);
  picked kernel = {.mean = shift + shape.mean + (of->response[row] - shape.mean) * shrink,
                   .sd = shape.sd * width * shrink, .low = -INFINITY, .high = INFINITY, .mass = 1.0};
  if (!of->gap) return kernel;
  kernel.low = of->gap[2 * (size_t)row];
  kernel.high = of->gap[2 * (size_t)row + 1];
  kernel.mean = fmin(fmax(kernel.mean, kernel.low), kernel.high);
  return kernel;
}

/* Beyond this many standard deviations a kernel has 1e-9 of its mass. */
#define FAR_SDS 6
#define TAIL_STEPS 64 /* per standard deviation */
/* Beyond this squared number of standard deviations the density of a kernel is below 1e-16 of its largest. */
#define NOTHING_LEFT 75.0

/* The tail of the standard normal law beyond k / TAIL_STEPS, and its slope per step. Cubic interpolation is right to
 * 3e-10, and takes a fraction of the time of erfc(). */
typedef struct {
  double tail[2 * (FAR_SDS * TAIL_STEPS + 2)];
} normal_table;

static void fill_table(normal_table *table) {
  for (int k = 0; k < FAR_SDS * TAIL_STEPS + 2; k++) {
    const double x = (double)k / TAIL_STEPS;
    table->tail[2 * k] = 0.5 * erfc(x * sqrt(0.5));
    table->tail[2 * k + 1] = -exp(-0.5 * x * x) / (sqrt(2.0 * acos(-1.0)) * TAIL_STEPS);
  }
}

/* Filled by the first call, which comes from the calling thread alone. */
static const normal_table *ready_table(void) {
  static normal_table table;
  static int filled = 0;
  if (!filled) fill_table(&table);
  filled = 1;
  return &table;
}

/* x in steps, at least 0. */
static inline double interpolate(const double *table, double x) {
  const int k = (int)x;
  const double t = x - k, s = 1.0 - t, *at = table + 2 * k;
  const double ends = at[0] * (1.0 + 2.0 * t) * s * s + at[2] * (3.0 - 2.0 * t) * t * t;
  return ends + t * s * (at[1] * s - at[3] * t);
}

/* 0 <= x <= FAR_SDS */
static double tail_of(const normal_table *table, double x) {
  return interpolate(table->tail, x * TAIL_STEPS);
}

/* What a gap holds of N(mean, 1 / rate^2); the mean lies within. */
static double mass_of_gap(const normal_table *table, double mean, double rate, double low, double high) {
  const double below = (mean - low) * rate, above = (high - mean) * rate;
  double mass = 1.0;
  if (below < FAR_SDS) mass -= tail_of(table, below);
  if (above < FAR_SDS) mass -= tail_of(table, above);
  return mass;
}

#define CHAINS ((size_t)8)

/* exp(-x), x >= 0: 1 / exp(x / 256)^256, with the series of exp() up to the eighth power, is right to 3e-11 of itself
 * down to 1e-16, and falls to 0. There is no branch, so that the compiler can vectorise it. */
INLINED double small_exponential(double x) {
  const double t = x * 0.00390625;
  double e = 1.0 / 40320.0;
  e = e * t + 1.0 / 5040.0;
  e = e * t + 1.0 / 720.0;
  e = e * t + 1.0 / 120.0;
  e = e * t + 1.0 / 24.0;
  e = e * t + 1.0 / 6.0;
  e = e * t + 0.5;
  e = e * t + 1.0;
  e = e * t + 1.0;
  e *= e;
  e *= e;
  e *= e;
  e *= e;
  e *= e;
  e *= e;
  e *= e;
  e *= e;
  return 1.0 / e;
}

/* Adds sum_k exp(-(from - rate response_k)^2 / 2); n is a multiple of CHAINS. */
INLINED void add_bells_plain(const double *response, size_t n, double from, double rate, double *sum) {
  double chain[CHAINS] = {0.0};
  for (size_t k = 0; k < n; k += CHAINS) {
    VECTORISE
    for (size_t l = 0; l < CHAINS; l++) {
      const double u = from - response[k + l] * rate;
      chain[l] += small_exponential(0.5 * u * u);
    }
  }
  for (size_t l = 0; l < CHAINS; l++) *sum += chain[l];
}

WIDENED(add_bells, (const double *response, size_t n, double from, double rate, double *sum),
        (response, n, from, rate, sum))

#define BLOCK ((size_t)64)

/* Rows of a leaf with their gaps; of each the mean and the height of its kernel at a point. */
typedef struct {
  double response[BLOCK], low[BLOCK], high[BLOCK], mean[BLOCK], bell[BLOCK];
} gap_block;

/* Means and heights of n rows, a multiple of CHAINS: response * shrink + from, moved into the gap. Outside of its gap a
 * kernel has no height. */
INLINED void find_bells_plain(gap_block *of, size_t n, double z, double from, double shrink, double rate) {
  for (size_t k = 0; k < n; k += CHAINS) {
    VECTORISE
    for (size_t l = k; l < k + CHAINS; l++) {
      double mean = from + of->response[l] * shrink;
      mean = mean < of->low[l] ? of->low[l] : mean;
      mean = mean > of->high[l] ? of->high[l] : mean;
      const double u = (z - mean) * rate, bell = small_exponential(0.5 * u * u);
      of->mean[l] = mean;
      of->bell[l] = z > of->low[l] && z <= of->high[l] && u * u < NOTHING_LEFT ? bell : 0.0;
    }
  }
}

WIDENED(find_bells, (gap_block *of, size_t n, double z, double from, double shrink, double rate),
        (of, n, z, from, shrink, rate))

/* Copies rows of a leaf; those up to a multiple of CHAINS have an empty gap. Returns this multiple. */
static size_t copy_rows(const value_forest *of, const int *row, size_t n, gap_block *block) {
  for (size_t k = 0; k < n; k++) {
    block->response[k] = of->response[row[k]];
    block->low[k] = of->gap[2 * (size_t)row[k]];
    block->high[k] = of->gap[2 * (size_t)row[k] + 1];
  }
  for (; n % CHAINS; n++) block->response[n] = block->low[n] = block->high[n] = 0.0;
  return n;
}

/* Adds the kernels of a leaf, each divided by what its gap holds, at the widths that are not `free`: sums [widths]. */
static void add_in_gaps(const value_forest *of, const leaf_query *query, const normal_table *table, leaf in,
                        leaf_shape shape, size_t i, const int *free, double *sums) {
  gap_block block;
  const double z = query->z[i];
  for (size_t first = 0; first < in.kept; first += BLOCK) {
    const size_t n = in.kept - first < BLOCK ? in.kept - first : BLOCK;
    const size_t padded = copy_rows(of, in.row + first, n, &block);
    for (size_t w = 0; w < query->widths; w++) {
      if (free[w]) continue;
      const double width = query->width[w], shrink = 1.0 / sqrt(1.0 + width * width);
      const double rate = 1.0 / (shape.sd * width * shrink);
      find_bells(&block, padded, z, query->shift[i] + shape.mean * (1.0 - shrink), shrink, rate);
      for (size_t k = 0; k < n; k++) {
        if (!(block.bell[k] > 0.0)) continue;
        const double mean = block.mean[k], low = block.low[k], high = block.high[k];
        /* most kernels lie within their gap as a whole, and a division takes as long as all else */
        const int whole = (mean - low) * rate >= FAR_SDS && (high - mean) * rate >= FAR_SDS;
        sums[w] += whole ? block.bell[k] : block.bell[k] / mass_of_gap(table, mean, rate, low, high);
      }
    }
  }
}

/* Adds the kernels of a leaf, as if there were no gaps, at the widths that are `free` [widths]. They are not yet
 * divided by their widths: sums [widths]. */
static void add_freely(const value_forest *of, const leaf_query *query, leaf in, leaf_shape shape, double at,
                       const int *free, double *sums) {
  double response[BLOCK];
  for (size_t first = 0; first < in.kept; first += BLOCK) {
    size_t n = in.kept - first < BLOCK ? in.kept - first : BLOCK;
    for (size_t k = 0; k < n; k++) response[k] = of->response[in.row[first + k]];
    for (; n % CHAINS; n++) response[n] = INFINITY; /* adds exp(-Inf) */
    for (size_t w = 0; w < query->widths; w++) {
      if (!free[w]) continue;
      const double width = query->width[w], shrink = 1.0 / sqrt(1.0 + width * width), rate = 1.0 / (shape.sd * width);
      add_bells(response, n, (at - shape.mean * (1.0 - shrink)) * rate / shrink, rate, sums + w);
    }
  }
}

/* The gap that all rows of a leaf share, or where there is none a gap without numbers; and the ends of their
 * responses. */
typedef struct {
  double low, high, least, most;
} leaf_range;

static leaf_range range_of(const value_forest *of, leaf in) {
  const double *gap = of->gap + 2 * (size_t)in.row[0];
  leaf_range range = {.low = gap[0], .high = gap[1], .least = INFINITY, .most = -INFINITY};
  for (size_t k = 0; k < in.kept; k++) {
    const double response = of->response[in.row[k]], *own = of->gap + 2 * (size_t)in.row[k];
    if (own[0] != range.low || own[1] != range.high) return (leaf_range){.low = INFINITY, .high = -INFINITY};
    range.least = response < range.least ? response : range.least;
    range.most = response > range.most ? response : range.most;
  }
  return range;
}

/* Whether z and, but for 1e-9 of their mass, all kernels of one width lie within the gap. */
static int all_whole(leaf_range range, leaf_shape shape, double z, double shift, double width) {
  const double shrink = 1.0 / sqrt(1.0 + width * width), far = FAR_SDS * shape.sd * width * shrink;
  const double from = shift + shape.mean * (1.0 - shrink);
  return z > range.low && z <= range.high && from + range.least * shrink - range.low >= far &&
         range.high - from - range.most * shrink >= far;
}

/* Adds the density of a leaf at each of the query's widths. */
static void add_leaf(const value_forest *of, const leaf_query *query, const normal_table *table, leaf in, size_t i,
                     double *sum) {
  const leaf_shape shape = shape_of(of, in);
  const leaf_range range = of->gap ? range_of(of, in) : (leaf_range){.low = -INFINITY, .high = INFINITY};
  double kernels[MOST_WIDTHS] = {0.0};
  int free[MOST_WIDTHS], any = 0, all = 1;
  for (size_t w = 0; w < query->widths; w++) {
    free[w] = !of->gap || all_whole(range, shape, query->z[i], query->shift[i], query->width[w]);
    any = any || free[w];
    all = all && free[w];
  }
  if (!all) add_in_gaps(of, query, table, in, shape, i, free, kernels);
  if (any) add_freely(of, query, in, shape, query->z[i] - query->shift[i], free, kernels);
  for (size_t w = 0; w < query->widths; w++) {
    const double width = query->width[w], sd = shape.sd * width / sqrt(1.0 + width * width);
    sum[w] += kernels[w] / ((double)in.kept * sqrt(2.0 * acos(-1.0)) * sd);
  }
}

typedef struct {
  const value_forest *of;
  const leaf_query *query;
  const normal_table *table;
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
      add_leaf(plan->of, query, plan->table, rows_of(plan->of, t, i), i, sum);
      trees += 1.0;
    }
    for (size_t w = 0; w < query->widths; w++) plan->out[row + w * plan->count] = trees > 0.0 ? sum[w] / trees : 0.0;
  }
}

void forest_density(const value_forest *of, const leaf_query *query, size_t from, size_t count, double *out,
                    int threads) {
  density_plan plan = {.of = of, .query = query, .table = ready_table(), .from = from, .count = count, .out = out};
  const double work = (double)count * (double)of->trees.trees * (TREE_WORK + KERNEL_WORK * (double)query->widths);
  parallel_ranges(count, threads_worth(work, threads), run_densities, &plan);
}

/* The mass of a kernel in the box of point i; the density where the box is a point. */
static double mass_within(const pick_query *query, const normal_table *table, size_t i, const picked *kernel) {
  const double low = query->low[i], high = query->high[i];
  const double all = mass_of_gap(table, kernel->mean, 1.0 / kernel->sd, kernel->low, kernel->high);
  const double from = (fmax(low, kernel->low) - kernel->mean) / kernel->sd;
  const double to = (fmin(high, kernel->high) - kernel->mean) / kernel->sd;
  if (low < high) return interval_mass(from, to) / all;
  if (low <= kernel->low || low > kernel->high) return 0.0;
  return exp(-0.5 * from * from) / (sqrt(2.0 * acos(-1.0)) * kernel->sd * all);
}

/* Sums the masses of all kernels; returns the kernel at which the sum passes `target`, with the sum. */
static picked sum_kernels(const value_forest *of, const pick_query *query, const normal_table *table, size_t i,
                          double target) {
  picked found = {0};
  double sum = 0.0;
  int passed = 0;
  for (size_t t = 0; t < of->trees.trees; t++) {
    const leaf in = rows_of(of, t, i);
    const leaf_shape shape = shape_of(of, in);
    for (size_t k = 0; k < in.kept; k++) {
      const picked kernel = kernel_of(of, shape, in.row[k], query->shift[i], query->width);
      const double mass = mass_within(query, table, i, &kernel) / ((double)in.kept * (double)of->trees.trees);
      sum += mass;
      if (passed || (!(mass > 0.0) && found.sd > 0.0)) continue;
      found = kernel;
      passed = sum > target;
    }
  }
  found.mass = sum;
  return found;
}

/* Without a box: a tree, then a member of its leaf. */
static picked pick_freely(const value_forest *of, const pick_query *query, size_t i, rng_sequence *random) {
  const size_t t = (size_t)(rng_uniform(random) * (double)of->trees.trees);
  const leaf in = rows_of(of, t < of->trees.trees ? t : of->trees.trees - 1, i);
  const size_t k = (size_t)(rng_uniform(random) * (double)in.kept);
  return kernel_of(of, shape_of(of, in), in.row[k < in.kept ? k : in.kept - 1], query->shift[i], query->width);
}

typedef struct {
  const value_forest *of;
  const pick_query *query;
  const normal_table *table;
  size_t from;
  picked *out;
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
      plan->out[row] = pick_freely(plan->of, query, i, &random);
      continue;
    }
    const double all = sum_kernels(plan->of, query, plan->table, i, INFINITY).mass;
    plan->out[row] = sum_kernels(plan->of, query, plan->table, i, rng_uniform(&random) * all);
  }
}

void forest_pick(const value_forest *of, const pick_query *query, size_t from, size_t count, picked *out, int threads) {
  pick_plan plan = {.of = of, .query = query, .table = ready_table(), .from = from, .out = out};
  const double work = (double)count * (double)of->trees.trees * TREE_WORK;
  parallel_ranges(count, threads_worth(work, threads), run_picks, &plan);
}

typedef struct {
  const class_forest *of;
  const class_query *query;
  size_t from, count;
  double *out;
} share_plan;

/* Points that go down a tree side by side: each waits for memory at every node, and they wait together. */
#define WALKERS ((size_t)8)
/* Points that go down one tree before the next, so that its nodes stay in the cache. */
#define WALKED ((size_t)256)

/* found [count]: what find_leaf() finds for the points from, from + 1, ... */
static void find_leaves(const class_forest *of, size_t t, size_t from, size_t count, size_t *found) {
  const forest *trees = &of->trees;
  for (size_t first = 0; first < count; first += WALKERS) {
    const size_t some = count - first < WALKERS ? count - first : WALKERS;
    const double *points = of->points + from + first;
    size_t *node = found + first;
    for (size_t k = 0; k < some; k++) node[k] = (size_t)trees->root[t];
    for (int moved = 1; moved;) {
      moved = 0;
      for (size_t k = 0; k < some; k++) {
        if (trees->node[2 * node[k]] < 0) continue;
        node[k] = child_of(trees, node[k], points + k, of->n);
        moved = 1;
      }
    }
    for (size_t k = 0; k < some; k++) node[k] = (size_t)trees->node[2 * node[k] + 1];
  }
}

/* Adds the shares of point i in a leaf with these ratios to sum [classes]. */
static void add_shares(const class_forest *of, size_t i, const double *ratio, double *sum) {
  double all = 0.0;
  for (size_t c = 0; c < of->classes; c++) all += of->base[i + c * of->n] * ratio[c];
  for (size_t c = 0; c < of->classes; c++) sum[c] += of->base[i + c * of->n] * ratio[c] / all;
}

/* Rows from, from + 1, ... of the result, at most WALKED. */
static void share_some(const share_plan *plan, size_t from, size_t count) {
  const class_forest *of = plan->of;
  double sum[WALKED * MOST_CLASSES], trees[WALKED] = {0.0};
  size_t found[WALKED];
  memset(sum, 0, count * of->classes * sizeof(double));
  for (size_t t = 0; t < of->trees.trees; t++) {
    find_leaves(of, t, plan->from + from, count, found);
    for (size_t k = 0; k < count; k++) {
      const size_t i = plan->from + from + k;
      if (of->bag && of->bag[i + t * of->n] > 0) continue;
      add_shares(of, i, of->ratio + found[k] * of->classes, sum + k * of->classes);
      trees[k] += 1.0;
    }
  }
  for (size_t k = 0; k < count; k++) {
    for (size_t c = 0; c < of->classes; c++) {
      const double base = of->base[plan->from + from + k + c * of->n];
      plan->out[from + k + c * plan->count] = trees[k] > 0.0 ? sum[k * of->classes + c] / trees[k] : base;
    }
  }
}

static void run_shares(size_t from, size_t to, size_t part, void *context) {
  (void)part;
  for (size_t first = from; first < to; first += WALKED) {
    share_some(context, first, to - first < WALKED ? to - first : WALKED);
  }
}

/* Adds to sum [settings] the share of class `own` of point i in a leaf under each setting. */
static void add_own_shares(const class_forest *of, size_t i, size_t own, const double *ratio, size_t leaves,
                           size_t settings, double *sum) {
  for (size_t s = 0; s < settings; s++, ratio += leaves * of->classes) {
    double all = 0.0;
    for (size_t c = 0; c < of->classes; c++) all += of->base[i + c * of->n] * ratio[c];
    sum[s] += of->base[i + own * of->n] * ratio[own] / all;
  }
}

static void run_own_shares(size_t from, size_t to, size_t part, void *context) {
  const share_plan *plan = context;
  const class_forest *of = plan->of;
  const class_query *query = plan->query;
  (void)part;
  for (size_t i = from; i < to; i++) {
    const size_t own = (size_t)query->class_of[i];
    double sum[MOST_SETTINGS] = {0.0}, trees = 0.0;
    for (size_t t = 0; t < of->trees.trees; t++) {
      if (of->bag && of->bag[i + t * of->n] > 0) continue;
      const double *ratio = of->ratio + find_leaf(&of->trees, of->points, of->n, t, i) * of->classes;
      add_own_shares(of, i, own, ratio, query->leaves, query->settings, sum);
      trees += 1.0;
    }
    for (size_t s = 0; s < query->settings; s++) {
      plan->out[i + s * of->n] = trees > 0.0 ? sum[s] / trees : of->base[i + own * of->n];
    }
  }
}

void forest_own_shares(const class_forest *of, const class_query *query, double *out, int threads) {
  share_plan plan = {.of = of, .query = query, .count = of->n, .out = out};
  const double work = (double)of->n * (double)of->trees.trees * TREE_WORK;
  parallel_ranges(of->n, threads_worth(work, threads), run_own_shares, &plan);
}

void forest_shares(const class_forest *of, size_t from, size_t count, double *out, int threads) {
  share_plan plan = {.of = of, .from = from, .count = count, .out = out};
  const double work = (double)count * (double)of->trees.trees * TREE_WORK;
  parallel_ranges(count, threads_worth(work, threads), run_shares, &plan);
}
