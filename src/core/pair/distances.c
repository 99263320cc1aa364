#include "core/pair/distances.h"

#include "core/base/parallel.h"
#include "core/pair/simd.h"

/* Sources of one block: at most this many bytes. */
#define SOURCE_BLOCK_BYTES 16384

static size_t block_rows(size_t dim) {
  const size_t fit = SOURCE_BLOCK_BYTES / (dim * sizeof(double));
  return fit < SIMD_MAX_LANES ? SIMD_MAX_LANES : fit > DISTANCE_BLOCK ? DISTANCE_BLOCK : fit;
}

size_t distances_workspace(size_t dim, size_t own) {
  /* whole cache lines */
  return (DISTANCE_CHUNK * (dim + own) + SIMD_MAX_LANES * DISTANCE_BLOCK + 15) / 8 * 8;
}

/* Rows in tiles [dim, lanes]; lanes without a row repeat the last one. */
static void load_tiles(const distance_task *task, size_t first, size_t rows, size_t lanes, double *tiles) {
  const size_t dim = task->dim;
  for (size_t tile = 0; tile < rows; tile += lanes) {
    for (size_t lane = 0; lane < lanes; lane++) {
      const size_t row = tile + lane < rows ? tile + lane : rows - 1;
      const double *y = task->query + (task->from + first + row) * dim;
      for (size_t c = 0; c < dim; c++) tiles[tile * dim + c * lanes + lane] = y[c];
    }
  }
}

typedef struct {
  const distance_task *task;
  const simd_table *table;
  distance_visitor visit;
  void *context; /* the visitor's */
  size_t own, per_thread;
  double *workspace;
} visit_plan;

static void visit_chunk(const visit_plan *plan, size_t first, size_t rows, double *workspace) {
  const distance_task *task = plan->task;
  const size_t lanes = plan->table->lanes, dim = task->dim, step = block_rows(dim);
  double *tiles = workspace, *distance2 = tiles + DISTANCE_CHUNK * dim;
  double *room = distance2 + SIMD_MAX_LANES * DISTANCE_BLOCK;
  load_tiles(task, first, rows, lanes, tiles);
  for (size_t a = 0; a < task->n_source; a += step) {
    const size_t n = step < task->n_source - a ? step : task->n_source - a;
    for (size_t tile = 0; tile < rows; tile += lanes) {
      const size_t left = rows - tile;
      plan->table->distances(tiles + tile * dim, distance2, task->source + a * dim, n, dim);
      const distance_block block = {
          .first = first + tile,
          .rows = left < lanes ? left : lanes,
          .source = a,
          .n = n,
          .distance2 = distance2,
          .source_stride = lanes,
          .own = room + tile * plan->own,
      };
      plan->visit(&block, plan->context);
    }
  }
}

static void visit_chunks(size_t from, size_t to, size_t part, void *context) {
  const visit_plan *plan = context;
  for (size_t chunk = from; chunk < to; chunk++) {
    const size_t first = chunk * DISTANCE_CHUNK, left = plan->task->count - first;
    visit_chunk(plan, first, left < DISTANCE_CHUNK ? left : DISTANCE_CHUNK, plan->workspace + part * plan->per_thread);
  }
}

void visit_distances(const distance_task *task, distance_visitor visit, void *context, size_t own, double *workspace,
                     int threads) {
  visit_plan plan = {
      .task = task,
      .table = simd_current(),
      .visit = visit,
      .context = context,
      .own = own,
      .per_thread = distances_workspace(task->dim, own),
      .workspace = workspace,
  };
  const int team = threads_worth_pairs(task->count, task->n_source, task->dim, threads);
  parallel_ranges((task->count + DISTANCE_CHUNK - 1) / DISTANCE_CHUNK, team, visit_chunks, &plan);
}

typedef struct {
  double *out;
  size_t stride;
} square_context;

static void store_squares(const distance_block *block, void *context) {
  const square_context *to = context;
  for (size_t b = 0; b < block->n; b++) {
    double *out = to->out + (block->source + b) * to->stride + block->first;
    for (size_t j = 0; j < block->rows; j++) out[j] = block->distance2[b * block->source_stride + j];
  }
}

void squared_distances(const distance_task *task, double *out, size_t stride, double *workspace, int threads) {
  square_context context = {out, stride};
  visit_distances(task, store_squares, &context, 0, workspace, threads);
}

typedef struct {
  const pair_kernel *kernel;
  double *out;
  size_t count;
} kernel_context;

static void store_weights(const distance_block *block, void *context) {
  const kernel_context *to = context;
  for (size_t b = 0; b < block->n; b++) {
    for (size_t j = 0; j < block->rows; j++) {
      to->out[(block->source + b) * to->count + block->first + j] =
          kernel_weight(to->kernel, block->distance2[b * block->source_stride + j]);
    }
  }
}

void kernel_rows(const distance_task *task, const pair_kernel *kernel, double *out, double *workspace, int threads) {
  kernel_context context = {kernel, out, task->count};
  visit_distances(task, store_weights, &context, 0, workspace, threads);
}
