#include "core/law/mixture.h"

#include <math.h>

#include "core/base/exponentials.h"
#include "core/base/linalg.h"
#include "core/base/parallel.h"

#define LANES GAUSSIAN_LANES

/* Lengths and crosses of one group of points, a row of terms, what the lengths need. */
static size_t part_workspace(size_t n, size_t dim) {
  return 2 * LANES * n + n + gaussian_room(dim);
}

/* |q_a|^2 stands behind the parts of the threads. */
size_t mixture_workspace(size_t n, size_t dim, int threads) {
  return (size_t)threads * part_workspace(n, dim) + n;
}

typedef struct {
  const gaussians *mixture;
  const double *points;
  size_t m, first;
  const mixture_widths *widths;
  const double *offset2; /* [n] |q_a|^2; null: none */
  double *out, *workspace;
} mixture_plan;

/* One point, lane 0 of lengths and crosses [n, LANES], against all components but its own. */
static double log_density_at(const mixture_plan *plan, const double *lengths, const double *crosses, size_t own,
                             size_t k, double *terms) {
  const gaussians *mixture = plan->mixture;
  const double width = plan->widths->width[k], share = plan->widths->share[k];
  const double rate = 0.5 / (width * width);
  size_t n_terms = 0;
  for (size_t a = 0; a < mixture->n; a++) {
    if (a == own) continue;
    double length = lengths[a * LANES];
    if (plan->offset2) length += share * (share * plan->offset2[a] - 2.0 * crosses[a * LANES]);
    terms[n_terms++] = mixture->constants[a] - rate * length;
  }
  return log_sum_exp(terms, n_terms) - (double)mixture->dim * log(width);
}

static void run_groups(size_t from, size_t to, size_t part, void *context) {
  const mixture_plan *plan = context;
  const size_t n = plan->mixture->n, dim = plan->mixture->dim, m = plan->m;
  double *lengths = plan->workspace + part * part_workspace(n, dim), *crosses = lengths + n * LANES;
  double *terms = crosses + n * LANES, *room = terms + n;
  for (size_t g = from; g < to; g++) {
    const size_t i = g * LANES, count = m - i < LANES ? m - i : LANES;
    gaussian_lengths(plan->mixture, plan->points + i * dim, count, lengths, crosses, room);
    for (size_t l = 0; l < count; l++) {
      const size_t own = plan->first == NOT_A_COMPONENT ? NOT_A_COMPONENT : plan->first + i + l;
      for (size_t k = 0; k < plan->widths->n; k++) {
        plan->out[k * m + i + l] = log_density_at(plan, lengths + l, crosses + l, own, k, terms);
      }
    }
  }
}

void mixture_log_density(const gaussians *mixture, const double *points, size_t m, size_t first,
                         const mixture_widths *widths, double *out, double *workspace, int threads) {
  const size_t dim = mixture->dim, n = mixture->n;
  double *offset2 = mixture->offsets ? workspace + (size_t)threads * part_workspace(n, dim) : NULL;
  for (size_t a = 0; offset2 && a < n; a++) {
    offset2[a] = dot(mixture->offsets + a * dim, mixture->offsets + a * dim, dim);
  }
  mixture_plan plan = {
      .mixture = mixture,
      .points = points,
      .m = m,
      .first = first,
      .widths = widths,
      .offset2 = offset2,
      .out = out,
      .workspace = workspace,
  };
  /* an exponential costs as much as ten products */
  const int team = threads_worth_pairs(m, n, dim * dim / 2 + 10 * widths->n, threads);
  parallel_ranges((m + LANES - 1) / LANES, team, run_groups, &plan);
}
