#include "core/law/t_mixture.h"

#include <math.h>
#include <string.h>

#include "core/base/exponentials.h"
#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/law/gaussians.h"
#include "core/law/moments.h"

#define LOG_PI 1.1447298858494001741

typedef struct {
  size_t n, dim;
  double *scatters, *factors, *constants, *log_density, *moments, *lengths; /* lengths: a part for each thread */
} fit_room;

static size_t lengths_room(const t_mixture *law, size_t dim) {
  return GAUSSIAN_LANES * law->components + gaussian_room(dim);
}

size_t t_mixture_workspace(const t_mixture *law, size_t n, size_t dim, int threads) {
  return law->components * (dim * (dim + 1) + 1) + n + moments_workspace(n, dim, law->components, threads) +
         (size_t)threads * lengths_room(law, dim);
}

static fit_room divide_room(const t_mixture *law, size_t n, size_t dim, double *workspace, int threads) {
  const size_t triangle = triangle_size(dim);
  fit_room room = {.n = n, .dim = dim, .scatters = workspace};
  room.factors = room.scatters + law->components * triangle;
  room.constants = room.factors + law->components * triangle;
  room.log_density = room.constants + law->components;
  room.moments = room.log_density + n;
  room.lengths = room.moments + moments_workspace(n, dim, law->components, threads);
  return room;
}

/* The logarithm of the density at the mean, without the determinant. */
static double t_constant(double df, double dim) {
  if (isinf(df)) return -0.5 * dim * (log(2.0) + LOG_PI);
  return lgamma(0.5 * (df + dim)) - lgamma(0.5 * df) - 0.5 * dim * (log(df) + LOG_PI);
}

/* C_g = (S_g + prior level_g I) / (rows_g + prior), level_g the variance of a row of the component in each direction,
 * drawn towards that of all components. */
static status maximise(const t_mixture *law, const fit_room *room, const double *points, const double *share,
                       const double *pull, double *rows, double *means, double *roots, int threads) {
  const size_t n = room->n, dim = room->dim, triangle = triangle_size(dim);
  weighted_moments(points, n, dim, pull, law->components, means, room->scatters, room->moments, threads);
  double all = 0.0;
  for (size_t g = 0; g < law->components; g++) {
    rows[g] = 0.0;
    for (size_t i = 0; i < n; i++) rows[g] += share[g * n + i];
    for (size_t c = 0; c < dim; c++) all += room->scatters[g * triangle + c * (c + 3) / 2];
  }
  for (size_t g = 0; g < law->components; g++) {
    const double *scatter = room->scatters + g * triangle;
    double *root = roots + g * dim * dim, trace = 0.0, log_det = 0.0;
    for (size_t c = 0; c < dim; c++) trace += scatter[c * (c + 3) / 2];
    const double level = (trace + all / (double)n) / ((rows[g] + 1.0) * (double)dim), total = rows[g] + law->prior;
    memset(root, 0, dim * dim * sizeof(double));
    for (size_t c = 0; c < dim; c++) {
      for (size_t e = 0; e <= c; e++) root[c * dim + e] = *scatter++ / total;
      root[c * dim + c] += law->prior * level / total;
    }
    if (!cholesky_factor(root, dim)) return STATUS_diverged;
    invert_factor(root, dim, room->factors + g * triangle);
    for (size_t c = 0; c < dim; c++) log_det += log(root[c * dim + c]);
    room->constants[g] = log(rows[g] / (double)n) + t_constant(law->df, (double)dim) - log_det;
  }
  return STATUS_ok;
}

typedef struct {
  const t_mixture *law;
  const fit_room *room;
  gaussians components;
  const double *points;
  double *share, *pull;
} expect_plan;

/* Rows [i, i + count): their shares, weights and log-densities. lengths: lengths_room(). */
static void expect_rows(const expect_plan *plan, size_t i, size_t count, double *lengths) {
  const size_t n = plan->room->n, components = plan->components.n;
  const double df = plan->law->df, half = 0.5 * (df + (double)plan->room->dim);
  const double *constants = plan->components.constants;
  gaussian_lengths(&plan->components, plan->points + i * plan->room->dim, count, lengths, NULL,
                   lengths + components * GAUSSIAN_LANES);
  for (size_t l = 0; l < count; l++) {
    double *share = plan->share + i + l, *pull = plan->pull + i + l;
    for (size_t g = 0; g < components; g++) {
      const double length = lengths[g * GAUSSIAN_LANES + l];
      share[g * n] = constants[g] - (isinf(df) ? 0.5 * length : half * log1p(length / df));
    }
    plan->room->log_density[i + l] = log_to_shares(share, components, n);
    for (size_t g = 0; g < components; g++) {
      const double own = share[g * n];
      pull[g * n] = isinf(df) ? own : own * 2.0 * half / (df + lengths[g * GAUSSIAN_LANES + l]);
    }
  }
}

static void expect_groups(size_t from, size_t to, size_t part, void *context) {
  const expect_plan *plan = context;
  const size_t n = plan->room->n;
  double *lengths = plan->room->lengths + part * lengths_room(plan->law, plan->room->dim);
  for (size_t g = from; g < to; g++) {
    const size_t i = g * GAUSSIAN_LANES;
    expect_rows(plan, i, n - i < GAUSSIAN_LANES ? n - i : GAUSSIAN_LANES, lengths);
  }
}

/* Returns the log-likelihood. */
static double expect(const t_mixture *law, const fit_room *room, const double *points, const double *means,
                     double *share, double *pull, int threads) {
  const size_t n = room->n, dim = room->dim;
  expect_plan plan = {
      .law = law,
      .room = room,
      .components = {.means = means,
                     .factors = room->factors,
                     .constants = room->constants,
                     .n = law->components,
                     .dim = dim},
      .points = points,
      .share = share,
      .pull = pull,
  };
  const int team = threads_worth_pairs(n, law->components, dim * dim / 2, threads);
  parallel_ranges((n + GAUSSIAN_LANES - 1) / GAUSSIAN_LANES, team, expect_groups, &plan);
  double total = 0.0;
  for (size_t i = 0; i < n; i++) total += room->log_density[i];
  return total;
}

status t_mixture_fit(const t_mixture *law, const double *points, size_t n, size_t dim, size_t most_steps,
                     double least_gain, double *share, double *pull, double *rows, double *means, double *roots,
                     double *log_likelihood, size_t *steps, double *workspace, int threads) {
  const fit_room room = divide_room(law, n, dim, workspace, threads);
  for (*steps = 0; *steps < most_steps;) {
    if (maximise(law, &room, points, share, pull, rows, means, roots, threads) != STATUS_ok) return STATUS_diverged;
    const double before = *log_likelihood;
    *log_likelihood = expect(law, &room, points, means, share, pull, threads);
    ++*steps;
    if (!isfinite(*log_likelihood)) return STATUS_diverged;
    if (*log_likelihood - before < least_gain) break;
  }
  return STATUS_ok;
}
