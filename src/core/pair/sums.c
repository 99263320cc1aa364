#include "core/pair/sums.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/linalg.h"

#define CACHE_LINE (CACHE_ROOM * sizeof(double))
#define LOG_2 0.69314718055994530941723212145818

size_t sums_rows(const sums_layout *layout) {
  const size_t rows = layout->dim + EXTRA_ROWS;
  switch (layout->behind) {
    case BEHIND_triangle:
      return rows + triangle_size(layout->dim);
    case BEHIND_logarithms:
      return rows + LOG_ROWS;
    case BEHIND_nothing:
      break;
  }
  return rows;
}

size_t sums_size(const sums_layout *layout) {
  return sums_rows(layout) * layout->lanes;
}

void sums_clear(const sums_layout *layout, double *sums) {
  const size_t lanes = layout->lanes;
  memset(sums, 0, sums_size(layout) * sizeof(double));
  double *extra = sums + layout->dim * lanes;
  for (size_t l = 0; l < lanes; l++) extra[EXTRA_nearest * lanes + l] = INFINITY;
  if (layout->behind != BEHIND_logarithms) return;
  for (size_t l = 0; l < lanes; l++) extra[EXTRA_mantissa * lanes + l] = 1.0;
}

pair_sums sums_from(const pair_sums *sums, size_t first, size_t dim) {
  pair_sums out = *sums;
  if (out.force) out.force += first * out.row_stride;
  if (out.weight) out.weight += first;
  if (out.bound) out.bound += first;
  if (out.repulsion) out.repulsion += first;
  if (out.nearest) out.nearest += first;
  if (out.hessian) out.hessian += first * triangle_size(dim);
  return out;
}

/* The sum of the repulsive part of W. */
static double repulsion_of(const sums_layout *layout, const double *extra, double s) {
  const size_t lanes = layout->lanes;
  const double energy = extra[EXTRA_energy * lanes];
  if (s != 0.0) return energy / s;
  if (layout->behind != BEHIND_logarithms) return -0.5 * energy;
  return -0.5 * (energy + log(extra[EXTRA_mantissa * lanes]) + LOG_2 * extra[EXTRA_exponent * lanes]);
}

void sums_store(const sums_layout *layout, const double *sums, double s, const pair_sums *out, size_t i) {
  const size_t dim = layout->dim, lanes = layout->lanes;
  const double *extra = sums + dim * lanes;
  if (out->force) {
    for (size_t c = 0; c < dim; c++) out->force[i * out->row_stride + c * out->column_stride] = sums[c * lanes];
  }
  if (out->weight) out->weight[i] = extra[EXTRA_weight * lanes];
  if (out->bound) out->bound[i] = extra[EXTRA_bound * lanes];
  if (out->repulsion) out->repulsion[i] = repulsion_of(layout, extra, s);
  if (out->nearest) out->nearest[i] = extra[EXTRA_nearest * lanes];
  if (out->hessian) {
    const size_t size = triangle_size(dim);
    const double *entry = extra + EXTRA_ROWS * lanes;
    for (size_t e = 0; e < size; e++) out->hessian[i * size + e] = entry[e * lanes];
  }
}

double *cache_aligned(double *room) {
  const size_t beyond = (uintptr_t)room % CACHE_LINE;
  return beyond ? room + (CACHE_LINE - beyond) / sizeof(double) : room;
}
