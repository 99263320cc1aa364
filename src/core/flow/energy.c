#include "core/flow/energy.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/pair/lines.h"

/* Rows that are projected, or moved, together. */
#define ROWS ((size_t)512)
/* A wave holds so many numbers, or one direction per thread. */
#define NUMBERS ((size_t)4000000)

/* --- one direction ------------------------------------------------------------------------------------------- */

static void project(const double *x, size_t n, size_t dim, const double *direction, double *out) {
  for (size_t from = 0; from < n; from += ROWS) {
    project_rows(x, n, dim, from, n - from < ROWS ? n - from : ROWS, direction, out + from);
  }
}

/* One sample along a direction, in order. along [n] holds the places on return. */
static void sort_along(const double *x, size_t n, size_t dim, const double *direction, double *along,
                       placed_number *sorted, placed_number *scratch) {
  project(x, n, dim, direction, along);
  for (size_t i = 0; i < n; i++) sorted[i] = (placed_number){.value = along[i], .place = i};
  sort_placed(sorted, n, scratch);
}

/* 2 int (F - G)^2. */
static double sum_line(const placed_number *x, size_t n, const placed_number *y, size_t m) {
  const double share_x = 1.0 / (double)n, share_y = 1.0 / (double)m;
  double across = 0.0, at = fmin(x[0].value, y[0].value);
  size_t i = 0, j = 0;
  while (i < n || j < m) {
    const int own = j == m || (i < n && x[i].value <= y[j].value);
    const double next = own ? x[i].value : y[j].value;
    const double f = i == n ? 1.0 : (double)i * share_x, g = j == m ? 1.0 : (double)j * share_y;
    across += (next - at) * (f - g) * (f - g);
    at = next;
    if (own) i++;
    else j++;
  }
  return 2.0 * across;
}

/* F at each of the sorted particles: of those at the same place, half count as before. */
static void rank_particles(const placed_number *x, size_t n, double *rank) {
  size_t from = 0;
  while (from < n) {
    size_t to = from + 1;
    while (to < n && x[to].value == x[from].value) to++;
    for (size_t i = from; i < to; i++) rank[i] = 0.5 * (double)(from + to) / (double)n;
    from = to;
  }
}

/* F at t: linear between particles, constant beyond the first and the last. */
static double rank_at(const placed_number *x, const double *rank, size_t n, double t) {
  size_t low = 0, high = n; /* x[low - 1] < t <= x[high] */
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (x[middle].value < t) low = middle + 1;
    else high = middle;
  }
  if (low == n) return rank[n - 1];
  if (low == 0 || x[low].value == t) return rank[low];
  const double share = (t - x[low - 1].value) / (x[low].value - x[low - 1].value);
  return rank[low - 1] + share * (rank[low] - rank[low - 1]);
}

/* G at each of the sorted target rows: half of a row that is alone counts as before it, and k rows at the same place
 * stand for the whole of their jump. */
static void level_rows(const placed_number *y, size_t m, double *level) {
  size_t from = 0;
  while (from < m) {
    size_t to = from + 1;
    while (to < m && y[to].value == y[from].value) to++;
    const double count = (double)(to - from), gap = to - from > 1 ? count / (count - 1.0) : 0.0;
    const double first = to - from > 1 ? (double)from : (double)from + 0.5;
    for (size_t j = from; j < to; j++) level[j] = (first + (double)(j - from) * gap) / (double)m;
    from = to;
  }
}

/* A sorted target, G at its rows, and the pull towards it. */
typedef struct {
  const placed_number *row;
  const double *level;
  size_t m;
  double pull;
} goal_line;

/* t' + pull G(t') at the target row number j. */
static double stretched(const goal_line *goal, size_t j) {
  return goal->row[j].value + goal->pull * goal->level[j];
}

/* t' with t' + pull G(t') = w, given the number `after` of target rows at which the left side is at most w. */
static double landing(const goal_line *goal, size_t after, double w) {
  const size_t m = goal->m;
  if (after == 0) return fmin(w, goal->row[0].value);
  if (after == m) return fmax(w - goal->pull, goal->row[m - 1].value);
  const double low = stretched(goal, after - 1), high = stretched(goal, after);
  const double from = goal->row[after - 1].value, to = goal->row[after].value;
  return fmin(from + (w - low) / (high - low) * (to - from), to);
}

