#include "core/law/targets.h"

#include <math.h>
#include <string.h>

#include "core/base/exponentials.h"
#include "core/base/linalg.h"
#include "core/base/parallel.h"

#define LOG_2PI 1.8378770664093454836
/* A component with a smaller share of the density at a point does not change the gradient there. */
#define LEAST_SHARE 1e-20

/* Lengths [K, GAUSSIAN_LANES], terms [K], one whitened point, what the lengths need. */
size_t target_workspace(const target *of) {
  return of->components.n * (GAUSSIAN_LANES + 1) + of->dim + gaussian_room(of->dim);
}

/* --- mixtures of Gaussians --------------------------------------------------------------------------------- */

/* gradient -= share A' p */
static void add_pull(const double *factor, const double *p, double share, size_t dim, double *gradient) {
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e <= c; e++) gradient[e] -= share * *factor++ * p[c];
  }
}

/* lengths: lane 0 of [K, GAUSSIAN_LANES]; terms [K] and p [dim]: scratch. */
static double mixture_point(const target *of, const double *x, const double *lengths, double *gradient, double *terms,
                            double *p) {
  const size_t dim = of->dim, n = of->components.n;
  for (size_t k = 0; k < n; k++) terms[k] = of->components.constants[k] - 0.5 * lengths[k * GAUSSIAN_LANES];
  const double log_density = log_to_shares(terms, n, 1);
  if (!gradient) return log_density;
  memset(gradient, 0, dim * sizeof(double));
  for (size_t k = 0; k < n; k++) {
    if (terms[k] < LEAST_SHARE) continue;
    gaussian_whiten(&of->components, k, x, p);
    add_pull(of->components.factors + k * triangle_size(dim), p, terms[k], dim, gradient);
  }
  return log_density;
}

/* --- the others ---------------------------------------------------------------------------------------------- */

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

/* --- many points ---------------------------------------------------------------------------------------------- */

typedef struct {
  const target *of;
  const double *points;
  size_t n;
  double *log_density, *gradient; /* gradient may be null */
  double *workspace;
} target_plan;

/* Points [i, i + count), at most GAUSSIAN_LANES. */
static void mixture_group(const target_plan *plan, size_t i, size_t count, double *workspace) {
  const target *of = plan->of;
  const size_t n = of->components.n, dim = of->dim;
  double *lengths = workspace, *terms = lengths + n * GAUSSIAN_LANES, *p = terms + n, *room = p + dim;
  gaussian_lengths(&of->components, plan->points + i * dim, count, lengths, NULL, room);
  for (size_t l = 0; l < count; l++) {
    double *gradient = plan->gradient ? plan->gradient + (i + l) * dim : NULL;
    plan->log_density[i + l] = mixture_point(of, plan->points + (i + l) * dim, lengths + l, gradient, terms, p);
  }
}

static void plain_group(const target_plan *plan, size_t i, size_t count) {
  const target *of = plan->of;
  for (size_t j = i; j < i + count; j++) {
    const double *x = plan->points + j * of->dim;
    double *gradient = plan->gradient ? plan->gradient + j * of->dim : NULL;
    plan->log_density[j] = of->kind == TARGET_banana ? banana_point(of, x, gradient) : funnel_point(of, x, gradient);
  }
}

static void run_groups(size_t from, size_t to, size_t part, void *context) {
  const target_plan *plan = context;
  double *workspace = plan->workspace + part * target_workspace(plan->of);
  for (size_t g = from; g < to; g++) {
    const size_t i = g * GAUSSIAN_LANES, left = plan->n - i, count = left < GAUSSIAN_LANES ? left : GAUSSIAN_LANES;
    if (plan->of->kind == TARGET_mixture) {
      mixture_group(plan, i, count, workspace);
    } else {
      plain_group(plan, i, count);
    }
  }
}

void target_field(const target *of, const double *points, size_t n, double *log_density, double *gradient,
                  double *workspace, int threads) {
  target_plan plan = {.of = of,
                      .points = points,
                      .n = n,
                      .log_density = log_density,
                      .gradient = gradient,
                      .workspace = workspace};
  const int team = threads_worth_pairs(n, of->components.n + 1, of->dim * of->dim / 2, threads);
  parallel_ranges((n + GAUSSIAN_LANES - 1) / GAUSSIAN_LANES, team, run_groups, &plan);
}
