#include "core/flow/wgf.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/exponentials.h"

static int is_log_variance(wgf_kind kind) {
  return kind == WGF_log_variance_q || kind == WGF_log_variance_p;
}

double wgf_weight(const wgf_divergence *d, double l, double mean) {
  switch (d->kind) {
    case WGF_reverse_kl:
      return exp(l);
    case WGF_jeffreys:
      return 1.0 + exp(l);
    case WGF_js:
      return 0.5 / (1.0 + exp(-l));
    case WGF_pearson:
      return 2.0 * exp(2.0 * l);
    case WGF_neyman:
      return 2.0 * exp(-l);
    case WGF_hellinger:
      return 0.5 * exp(0.5 * l);
    case WGF_alpha:
      return exp(d->alpha * l);
    case WGF_log_variance_q:
      return 1.0 - (l - mean);
    case WGF_log_variance_p:
      return exp(l) * (1.0 + l - mean);
    case WGF_kl:
    case WGF_count:
      break;
  }
  return 1.0;
}

/* log((1 + e^l) / 2) */
static double log_half_sum(double l) {
  return (l > 0.0 ? l + log1p(exp(-l)) : log1p(exp(l))) - log(2.0);
}

double wgf_f(const wgf_divergence *d, double l, double mean) {
  const double a = d->alpha;
  switch (d->kind) {
    case WGF_kl:
      return -l;
    case WGF_reverse_kl:
      return l * exp(l);
    case WGF_jeffreys:
      return l * expm1(l);
    case WGF_js:
      return 0.5 * (l * exp(l) - (exp(l) + 1.0) * log_half_sum(l));
    case WGF_pearson:
      return expm1(l) * expm1(l);
    case WGF_neyman:
      return expm1(l) * -expm1(-l);
    case WGF_hellinger:
      return expm1(0.5 * l) * expm1(0.5 * l);
    case WGF_alpha:
      return (expm1(a * l) - a * expm1(l)) / (a * (a - 1.0));
    case WGF_log_variance_q:
      return 0.5 * (l - mean) * (l - mean);
    case WGF_log_variance_p:
      return 0.5 * exp(l) * (l - mean) * (l - mean);
    case WGF_count:
      break;
  }
  return NAN;
}

double wgf_growth(const wgf_divergence *d, double l, double mean) {
  switch (d->kind) {
    case WGF_reverse_kl:
      return expm1(l);
    case WGF_jeffreys:
      return l + expm1(l);
    case WGF_js:
      return 0.5 * log_half_sum(l);
    case WGF_pearson:
      return expm1(2.0 * l);
    case WGF_neyman:
      return -2.0 * expm1(-l);
    case WGF_hellinger:
      return expm1(0.5 * l);
    case WGF_alpha:
      return expm1(d->alpha * l) / d->alpha;
    case WGF_log_variance_q:
      return l - l * (0.5 * l - mean);
    case WGF_log_variance_p:
      return exp(l) * (l - mean);
    case WGF_kl:
    case WGF_count:
      break;
  }
  return l;
}

/* The mean of log r under the reference; r has mean 1 over the particles. */
static double reference_mean(wgf_kind kind, const double *log_r, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) {
    sum += kind == WGF_log_variance_p ? (log_r[i] > -700.0 ? log_r[i] * exp(log_r[i]) : 0.0) : log_r[i];
  }
  return sum / (double)n;
}

static int compare_doubles(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* By how much q grows at each point when its flat part is added. */
static void add_floor(const wgf_plan *plan, const double *log_q, size_t n, double *growth) {
  for (size_t i = 0; i < n; i++) growth[i] = log_q[i];
  qsort(growth, n, sizeof(double), compare_doubles);
  const double level = fmin(log(plan->floor) + growth[n / 2], plan->log_own);
  for (size_t i = 0; i < n; i++) growth[i] = 1.0 + exp(level - log_q[i]);
}

/* Weights in log r, kept within the cap; returns the share of them that it changed. */
static double cap_weights(const wgf_plan *plan, const double *log_r, double mean, size_t n, double *weight) {
  const double unit = is_log_variance(plan->divergence.kind) ? 1.0 : wgf_weight(&plan->divergence, 0.0, 0.0);
  const double most = unit * plan->cap, least = is_log_variance(plan->divergence.kind) ? -most : unit / plan->cap;
  size_t changed = 0;
  for (size_t i = 0; i < n; i++) {
    const double raw = wgf_weight(&plan->divergence, log_r[i], mean);
    weight[i] = raw > most ? most : raw < least ? least : raw;
    changed += weight[i] != raw;
  }
  return (double)changed / (double)n;
}

/* The time step with which most weights are stable; larger weights are lowered to that. */
static double stable_step(const wgf_plan *plan, double *weight, size_t n, double *sorted) {
  for (size_t i = 0; i < n; i++) sorted[i] = fabs(weight[i]);
  qsort(sorted, n, sizeof(double), compare_doubles);
  const double most = sorted[n - 1 - n / 10];
  if (!(most > 0.0)) return 0.0;
  for (size_t i = 0; i < n; i++) {
    if (fabs(weight[i]) > most) weight[i] = copysign(most, weight[i]);
  }
  return plan->share * plan->scale2 / most;
}

status wgf_move(const wgf_plan *plan, double *points, size_t n, size_t dim, const double *log_p, const double *score_p,
                const double *log_q, const double *score_q, double *log_r, double *weight, wgf_record *record,
                double *workspace) {
  double *growth = workspace;
  add_floor(plan, log_q, n, growth);
  for (size_t i = 0; i < n; i++) log_r[i] = log_p[i] - log_q[i] - log(growth[i]);
  record->log_z = log_mean_exp(log_r, n);
  for (size_t i = 0; i < n; i++) log_r[i] -= record->log_z;
  const double mean = is_log_variance(plan->divergence.kind) ? reference_mean(plan->divergence.kind, log_r, n) : 0.0;
  record->capped = cap_weights(plan, log_r, mean, n, weight);
  double divergence = 0.0, energy = 0.0;
  for (size_t i = 0; i < n; i++) divergence += wgf_f(&plan->divergence, log_r[i], mean);
  record->divergence = divergence / (double)n;
  record->step = plan->step > 0.0 ? plan->step : stable_step(plan, weight, n, workspace + n);
  record->largest_move = 0.0;
  int finite = isfinite(record->log_z);
  for (size_t i = 0; i < n; i++) {
    double speed2 = 0.0;
    for (size_t c = 0; c < dim; c++) {
      const double v = weight[i] * (score_p[c * n + i] - score_q[c * n + i] / growth[i]);
      speed2 += v * v;
    }
    energy += speed2;
    const double length = record->step * sqrt(speed2);
    const double move = record->step * (length > plan->furthest ? plan->furthest / length : 1.0);
    record->largest_move = fmax(record->largest_move, length < plan->furthest ? length : plan->furthest);
    for (size_t c = 0; c < dim; c++) {
      points[c * n + i] += move * weight[i] * (score_p[c * n + i] - score_q[c * n + i] / growth[i]);
      finite &= isfinite(points[c * n + i]) != 0;
    }
  }
  record->kinetic_energy = energy / (double)n;
  return finite ? STATUS_ok : STATUS_diverged;
}