static size_t count_after(const goal_line *goal, double w) {
  size_t low = 0, high = goal->m;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (stretched(goal, middle) <= w) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* rank [n + m]: scratch. moves [n + q]: the places along the direction on entry, t' - t on return. */
static void move_line(const energy_task *task, const placed_number *x, const placed_number *y, double *rank,
                      double *moves) {
  const size_t n = task->n;
  const goal_line goal = {.row = y, .level = rank + n, .m = task->m, .pull = task->pull};
  rank_particles(x, n, rank);
  level_rows(y, task->m, rank + n);
  size_t after = 0;
  for (size_t i = 0; i < n; i++) {
    const double t = x[i].value, w = t + goal.pull * rank[i];
    while (after < goal.m && stretched(&goal, after) <= w) after++;
    moves[x[i].place] = landing(&goal, after, w) - t;
  }
  for (size_t i = n; i < n + task->q; i++) {
    const double t = moves[i], w = t + goal.pull * rank_at(x, rank, n, t);
    moves[i] = landing(&goal, count_after(&goal, w), w) - t;
  }
}

/* --- all directions ------------------------------------------------------------------------------------------ */

typedef struct {
  const energy_task *task;
  const energy_room *room;
  size_t first; /* direction of the wave */
  double *across, *moved_source, *moved_query;
} energy_work;

size_t energy_numbers(const energy_task *task) {
  return task->n + task->m + (task->n > task->m ? task->n : task->m);
}

energy_room energy_plan(const energy_task *task, int threads) {
  const size_t rows = task->n + task->m + task->q, length = task->n > task->m ? task->n : task->m;
  const double work = (double)task->count * (double)rows * ((double)task->dim + 40.0);
  energy_room room = {.team = threads_worth(work, threads)};
  if ((size_t)room.team > task->count) room.team = (int)task->count;
  room.wave = NUMBERS / (length + task->q);
  if (room.wave < (size_t)room.team) room.wave = (size_t)room.team;
  if (room.wave > task->count) room.wave = task->count;
  return room;
}

static void run_directions(size_t from, size_t to, size_t part, void *context) {
  const energy_work *w = context;
  const energy_task *t = w->task;
  const size_t stride = (t->n > t->m ? t->n : t->m) + t->q;
  placed_number *x = w->room->numbers + part * energy_numbers(t), *y = x + t->n, *scratch = y + t->m;
  for (size_t l = from; l < to; l++) {
    const double *direction = t->direction + (w->first + l) * t->dim;
    double *moves = w->room->moves + l * stride;
    sort_along(t->target, t->m, t->dim, direction, moves, y, scratch);
    sort_along(t->source, t->n, t->dim, direction, moves, x, scratch);
    w->across[w->first + l] = sum_line(x, t->n, y, t->m);
    if (t->q > 0) project(t->query, t->q, t->dim, direction, moves + t->n);
    move_line(t, x, y, w->room->ranks + part * (t->n + t->m), moves);
  }
}

/* The moves of a wave, in the order of its directions, of rows whose moves begin `offset` numbers into a direction. */
static void add_moves(const energy_work *w, size_t from, size_t to, size_t offset, size_t n, size_t wave, double *out) {
  const energy_task *t = w->task;
  const size_t stride = (t->n > t->m ? t->n : t->m) + t->q;
  for (size_t start = from; start < to; start += ROWS) {
    const size_t end = to - start < ROWS ? to : start + ROWS;
    for (size_t l = 0; l < wave; l++) {
      const double *direction = t->direction + (w->first + l) * t->dim, *moves = w->room->moves + l * stride + offset;
      for (size_t c = 0; c < t->dim; c++) {
        const double part = direction[c];
        double *column = out + c * n;
        VECTORISE
        for (size_t i = start; i < end; i++) column[i] += part * moves[i];
      }
    }
  }
}

static size_t wave_size(const energy_work *w) {
  const size_t left = w->task->count - w->first;
  return left < w->room->wave ? left : w->room->wave;
}

static void move_source(size_t from, size_t to, size_t part, void *context) {
  const energy_work *w = context;
  (void)part;
  add_moves(w, from, to, 0, w->task->n, wave_size(w), w->moved_source);
}

static void move_query(size_t from, size_t to, size_t part, void *context) {
  const energy_work *w = context;
  (void)part;
  add_moves(w, from, to, w->task->n, w->task->q, wave_size(w), w->moved_query);
}

status energy_step(const energy_task *task, double *across, double *moved_source, double *moved_query,
                   const energy_room *room, interrupt_function interrupted) {
  energy_work work = {
      .task = task, .room = room, .across = across, .moved_source = moved_source, .moved_query = moved_query};
  for (; work.first < task->count; work.first += room->wave) {
    if (interrupted && interrupted()) return STATUS_interrupted;
    parallel_ranges(wave_size(&work), room->team, run_directions, &work);
    parallel_ranges(task->n, room->team, move_source, &work);
    if (task->q > 0) parallel_ranges(task->q, room->team, move_query, &work);
  }
  const int finite = all_finite(across, task->count) && all_finite(moved_source, task->n * task->dim) &&
                     all_finite(moved_query, task->q * task->dim);
  return finite ? STATUS_ok : STATUS_diverged;
}

/* --- moves -------------------------------------------------------------------------------------------------- */

energy_moves energy_lengths(const double *before, const double *after, size_t n, size_t dim) {
  energy_moves out = {0.0, 0.0, 0.0};
  for (size_t from = 0; from < n; from += ROWS) {
    const size_t rows = n - from < ROWS ? n - from : ROWS;
    double squares[ROWS] = {0.0}, length = 0.0, square = 0.0;
    for (size_t c = 0; c < dim; c++) {
      for (size_t i = 0; i < rows; i++) {
        const double move = after[c * n + from + i] - before[c * n + from + i];
        squares[i] += move * move;
      }
    }
    for (size_t i = 0; i < rows; i++) {
      const double l = sqrt(squares[i]);
      length += l;
      square += squares[i];
      if (l > out.largest) out.largest = l;
    }
    out.mean += length;
    out.square += square;
  }
  out.mean /= (double)n;
  out.square /= (double)n;
  return out;
}
