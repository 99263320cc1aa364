#include "core/pair/tree.h"

#include <math.h>
#include <string.h>

#include "core/base/parallel.h"
#include "core/base/sorting.h"

#define PI 3.14159265358979323846

/* Squared distances over squared radius between which a node gives way to its halves. */
#define TREE_NEAR 2.4
#define TREE_FAR 3.2

#define LANES CHARGE_LANES
#define MOST_PROXIES_A_SIDE (TREE_MOST_DEGREE + 1)

size_t tree_proxies(size_t degree, size_t dim) {
  size_t proxies = 1;
  for (size_t c = 0; c < dim; c++) proxies *= degree + 1;
  return proxies;
}

/* Below twice the proxies, the sources themselves cost less. */
static size_t leaf_size(size_t degree, size_t dim) {
  const size_t leaf = 2 * tree_proxies(degree, dim);
  return leaf < 16 ? 16 : leaf;
}

void tree_extent(size_t n, size_t degree, size_t dim, size_t *nodes, size_t *inner) {
  /* all nodes of a level have m or m + 1 sources */
  const size_t leaf = leaf_size(degree, dim);
  size_t small = n, n_small = 1, n_large = 0;
  *nodes = *inner = 0;
  while (n_small + n_large > 0) {
    *nodes += n_small + n_large;
    const size_t split_small = small > leaf ? n_small : 0, split_large = small + 1 > leaf ? n_large : 0;
    *inner += split_small + split_large;
    if (small % 2) { /* m = 2h + 1 gives h and h + 1; m + 1 gives h + 1 twice */
      n_small = split_small, n_large = split_small + 2 * split_large;
    } else { /* m = 2h gives h twice; m + 1 gives h and h + 1 */
      n_small = 2 * split_small + split_large, n_large = split_large;
    }
    small /= 2;
  }
}

/* --- building ------------------------------------------------------------------------------------------------ */

typedef struct {
  tree_parts *tree;
  const double *rows;
  size_t next_node, next_inner, leaf;
} tree_builder;

static double coordinate(const tree_builder *b, int source, size_t c) {
  return b->rows[(size_t)source * b->tree->dim + c];
}

/* The box of order[from, to): its centre, squared radius and half sides; returns the longest side. */
static size_t measure_box(const tree_builder *b, size_t from, size_t to, double *box, double *half) {
  const size_t dim = b->tree->dim;
  size_t longest = 0;
  box[dim] = 0.0;
  for (size_t c = 0; c < dim; c++) {
    double low = INFINITY, high = -INFINITY;
    for (size_t i = from; i < to; i++) {
      const double x = coordinate(b, b->tree->order[i], c);
      low = fmin(low, x), high = fmax(high, x);
    }
    box[c] = low + 0.5 * (high - low);
    half[c] = 0.5 * (high - low);
    box[dim] += half[c] * half[c];
    if (half[c] > half[longest]) longest = c;
  }
  return longest;
}

/* The proxies of a box. Those of a side that is very short, beside the others or beside its place, would be equal. */
static void place_proxies(const tree_parts *tree, const double *box, const double *half, double *proxy) {
  const size_t dim = tree->dim, side = tree->degree + 1, total = tree_proxies(tree->degree, dim);
  const double least = 0.05 * sqrt(box[dim]) + 1e-150;
  for (size_t k = 0; k < total; k++) {
    size_t rest = k;
    for (size_t c = 0; c < dim; c++, rest /= side) {
      const double node = cos(PI * (2.0 * (double)(rest % side) + 1.0) / (2.0 * (double)side));
      proxy[k * (dim + 1) + c] = box[c] + node * fmax(half[c], least + 1e-9 * fabs(box[c]));
    }
    proxy[k * (dim + 1) + dim] = 0.0;
  }
}

