#include "core/law/condition.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/law/interval.h"

#define LOG_2_PI 1.8378770664093454836
#define LOG_PI 1.1447298858494001741
/* Work of one truncated variable in the unit of threads_worth(). */
#define INTERVAL_WORK 500.0

/* Turns row j of w [count, dim] into (norm, 0, ..., 0) from column j to `last`, and the later rows with it. */
static void reflect_rows(double *w, size_t dim, size_t count, size_t j, size_t last, double *v) {
  double *row = w + j * dim;
  const size_t width = last - j;
  const double beyond = dot(row + j + 1, row + j + 1, width), first = row[j];
  if (beyond == 0.0 && first > 0.0) return;
  const double size = sqrt(first * first + beyond);
  const double pivot = first <= 0.0 ? first - size : -beyond / (first + size);
  const double scale = 2.0 * pivot * pivot / (beyond + pivot * pivot);
  for (size_t l = 0; l < width; l++) v[l] = row[j + 1 + l] / pivot;
  memset(row + j + 1, 0, width * sizeof(double));
  row[j] = size;
  for (size_t i = j + 1; i < count; i++) {
    double *other = w + i * dim + j;
    const double along = scale * (other[0] + dot(v, other + 1, width));
    other[0] -= along;
    for (size_t l = 0; l < width; l++) other[1 + l] -= along * v[l];
  }
}

void reorder_root(const double *root, size_t dim, const size_t *order, size_t count, double *out, double *room) {
  double *w = room, *v = w + count * dim;
  memset(w, 0, count * dim * sizeof(double));
  for (size_t i = 0; i < count; i++) {
    memcpy(w + i * dim, root + triangle_size(order[i]), (order[i] + 1) * sizeof(double));
  }
  size_t last = 0;
  for (size_t j = 0; j < count; j++) {
    if (order[j] > last) last = order[j]; /* the last column that is not 0 in the rows up to j */
    reflect_rows(w, dim, count, j, last, v);
    memcpy(out + triangle_size(j), w + j * dim, (j + 1) * sizeof(double));
  }
}

typedef struct {
  const t_components *law;
  const condition_pattern *pattern;
  const condition_task *task;
  const condition_out *out;
  size_t kept;       /* points and boxes */
  size_t height;     /* rows of each triangle: `kept` or all */
  double *triangles; /* packed [n or 1, height (height+1) / 2] */
  double *constants; /* [n]: logarithms of the weight and of the density of the points at their mean */
  double *steps;     /* [n]: t_half_step() of the degrees of freedom given the points */
  double *parts;     /* the rooms of the threads */
  size_t part_size;
} condition_plan;

/* What one thread works with. */
typedef struct {
  double *upto;       /* [n]: sums of the shares of the components up to each */
  double *estimate;   /* [n]: the estimate of the log-probability of the boxes by which a component is proposed */
  double log_total;   /* log of the sum of weight times density of the points times estimate */
  double *e, *best;   /* [dim]: whitened coordinates of a proposal, and of the best so far */
  double *triangle;   /* packed [dim, dim] */
  double *reflection; /* [dim, dim] and [dim] */
} condition_room;

static size_t room_size(size_t n, size_t dim) {
  return 2 * n + 3 * dim + triangle_size(dim) + dim * dim;
}

static condition_room divide_room(const condition_plan *plan, size_t part) {
  const size_t n = plan->law->n, dim = plan->law->dim;
  condition_room room = {.upto = plan->parts + part * plan->part_size};
  room.estimate = room.upto + n;
  room.e = room.estimate + n;
  room.best = room.e + dim;
  room.triangle = room.best + dim;
  room.reflection = room.triangle + triangle_size(dim);
  return room;
}

/* A triangle of all coordinates costs more, but draws need it. */
static size_t triangle_height(const t_components *law, const condition_pattern *pattern, const condition_task *task) {
  const size_t roots = law->shared ? 1 : law->n;
  return roots <= task->m ? law->dim : pattern->points + pattern->boxes;
}

size_t condition_workspace(const t_components *law, const condition_pattern *pattern, const condition_task *task,
                           int threads) {
  const size_t roots = law->shared ? 1 : law->n;
  return roots * triangle_size(triangle_height(law, pattern, task)) + 2 * law->n +
         (size_t)threads * room_size(law->n, law->dim);
}

static const double *triangle_of(const condition_plan *plan, size_t k) {
  return plan->triangles + (plan->law->shared ? 0 : k) * triangle_size(plan->height);
}

