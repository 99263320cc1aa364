#include "core/neighbours.h"

#include <float.h>
#include <math.h>

#include "core/simd.h"
#ifdef _OPENMP
#include <omp.h>
#endif

/* Query rows that share a block of sources while it is in the nearest cache: some tiles of `lanes` rows. */
#define CHUNK ((size_t)32)
/* Sources of one block: at most this many bytes, at most BLOCK rows. */
#define SOURCE_BLOCK_BYTES 16384
#define BLOCK ((size_t)128)

typedef struct {
  const double *query, *source;
  size_t from, count, n_source, dim;
  const simd_table *table;
} distance_task;

/* One chunk of query rows: [first, first + rows) of the task's. */
typedef struct {
  size_t first, rows;
  double *tiles;     /* [tile][dim, lanes] */
  double *distance2; /* [BLOCK, lanes] */
  double *lists;     /* the caller's, [CHUNK, 2 k] */
} chunk;

size_t neighbours_workspace(size_t dim, size_t k) {
  /* a tile more than rows need, for lanes that do not divide the chunk; whole cache lines */
  const size_t tiles = (CHUNK + 8) * dim, distances = 8 * BLOCK, lists = 2 * k * CHUNK;
  return (tiles + distances + lists + 15) / 8 * 8;
}

static size_t block_rows(size_t dim) {
  const size_t fit = SOURCE_BLOCK_BYTES / (dim * sizeof(double));
  return fit < 8 ? 8 : fit > BLOCK ? BLOCK : fit;
}

/* Lanes without a row repeat the last one. */
static chunk open_chunk(const distance_task *task, size_t number, double *workspace) {
  const size_t lanes = task->table->lanes, dim = task->dim;
  chunk c = {number * CHUNK, CHUNK, workspace, workspace + (CHUNK + 8) * dim,
             workspace + (CHUNK + 8) * dim + 8 * BLOCK};
  if (c.rows > task->count - c.first) c.rows = task->count - c.first;
  for (size_t tile = 0; tile < c.rows; tile += lanes) {
    for (size_t lane = 0; lane < lanes; lane++) {
      const size_t row = tile + lane < c.rows ? tile + lane : c.rows - 1;
      const double *y = task->query + (task->from + c.first + row) * dim;
      for (size_t j = 0; j < dim; j++) c.tiles[tile * dim + j * lanes + lane] = y[j];
    }
  }
  return c;
}

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

static void nearest_of_chunk(const distance_task *task, const chunk *c, int own, size_t k) {
  const size_t lanes = task->table->lanes, dim = task->dim, step = block_rows(dim);
  for (size_t j = 0; j < c->rows; j++) {
    for (size_t i = 0; i < k; i++) {
      c->lists[2 * k * j + i] = INFINITY;
      c->lists[2 * k * j + k + i] = -1.0;
    }
  }
  for (size_t a = 0; a < task->n_source; a += step) {
    const size_t n = step < task->n_source - a ? step : task->n_source - a;
    for (size_t tile = 0; tile < c->rows; tile += lanes) {
      task->table->distances(c->tiles + tile * dim, c->distance2, task->source + a * dim, n, dim);
      for (size_t lane = 0; lane < lanes && tile + lane < c->rows; lane++) {
        const size_t row = tile + lane, self = own ? task->from + c->first + row : task->n_source;
        double *distance2 = c->lists + 2 * k * row;
        double worst = distance2[k - 1];
        for (size_t b = 0; b < n; b++) {
          const double r2 = c->distance2[b * lanes + lane];
          if (r2 < worst && a + b != self) {
            insert(distance2, distance2 + k, k, a + b, r2);
            worst = distance2[k - 1];
          }
        }
      }
    }
  }
}

void nearest_rows(const double *query, size_t from, size_t count, const double *source, size_t n_source,
                  size_t dim, int own, size_t k, int *index, double *distance, double *workspace, int threads) {
  const distance_task task = {query, source, from, count, n_source, dim, simd_current()};
  const int team = pairwise_threads(count, n_source, dim, threads);
  const size_t stride = neighbours_workspace(dim, k), n_chunks = (count + CHUNK - 1) / CHUNK;
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(task, count, own, k, index, distance, workspace, stride, n_chunks)
#else
  (void)team;
#endif
  for (size_t number = 0; number < n_chunks; number++) {
#ifdef _OPENMP
    double *mine = workspace + (size_t)omp_get_thread_num() * stride;
#else
    double *mine = workspace;
#endif
    const chunk c = open_chunk(&task, number, mine);
    nearest_of_chunk(&task, &c, own, k);
    for (size_t row = 0; row < c.rows; row++) {
      for (size_t j = 0; j < k; j++) {
        distance[j * count + c.first + row] = sqrt(c.lists[2 * k * row + j]);
        index[j * count + c.first + row] = (int)c.lists[2 * k * row + k + j];
      }
    }
  }
  (void)stride;
}

static void count_of_chunk(const distance_task *task, const chunk *c, const double *radius, int *within,
                           double *nearest) {
  const size_t lanes = task->table->lanes, dim = task->dim, step = block_rows(dim);
  double bound[BLOCK]; /* radius^2, with room for the rounding of both square and root */
  for (size_t j = 0; j < c->rows; j++) {
    within[c->first + j] = 0;
    nearest[c->first + j] = INFINITY;
  }
  for (size_t a = 0; a < task->n_source; a += step) {
    const size_t n = step < task->n_source - a ? step : task->n_source - a;
    for (size_t b = 0; b < n; b++) bound[b] = radius[a + b] * radius[a + b] * (1.0 + 4.0 * DBL_EPSILON);
    for (size_t tile = 0; tile < c->rows; tile += lanes) {
      task->table->distances(c->tiles + tile * dim, c->distance2, task->source + a * dim, n, dim);
      for (size_t lane = 0; lane < lanes && tile + lane < c->rows; lane++) {
        const size_t row = c->first + tile + lane;
        int inside = 0;
        double least = nearest[row];
        for (size_t b = 0; b < n; b++) {
          const double r2 = c->distance2[b * lanes + lane];
          least = r2 < least ? r2 : least;
          if (r2 <= bound[b]) inside += sqrt(r2) <= radius[a + b];
        }
        within[row] += inside;
        nearest[row] = least;
      }
    }
  }
  for (size_t j = 0; j < c->rows; j++) nearest[c->first + j] = sqrt(nearest[c->first + j]);
}

void count_within(const double *query, size_t from, size_t count, const double *source, size_t n_source,
                  size_t dim, const double *radius, int *within, double *nearest, double *workspace,
                  int threads) {
  const distance_task task = {query, source, from, count, n_source, dim, simd_current()};
  const int team = pairwise_threads(count, n_source, dim, threads);
  const size_t stride = neighbours_workspace(dim, 0), n_chunks = (count + CHUNK - 1) / CHUNK;
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(task, radius, within, nearest, workspace, stride, n_chunks)
#else
  (void)team;
#endif
  for (size_t number = 0; number < n_chunks; number++) {
#ifdef _OPENMP
    double *mine = workspace + (size_t)omp_get_thread_num() * stride;
#else
    double *mine = workspace;
#endif
    const chunk c = open_chunk(&task, number, mine);
    count_of_chunk(&task, &c, radius, within, nearest);
  }
  (void)stride;
}
