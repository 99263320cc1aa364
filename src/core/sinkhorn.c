#include "core/sinkhorn.h"

#include <math.h>

#include "core/pairwise.h"

/* A term exp(-46) = 1e-20 times the largest one changes no bit of a sum of less than 1e4 terms. */
#define NEGLIGIBLE 46.0
/* An update of one pair costs about as much as the distance in this many dimensions. */
#define UPDATE_COST 4

static size_t part_of(size_t n, size_t part, int team) {
  return (size_t)((double)n * (double)part / (double)team);
}

static double half_squared_distance(const double *a, const double *b, size_t dim) {
  double sum[4] = {0.0, 0.0, 0.0, 0.0}; /* four chains: a single one waits on every addition */
  size_t c = 0;
  for (; c + 4 <= dim; c += 4) {
    for (size_t l = 0; l < 4; l++) sum[l] += (a[c + l] - b[c + l]) * (a[c + l] - b[c + l]);
  }
  for (; c < dim; c++) sum[0] += (a[c] - b[c]) * (a[c] - b[c]);
  return 0.5 * ((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

void transport_cost(double *cost, const double *x, size_t n, const double *y, size_t m, size_t dim, int threads) {
  const int team = pairwise_threads(n, m, dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) shared(cost, x, n, y, m, dim)
#else
  (void)team;
#endif
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < m; j++) cost[i * m + j] = half_squared_distance(x + i * dim, y + j * dim, dim);
  }
}

/* value[j] = g_j - C_j; returns the largest. */
static double shifted_row(double *value, const double *cost, const double *g, size_t m) {
  double most[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
  size_t j = 0;
  for (; j + 4 <= m; j += 4) {
    for (size_t l = 0; l < 4; l++) {
      const double v = g[j + l] - cost[j + l];
      value[j + l] = v;
      most[l] = v > most[l] ? v : most[l];
    }
  }
  for (; j < m; j++) {
    value[j] = g[j] - cost[j];
    if (value[j] > most[0]) most[0] = value[j];
  }
  const double a = most[0] > most[1] ? most[0] : most[1], b = most[2] > most[3] ? most[2] : most[3];
  return a > b ? a : b;
}

/* -eps log mean_j exp((g_j - C_j) / eps), value: workspace [m] */
static double soft_minimum(double *value, const double *cost, const double *g, size_t m, double epsilon) {
  const double most = shifted_row(value, cost, g, m), least = most - NEGLIGIBLE * epsilon, rate = 1.0 / epsilon;
  double sum = 0.0;
  for (size_t j = 0; j < m; j++) {
    if (value[j] > least) sum += exp((value[j] - most) * rate);
  }
  return -most - epsilon * log(sum / (double)m);
}

/* out = T(g): [n] from cost [n, m] and g [m]; workspace [threads, m] */
static void transform(double *out, const double *cost, const double *g, size_t n, size_t m, double epsilon,
                      double *workspace, int threads) {
  const int team = pairwise_threads(n, m, UPDATE_COST, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(out, cost, g, n, m, epsilon, workspace, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    for (size_t i = part_of(n, part, team); i < part_of(n, part + 1, team); i++) {
      out[i] = soft_minimum(workspace + part * m, cost + i * m, g, m, epsilon);
    }
  }
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

size_t sinkhorn_workspace(const transport_task *task, int threads) {
  const size_t longest = task->n > task->m ? task->n : task->m;
  return longest * ((size_t)threads + 1);
}

static void step_against_itself(const transport_task *task, transport_state *state, double epsilon,
                                double *workspace, int threads) {
  const size_t n = task->n;
  double *target = workspace, *rest = workspace + n;
  transform(target, task->cost, state->f, n, n, epsilon, rest, threads);
  state->error = row_error(state->f, target, n, epsilon);
  state->value = mean_of(state->f, n) + mean_of(target, n);
  for (size_t i = 0; i < n; i++) state->f[i] = 0.5 * (state->f[i] + target[i]);
}

/* x += relaxation (target - x); a relaxation of 1 gives the target itself. */
static void relax(double *x, const double *target, size_t n, double relaxation) {
  for (size_t i = 0; i < n; i++) x[i] = relaxation == 1.0 ? target[i] : x[i] + relaxation * (target[i] - x[i]);
}

static void step_across(const transport_task *task, transport_state *state, double epsilon, double relaxation,
                        double *workspace, int threads) {
  const size_t n = task->n, m = task->m;
  double *target = workspace, *rest = workspace + (n > m ? n : m);
  transform(target, task->cost, state->g, n, m, epsilon, rest, threads);
  state->error = row_error(state->f, target, n, epsilon);
  relax(state->f, target, n, relaxation);
  transform(target, task->transposed, state->f, m, n, epsilon, rest, threads);
  relax(state->g, target, m, relaxation);
  /* with g = T(f) the columns are exact and the mass is one: what is left of the dual are the two means */
  state->value = mean_of(state->f, n) + mean_of(state->g, m);
}

status sinkhorn_steps(const transport_task *task, transport_state *state, double epsilon,
                      double relaxation, size_t n_steps, double *workspace, int threads) {
  if (!(epsilon > 0.0) || !isfinite(epsilon) || task->n < 1 || task->m < 1) return STATUS_bad_argument;
  if (!(relaxation > 0.0) || !(relaxation < 2.0)) return STATUS_bad_argument;
  if (!task->transposed && task->n != task->m) return STATUS_bad_argument;
  for (size_t step = 0; step < n_steps; step++) {
    if (task->transposed) {
      step_across(task, state, epsilon, relaxation, workspace, threads);
    } else {
      step_against_itself(task, state, epsilon, workspace, threads);
    }
  }
  return STATUS_ok;
}
