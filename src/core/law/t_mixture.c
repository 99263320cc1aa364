#include "core/law/t_mixture.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/law/mixture.h"
#include "core/law/moments.h"
#include "core/pair/pairwise.h"

#define LOG_PI 1.1447298858494001741

typedef struct {
  size_t n, dim;
  double *scatters, *factors, *constants, *log_density, *moments, *lengths; /* lengths: a part for each thread */
} fit_room;

static size_t lengths_room(const t_mixture *law, size_t dim) {
  return MIXTURE_LANES * (law->components + 2 * dim);
}

size_t t_mixture_workspace(const t_mixture *law, size_t n, size_t dim, int threads) {
  return law->components * (dim * (dim + 1) + 1) + n + moments_workspace(n, dim, law->components, threads) +
         (size_t)threads * lengths_room(law, dim);
}

static fit_room divide_room(const t_mixture *law, size_t n, size_t dim, double *workspace, int threads) {
  const size_t triangle = dim * (dim + 1) / 2;
  fit_room room = {.n = n, .dim = dim, .scatters = workspace};
  room.factors = room.scatters + law->components * triangle;
  room.constants = room.factors + law->components * triangle;
  room.log_density = room.constants + law->components;
  room.moments = room.log_density + n;
  room.lengths = room.moments + moments_workspace(n, dim, law->components, threads);
  return room;
}

/* log of the density at the mean, but for the determinant */
static double t_constant(double df, double dim) {
  if (isinf(df)) return -0.5 * dim * (log(2.0) + LOG_PI);
  return lgamma(0.5 * (df + dim)) - lgamma(0.5 * df) - 0.5 * dim * (log(df) + LOG_PI);
}

/* C_g = (S_g + prior level_g I) / (rows_g + prior), level_g the variance of a row of the component in each direction,
 * drawn towards that of all components. */
static status maximise(const t_mixture *law, const fit_room *room, const double *points, const double *share,
                       const double *pull, double *rows, double *means, double *roots, int threads) {
  const size_t n = room->n, dim = room->dim, triangle = dim * (dim + 1) / 2;
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

/* Rows [i, i + count): their shares, weights and log-densities. */
static void expect_rows(const t_mixture *law, const fit_room *room, const double *points, const double *means, size_t i,
                        size_t count, double *share, double *pull, double *lengths) {
  const size_t n = room->n, dim = room->dim, triangle = dim * (dim + 1) / 2, components = law->components;
  const double d = (double)dim, half = 0.5 * (law->df + d);
  double *y = lengths + components * MIXTURE_LANES, *z = y + dim * MIXTURE_LANES;
  mixture_lanes(points + i * dim, count, dim, y);
  for (size_t g = 0; g < components; g++) {
    mixture_lengths(room->factors + g * triangle, NULL, means + g * dim, y, z, dim, lengths + g * MIXTURE_LANES, NULL);
  }
  for (size_t l = 0; l < count; l++) {
    double most = -INFINITY, sum = 0.0;
    for (size_t g = 0; g < components; g++) {
      const double length = lengths[g * MIXTURE_LANES + l];
      const double term = room->constants[g] - (isinf(law->df) ? 0.5 * length : half * log1p(length / law->df));
      share[g * n + i + l] = term;
      if (term > most) most = term;
    }
    for (size_t g = 0; g < components; g++) sum += share[g * n + i + l] = exp(share[g * n + i + l] - most);
    for (size_t g = 0; g < components; g++) {
      double *own = share + g * n + i + l;
      *own /= sum;
      pull[g * n + i + l] = isinf(law->df) ? *own : *own * 2.0 * half / (law->df + lengths[g * MIXTURE_LANES + l]);
    }
    room->log_density[i + l] = most + log(sum);
  }
}

static double expect(const t_mixture *law, const fit_room *room, const double *points, const double *means,
                     double *share, double *pull, int threads) {
  const size_t n = room->n, per_thread = lengths_room(law, room->dim), groups = (n + MIXTURE_LANES - 1) / MIXTURE_LANES;
  const int team = pairwise_threads(n, law->components, room->dim * room->dim / 2, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(law, room, points, means, share, pull, n, per_thread, groups, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    for (size_t g = groups * part / (size_t)team; g < groups * (part + 1) / (size_t)team; g++) {
      const size_t i = g * MIXTURE_LANES, count = n - i < MIXTURE_LANES ? n - i : MIXTURE_LANES;
      expect_rows(law, room, points, means, i, count, share, pull, room->lengths + part * per_thread);
    }
  }
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
