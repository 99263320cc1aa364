#include "core/pair/pairwise.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* Query tiles that share a block of sources while it is in the nearest cache. */
#define TILES_PER_CHUNK 4
#define MAX_LANES 8
#define CHUNK (TILES_PER_CHUNK * (size_t)MAX_LANES)
/* Sources of one block: at most this many bytes. */
#define SOURCE_BLOCK_BYTES 24576
/* Pairs times coordinates (a millisecond or two) below which a second thread costs more than it brings, the
 * more so where other programs want the processor. */
#define WORTH_A_THREAD 1e7
/* Vectors of eight doubles on one cache line each. */
#define ALIGNMENT 64

void pack_rows(double *out, const double *x, size_t n, size_t dim) {
  for (size_t c = 0; c < dim; c++) {
    for (size_t i = 0; i < n; i++) out[i * dim + c] = x[c * n + i];
  }
}

size_t pairwise_workspace(size_t dim) {
  return TILES_PER_CHUNK * MAX_LANES * (2 * dim + TILE_EXTRA) + ALIGNMENT / sizeof(double);
}

static size_t triangle(size_t dim) {
  return dim * (dim + 1) / 2;
}

size_t pairwise_hessian_workspace(size_t dim) {
  return pairwise_workspace(dim) + TILES_PER_CHUNK * MAX_LANES * triangle(dim);
}

int pairwise_threads(size_t n_query, size_t n_source, size_t dim, int threads) {
  const double work = (double)n_query * (double)n_source * ((double)dim + 4.0);
  return work < WORTH_A_THREAD ? 1 : threads;
}

void pairwise_prepare(pair_task *task) {
  const double epsilon = task->kernel.epsilon;
  const simd_table *table = simd_current();
  double largest = 0.0;
  for (size_t i = 0; i < task->n_source * task->dim; i++) largest = fmax(largest, fabs(task->source[i]));
  const int softened = task->kernel.kind > WEIGHT_general || epsilon >= table->least_epsilon;
  const int near = largest <= table->largest_coordinate && epsilon <= table->largest_coordinate;
  task->table = softened && near ? table : simd_wide_range(table, task->kernel.kind);
}

/* The table for query rows [from, to). */
static const simd_table *table_for(const pair_task *task, size_t from, size_t to) {
  const double most = task->table->largest_coordinate;
  int near = 1;
  for (size_t c = 0; c < task->dim; c++) {
    for (size_t i = from; i < to; i++) {
      near &= fabs(task->query[i * task->row_stride + c * task->column_stride]) <= most;
    }
  }
  return near ? task->table : simd_wide_range(task->table, task->kernel.kind);
}

/* One pair, for the few sources that share a tile with their own query row. */
static void add_pair(const pair_task *task, const double *query, double *sums, size_t lanes, size_t lane,
                     const double *x, tile_mode mode) {
  const size_t dim = task->dim;
  const pair_kernel *kernel = &task->kernel;
  double distance2 = 0.0;
  for (size_t c = 0; c < dim; c++) {
    const double z = query[c * lanes + lane] - x[c];
    distance2 += z * z;
  }
  const double u = distance2 + kernel->epsilon;
  const double weight = kernel_weight(kernel, u);
  for (size_t c = 0; c < dim; c++) sums[c * lanes + lane] += weight * (query[c * lanes + lane] - x[c]);
  double *extra = sums + dim * lanes + lane;
  extra[0] += weight;
  if (mode < TILE_full) return;
  extra[lanes] += weight / u * distance2;
  extra[2 * lanes] += kernel->s == 0.0 ? log(u) : weight * u;
  if (distance2 < extra[3 * lanes]) extra[3 * lanes] = distance2;
  if (mode < TILE_hessian) return;
  double *entry = extra + TILE_EXTRA * lanes;
  for (size_t c = 0; c < dim; c++) {
    const double scaled = weight / u * (query[c * lanes + lane] - x[c]);
    for (size_t e = 0; e <= c; e++, entry += lanes) *entry += scaled * (query[e * lanes + lane] - x[e]);
  }
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

static void clear_sums(double *sums, size_t size, size_t dim, size_t lanes) {
  memset(sums, 0, size * sizeof(double));
  for (size_t l = 0; l < lanes; l++) sums[(dim + 3) * lanes + l] = INFINITY;
}

static void store_sums(const pair_sums *out, const double *sums, const pair_task *task, size_t first,
                       size_t lanes, size_t n_lanes) {
  const size_t dim = task->dim;
  const double s = task->kernel.s;
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
      out->repulsion[i] = s == 0.0 ? -0.5 * extra[2 * lanes] : extra[2 * lanes] / s;
    }
    if (out->nearest) out->nearest[i] = extra[3 * lanes];
    if (out->hessian) {
      const double *entry = extra + TILE_EXTRA * lanes;
      for (size_t e = 0; e < triangle(dim); e++) out->hessian[i * triangle(dim) + e] = entry[e * lanes];
    }
  }
}

