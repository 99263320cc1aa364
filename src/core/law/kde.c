#include "core/law/kde.h"

#include <math.h>

#include "core/base/parallel.h"
#include "core/pair/log_sums.h"
#include "core/pair/widened.h"

double kde_log_volume(const pair_kernel *kernel, size_t dim) {
  const double d = (double)dim, log_pi = log(acos(-1.0));
  if (kernel->kind == WEIGHT_gaussian) return 0.5 * d * (log_pi - log(kernel->rate));
  /* area of the unit sphere times the integral of r^(d-1) exp(-rate r) */
  return log(2.0) + 0.5 * d * log_pi - lgamma(0.5 * d) + lgamma(d) - d * log(kernel->rate);
}

static double score_factor(const pair_kernel *kernel, size_t dim) {
  if (kernel->kind == WEIGHT_gaussian) return 2.0 * kernel->rate;
  return kernel->rate * kernel->rate / ((double)dim + 1.0);
}

static void scale_row(double *row, size_t dim, size_t stride, double factor) {
  for (size_t c = 0; row && c < dim; c++) row[c * stride] *= factor;
}

typedef struct {
  const pair_task *task;
  double *log_density, *score;
  size_t row_stride, column_stride;
  double constant, factor;
  double *workspace;
} kde_plan;

static double *score_row(const kde_plan *plan, size_t i) {
  return plan->score ? plan->score + i * plan->row_stride : NULL;
}

/* From sums in log_density and score to what they are named; rows whose sum underflowed become NaN. Returns how many
 * these are. */
static size_t finish_rows(const kde_plan *plan) {
  size_t far = 0;
  for (size_t i = 0; i < plan->task->n_query; i++) {
    const double sum = plan->log_density[i];
    if (sum > LEAST_SUM) {
      plan->log_density[i] = log(sum) + plan->constant;
      scale_row(score_row(plan, i), plan->task->dim, plan->column_stride, -plan->factor / sum);
    } else {
      plan->log_density[i] = NAN;
      far++;
    }
  }
  return far;
}

static void run_far_rows(size_t from, size_t to, size_t part, void *context) {
  const kde_plan *plan = context;
  const pair_task *task = plan->task;
  const log_terms terms = {.scale = 1.0,
                           .rate = task->kernel.rate,
                           .root = task->kernel.kind == WEIGHT_laplace,
                           .dim = task->dim,
                           .negligible = INFINITY};
  double *exponent = plan->workspace + part * task->n_source;
  for (size_t i = from; i < to; i++) {
    if (!isnan(plan->log_density[i])) continue;
    double *shift = score_row(plan, i);
    const log_sum row = pairwise_log_sum(task, &terms, i, exponent, shift, plan->column_stride);
    plan->log_density[i] = log(row.sum) + row.most + plan->constant;
    scale_row(shift, task->dim, plan->column_stride, -plan->factor);
  }
}

size_t kde_workspace(size_t n_source, size_t dim, int threads) {
  const size_t engine = pairwise_workspace(dim);
  return (size_t)threads * (engine > n_source ? engine : n_source);
}

void kde_field(const pair_task *task, double *log_density, double *score, size_t row_stride, size_t column_stride,
               double *workspace, int threads) {
  const pair_sums sums = {
      .force = score, .row_stride = row_stride, .column_stride = column_stride, .weight = log_density};
  kde_plan plan = {
      .task = task,
      .log_density = log_density,
      .score = score,
      .row_stride = row_stride,
      .column_stride = column_stride,
      .constant = -log(pairwise_count(task)) - kde_log_volume(&task->kernel, task->dim),
      .factor = score_factor(&task->kernel, task->dim),
      .workspace = workspace,
  };
  pairwise_all(task, &sums, workspace, threads);
  const size_t far = finish_rows(&plan);
  if (far == 0) return;
  parallel_ranges(task->n_query, threads_worth_pairs(far, task->n_source, task->dim, threads), run_far_rows, &plan);
}

/* The upper tail of the normal law by cubic interpolation between knots: it is wanted for every pair. */
#define TAIL_END 8.0
#define KNOTS_PER_UNIT 64
#define TAIL_KNOTS (2 * 8 * KNOTS_PER_UNIT + 1)