static void reorder_range(size_t from, size_t to, size_t part, void *context) {
  const condition_plan *plan = context;
  const t_components *law = plan->law;
  const condition_room room = divide_room(plan, part);
  for (size_t k = from; k < to; k++) {
    reorder_root(law->roots + k * triangle_size(law->dim), law->dim, plan->pattern->order, plan->height,
                 plan->triangles + k * triangle_size(plan->height), room.reflection);
  }
}

/* log weight + log of the constant of the density of the points, and the half step of df + points. */
static void set_constants(const condition_plan *plan) {
  const t_components *law = plan->law;
  const size_t points = plan->pattern->points;
  double known = NAN, of_known = NAN; /* components mostly have the same degrees of freedom */
  for (size_t k = 0; k < law->n; k++) {
    double df = law->df[k], sum = log(law->weights[k]);
    if (df != known) of_known = t_half_step(known = df);
    double step = of_known;
    sum -= 0.5 * (double)points * (isinf(df) ? LOG_2_PI : LOG_PI + log(df));
    const double *triangle = triangle_of(plan, k);
    for (size_t j = 0; j < points; j++) {
      sum += step - log(triangle[triangle_size(j) + j]);
      step = next_half_step(df, step);
      df += 1.0;
    }
    plan->constants[k] = sum;
    plan->steps[k] = step;
  }
}

/* sum_l triangle[j, l] e_l over l < count */
static double along(const double *triangle, size_t j, const double *e, size_t count) {
  return dot(triangle + triangle_size(j), e, count);
}

/* Whitens the points: e [points]. Returns |e|^2. */
static double whiten_points(const condition_plan *plan, size_t k, const double *x, double *e) {
  const double *triangle = triangle_of(plan, k), *mean = plan->law->means + k * plan->law->dim;
  double length = 0.0;
  for (size_t j = 0; j < plan->pattern->points; j++) {
    const size_t c = plan->pattern->order[j];
    e[j] = (x[c] - mean[c] - along(triangle, j, e, j)) / triangle[triangle_size(j) + j];
    length += e[j] * e[j];
  }
  return length;
}

/* log weight + log density of points with |e|^2 = length */
static double log_density_of(const condition_plan *plan, size_t k, double length) {
  const double df = plan->law->df[k];
  if (isinf(df)) return plan->constants[k] - 0.5 * length;
  return plan->constants[k] - 0.5 * (df + (double)plan->pattern->points) * log1p(length / df);
}

/* The interval of (x - centre) / spread = sqrt(df0 + length) sinh(y) for a t, or y for a Gaussian. */
static interval scaled_interval(tailed law, double radius, double low, double high) {
  if (isinf(law.df)) return open_interval(law, low, high);
  return open_interval(law, asinh(low / radius), asinh(high / radius));
}

/* sqrt(df + length): a coordinate given the others with |e|^2 = length is this times sinh(y). */
static double t_radius(double df, double length) {
  return isinf(df) ? 1.0 : sqrt(df + length);
}

/* One sequential draw of the boxes given the points in e: e goes on, *length too. `seq` null: medians instead of
 * random numbers. Returns the log of the weight, the product of the probabilities. */
static double walk_boxes(const condition_plan *plan, size_t k, size_t i, rng_sequence *seq, double *e,
                         double *length) {
  const size_t points = plan->pattern->points, dim = plan->law->dim;
  const double *triangle = triangle_of(plan, k), *mean = plan->law->means + k * dim, df = plan->law->df[k];
  const double *lower = plan->task->lower + i * dim, *upper = plan->task->upper + i * dim;
  tailed law = {.df = df + (double)points, .half_step = plan->steps[k]};
  double sum = 0.0;
  for (size_t j = points; j < plan->kept; j++) {
    const size_t c = plan->pattern->order[j];
    const double centre = mean[c] + along(triangle, j, e, j), spread = triangle[triangle_size(j) + j];
    const double radius = t_radius(df, *length);
    const interval within = scaled_interval(law, radius, (lower[c] - centre) / spread, (upper[c] - centre) / spread);
    const int last = !seq && j + 1 == plan->kept; /* its place does not matter */
    const double y = last ? 0.0 : interval_quantile(&within, seq ? rng_uniform(seq) : 0.5);
    e[j] = isinf(df) ? y : radius * sinh(y);
    *length += e[j] * e[j];
    sum += within.log_mass;
    law.half_step = next_half_step(law.df, law.half_step);
    law.df += 1.0;
  }
  return sum;
}

