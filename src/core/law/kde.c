#include "core/law/kde.h"

#include <math.h>

/* Sums of weights below this have lost digits to the end of the range of doubles. */
#define LEAST_SUM 1e-280

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

static size_t own_row(const pair_task *task, size_t i) {
  if (task->own) return task->own[i];
  return task->self == NO_SELF ? NO_SELF : task->self + i;
}

/* One row with the largest weight taken out: log sum w, and sum w z / sum w in `shift` where it is wanted. */
static double scaled_row(const pair_task *task, size_t i, double *shift, size_t stride) {
  const size_t dim = task->dim, own = own_row(task, i);
  const double *y = task->query + i * task->row_stride;
  const double rate = task->kernel.rate;
  const int gaussian = task->kernel.kind == WEIGHT_gaussian;
  double least = INFINITY, sum = 0.0;
  for (size_t c = 0; shift && c < dim; c++) shift[c * stride] = 0.0;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t a = 0; a < task->n_source; a++) {
      if (a == own) continue;
      const double *x = task->source + a * dim;
      double distance2 = 0.0;
      for (size_t c = 0; c < dim; c++) {
        const double z = y[c * task->column_stride] - x[c];
        distance2 += z * z;
      }
      const double cost = rate * (gaussian ? distance2 : sqrt(distance2));
      if (pass == 0) {
        if (cost < least) least = cost;
        continue;
      }
      const double weight = exp(least - cost);
      sum += weight;
      for (size_t c = 0; shift && c < dim; c++) shift[c * stride] += weight * (y[c * task->column_stride] - x[c]);
    }
    if (isinf(least)) return -INFINITY;
  }
  for (size_t c = 0; shift && c < dim; c++) shift[c * stride] /= sum;
  return log(sum) - least;
}

static void scale_row(double *row, size_t dim, size_t stride, double factor) {
  for (size_t c = 0; row && c < dim; c++) row[c * stride] *= factor;
}

void kde_field(const pair_task *task, double *log_density, double *score, size_t row_stride, size_t column_stride,
               double *workspace, int threads) {
  const size_t n = task->n_query, dim = task->dim;
  const int alone = task->own || task->self != NO_SELF;
  const double count = (double)task->n_source - (alone ? 1.0 : 0.0);
  const double constant = -log(count) - kde_log_volume(&task->kernel, dim), factor = score_factor(&task->kernel, dim);
  const pair_sums sums = {.force = score, .row_stride = row_stride, .column_stride = column_stride, .weight = log_density};
  pairwise_all(task, &sums, workspace, threads);
  size_t far = 0;
  for (size_t i = 0; i < n; i++) {
    const double sum = log_density[i];
    if (!(sum > LEAST_SUM)) {
      log_density[i] = NAN;
      far++;
      continue;
    }
    log_density[i] = log(sum) + constant;
    scale_row(score ? score + i * row_stride : NULL, dim, column_stride, -factor / sum);
  }
  if (far == 0) return;
  const int team = pairwise_threads(far, task->n_source, dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(task, log_density, score, row_stride, column_stride, n, dim, constant, factor)
#else
  (void)team;
#endif
  for (size_t i = 0; i < n; i++) {
    if (!isnan(log_density[i])) continue;
    double *shift = score ? score + i * row_stride : NULL;
    log_density[i] = scaled_row(task, i, shift, column_stride) + constant;
    scale_row(shift, dim, column_stride, -factor);
  }
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
  return value[k] + t * (slope[k] + t * (3.0 * rise - 2.0 * slope[k] - slope[k + 1] + t * (slope[k] + slope[k + 1] - 2.0 * rise)));
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
