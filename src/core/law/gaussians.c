#include "core/law/gaussians.h"

#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/pair/widened.h"

#define LANES GAUSSIAN_LANES

size_t gaussian_room(size_t dim) {
  return 2 * LANES * dim;
}

/* One Gaussian against y [dim, LANES]; z: room like y. */
INLINED void lengths_of(const double *factor, const double *offset, const double *mean, const double *y, double *z,
                       size_t dim, double *length, double *cross) {
  double sum[LANES] = {0.0}, sum_cross[LANES] = {0.0};
  for (size_t c = 0; c < dim; c++) {
    for (size_t l = 0; l < LANES; l++) z[c * LANES + l] = y[c * LANES + l] - mean[c];
  }
  for (size_t c = 0; c < dim; c++) {
    double along[LANES] = {0.0};
    for (size_t e = 0; e <= c; e++) {
      const double entry = *factor++;
      for (size_t l = 0; l < LANES; l++) along[l] += entry * z[e * LANES + l];
    }
    for (size_t l = 0; l < LANES; l++) sum[l] += along[l] * along[l];
    for (size_t l = 0; offset && l < LANES; l++) sum_cross[l] += along[l] * offset[c];
  }
  memcpy(length, sum, sizeof sum);
  if (offset) memcpy(cross, sum_cross, sizeof sum_cross);
}

INLINED void lengths_from_all_plain(const gaussians *of, const double *y, double *z, double *length, double *cross) {
  const size_t dim = of->dim, triangle = triangle_size(dim);
  for (size_t a = 0; a < of->n; a++) {
    lengths_of(of->factors + a * triangle, of->offsets ? of->offsets + a * dim : NULL, of->means + a * dim, y, z, dim,
               length + a * LANES, of->offsets ? cross + a * LANES : NULL);
  }
}

WIDENED(lengths_from_all, (const gaussians *of, const double *y, double *z, double *length, double *cross),
        (of, y, z, length, cross))

void gaussian_lengths(const gaussians *of, const double *points, size_t count, double *length, double *cross,
                      double *room) {
  const size_t dim = of->dim;
  double *y = room, *z = y + LANES * dim;
  for (size_t c = 0; c < dim; c++) {
    for (size_t l = 0; l < LANES; l++) y[c * LANES + l] = points[(l < count ? l : count - 1) * dim + c];
  }
  lengths_from_all(of, y, z, length, cross);
}

size_t gaussian_workspace(const gaussians *of) {
  return LANES * of->n + gaussian_room(of->dim);
}

typedef struct {
  const gaussians *of;
  const double *points;
  size_t m;
  double *length, *workspace;
} lengths_plan;

static void run_groups(size_t from, size_t to, size_t part, void *context) {
  const lengths_plan *plan = context;
  const gaussians *of = plan->of;
  double *group = plan->workspace + part * gaussian_workspace(of);
  for (size_t g = from; g < to; g++) {
    const size_t i = g * LANES, count = plan->m - i < LANES ? plan->m - i : LANES;
    gaussian_lengths(of, plan->points + i * of->dim, count, group, NULL, group + LANES * of->n);
    for (size_t a = 0; a < of->n; a++) {
      memcpy(plan->length + a * plan->m + i, group + a * LANES, count * sizeof(double));
    }
  }
}

void gaussian_all_lengths(const gaussians *of, const double *points, size_t m, double *length, double *workspace,
                          int threads) {
  lengths_plan plan = {.of = of, .points = points, .m = m, .length = length, .workspace = workspace};
  const int team = threads_worth_pairs(m, of->n + 1, of->dim * of->dim / 2, threads);
  parallel_ranges((m + LANES - 1) / LANES, team, run_groups, &plan);
}

void gaussian_whiten(const gaussians *of, size_t a, const double *y, double *p) {
  const size_t dim = of->dim;
  const double *factor = of->factors + a * triangle_size(dim), *mean = of->means + a * dim;
  for (size_t c = 0; c < dim; c++) {
    double sum = 0.0;
    for (size_t e = 0; e <= c; e++) sum += *factor++ * (y[e] - mean[e]);
    p[c] = sum;
  }
}