static size_t build_node(tree_builder *b, size_t from, size_t to) {
  tree_parts *tree = b->tree;
  const size_t dim = tree->dim, self = b->next_node++;
  double half[CHARGE_MAX_DIM];
  int *node = tree->node + self * NODE_numbers;
  const size_t longest = measure_box(b, from, to, tree->box + self * BOX_DOUBLES(dim), half);
  node[NODE_first] = (int)from;
  node[NODE_count] = (int)(to - from);
  node[NODE_right] = node[NODE_inner] = node[NODE_axis] = 0;
  tree->box[self * BOX_DOUBLES(dim) + dim + 1] = 0.0;
  if (to - from <= b->leaf) return self;
  node[NODE_inner] = (int)b->next_inner++;
  place_proxies(tree, tree->box + self * BOX_DOUBLES(dim), half,
                tree->proxy + (size_t)node[NODE_inner] * tree_proxies(tree->degree, dim) * (dim + 1));
  const size_t middle = from + (to - from) / 2;
  split_rows(b->rows, b->tree->dim, b->tree->order, from, to, middle, longest);
  node[NODE_axis] = (int)longest;
  tree->box[self * BOX_DOUBLES(dim) + dim + 1] = coordinate(b, tree->order[middle], longest);
  build_node(b, from, middle);
  node[NODE_right] = (int)build_node(b, middle, to);
  return self;
}

/* values[c][k]: Lagrange's polynomial k of the nodes of `proxy` along side c, at x. */
static void lagrange(const tree_parts *tree, const double *proxy, const double *x,
                     double values[CHARGE_MAX_DIM][MOST_PROXIES_A_SIDE]) {
  const size_t dim = tree->dim, side = tree->degree + 1;
  size_t stride = dim + 1;
  for (size_t c = 0; c < dim; c++, stride *= side) {
    for (size_t k = 0; k < side; k++) {
      double value = 1.0;
      for (size_t j = 0; j < side; j++) {
        if (j == k) continue;
        value *= (x[c] - proxy[j * stride + c]) / (proxy[k * stride + c] - proxy[j * stride + c]);
      }
      values[c][k] = value;
    }
  }
}

/* Adds the charges of `count` charges to the proxies of a node. */
static void add_charges(const tree_parts *tree, const double *charge, size_t count, double *proxy) {
  const size_t dim = tree->dim, side = tree->degree + 1, total = tree_proxies(tree->degree, dim);
  double values[CHARGE_MAX_DIM][MOST_PROXIES_A_SIDE];
  for (size_t a = 0; a < count; a++) {
    const double *x = charge + a * (dim + 1);
    lagrange(tree, proxy, x, values);
    for (size_t k = 0; k < total; k++) {
      double value = x[dim];
      size_t rest = k;
      for (size_t c = 0; c < dim; c++, rest /= side) value *= values[c][rest % side];
      proxy[k * (dim + 1) + dim] += value;
    }
  }
}

/* The charges of a node as its parent sees them: its proxies, or its sources. */
static const double *charges_of(const tree_parts *tree, size_t node, size_t *count) {
  const int *numbers = tree->node + node * NODE_numbers;
  const size_t width = tree->dim + 1, proxies = tree_proxies(tree->degree, tree->dim);
  if (!numbers[NODE_right]) {
    *count = (size_t)numbers[NODE_count];
    return tree->particle + (size_t)numbers[NODE_first] * width;
  }
  *count = proxies;
  return tree->proxy + (size_t)numbers[NODE_inner] * proxies * width;
}

void tree_build(tree_parts *tree, const double *rows) {
  const size_t dim = tree->dim, proxies = tree_proxies(tree->degree, dim);
  for (size_t i = 0; i < tree->n; i++) tree->order[i] = (int)i;
  tree_builder b = {.tree = tree, .rows = rows, .leaf = leaf_size(tree->degree, dim)};
  build_node(&b, 0, tree->n);
  for (size_t i = 0; i < tree->n; i++) {
    memcpy(tree->particle + i * (dim + 1), rows + (size_t)tree->order[i] * dim, dim * sizeof(double));
    tree->particle[i * (dim + 1) + dim] = 1.0;
  }
  /* halves come after their node */
  for (size_t node = tree->nodes; node-- > 0;) {
    const int *numbers = tree->node + node * NODE_numbers;
    if (!numbers[NODE_right]) continue;
    double *proxy = tree->proxy + (size_t)numbers[NODE_inner] * proxies * (dim + 1);
    const size_t halves[2] = {node + 1, (size_t)numbers[NODE_right]};
    for (int h = 0; h < 2; h++) {
      size_t count;
      const double *charge = charges_of(tree, halves[h], &count);
      add_charges(tree, charge, count, proxy);
    }
  }
}

/* --- summing ------------------------------------------------------------------------------------------------- */

