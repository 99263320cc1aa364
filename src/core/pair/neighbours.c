#include "core/pair/neighbours.h"

#include <float.h>
#include <math.h>

size_t neighbours_workspace(size_t dim, size_t k) {
  return distances_workspace(dim, 2 * k);
}

/* --- the k nearest --------------------------------------------------------------------------------------- */

typedef struct {
  size_t from, count, n_source, k;
  int own;
  int *index;
  double *distance;
} nearest_context;

/* Inserts source row a at squared distance r2 into a list of k sorted ones, which it belongs in. */
static void insert(double *distance2, double *index, size_t k, size_t a, double r2) {
  size_t place = k - 1;
  while (place > 0 && r2 < distance2[place - 1]) {
    distance2[place] = distance2[place - 1];
    index[place] = index[place - 1];
    place--;
  }
  distance2[place] = r2;
  index[place] = (double)a;
}

/* block->own: for each row k squared distances, then k sources. */
static void keep_nearest(const distance_block *block, void *context) {
  const nearest_context *to = context;
  const size_t k = to->k, n_source = to->n_source;
  for (size_t j = 0; j < block->rows; j++) {
    const size_t row = block->first + j, self = to->own ? to->from + row : n_source;
    double *distance2 = block->own + 2 * k * j, *index = distance2 + k;
    for (size_t i = 0; block->source == 0 && i < k; i++) {
      distance2[i] = INFINITY;
      index[i] = -1.0;
    }
    double worst = distance2[k - 1];
    for (size_t b = 0; b < block->n; b++) {
      const double r2 = block->distance2[b * block->source_stride + j];
      if (r2 < worst && block->source + b != self) {
        insert(distance2, index, k, block->source + b, r2);
        worst = distance2[k - 1];
      }
    }
    if (block->source + block->n < n_source) continue;
    for (size_t i = 0; i < k; i++) {
      to->distance[i * to->count + row] = sqrt(distance2[i]);
      to->index[i * to->count + row] = (int)index[i];
    }
  }
}

void nearest_rows(const distance_task *task, int own, size_t k, int *index, double *distance, double *workspace,
                  int threads) {
  nearest_context context = {
      .from = task->from,
      .count = task->count,
      .n_source = task->n_source,
      .k = k,
      .own = own,
      .index = index,
      .distance = distance,
  };
  visit_distances(task, keep_nearest, &context, 2 * k, workspace, threads);
}

/* --- counts of balls -------------------------------------------------------------------------------------- */

typedef struct {
  size_t n_source;
  const double *radius;
  int *within;
  double *nearest;
} count_context;

static void add_counts(const distance_block *block, void *context) {
  const count_context *to = context;
  double bound[DISTANCE_BLOCK]; /* radius^2, with room for the rounding of both square and root */
  const double *radius = to->radius + block->source;
  for (size_t b = 0; b < block->n; b++) bound[b] = radius[b] * radius[b] * (1.0 + 4.0 * DBL_EPSILON);
  for (size_t j = 0; j < block->rows; j++) {
    const size_t row = block->first + j;
    int inside = 0;
    double least = block->source == 0 ? INFINITY : to->nearest[row];
    for (size_t b = 0; b < block->n; b++) {
      const double r2 = block->distance2[b * block->source_stride + j];
      least = r2 < least ? r2 : least;
      if (r2 <= bound[b]) inside += sqrt(r2) <= radius[b];
    }
    to->within[row] = inside + (block->source == 0 ? 0 : to->within[row]);
    to->nearest[row] = block->source + block->n < to->n_source ? least : sqrt(least);
  }
}

void count_within(const distance_task *task, const double *radius, int *within, double *nearest, double *workspace,
                  int threads) {
  for (size_t j = 0; task->n_source == 0 && j < task->count; j++) {
    within[j] = 0;
    nearest[j] = INFINITY;
  }
  count_context context = {.n_source = task->n_source, .radius = radius, .within = within, .nearest = nearest};
  visit_distances(task, add_counts, &context, 0, workspace, threads);
}