/* The source that is query row i itself. */
static size_t own_source(const pair_task *task, size_t i) {
  if (task->own) return task->own[i];
  return task->self == NO_SELF ? NO_SELF : task->self + i;
}

/* A tile of queries against sources [a0, a1), without the pairs of a row with itself. */
static void tile_against(const pair_task *task, tile_kernel kernel, tile_mode mode, const double *query,
                         double *sums, size_t first, size_t lanes, size_t n_lanes, size_t a0, size_t a1) {
  const size_t dim = task->dim;
  while (a0 < a1) {
    size_t stop = a1;
    for (size_t l = 0; l < n_lanes; l++) {
      const size_t own = own_source(task, first + l);
      if (own >= a0 && own < stop) stop = own;
    }
    if (stop > a0) kernel(query, sums, task->source + a0 * dim, stop - a0, dim, &task->kernel);
    for (size_t l = 0; stop < a1 && l < n_lanes; l++) {
      if (own_source(task, first + l) == stop) continue;
      add_pair(task, query, sums, lanes, l, task->source + stop * dim, mode);
    }
    a0 = stop + 1;
  }
}

static tile_mode cheapest_mode(const pair_sums *out, weight_kind kind) {
  if (out->hessian) return TILE_hessian;
  if (out->bound || out->repulsion || out->nearest) return TILE_full;
  return out->force || kind <= WEIGHT_general ? TILE_force : TILE_sum;
}

static double *aligned(double *workspace) {
  const size_t beyond = (uintptr_t)workspace % ALIGNMENT;
  return beyond ? workspace + (ALIGNMENT - beyond) / sizeof(double) : workspace;
}

void pairwise_range(const pair_task *task, const pair_sums *out, size_t from, size_t to, double *workspace) {
  const size_t dim = task->dim;
  const tile_mode mode = cheapest_mode(out, task->kernel.kind);
  size_t block = SOURCE_BLOCK_BYTES / (dim * sizeof(double));
  block -= block % 8;
  if (block < 16) block = 16;
  if (block > TILE_MAX_SOURCES) block = TILE_MAX_SOURCES;
  double *tiles = aligned(workspace), *sums = tiles + TILES_PER_CHUNK * MAX_LANES * dim;

  for (size_t first = from; first < to; first += CHUNK) {
    const size_t left = to - first;
    const simd_table *table = table_for(task, first, left < CHUNK ? to : first + CHUNK);
    const tile_kernel *kernels = table->kernels[mode][task->kernel.kind];
    const tile_kernel kernel = dim <= TILE_MAX_DIM && kernels[dim] ? kernels[dim] : kernels[0];
    const size_t lanes = table->lanes, tile_size = dim * lanes;
    const size_t sums_size = (dim + TILE_EXTRA + (mode == TILE_hessian ? triangle(dim) : 0)) * lanes;
    for (size_t start = first; start < first + CHUNK && start < to; start += TILES_PER_CHUNK * lanes) {
      size_t n_tiles = (to - start + lanes - 1) / lanes;
      if (n_tiles > TILES_PER_CHUNK) n_tiles = TILES_PER_CHUNK;
      for (size_t t = 0; t < n_tiles; t++) {
        const size_t row = start + t * lanes, n_lanes = to - row < lanes ? to - row : lanes;
        load_tile(tiles + t * tile_size, task, row, lanes, n_lanes);
        clear_sums(sums + t * sums_size, sums_size, dim, lanes);
      }
      for (size_t a0 = 0; a0 < task->n_source; a0 += block) {
        const size_t a1 = task->n_source - a0 < block ? task->n_source : a0 + block;
        for (size_t t = 0; t < n_tiles; t++) {
          const size_t row = start + t * lanes, n_lanes = to - row < lanes ? to - row : lanes;
          tile_against(task, kernel, mode, tiles + t * tile_size, sums + t * sums_size, row, lanes, n_lanes, a0,
                       a1);
        }
      }
      for (size_t t = 0; t < n_tiles; t++) {
        const size_t row = start + t * lanes, n_lanes = to - row < lanes ? to - row : lanes;
        store_sums(out, sums + t * sums_size, task, row, lanes, n_lanes);
      }
    }
  }
}

void pairwise_all(const pair_task *task, const pair_sums *out, double *workspace, int threads) {
  const size_t n_chunks = (task->n_query + CHUNK - 1) / CHUNK;
  const size_t per_thread = out->hessian ? pairwise_hessian_workspace(task->dim) : pairwise_workspace(task->dim);
  const int team = pairwise_threads(task->n_query, task->n_source, task->dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(task, out, workspace, n_chunks, per_thread, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    const size_t c0 = n_chunks * part / (size_t)team, c1 = n_chunks * (part + 1) / (size_t)team;
    const size_t from = c0 * CHUNK;
    const size_t to = c1 * CHUNK < task->n_query ? c1 * CHUNK : task->n_query;
    if (from < to) pairwise_range(task, out, from, to, workspace + part * per_thread);
  }
}