/* The same as if the boxes were independent of each other given the points: nothing to be drawn. */
static double product_of_boxes(const condition_plan *plan, size_t k, size_t i, const double *e, double length) {
  const size_t points = plan->pattern->points, dim = plan->law->dim;
  const double *triangle = triangle_of(plan, k), *mean = plan->law->means + k * dim, df = plan->law->df[k];
  const double *lower = plan->task->lower + i * dim, *upper = plan->task->upper + i * dim;
  const tailed law = {.df = df + (double)points, .half_step = plan->steps[k]};
  const double radius = t_radius(df, length);
  double sum = 0.0;
  for (size_t j = points; j < plan->kept; j++) {
    const size_t c = plan->pattern->order[j];
    const double *row = triangle + triangle_size(j);
    const double centre = mean[c] + along(triangle, j, e, points), spread = norm(row + points, j + 1 - points);
    sum += scaled_interval(law, radius, (lower[c] - centre) / spread, (upper[c] - centre) / spread).log_mass;
  }
  return sum;
}

/* With two boxes or more the probability of boxes is estimated from medians and from marginal probabilities. The
 * larger of the two is taken, because a component that is proposed too seldom costs more than one proposed too often.
 * With one box it is exact. */
static double estimate_boxes(const condition_plan *plan, size_t k, size_t i, double *e, double length) {
  if (plan->pattern->boxes == 0) return 0.0;
  const double apart = plan->pattern->boxes > 1 ? product_of_boxes(plan, k, i, e, length) : -INFINITY;
  return fmax(apart, walk_boxes(plan, k, i, NULL, e, &length));
}

/* The shares in which components are proposed for condition i. */
static void weigh_components(const condition_plan *plan, size_t i, condition_room *room) {
  const size_t n = plan->law->n;
  const double *x = plan->task->lower + i * plan->law->dim;
  double most = -INFINITY, sum = 0.0;
  for (size_t k = 0; k < n; k++) {
    const double length = whiten_points(plan, k, x, room->e);
    room->upto[k] = log_density_of(plan, k, length);
    room->estimate[k] = room->upto[k] > -INFINITY ? estimate_boxes(plan, k, i, room->e, length) : 0.0;
    room->upto[k] += room->estimate[k];
    if (room->upto[k] > most) most = room->upto[k];
  }
  room->log_total = most;
  if (!(most > -INFINITY)) return;
  for (size_t k = 0; k < n; k++) room->upto[k] = sum += exp(room->upto[k] - most);
  /* nothing is given: the sum of the weights, which is 1 up to rounding */
  room->log_total = plan->kept == 0 ? 0.0 : most + log(sum);
}

/* Sums of weights and of their squares, relative to exp(most). */
typedef struct {
  double most, sum, squares;
} tally;

static void add_weight(tally *of, double log_weight) {
  if (!(log_weight > -INFINITY)) return;
  if (log_weight > of->most) {
    const double shrink = exp(of->most - log_weight);
    of->sum *= shrink;
    of->squares *= shrink * shrink;
    of->most = log_weight;
  }
  const double weight = exp(log_weight - of->most);
  of->sum += weight;
  of->squares += weight * weight;
}

/* Proposals for condition i. The chosen one, with probability in proportion to its weight, is that with the largest
 * log-weight plus a Gumbel variable; room->best: its e; *length: |e|^2 of it. */
static size_t choose_proposal(const condition_plan *plan, size_t i, condition_room *room, rng_sequence *seq,
                              size_t proposals, tally *weights, double *length) {
  const t_components *law = plan->law;
  const double *x = plan->task->lower + i * law->dim;
  double highest = -INFINITY;
  size_t chosen = 0;
  for (size_t p = 0; p < proposals; p++) {
    const size_t k = pick_component(room->upto, law->n, rng_uniform(seq));
    double size = whiten_points(plan, k, x, room->e);
    const double weight = walk_boxes(plan, k, i, seq, room->e, &size) - room->estimate[k];
    const double score = proposals > 1 ? weight - log(-log(rng_uniform(seq))) : 0.0;
    add_weight(weights, weight);
    if (p > 0 && !(score > highest)) continue;
    highest = score;
    chosen = k;
    *length = size;
    memcpy(room->best, room->e, plan->kept * sizeof(double));
  }
  return chosen;
}

