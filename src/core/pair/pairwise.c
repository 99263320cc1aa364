#include "core/pair/pairwise.h"

#include <math.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"

/* Query tiles that share a block of sources while it is in the nearest cache. */
#define TILES_PER_CHUNK ((size_t)4)
#define CHUNK (TILES_PER_CHUNK * SIMD_MAX_LANES)
/* Sources of one block: at most this many bytes. */
#define SOURCE_BLOCK_BYTES 24576

void pack_rows(double *out, const double *x, size_t n, size_t dim) {
  for (size_t c = 0; c < dim; c++) {
    for (size_t i = 0; i < n; i++) out[i * dim + c] = x[c * n + i];
  }
}

void unpack_rows(double *out, const double *packed, size_t n, size_t dim) {
  for (size_t i = 0; i < n; i++) {
    for (size_t c = 0; c < dim; c++) out[c * n + i] = packed[i * dim + c];
  }
}

size_t pairwise_own(const pair_task *task, size_t i) {
  if (task->own) return task->own[i];
  return task->self == NO_SELF ? NO_SELF : task->self + i;
}

double pairwise_count(const pair_task *task) {
  return (double)task->n_source - (task->self == NO_SELF && !task->own ? 0.0 : 1.0);
}

pair_task pairwise_rows(const pair_task *task, size_t first, size_t count) {
  pair_task rows = *task;
  rows.query += first * task->row_stride;
  rows.n_query = count;
  if (task->own) rows.own += first;
  if (task->self != NO_SELF) rows.self += first;
  return rows;
}

/* Tiles and their sums. */
size_t pairwise_workspace(size_t dim) {
  return CHUNK * (2 * dim + EXTRA_ROWS) + CACHE_ROOM;
}

size_t pairwise_hessian_workspace(size_t dim) {
  return pairwise_workspace(dim) + CHUNK * triangle_size(dim);
}