static void fill_tail(double *value, double *slope) {
  for (size_t k = 0; k < TAIL_KNOTS; k++) {
    const double u = (double)k / KNOTS_PER_UNIT - TAIL_END;
    value[k] = 0.5 * erfc(u * sqrt(0.5));
    slope[k] = -exp(-0.5 * u * u) / (sqrt(2.0 * acos(-1.0)) * KNOTS_PER_UNIT);
  }
}

static double tail_at(const double *value, const double *slope, double u) {
  const double place = (u + TAIL_END) * KNOTS_PER_UNIT;
  const size_t k = (size_t)place < TAIL_KNOTS - 1 ? (size_t)place : TAIL_KNOTS - 2;
  const double t = place - (double)k, rise = value[k + 1] - value[k];
  return value[k] +
         t * (slope[k] + t * (3.0 * rise - 2.0 * slope[k] - slope[k + 1] + t * (slope[k] + slope[k + 1] - 2.0 * rise)));
}

void kernel_tail(const double *x, size_t n, const double *at, size_t m, double h, double *out) {
  double value[TAIL_KNOTS], slope[TAIL_KNOTS];
  fill_tail(value, slope);
  size_t from = 0, to = 0; /* x[from .. to) have a part of their kernel on either side */
  for (size_t j = 0; j < m; j++) {
    while (from < n && (at[j] - x[from]) / h >= TAIL_END) from++;
    if (to < from) to = from;
    while (to < n && (at[j] - x[to]) / h > -TAIL_END) to++;
    double sum = (double)(n - to);
    for (size_t i = from; i < to; i++) sum += tail_at(value, slope, (at[j] - x[i]) / h);
    out[j] = sum / (double)n;
  }
}

/* Beyond this many bandwidths a kernel is below 1e-16 of its largest. */
#define LAST_SDS 8.6

/* y += a x */
INLINED void spread_mass_plain(double *y, double a, const double *x, size_t n) {
  VECTORISE
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

WIDENED(spread_mass, (double *y, double a, const double *x, size_t n), (y, a, x, n))

/* Where a number lies between the first and the last cell. */
typedef struct {
  size_t left;
  double share; /* of the cell to the right */
} grid_place;

static grid_place place_of(double x, double from, double size) {
  const double at = (x - from) / size;
  size_t left = (size_t)at;
  if (left > LEFT_OUT_CELLS - 2) left = LEFT_OUT_CELLS - 2;
  return (grid_place){left, at - (double)left};
}

double left_out_density(const double *x, size_t n, double h) {
  double mass[LEFT_OUT_CELLS] = {0.0}, density[LEFT_OUT_CELLS] = {0.0}, kernel[2 * LEFT_OUT_CELLS - 1];
  const double from = x[0] - 4.0 * h, size = (x[n - 1] + 4.0 * h - from) / (double)(LEFT_OUT_CELLS - 1);
  const double width = h > 0.7 * size ? h : 0.7 * size, top = 1.0 / (sqrt(2.0 * acos(-1.0)) * width);
  const double end = fmin(ceil(LAST_SDS * width / size), (double)(LEFT_OUT_CELLS - 1));
  const size_t last = (size_t)end;
  for (size_t k = 0; k <= last; k++) {
    const double u = (double)k * size / width;
    kernel[last + k] = kernel[last - k] = top * exp(-0.5 * u * u);
  }
  for (size_t i = 0; i < n; i++) {
    const grid_place at = place_of(x[i], from, size);
    mass[at.left] += 1.0 - at.share;
    mass[at.left + 1] += at.share;
  }
  for (size_t k = 0; k < LEFT_OUT_CELLS; k++) {
    if (!(mass[k] > 0.0)) continue;
    const size_t first = k > last ? k - last : 0, stop = k + last < LEFT_OUT_CELLS ? k + last + 1 : LEFT_OUT_CELLS;
    spread_mass(density + first, mass[k], kernel + last + first - k, stop - first);
  }
  double most = 0.0, sum = 0.0;
  for (size_t k = 0; k < LEFT_OUT_CELLS; k++) most = density[k] > most ? density[k] : most;
  for (size_t i = 0; i < n; i++) {
    const grid_place at = place_of(x[i], from, size);
    const double all = density[at.left] * (1.0 - at.share) + density[at.left + 1] * at.share;
    sum += log(fmax(all - top, 1e-12 * most) / (double)(n - 1));
  }
  return sum / (double)n;
}