typedef struct {
  const tree_parts *tree;
  const pair_kernel *kernel;
  charge_mode mode;
  charge_kernel charges;
  size_t rows, dim;
} tree_plan;

/* A node that waits, with the weight that each lane gives to it, and the slope of this weight. */
typedef struct {
  size_t node;
  double weight[LANES], slope[CHARGE_MAX_DIM][LANES];
} waiting;

/* One group of queries. */
typedef struct {
  double query[CHARGE_MAX_DIM * LANES], total[CHARGE_MAX_ROWS * LANES], node[CHARGE_MAX_ROWS * LANES];
  waiting stack[TREE_MOST_DEPTH + 2]; /* a path leaves at most one node behind on each level */
  size_t depth;
} group;

#define GROUP_DOUBLES ((sizeof(group) + sizeof(double) - 1) / sizeof(double))

/* chi(t) and its derivative. */
static double blend(double t, double *slope) {
  const double x = (t - TREE_NEAR) / (TREE_FAR - TREE_NEAR);
  *slope = x > 0.0 && x < 1.0 ? 6.0 * x * (1.0 - x) / (TREE_FAR - TREE_NEAR) : 0.0;
  return x <= 0.0 ? 0.0 : x >= 1.0 ? 1.0 : x * x * (3.0 - 2.0 * x);
}

/* Adds what `count` charges do to the group, times `weight`. The Jacobian of weight times force has the part
 * force slope', whose symmetric half belongs to the triangle of sum (w/u) z z'; there it has the factor -1/(s+2). */
static void add_node(const tree_plan *plan, group *g, const double *charge, size_t count, const waiting *with) {
  plan->charges(g->query, g->node, charge, count, plan->kernel);
  for (size_t row = 0; row < plan->rows; row++) {
    for (size_t l = 0; l < LANES; l++) g->total[row * LANES + l] += with->weight[l] * g->node[row * LANES + l];
  }
  if (plan->mode != CHARGES_hessian) return;
  const double scale = 0.5 / (plan->kernel->s + 2.0);
  double *entry = g->total + (plan->dim + 1) * LANES;
  for (size_t c = 0; c < plan->dim; c++) {
    for (size_t e = 0; e <= c; e++, entry += LANES) {
      for (size_t l = 0; l < LANES; l++) {
        entry[l] -= scale * (g->node[c * LANES + l] * with->slope[e][l] + g->node[e * LANES + l] * with->slope[c][l]);
      }
    }
  }
}

/* Splits the weights of `from` at a node with halves: what it takes itself, and what it leaves to its halves. Returns 1
 * if any lane takes and 2 if any leaves, or their sum. */
static int split_weights(const tree_plan *plan, const group *g, const waiting *from, waiting *take, waiting *leave) {
  const double *box = plan->tree->box + from->node * BOX_DOUBLES(plan->dim);
  const double inverse = 1.0 / (box[plan->dim] + 1e-300);
  int found = 0;
  for (size_t l = 0; l < LANES; l++) {
    double t = 0.0, slope;
    for (size_t c = 0; c < plan->dim; c++) {
      const double z = g->query[c * LANES + l] - box[c];
      t += z * z;
    }
    const double chi = blend(t * inverse, &slope);
    take->weight[l] = from->weight[l] * chi;
    leave->weight[l] = from->weight[l] * (1.0 - chi);
    found |= (take->weight[l] > 0.0) | (leave->weight[l] > 0.0) << 1;
    if (plan->mode != CHARGES_hessian) continue;
    for (size_t c = 0; c < plan->dim; c++) {
      const double change = from->weight[l] * slope * 2.0 * inverse * (g->query[c * LANES + l] - box[c]);
      take->slope[c][l] = from->slope[c][l] * chi + change;
      leave->slope[c][l] = from->slope[c][l] * (1.0 - chi) - change;
    }
  }
  return found;
}

