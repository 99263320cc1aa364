#include "core/pair/sinkhorn.h"

#include <math.h>

#include "core/base/parallel.h"
#include "core/pair/log_sums.h"
#include "core/pair/pairwise.h"

/* exp(-50) = 2e-22 times the largest term changes no digit of a sum of less than 1e6 terms. */
#define NEGLIGIBLE 50.0

/* The points with one more coordinate: h_j = sqrt(2 (max g - g_j)) for a source, 0 for a query. Then
 *   exp((g_j - max g - C_ij) / eps) = exp(-(|x_i - y_j|^2 + h_j^2) / (2 eps)),
 * a Gaussian kernel of bandwidth sqrt(eps). */
typedef struct {
  double *rows; /* [n, dim + 1] */
  size_t n;
} lifted;

typedef struct {
  lifted x, y;
  double *target; /* [max(n, m)] */
  double *rest;   /* for each thread: what the engine needs, or a row of exponents */
  size_t rest_size, dim;
} room;

static size_t longest(const transport_task *task) {
  return task->n > task->m ? task->n : task->m;
}

static size_t rest_size(const transport_task *task) {
  const size_t engine = pairwise_workspace(task->dim + 1);
  return engine > longest(task) ? engine : longest(task);
}

size_t sinkhorn_workspace(const transport_task *task, int threads) {
  return (task->n + task->m) * (task->dim + 1) + longest(task) + (size_t)threads * rest_size(task);
}

static void lift(lifted *out, const double *x, size_t dim) {
  for (size_t i = 0; i < out->n; i++) {
    for (size_t c = 0; c < dim; c++) out->rows[i * (dim + 1) + c] = x[i * dim + c];
    out->rows[i * (dim + 1) + dim] = 0.0;
  }
}

static room arrange(const transport_task *task, double *workspace) {
  room out = {.x = {workspace, task->n}, .y = {NULL, task->m}, .rest_size = rest_size(task), .dim = task->dim};
  out.y.rows = workspace + task->n * (task->dim + 1);
  out.target = out.y.rows + task->m * (task->dim + 1);
  out.rest = out.target + longest(task);
  lift(&out.x, task->x, task->dim);
  lift(&out.y, task->y ? task->y : task->x, task->dim);
  return out;
}

static double largest(const double *x, size_t n) {
  double out = -INFINITY;
  for (size_t i = 0; i < n; i++) out = x[i] > out ? x[i] : out;
  return out;
}

typedef struct {
  const pair_task *task; /* the lifted points */
  log_terms terms;       /* of the points themselves */
  double most;           /* the largest g, which the sums of the lifted points leave out */
  double epsilon;
  double *out;
  const room *at;
} transform_plan;

/* From sums of exp((g_j - max g - C_ij) / eps) in `out` to T(g). Sums that underflowed are made again. */
static void logarithms_of(size_t from, size_t to, size_t part, void *context) {
  const transform_plan *plan = context;
  const double m = (double)plan->task->n_source;
  double *exponent = plan->at->rest + part * plan->at->rest_size;
  for (size_t i = from; i < to; i++) {
    if (plan->out[i] > LEAST_SUM) {
      plan->out[i] = -plan->most - plan->epsilon * log(plan->out[i] / m);
    } else {
      const log_sum row = pairwise_log_sum(plan->task, &plan->terms, i, exponent, NULL, 0);
      plan->out[i] = -plan->epsilon * (row.most + log(row.sum / m));
    }
  }
}

static void transform(const lifted *x, const lifted *y, const double *g, double epsilon, double *out,
                      const room *at, int threads) {
  const size_t dim = at->dim, n = x->n, width = dim + 1;
  const double most = largest(g, y->n);
  for (size_t i = 0; i < n; i++) x->rows[i * width + dim] = 0.0;
  for (size_t j = 0; j < y->n; j++) y->rows[j * width + dim] = sqrt(2.0 * (most - g[j]));
  pair_task task = {
      .query = x->rows,
      .n_query = n,
      .row_stride = width,
      .column_stride = 1,
      .source = y->rows,
      .n_source = y->n,
      .dim = width,
      .self = NO_SELF,
      .kernel = kernel_gaussian(sqrt(epsilon)),
  };
  pairwise_prepare(&task);
  const pair_sums sums = {.weight = out};
  const int team = threads_worth_pairs(n, y->n, width, threads);
  pairwise_all(&task, &sums, at->rest, team);
  transform_plan plan = {
      .task = &task,
      .terms = {.offset = g, .scale = 0.5, .rate = 1.0 / epsilon, .dim = dim, .negligible = NEGLIGIBLE},
      .most = most,
      .epsilon = epsilon,
      .out = out,
      .at = at,
  };
  parallel_ranges(n, team, logarithms_of, &plan);
}

void soft_minimum(const transport_task *task, const double *g, double epsilon, double *out, double *workspace,
                  int threads) {
  const room at = arrange(task, workspace);
  transform(&at.x, &at.y, g, epsilon, out, &at, threads);
}

static double mean_of(const double *x, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += x[i];
  return sum / (double)n;
}

/* Row i of the plan exp((f_i + g_j - C_ij) / eps) / (n m) sums to exp((f_i - T(g)_i) / eps) / n. */
static double row_error(const double *f, const double *target, size_t n, double epsilon) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += fabs(expm1((f[i] - target[i]) / epsilon));
  return sum / (double)n;
}

/* x += relaxation (target - x); a relaxation of 1 gives the target itself. */
static void relax(double *x, const double *target, size_t n, double relaxation) {
  for (size_t i = 0; i < n; i++) x[i] = relaxation == 1.0 ? target[i] : x[i] + relaxation * (target[i] - x[i]);
}

static void step_against_itself(const room *at, transport_state *state, double epsilon, int threads) {
  const size_t n = at->x.n;
  transform(&at->x, &at->y, state->f, epsilon, at->target, at, threads);
  state->error = row_error(state->f, at->target, n, epsilon);
  state->value = mean_of(state->f, n) + mean_of(at->target, n);
  relax(state->f, at->target, n, 0.5);
}

static void step_across(const room *at, transport_state *state, double epsilon, double relaxation, int threads) {
  transform(&at->x, &at->y, state->g, epsilon, at->target, at, threads);
  state->error = row_error(state->f, at->target, at->x.n, epsilon);
  relax(state->f, at->target, at->x.n, relaxation);
  transform(&at->y, &at->x, state->f, epsilon, at->target, at, threads);
  relax(state->g, at->target, at->y.n, relaxation);
  /* with g = T(f) the columns are exact and the mass is one: what is left of the dual are the two means */
  state->value = mean_of(state->f, at->x.n) + mean_of(state->g, at->y.n);
}

status sinkhorn_steps(const transport_task *task, transport_state *state, double epsilon, double relaxation,
                      size_t n_steps, double *workspace, int threads) {
  if (!(epsilon > 0.0) || !isfinite(epsilon) || task->n < 1 || task->m < 1) return STATUS_bad_argument;
  if (!(relaxation > 0.0) || !(relaxation < 2.0)) return STATUS_bad_argument;
  if (!task->y && task->n != task->m) return STATUS_bad_argument;
  const room at = arrange(task, workspace);
  for (size_t step = 0; step < n_steps; step++) {
    if (task->y) {
      step_across(&at, state, epsilon, relaxation, threads);
    } else {
      step_against_itself(&at, state, epsilon, threads);
    }
  }
  return STATUS_ok;
}
