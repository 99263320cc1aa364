#include "core/law/moments.h"

#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/pair/widened.h"

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
  return parts_of(n) * sets * (1 + dim + triangle_size(dim)) + (size_t)threads * 2 * dim * BLOCK;
}

/* sum: the total weight, then that of the coordinates. */
static void sum_rows(const double *points, size_t from, size_t to, size_t dim, const double *weight, double *sum) {
  memset(sum, 0, (dim + 1) * sizeof(double));
  for (size_t i = from; i < to; i++) {
    sum[0] += weight[i];
    for (size_t c = 0; c < dim; c++) sum[c + 1] += weight[i] * points[i * dim + c];
  }
}

INLINED double block_dot(const double *a, const double *b) {
  double chain[CHAINS] = {0.0};
  for (size_t l = 0; l < BLOCK; l += CHAINS) {
    for (size_t k = 0; k < CHAINS; k++) chain[k] += a[l + k] * b[l + k];
  }
  return ((chain[0] + chain[1]) + (chain[2] + chain[3])) + ((chain[4] + chain[5]) + (chain[6] + chain[7]));
}

/* z: room for 2 dim BLOCK */
INLINED void sum_products_plain(const double *points, size_t from, size_t to, size_t dim, const double *weight,
                         const double *mean, double *scatter, double *z) {
  double *wz = z + dim * BLOCK;
  memset(scatter, 0, triangle_size(dim) * sizeof(double));
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

WIDENED(sum_products,
        (const double *points, size_t from, size_t to, size_t dim, const double *weight, const double *mean,
         double *scatter, double *z),
        (points, from, to, dim, weight, mean, scatter, z))

/* Adds up `parts` arrays of `length` into the first. */
static void add_parts(double *sums, size_t parts, size_t length) {
  for (size_t p = 1; p < parts; p++) {
    for (size_t i = 0; i < length; i++) sums[i] += sums[p * length + i];
  }
}

typedef struct {
  const double *points;
  size_t n, dim, parts;
  const double *weights;
  size_t sets;
  const double *means;
  double *sums;     /* [parts, sets, 1 + dim] */
  double *products; /* [parts, sets, dim (dim+1) / 2] */
  double *room;     /* 2 dim BLOCK for each thread */
} moments_plan;

static void run_sums(size_t from, size_t to, size_t part, void *context) {
  const moments_plan *plan = context;
  const size_t n = plan->n, dim = plan->dim, parts = plan->parts;
  (void)part;
  for (size_t p = from; p < to; p++) {
    for (size_t k = 0; k < plan->sets; k++) {
      sum_rows(plan->points, n * p / parts, n * (p + 1) / parts, dim, plan->weights + k * n,
               plan->sums + (p * plan->sets + k) * (dim + 1));
    }
  }
}

static void run_products(size_t from, size_t to, size_t part, void *context) {
  const moments_plan *plan = context;
  const size_t n = plan->n, dim = plan->dim, parts = plan->parts;
  for (size_t p = from; p < to; p++) {
    for (size_t k = 0; k < plan->sets; k++) {
      sum_products(plan->points, n * p / parts, n * (p + 1) / parts, dim, plan->weights + k * n, plan->means + k * dim,
                   plan->products + (p * plan->sets + k) * triangle_size(dim), plan->room + part * 2 * dim * BLOCK);
    }
  }
}

void weighted_moments(const double *points, size_t n, size_t dim, const double *weights, size_t sets, double *means,
                      double *scatters, double *workspace, int threads) {
  const size_t triangle = triangle_size(dim), parts = parts_of(n);
  const int team = threads_worth_pairs(n, sets, triangle, threads);
  moments_plan plan = {
      .points = points,
      .n = n,
      .dim = dim,
      .parts = parts,
      .weights = weights,
      .sets = sets,
      .means = means,
      .sums = workspace,
      .products = workspace + parts * sets * (dim + 1),
      .room = workspace + parts * sets * (dim + 1 + triangle),
  };
  parallel_ranges(parts, team, run_sums, &plan);
  add_parts(plan.sums, parts, sets * (dim + 1));
  for (size_t k = 0; k < sets; k++) {
    const double *sum = plan.sums + k * (dim + 1);
    for (size_t c = 0; c < dim; c++) means[k * dim + c] = sum[0] > 0.0 ? sum[c + 1] / sum[0] : 0.0;
  }
  parallel_ranges(parts, team, run_products, &plan);
  add_parts(plan.products, parts, sets * triangle);
  memcpy(scatters, plan.products, sets * triangle * sizeof(double));
}
