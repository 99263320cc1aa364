#include "core/pairwise.h"

#include <math.h>
#include <string.h>

/* Query tiles that share a block of sources while it is in the nearest cache. */
#define TILES_PER_CHUNK 4
#define MAX_LANES 8
/* Sources of one block: at most this many bytes. */
#define SOURCE_BLOCK_BYTES 24576
/* Pairs times coordinates (a millisecond or two) below which a second thread costs more than it brings, the
 * more so where other programs want the processor. */
#define WORTH_A_THREAD 1e7
/* Estimated reciprocals are used only where u is surely far from both ends of the range of doubles. */
#define SMALLEST_SOFTENING 1e-250
#define LARGEST_COORDINATE 1e100

void pack_rows(double *out, const double *x, size_t n, size_t dim) {
  for (size_t c = 0; c < dim; c++) {
    for (size_t i = 0; i < n; i++) out[i * dim + c] = x[c * n + i];
  }
}

size_t pairwise_workspace(size_t dim) {
  return TILES_PER_CHUNK * MAX_LANES * (2 * dim + TILE_EXTRA);
}

int pairwise_threads(size_t n_query, size_t n_source, size_t dim, int threads) {
  const double work = (double)n_query * (double)n_source * ((double)dim + 4.0);
  return work < WORTH_A_THREAD ? 1 : threads;
}

void pairwise_prepare(pair_task *task) {
  const double epsilon = task->potential.epsilon;
  const simd_table *table = simd_current();
  task->table = table;
  if (!table->narrow_range) return;
  double largest = 0.0;
  for (size_t i = 0; i < task->n_source * task->dim; i++) largest = fmax(largest, fabs(task->source[i]));
  if (!(epsilon > SMALLEST_SOFTENING && epsilon < LARGEST_COORDINATE && largest < LARGEST_COORDINATE)) {
    task->table = simd_wide_range();
  }
}

/* One pair, for the few sources that share a tile with their own query row. */
static void add_pair(const pair_task *task, const double *query, double *sums, size_t lanes, size_t lane,
                     const double *x) {
  const size_t dim = task->dim;
  const riesz *potential = &task->potential;
  double distance2 = 0.0;
  for (size_t c = 0; c < dim; c++) {
    const double z = query[c * lanes + lane] - x[c];
    distance2 += z * z;
  }
  const double u = distance2 + potential->epsilon;
  const double weight = riesz_weight(potential, u);
  for (size_t c = 0; c < dim; c++) sums[c * lanes + lane] += weight * (query[c * lanes + lane] - x[c]);
  double *extra = sums + dim * lanes + lane;
  extra[0] += weight;
  extra[lanes] += weight / u * distance2;
  extra[2 * lanes] += potential->s == 0.0 ? log(u) : weight * u;
  if (distance2 < extra[3 * lanes]) extra[3 * lanes] = distance2;
}

static void load_tile(double *tile, const pair_task *task, size_t first, size_t lanes, size_t n_lanes) {
  for (size_t c = 0; c < task->dim; c++) {
    for (size_t l = 0; l < lanes; l++) {
      /* an unused lane repeats the last row */
      const size_t i = first + (l < n_lanes ? l : n_lanes - 1);
      tile[c * lanes + l] = task->query[i * task->row_stride + c * task->column_stride];
    }
  }
}

static void clear_sums(double *sums, size_t dim, size_t lanes) {
  memset(sums, 0, (dim + 3) * lanes * sizeof(double));
  for (size_t l = 0; l < lanes; l++) sums[(dim + 3) * lanes + l] = INFINITY;
}

static void store_sums(const pair_sums *out, const double *sums, const pair_task *task, size_t first,
                       size_t lanes, size_t n_lanes) {
  const size_t dim = task->dim;
  const riesz *potential = &task->potential;
  for (size_t l = 0; l < n_lanes; l++) {
    const size_t i = first + l;
    const double *extra = sums + dim * lanes + l;
    if (out->force) {
      for (size_t c = 0; c < dim; c++) {
        out->force[i * out->row_stride + c * out->column_stride] = sums[c * lanes + l];
      }
    }
    if (out->weight) out->weight[i] = extra[0];
    if (out->bound) out->bound[i] = extra[lanes];
    if (out->repulsion) {
      out->repulsion[i] = potential->s == 0.0 ? -0.5 * extra[2 * lanes] : extra[2 * lanes] / potential->s;
    }
    if (out->nearest) out->nearest[i] = extra[3 * lanes];
  }
}

