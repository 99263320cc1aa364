#include "core/law/moments.h"

#include <string.h>

#include "core/pair/pairwise.h"

/* Rows taken together, coordinate by coordinate; sums of products in so many chains. */
#define BLOCK 32
#define CHAINS 8
#define PART_ROWS 256
#define MOST_PARTS 32

static size_t parts_of(size_t n) {
  const size_t parts = (n + PART_ROWS - 1) / PART_ROWS;
  return parts < 1 ? 1 : parts > MOST_PARTS ? MOST_PARTS : parts;
}

size_t moments_workspace(size_t n, size_t dim, size_t sets, int threads) {
  return parts_of(n) * sets * (1 + dim + dim * (dim + 1) / 2) + (size_t)threads * 2 * dim * BLOCK;
}

/* sum: the total weight, then that of the coordinates. */
static void sum_rows(const double *points, size_t from, size_t to, size_t dim, const double *weight, double *sum) {
  memset(sum, 0, (dim + 1) * sizeof(double));
  for (size_t i = from; i < to; i++) {
    sum[0] += weight[i];
    for (size_t c = 0; c < dim; c++) sum[c + 1] += weight[i] * points[i * dim + c];
  }
}

static double block_dot(const double *a, const double *b) {
  double chain[CHAINS] = {0.0};
  for (size_t l = 0; l < BLOCK; l += CHAINS) {
    for (size_t k = 0; k < CHAINS; k++) chain[k] += a[l + k] * b[l + k];
  }
  return ((chain[0] + chain[1]) + (chain[2] + chain[3])) + ((chain[4] + chain[5]) + (chain[6] + chain[7]));
}

/* z: room for 2 dim BLOCK */
static void sum_products(const double *points, size_t from, size_t to, size_t dim, const double *weight,
                         const double *mean, double *scatter, double *z) {
  double *wz = z + dim * BLOCK;
  memset(scatter, 0, dim * (dim + 1) / 2 * sizeof(double));
  for (size_t i = from; i < to; i += BLOCK) {
    const size_t count = to - i < BLOCK ? to - i : BLOCK;
    if (count < BLOCK) memset(z, 0, 2 * dim * BLOCK * sizeof(double));
    for (size_t l = 0; l < count; l++) {
      for (size_t c = 0; c < dim; c++) {
        const double centred = points[(i + l) * dim + c] - mean[c];
        z[c * BLOCK + l] = centred;
        wz[c * BLOCK + l] = weight[i + l] * centred;
      }
    }
    double *entry = scatter;
    for (size_t c = 0; c < dim; c++) {
      for (size_t e = 0; e <= c; e++) *entry++ += block_dot(wz + c * BLOCK, z + e * BLOCK);
    }
  }
}

/* Adds up `parts` arrays of `length` into the first. */
static void add_parts(double *sums, size_t parts, size_t length) {
  for (size_t p = 1; p < parts; p++) {
    for (size_t i = 0; i < length; i++) sums[i] += sums[p * length + i];
  }
}

void weighted_moments(const double *points, size_t n, size_t dim, const double *weights, size_t sets, double *means,
                      double *scatters, double *workspace, int threads) {
  const size_t triangle = dim * (dim + 1) / 2, parts = parts_of(n);
  const int team = pairwise_threads(n, sets, triangle, threads);
  double *sums = workspace, *products = sums + parts * sets * (dim + 1), *room = products + parts * sets * triangle;
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(points, n, dim, weights, sets, sums, parts, team)
#endif
  for (size_t p = 0; p < parts; p++) {
    for (size_t k = 0; k < sets; k++) {
      sum_rows(points, n * p / parts, n * (p + 1) / parts, dim, weights + k * n, sums + (p * sets + k) * (dim + 1));
    }
  }
  add_parts(sums, parts, sets * (dim + 1));
  for (size_t k = 0; k < sets; k++) {
    const double *sum = sums + k * (dim + 1);
    for (size_t c = 0; c < dim; c++) means[k * dim + c] = sum[0] > 0.0 ? sum[c + 1] / sum[0] : 0.0;
  }
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(points, n, dim, weights, sets, means, products, triangle, room, parts, team)
#endif
  for (size_t worker = 0; worker < (size_t)team; worker++) {
    for (size_t p = worker; p < parts; p += (size_t)team) {
      for (size_t k = 0; k < sets; k++) {
        sum_products(points, n * p / parts, n * (p + 1) / parts, dim, weights + k * n, means + k * dim,
                     products + (p * sets + k) * triangle, room + worker * 2 * dim * BLOCK);
      }
    }
  }
  add_parts(products, parts, sets * triangle);
  memcpy(scatters, products, sets * triangle * sizeof(double));
}
