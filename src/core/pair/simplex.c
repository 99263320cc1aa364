#include "core/pair/simplex.h"

#include <math.h>

/* Reduced costs above -SLACK times the largest cost are rounding. */
#define SLACK 1e-13
/* Rows searched between two questions whether the user pressed Ctrl-C. */
#define ROWS_BETWEEN 4096

#define NONE ((size_t)-1)

/* All arcs lead from the first cloud to the second. The root is one more point of the second, which takes nothing: its
 * arcs carry no flow, and none enters the tree later. */
typedef struct {
  const simplex_task *task;
  simplex_node *nodes;
  double *potential;
  size_t root;
  double least; /* a reduced cost below this one is negative */
} tree;

/* --- the tree -------------------------------------------------------------------------------------------- */

static void attach(const tree *t, size_t node, size_t parent, double cost, double flow) {
  simplex_node *own = t->nodes + node, *over = t->nodes + parent;
  own->parent = parent;
  own->cost = cost;
  own->flow = flow;
  own->previous = NONE;
  own->next = over->first_child;
  if (own->next != NONE) t->nodes[own->next].previous = node;
  over->first_child = node;
}

static void detach(const tree *t, size_t node) {
  const simplex_node *own = t->nodes + node;
  if (own->next != NONE) t->nodes[own->next].previous = own->previous;
  if (own->previous != NONE) {
    t->nodes[own->previous].next = own->next;
  } else {
    t->nodes[own->parent].first_child = own->next;
  }
}

/* Depth and potential of a node and of all below it. The potentials of the two ends of an arc add up to its cost. */
static void refresh(const tree *t, size_t top) {
  simplex_node *nodes = t->nodes;
  size_t node = top;
  for (;;) {
    const size_t parent = nodes[node].parent;
    nodes[node].depth = nodes[parent].depth + 1;
    t->potential[node] = nodes[node].cost - (parent == t->root ? 0.0 : t->potential[parent]);
    if (nodes[node].first_child != NONE) {
      node = nodes[node].first_child;
      continue;
    }
    while (node != top && nodes[node].next == NONE) node = nodes[node].parent;
    if (node == top) return;
    node = nodes[node].next;
  }
}

/* --- the first tree -------------------------------------------------------------------------------------- */

/* The nearest point j of the second cloud that still takes something. */
static size_t nearest_open(const double *cost, const double *open, size_t m) {
  size_t best = NONE;
  for (size_t j = 0; j < m; j++) {
    if (open[j] > 0.0 && (best == NONE || cost[j] < cost[best])) best = j;
  }
  return best;
}

static double common_divisor(size_t a, size_t b) {
  while (b > 0) {
    const size_t rest = a % b;
    a = b;
    b = rest;
  }
  return (double)a;
}

/* Each row in turn sends what it has to the nearest points that take it. The end of an arc that has nothing left hangs
 * below the other one. If neither has, the point of the first cloud hangs below the root. So an arc without flow leads
 * towards the root, which `leaving_arc` keeps so, and without which the simplex could go round in circles. */
static void plant(const tree *t) {
  const size_t n = t->task->n, m = t->task->m;
  const double divisor = common_divisor(n, m), supply = (double)m / divisor;
  double *open = t->potential + n;
  for (size_t node = 0; node <= t->root; node++) t->nodes[node].first_child = NONE;
  for (size_t j = 0; j < m; j++) open[j] = (double)n / divisor;
  for (size_t i = 0; i < n; i++) {
    const double *cost = t->task->cost + i * m;
    double rest = supply;
    while (rest > 0.0) {
      const size_t j = nearest_open(cost, open, m);
      const double flow = rest < open[j] ? rest : open[j];
      rest -= flow;
      open[j] -= flow;
      if (open[j] > 0.0) {
        attach(t, i, n + j, cost[j], flow);
      } else {
        attach(t, n + j, i, cost[j], flow);
        if (rest == 0.0) attach(t, i, t->root, 0.0, 0.0);
      }
    }
  }
  t->nodes[t->root].depth = 0;
  for (size_t node = t->nodes[t->root].first_child; node != NONE; node = t->nodes[node].next) refresh(t, node);
}

/* --- a pivot --------------------------------------------------------------------------------------------- */

/* The cycle of an arc that enters the tree goes from the arc's end up to the meeting of both paths, and down to the
 * arc's beginning. Flow is taken from the arcs that are passed backwards: those above a point of the second cloud on
 * the way up, and above one of the first on the way down. */
typedef struct {
  size_t from, to, join;
  size_t out;   /* the node whose arc to its parent leaves */
  int out_from; /* whether it is on the path from `from` */
  double flow;
} pivot;

static size_t meeting(const tree *t, size_t a, size_t b) {
  const simplex_node *nodes = t->nodes;
  while (a != b) {
    if (nodes[a].depth >= nodes[b].depth) {
      a = nodes[a].parent;
    } else {
      b = nodes[b].parent;
    }
  }
  return a;
}

