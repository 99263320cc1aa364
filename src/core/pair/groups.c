#include "core/pair/groups.h"

#include <math.h>

#include "core/base/parallel.h"
#include "core/base/sorting.h"
#include "core/pair/lines.h"

/* Rows of each group from which the points are taken. */
#define SAMPLED ((size_t)64)
/* Rows that are projected together. */
#define ROWS ((size_t)256)

typedef struct {
  const group_task *task;
  double *centred; /* [count, points, groups]: (F - 1/2) times the root of the distance to the next point */
  double *length;  /* [count] between the ends */
  double *room;    /* of each thread: twice the sampled rows, the points, the counts */
  double *distance;
} group_work;

static size_t sampled(const group_task *t) {
  return t->size < SAMPLED ? t->size : SAMPLED;
}

static size_t room_size(const group_task *t) {
  return 2 * sampled(t) * t->groups + 2 * t->points + ROWS;
}

size_t groups_workspace(const group_task *t, int threads) {
  return t->count * (t->points * t->groups + 1) + (size_t)threads * room_size(t);
}

/* Quantiles of the first rows of all groups, the ends among them. */
static void place_points(const group_task *t, const double *direction, double *point, double *rows, double *scratch) {
  const size_t each = sampled(t), n = each * t->groups, rows_of_all = t->groups * t->size;
  for (size_t g = 0; g < t->groups; g++) {
    project_rows(t->x, rows_of_all, t->dim, g * t->size, each, direction, rows + g * each);
  }
  sort_numbers(rows, n, scratch);
  for (size_t k = 0; k < t->points; k++) point[k] = rows[k * (n - 1) / (t->points - 1)];
}

/* The number of points below v. */
static size_t points_below(const double *point, size_t n, double v) {
  const double *at = point;
  while (n > 1) {
    const size_t half = n / 2;
    at += at[half - 1] < v ? half : 0;
    n -= half;
  }
  return (size_t)(at - point) + (*at < v);
}

/* Shares [points] of a group whose rows are at most at each point. */
static void share_of_group(const group_task *t, const double *direction, size_t group, const double *point,
                           double *share, double *along) {
  const size_t first = group * t->size, points = t->points;
  for (size_t k = 0; k < points; k++) share[k] = 0.0;
  for (size_t from = 0; from < t->size; from += ROWS) {
    const size_t rows = t->size - from < ROWS ? t->size - from : ROWS;
    project_rows(t->x, t->groups * t->size, t->dim, first + from, rows, direction, along);
    for (size_t i = 0; i < rows; i++) {
      const size_t k = points_below(point, points, along[i]);
      if (k < points) share[k] += 1.0;
    }
  }
  double below = 0.0;
  for (size_t k = 0; k < points; k++) {
    below += share[k];
    share[k] = below / (double)t->size;
  }
}

static void centre_lines(size_t from, size_t to, size_t part, void *context) {
  const group_work *w = context;
  const group_task *t = w->task;
  const size_t n = sampled(t) * t->groups, points = t->points;
  double *rows = w->room + part * room_size(t), *scratch = rows + n, *point = scratch + n, *share = point + points;
  double *along = share + points;
  for (size_t l = from; l < to; l++) {
    const double *direction = t->direction + l * t->dim;
    double *centred = w->centred + l * points * t->groups;
    place_points(t, direction, point, rows, scratch);
    w->length[l] = point[points - 1] - point[0];
    for (size_t g = 0; g < t->groups; g++) {
      share_of_group(t, direction, g, point, share, along);
      for (size_t k = 0; k < points; k++) {
        const double next = k + 1 < points ? point[k + 1] : point[k];
        centred[k * t->groups + g] = (share[k] - 0.5) * sqrt(next - point[k]);
      }
    }
  }
}

/* Rows [from, to) of the distances, each up to the diagonal. */
static void sum_rows(size_t from, size_t to, size_t part, void *context) {
  (void)part;
  const group_work *w = context;
  const group_task *t = w->task;
  const size_t groups = t->groups, all = t->count * t->points;
  double length = 0.0;
  for (size_t l = 0; l < t->count; l++) length += w->length[l];
  const double mean = 1.0 / (double)t->count;
  for (size_t g = from; g < to; g++) {
    double *row = w->distance + g * groups;
    for (size_t h = 0; h <= g; h++) row[h] = 0.0;
    size_t k = 0;
    for (; k + 4 <= all; k += 4) { /* four at a time, because the row is then read and written less often */
      const double *a = w->centred + k * groups, *b = a + groups, *c = b + groups, *e = c + groups;
      const double of_a = a[g], of_b = b[g], of_c = c[g], of_e = e[g];
      VECTORISE
      for (size_t h = 0; h <= g; h++) row[h] += of_a * a[h] + of_b * b[h] + of_c * c[h] + of_e * e[h];
    }
    for (; k < all; k++) {
      const double *a = w->centred + k * groups, of_a = a[g];
      VECTORISE
      for (size_t h = 0; h <= g; h++) row[h] += of_a * a[h];
    }
    for (size_t h = 0; h <= g; h++) row[h] = mean * (0.5 * length - 2.0 * row[h]);
  }
}

void group_distances(const group_task *t, double *distance, double *workspace, int threads) {
  const size_t groups = t->groups, centred = t->count * t->points * groups;
  group_work w = {.task = t,
                  .centred = workspace,
                  .length = workspace + centred,
                  .room = workspace + centred + t->count,
                  .distance = distance};
  const double rows = (double)groups * (double)t->size, all = (double)t->count * (double)t->points;
  parallel_ranges(t->count, threads_worth((double)t->count * rows * ((double)t->dim + 20.0), threads), centre_lines,
                  &w);
  parallel_ranges(groups, threads_worth(all * (double)groups * (double)groups, threads), sum_rows, &w);
  for (size_t g = 0; g < groups; g++) {
    for (size_t h = 0; h < g; h++) distance[h * groups + g] = distance[g * groups + h];
  }
}
