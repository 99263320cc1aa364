#include "core/law/targets.h"

#include <math.h>
#include <string.h>

#include "core/pair/pairwise.h"

#define LOG_2PI 1.8378770664093454836

size_t target_workspace(const target *of) {
  return of->n_components + 2 * of->dim;
}

/* p = A (x - m); |p|^2 */
static double whiten(const double *factor, const double *mean, const double *x, size_t dim, double *p) {
  double length = 0.0;
  for (size_t c = 0; c < dim; c++) {
    double sum = 0.0;
    for (size_t e = 0; e <= c; e++) sum += *factor++ * (x[e] - mean[e]);
    p[c] = sum;
    length += sum * sum;
  }
  return length;
}

static double component_term(const target *of, size_t k, const double *x, double *p) {
  const size_t dim = of->dim, triangle = dim * (dim + 1) / 2;
  return of->constants[k] - 0.5 * whiten(of->factors + k * triangle, of->means + k * dim, x, dim, p);
}

/* gradient -= share A' p */
static void add_pull(const double *factor, const double *p, double share, size_t dim, double *gradient) {
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e <= c; e++) gradient[e] -= share * *factor++ * p[c];
  }
}

static double mixture_point(const target *of, const double *x, double *gradient, double *workspace) {
  const size_t dim = of->dim, triangle = dim * (dim + 1) / 2, n = of->n_components;
  double *terms = workspace, *p = terms + n;
  double most = -INFINITY, sum = 0.0;
  for (size_t k = 0; k < n; k++) {
    terms[k] = component_term(of, k, x, p);
    if (terms[k] > most) most = terms[k];
  }
  for (size_t k = 0; k < n; k++) sum += exp(terms[k] - most);
  if (gradient) {
    memset(gradient, 0, dim * sizeof(double));
    for (size_t k = 0; k < n; k++) {
      const double share = exp(terms[k] - most) / sum;
      if (share < 1e-20) continue;
      whiten(of->factors + k * triangle, of->means + k * dim, x, dim, p);
      add_pull(of->factors + k * triangle, p, share, dim, gradient);
    }
  }
  return most + log(sum);
}

static double banana_point(const target *of, const double *x, double *gradient) {
  const double a2 = of->a * of->a, bend = x[1] - of->b * (x[0] * x[0] - a2);
  double length = x[0] * x[0] / a2 + bend * bend;
  for (size_t c = 2; c < of->dim; c++) length += x[c] * x[c];
  if (gradient) {
    gradient[0] = -x[0] / a2 + 2.0 * of->b * x[0] * bend;
    gradient[1] = -bend;
    for (size_t c = 2; c < of->dim; c++) gradient[c] = -x[c];
  }
  return -0.5 * ((double)of->dim * LOG_2PI + length) - log(of->a);
}

static double funnel_point(const target *of, const double *x, double *gradient) {
  const double a2 = of->a * of->a, others = (double)of->dim - 1.0, precision = exp(-x[0]);
  double length = 0.0;
  for (size_t c = 1; c < of->dim; c++) length += x[c] * x[c];
  if (gradient) {
    gradient[0] = -x[0] / a2 - 0.5 * others + 0.5 * precision * length;
    for (size_t c = 1; c < of->dim; c++) gradient[c] = -precision * x[c];
  }
  return -0.5 * ((double)of->dim * LOG_2PI + x[0] * x[0] / a2 + others * x[0] + precision * length) - log(of->a);
}

static double target_point(const target *of, const double *x, double *gradient, double *workspace) {
  switch (of->kind) {
    case TARGET_banana:
      return banana_point(of, x, gradient);
    case TARGET_funnel:
      return funnel_point(of, x, gradient);
    case TARGET_mixture:
      break;
  }
  return mixture_point(of, x, gradient, workspace);
}

static int team_for(const target *of, size_t n, int threads) {
  return pairwise_threads(n, of->n_components + 1, of->dim * of->dim / 2, threads);
}

void target_field(const target *of, const double *points, size_t n, double *log_density, double *gradient,
                  double *workspace, int threads) {
  const size_t dim = of->dim, per_thread = target_workspace(of);
  const int team = team_for(of, n, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(of, points, n, log_density, gradient, workspace, dim, per_thread, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    for (size_t i = n * part / (size_t)team; i < n * (part + 1) / (size_t)team; i++) {
      log_density[i] = target_point(of, points + i * dim, gradient ? gradient + i * dim : NULL, workspace + part * per_thread);
    }
  }
}

void target_components(const target *of, const double *points, size_t n, double *log_terms, double *workspace,
                       int threads) {
  const size_t dim = of->dim, per_thread = target_workspace(of);
  const int team = team_for(of, n, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(of, points, n, log_terms, workspace, dim, per_thread, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    for (size_t i = n * part / (size_t)team; i < n * (part + 1) / (size_t)team; i++) {
      for (size_t k = 0; k < of->n_components; k++) {
        log_terms[k * n + i] = component_term(of, k, points + i * dim, workspace + part * per_thread);
      }
    }
  }
}