static void sum_group(const tree_plan *plan, group *g) {
  const tree_parts *tree = plan->tree;
  waiting now, take;
  memset(g->total, 0, sizeof g->total);
  memset(&g->stack[0], 0, sizeof g->stack[0]);
  for (size_t l = 0; l < LANES; l++) g->stack[0].weight[l] = 1.0;
  g->depth = 1;
  while (g->depth > 0) {
    now = g->stack[--g->depth];
    const int *numbers = tree->node + now.node * NODE_numbers;
    size_t count;
    const double *charge = charges_of(tree, now.node, &count);
    if (!numbers[NODE_right]) {
      add_node(plan, g, charge, count, &now);
      continue;
    }
    waiting *leave = &g->stack[g->depth];
    const int found = split_weights(plan, g, &now, &take, leave);
    if (found & 1) add_node(plan, g, charge, count, &take);
    if (!(found & 2)) continue;
    leave->node = (size_t)numbers[NODE_right];
    leave[1] = leave[0];
    leave[1].node = now.node + 1;
    g->depth += 2;
  }
}

/* Lane l of a group to row i. */
static void store_lane(const tree_plan *plan, const group *g, size_t l, const pair_sums *out, size_t i) {
  const size_t dim = plan->dim, triangle = dim * (dim + 1) / 2;
  const double *rest = g->total + (dim + 1) * LANES + l;
  for (size_t c = 0; out->force && c < dim; c++) {
    out->force[i * out->row_stride + c * out->column_stride] = g->total[c * LANES + l];
  }
  if (out->weight) out->weight[i] = g->total[dim * LANES + l];
  if (out->bound) {
    out->bound[i] = rest[0];
    for (size_t c = 1; plan->mode == CHARGES_hessian && c < dim; c++) out->bound[i] += rest[(c * (c + 3) / 2) * LANES];
  }
  for (size_t e = 0; out->hessian && e < triangle; e++) out->hessian[i * triangle + e] = rest[e * LANES];
}

void tree_sums(const sums_engine *engine, const double *query, size_t n, size_t row_stride, size_t column_stride,
               const pair_sums *out, double *workspace) {
  const charge_mode mode = out->hessian ? CHARGES_hessian : out->bound ? CHARGES_bound : CHARGES_force;
  const tree_plan plan = {.tree = engine->data,
                          .kernel = &engine->kernel,
                          .mode = mode,
                          .charges = charge_kernel_for(mode, engine->kernel.kind, engine->dim),
                          .rows = charge_rows(mode, engine->dim),
                          .dim = engine->dim};
  group *g = (group *)(void *)workspace;
  for (size_t first = 0; first < n; first += LANES) {
    const size_t count = n - first < LANES ? n - first : LANES;
    for (size_t c = 0; c < plan.dim; c++) {
      for (size_t l = 0; l < LANES; l++) {
        const size_t i = first + (l < count ? l : count - 1); /* a lane without a row repeats the last one */
        g->query[c * LANES + l] = query[i * row_stride + c * column_stride];
      }
    }
    sum_group(&plan, g);
    for (size_t l = 0; l < count; l++) store_lane(&plan, g, l, out, first + l);
  }
  engine_unknown(out, n);
}

sums_engine tree_engine(const tree_parts *tree, pair_kernel kernel) {
  const sums_engine engine = {
      .sums = tree_sums, .data = tree, .workspace = GROUP_DOUBLES, .n = tree->n, .dim = tree->dim, .kernel = kernel};
  return engine;
}

/* --- order --------------------------------------------------------------------------------------------------- */

typedef struct {
  const tree_parts *tree;
  const double *query;
  size_t n;
  int *place;
} place_plan;

static void place_rows(size_t from, size_t to, size_t part, void *context) {
  const place_plan *plan = context;
  const size_t dim = plan->tree->dim;
  (void)part;
  for (size_t i = from; i < to; i++) {
    size_t node = 0;
    for (;;) {
      const int *numbers = plan->tree->node + node * NODE_numbers;
      if (!numbers[NODE_right]) break;
      const double cut = plan->tree->box[node * BOX_DOUBLES(dim) + dim + 1];
      const double x = plan->query[(size_t)numbers[NODE_axis] * plan->n + i];
      node = x < cut ? node + 1 : (size_t)numbers[NODE_right];
    }
    plan->place[i] = plan->tree->node[node * NODE_numbers + NODE_first];
  }
}

void tree_places(const tree_parts *tree, const double *query, size_t n, int *place, int threads) {
  place_plan plan = {.tree = tree, .query = query, .n = n, .place = place};
  parallel_ranges(n, threads_worth(100.0 * (double)n, threads), place_rows, &plan);
}