/* A tile of queries against sources [a0, a1), without the pairs of a row with itself. */
static void tile_against(const pair_task *task, tile_kernel kernel, const double *query, double *sums,
                         size_t first, size_t lanes, size_t n_lanes, size_t a0, size_t a1) {
  const size_t dim = task->dim;
  size_t self0 = a1, self1 = a1;
  if (task->self != NO_SELF) {
    self0 = task->self + first;
    self1 = self0 + n_lanes;
    self0 = self0 < a0 ? a0 : self0 > a1 ? a1 : self0;
    self1 = self1 < a0 ? a0 : self1 > a1 ? a1 : self1;
  }
  if (self0 > a0) kernel(query, sums, task->source + a0 * dim, self0 - a0, dim, &task->potential);
  for (size_t a = self0; a < self1; a++) {
    for (size_t l = 0; l < n_lanes; l++) {
      if (task->self + first + l != a) add_pair(task, query, sums, lanes, l, task->source + a * dim);
    }
  }
  if (a1 > self1) kernel(query, sums, task->source + self1 * dim, a1 - self1, dim, &task->potential);
}

void pairwise_range(const pair_task *task, const pair_sums *out, size_t from, size_t to, double *workspace) {
  const size_t dim = task->dim;
  const simd_table *table = task->table;
  const size_t lanes = table->lanes;
  const int full = out->bound || out->repulsion || out->nearest;
  const size_t column = dim <= TILE_MAX_DIM ? dim : 0;
  const weight_kind kind = task->potential.kind;
  tile_kernel kernel = full ? table->full[kind][column] : table->plain[kind][column];
  if (!kernel) kernel = full ? table->full[kind][0] : table->plain[kind][0];

  size_t block = SOURCE_BLOCK_BYTES / (dim * sizeof(double));
  if (block < 16) block = 16;
  if (block > TILE_MAX_SOURCES) block = TILE_MAX_SOURCES;
  const size_t tile_size = dim * lanes, sums_size = (dim + TILE_EXTRA) * lanes;
  double *tiles = workspace, *sums = workspace + TILES_PER_CHUNK * tile_size;

  for (size_t first = from; first < to; first += TILES_PER_CHUNK * lanes) {
    const size_t left = to - first;
    size_t n_tiles = (left + lanes - 1) / lanes;
    if (n_tiles > TILES_PER_CHUNK) n_tiles = TILES_PER_CHUNK;
    for (size_t t = 0; t < n_tiles; t++) {
      const size_t n_lanes = left - t * lanes < lanes ? left - t * lanes : lanes;
      load_tile(tiles + t * tile_size, task, first + t * lanes, lanes, n_lanes);
      clear_sums(sums + t * sums_size, dim, lanes);
    }
    for (size_t a0 = 0; a0 < task->n_source; a0 += block) {
      const size_t a1 = task->n_source - a0 < block ? task->n_source : a0 + block;
      for (size_t t = 0; t < n_tiles; t++) {
        const size_t n_lanes = left - t * lanes < lanes ? left - t * lanes : lanes;
        tile_against(task, kernel, tiles + t * tile_size, sums + t * sums_size, first + t * lanes, lanes,
                     n_lanes, a0, a1);
      }
    }
    for (size_t t = 0; t < n_tiles; t++) {
      const size_t n_lanes = left - t * lanes < lanes ? left - t * lanes : lanes;
      store_sums(out, sums + t * sums_size, task, first + t * lanes, lanes, n_lanes);
    }
  }
}

void pairwise_all(const pair_task *task, const pair_sums *out, double *workspace, int threads) {
  const size_t chunk = TILES_PER_CHUNK * MAX_LANES;
  const size_t n_chunks = (task->n_query + chunk - 1) / chunk;
  const size_t per_thread = pairwise_workspace(task->dim);
  const int team = pairwise_threads(task->n_query, task->n_source, task->dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(task, out, workspace, n_chunks, per_thread, chunk, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    const size_t c0 = n_chunks * part / (size_t)team, c1 = n_chunks * (part + 1) / (size_t)team;
    const size_t from = c0 * chunk;
    const size_t to = c1 * chunk < task->n_query ? c1 * chunk : task->n_query;
    if (from < to) pairwise_range(task, out, from, to, workspace + part * per_thread);
  }
}