/* x [dim] of component k from e of points and boxes; free coordinates are drawn. */
static void complete_row(const condition_plan *plan, size_t k, size_t i, condition_room *room, rng_sequence *seq,
                         double length) {
  const t_components *law = plan->law;
  const size_t dim = law->dim, *order = plan->pattern->order;
  const double *triangle = triangle_of(plan, k), *mean = law->means + k * dim, df = law->df[k];
  const double *lower = plan->task->lower + i * dim, *upper = plan->task->upper + i * dim;
  double *x = plan->out->x + i * dim, *e = room->best, scale = 1.0;
  if (plan->height < dim && plan->kept < dim) {
    reorder_root(law->roots + (law->shared ? 0 : k) * triangle_size(dim), dim, order, dim, room->triangle,
                 room->reflection);
    triangle = room->triangle;
  }
  if (!isinf(df) && plan->kept < dim) {
    scale = sqrt(0.5 * (df + length) / rng_gamma(seq, 0.5 * (df + (double)plan->kept)));
  }
  for (size_t j = plan->kept; j < dim; j++) e[j] = scale * rng_normal(seq);
  for (size_t j = 0; j < dim; j++) {
    const size_t c = order[j];
    const double value = mean[c] + along(triangle, j, e, j + 1);
    x[c] = j < plan->pattern->points ? lower[c] : j < plan->kept ? fmin(fmax(value, lower[c]), upper[c]) : value;
  }
}

/* A condition without a probability that a double can hold. */
static void give_up(const condition_plan *plan, size_t i) {
  const size_t dim = plan->law->dim;
  plan->out->log_probability[i] = -INFINITY;
  for (size_t c = 0; plan->out->x && c < dim; c++) plan->out->x[i * dim + c] = NAN;
}

static void condition_row(const condition_plan *plan, size_t i, condition_room *room) {
  const condition_out *out = plan->out;
  const size_t proposals = plan->pattern->boxes > 1 ? plan->task->proposals : 1;
  out->log_probability[i] = room->log_total;
  out->variance[i] = 0.0;
  out->effective[i] = INFINITY;
  if (!(room->log_total > -INFINITY)) {
    give_up(plan, i);
    return;
  }
  if (!out->x && plan->pattern->boxes < 2) return;
  rng_sequence seq;
  rng_start(&seq, plan->task->key, plan->task->stream, plan->task->rows[i]);
  tally weights = {.most = -INFINITY};
  double length = 0.0;
  const size_t k = choose_proposal(plan, i, room, &seq, proposals, &weights, &length);
  if (!(weights.sum > 0.0)) {
    give_up(plan, i);
    return;
  }
  if (plan->pattern->boxes > 1) {
    const double effective = weights.sum * weights.sum / weights.squares;
    out->log_probability[i] += weights.most + log(weights.sum / (double)proposals);
    out->effective[i] = effective;
    out->variance[i] = fmax(0.0, 1.0 / effective - 1.0 / (double)proposals);
  }
  if (out->x) complete_row(plan, k, i, room, &seq, length);
}

static int same_condition(const condition_task *task, size_t dim, size_t i, size_t j) {
  const size_t size = dim * sizeof(double);
  return !memcmp(task->lower + i * dim, task->lower + j * dim, size) &&
         !memcmp(task->upper + i * dim, task->upper + j * dim, size);
}

static void run_rows(size_t from, size_t to, size_t part, void *context) {
  const condition_plan *plan = context;
  condition_room room = divide_room(plan, part);
  for (size_t i = from; i < to; i++) {
    if (i == from || !same_condition(plan->task, plan->law->dim, i - 1, i)) weigh_components(plan, i, &room);
    condition_row(plan, i, &room);
  }
}

void condition_rows(const t_components *law, const condition_pattern *pattern, const condition_task *task,
                    const condition_out *out, double *workspace, int threads) {
  const size_t roots = law->shared ? 1 : law->n;
  condition_plan plan = {.law = law, .pattern = pattern, .task = task, .out = out};
  plan.kept = pattern->points + pattern->boxes;
  plan.height = triangle_height(law, pattern, task);
  plan.triangles = workspace;
  plan.constants = plan.triangles + roots * triangle_size(plan.height);
  plan.steps = plan.constants + law->n;
  plan.parts = plan.steps + law->n;
  plan.part_size = room_size(law->n, law->dim);
  parallel_ranges(roots, threads_worth_pairs(roots, plan.height, law->dim * law->dim / 2, threads), reorder_range,
                  &plan);
  set_constants(&plan);
  const double boxes = (double)pattern->boxes * INTERVAL_WORK;
  const double work = (double)law->n * ((double)(pattern->points * pattern->points) + 20.0 + 2.0 * boxes) +
                      (double)task->proposals * boxes + (double)(law->dim * law->dim * law->dim);
  parallel_ranges(task->m, threads_worth((double)task->m * work, threads), run_rows, &plan);
}