/* The last one without flow after the change, along the cycle from the join on. */
static pivot leaving_arc(const tree *t, size_t from, size_t to) {
  const simplex_node *nodes = t->nodes;
  const size_t n = t->task->n;
  pivot p = {.from = from, .to = to, .join = meeting(t, from, to), .out = NONE, .flow = INFINITY};
  for (size_t node = from; node != p.join; node = nodes[node].parent) {
    if (node < n && nodes[node].flow < p.flow) {
      p.flow = nodes[node].flow;
      p.out = node;
      p.out_from = 1;
    }
  }
  for (size_t node = to; node != p.join; node = nodes[node].parent) {
    if (node >= n && nodes[node].flow <= p.flow) {
      p.flow = nodes[node].flow;
      p.out = node;
      p.out_from = 0;
    }
  }
  return p;
}

static void change_flow(const tree *t, const pivot *p) {
  simplex_node *nodes = t->nodes;
  const size_t n = t->task->n;
  if (p->flow == 0.0) return;
  for (size_t node = p->from; node != p->join; node = nodes[node].parent) {
    nodes[node].flow += node < n ? -p->flow : p->flow;
  }
  for (size_t node = p->to; node != p->join; node = nodes[node].parent) {
    nodes[node].flow += node < n ? p->flow : -p->flow;
  }
}

/* The part of the tree below the leaving arc hangs on the entering arc now: the arcs from there to the leaving one turn
 * round. */
static void hang(const tree *t, const pivot *p, double cost) {
  const size_t top = p->out_from ? p->from : p->to;
  size_t node = top, parent = p->out_from ? p->to : p->from;
  double flow = p->flow;
  for (;;) {
    const simplex_node old = t->nodes[node];
    detach(t, node);
    attach(t, node, parent, cost, flow);
    if (node == p->out) break;
    parent = node;
    cost = old.cost;
    flow = old.flow;
    node = old.parent;
  }
  refresh(t, top);
}

/* --- the search ------------------------------------------------------------------------------------------ */

/* The place of the least of cost - v. */
static size_t least_reduced(const double *cost, const double *v, size_t m, double *least) {
  double best[4] = {INFINITY, INFINITY, INFINITY, INFINITY};
  size_t j = 0;
  for (; j + 4 <= m; j += 4) {
    for (size_t lane = 0; lane < 4; lane++) {
      const double reduced = cost[j + lane] - v[j + lane];
      best[lane] = reduced < best[lane] ? reduced : best[lane];
    }
  }
  for (; j < m; j++) best[0] = cost[j] - v[j] < best[0] ? cost[j] - v[j] : best[0];
  for (size_t lane = 1; lane < 4; lane++) best[0] = best[lane] < best[0] ? best[lane] : best[0];
  *least = best[0];
  for (j = 0; j < m; j++) {
    if (cost[j] - v[j] == best[0]) return j;
  }
  return NONE;
}

static double total_cost(const tree *t) {
  double sum = 0.0;
  for (size_t node = 0; node < t->root; node++) sum += t->nodes[node].flow * t->nodes[node].cost;
  return sum;
}

/* In absolute value; INFINITY if one of them is not finite. */
static double largest_cost(const simplex_task *task) {
  double most = 0.0;
  for (size_t k = 0; k < task->n * task->m; k++) {
    const double size = fabs(task->cost[k]);
    if (!isfinite(size)) return INFINITY;
    if (size > most) most = size;
  }
  return most;
}

status simplex_solve(const simplex_task *task, const simplex_room *room, int (*interrupted)(void), simplex_end *end) {
  const size_t n = task->n, m = task->m;
  if (n < 1 || m < 1) return STATUS_bad_argument;
  const double most = largest_cost(task);
  if (!isfinite(most)) return STATUS_bad_argument;
  const tree t = {
      .task = task, .nodes = room->nodes, .potential = room->potential, .root = n + m, .least = -SLACK * most};
  plant(&t);
  *end = (simplex_end){.pivots = 0};
  size_t searched = 0;
  for (size_t i = 0, quiet = 0; quiet < n; i = i + 1 < n ? i + 1 : 0) {
    if (interrupted && searched++ % ROWS_BETWEEN == 0 && interrupted()) return STATUS_interrupted;
    double least;
    const size_t j = least_reduced(task->cost + i * m, t.potential + n, m, &least);
    quiet++;
    if (!(least - t.potential[i] < t.least)) continue;
    quiet = 0;
    const pivot p = leaving_arc(&t, i, n + j);
    change_flow(&t, &p);
    hang(&t, &p, task->cost[i * m + j]);
    end->pivots++;
  }
  end->value = total_cost(&t) * common_divisor(n, m) / ((double)n * (double)m);
  return STATUS_ok;
}