void pairwise_prepare(pair_task *task) {
  const double epsilon = task->kernel.epsilon;
  const simd_table *table = simd_current();
  double largest = 0.0;
  for (size_t i = 0; i < task->n_source * task->dim; i++) largest = fmax(largest, fabs(task->source[i]));
  const int softened = task->kernel.kind >= WEIGHT_RIESZ_COUNT || epsilon >= table->least_epsilon;
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

static tile_mode cheapest_mode(const pair_sums *out, weight_kind kind) {
  if (out->hessian) return TILE_hessian;
  if (out->bound || out->repulsion || out->nearest) return TILE_full;
  return out->force || kind < WEIGHT_RIESZ_COUNT ? TILE_force : TILE_sum;
}

/* --- one tile: up to `lanes` query rows, which are rows [first, first + rows) of the task ------------------ */

typedef struct {
  const pair_task *task;
  tile_kernel kernel;
  tile_mode mode;
  sums_layout layout;
} tile_plan;

typedef struct {
  size_t first, rows;
  double *query; /* [dim, lanes] */
  double *sums;
} tile;

/* A lane without a row repeats the last one. */
static void tile_open(const tile_plan *plan, const tile *at) {
  const pair_task *task = plan->task;
  const size_t lanes = plan->layout.lanes;
  for (size_t c = 0; c < task->dim; c++) {
    for (size_t l = 0; l < lanes; l++) {
      const size_t i = at->first + (l < at->rows ? l : at->rows - 1);
      at->query[c * lanes + l] = task->query[i * task->row_stride + c * task->column_stride];
    }
  }
  sums_clear(&plan->layout, at->sums);
}

/* One pair, for the few sources that share a tile with their own query row. */
static void add_pair(const tile_plan *plan, const tile *at, size_t lane, const double *x) {
  const size_t dim = plan->task->dim, lanes = plan->layout.lanes;
  const pair_kernel *kernel = &plan->task->kernel;
  const double *query = at->query + lane;
  double *sums = at->sums + lane, *extra = sums + dim * lanes;
  double distance2 = 0.0;
  for (size_t c = 0; c < dim; c++) {
    const double z = query[c * lanes] - x[c];
    distance2 += z * z;
  }
  const double u = distance2 + kernel->epsilon;
  const double weight = kernel_weight(kernel, u);
  for (size_t c = 0; c < dim; c++) sums[c * lanes] += weight * (query[c * lanes] - x[c]);
  extra[EXTRA_weight * lanes] += weight;
  if (plan->mode < TILE_full) return;
  extra[EXTRA_bound * lanes] += weight / u * distance2;
  extra[EXTRA_energy * lanes] += kernel->s == 0.0 ? log(u) : weight * u;
  if (distance2 < extra[EXTRA_nearest * lanes]) extra[EXTRA_nearest * lanes] = distance2;
  if (plan->mode < TILE_hessian) return;
  double *entry = extra + EXTRA_ROWS * lanes;
  for (size_t c = 0; c < dim; c++) {
    const double scaled = weight / u * (query[c * lanes] - x[c]);
    for (size_t e = 0; e <= c; e++, entry += lanes) *entry += scaled * (query[e * lanes] - x[e]);
  }
}

/* The tile against sources [a0, a1), without the pairs of a row with itself. */
static void tile_against(const tile_plan *plan, const tile *at, size_t a0, size_t a1) {
  const pair_task *task = plan->task;
  const size_t dim = task->dim;
  while (a0 < a1) {
    size_t stop = a1;
    for (size_t l = 0; l < at->rows; l++) {
      const size_t own = pairwise_own(task, at->first + l);
      if (own >= a0 && own < stop) stop = own;
    }
    if (stop > a0) plan->kernel(at->query, at->sums, task->source + a0 * dim, stop - a0, dim, &task->kernel);
    for (size_t l = 0; stop < a1 && l < at->rows; l++) {
      if (pairwise_own(task, at->first + l) != stop) add_pair(plan, at, l, task->source + stop * dim);
    }
    a0 = stop + 1;
  }
}

static void tile_close(const tile_plan *plan, const tile *at, const pair_sums *out) {
  for (size_t l = 0; l < at->rows; l++) {
    sums_store(&plan->layout, at->sums + l, plan->task->kernel.s, out, at->first + l);
  }
}

/* --- a few tiles that share the sources ------------------------------------------------------------------- */

static size_t block_of_sources(size_t dim) {
  size_t block = SOURCE_BLOCK_BYTES / (dim * sizeof(double));
  block -= block % 8;
  if (block < 16) block = 16;
  return block > TILE_MAX_SOURCES ? TILE_MAX_SOURCES : block;
}

/* Query rows [from, to), at most TILES_PER_CHUNK tiles. */
static void run_tiles(const tile_plan *plan, const pair_sums *out, size_t from, size_t to, double *workspace) {
  const size_t dim = plan->task->dim, n_source = plan->task->n_source, lanes = plan->layout.lanes;
  const size_t block = block_of_sources(dim);
  double *query = workspace, *sums = query + CHUNK * dim;
  tile tiles[TILES_PER_CHUNK];
  size_t n_tiles = 0;
  for (size_t row = from; row < to; row += lanes, n_tiles++) {
    const tile at = {.first = row,
                     .rows = to - row < lanes ? to - row : lanes,
                     .query = query + n_tiles * dim * lanes,
                     .sums = sums + n_tiles * sums_size(&plan->layout)};
    tiles[n_tiles] = at;
    tile_open(plan, &at);
  }
  for (size_t a0 = 0; a0 < n_source; a0 += block) {
    const size_t a1 = n_source - a0 < block ? n_source : a0 + block;
    for (size_t t = 0; t < n_tiles; t++) tile_against(plan, &tiles[t], a0, a1);
  }
  for (size_t t = 0; t < n_tiles; t++) tile_close(plan, &tiles[t], out);
}

void pairwise_range(const pair_task *task, const pair_sums *out, size_t from, size_t to, double *workspace) {
  const tile_mode mode = cheapest_mode(out, task->kernel.kind);
  double *aligned = cache_aligned(workspace);
  for (size_t first = from; first < to; first += CHUNK) {
    const size_t last = to - first < CHUNK ? to : first + CHUNK;
    const simd_table *table = table_for(task, first, last);
    const tile_plan plan = {
        .task = task,
        .kernel = simd_tile_kernel(table, mode, task->kernel.kind, task->dim),
        .mode = mode,
        .layout = {.dim = task->dim,
                   .lanes = table->lanes,
                   .behind = mode == TILE_hessian ? BEHIND_triangle : BEHIND_nothing},
    };
    const size_t rows = TILES_PER_CHUNK * table->lanes;
    for (size_t start = first; start < last; start += rows) {
      run_tiles(&plan, out, start, last - start < rows ? last : start + rows, aligned);
    }
  }
}

/* --- all query rows ---------------------------------------------------------------------------------------- */

typedef struct {
  const pair_task *task;
  const pair_sums *out;
  double *workspace;
  size_t per_thread;
} all_rows;

static void run_chunks(size_t from, size_t to, size_t part, void *context) {
  const all_rows *all = context;
  const size_t last = to * CHUNK < all->task->n_query ? to * CHUNK : all->task->n_query;
  pairwise_range(all->task, all->out, from * CHUNK, last, all->workspace + part * all->per_thread);
}

void pairwise_all(const pair_task *task, const pair_sums *out, double *workspace, int threads) {
  all_rows all = {
      .task = task,
      .out = out,
      .workspace = workspace,
      .per_thread = out->hessian ? pairwise_hessian_workspace(task->dim) : pairwise_workspace(task->dim),
  };
  const int team = threads_worth_pairs(task->n_query, task->n_source, task->dim, threads);
  parallel_ranges((task->n_query + CHUNK - 1) / CHUNK, team, run_chunks, &all);
}
