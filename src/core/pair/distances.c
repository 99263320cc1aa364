#include "core/pair/distances.h"

#include "core/pair/simd.h"

/* Sources of one block: at most this many bytes. */
#define SOURCE_BLOCK_BYTES 16384
#define MAX_LANES 8

static size_t block_rows(size_t dim) {
  const size_t fit = SOURCE_BLOCK_BYTES / (dim * sizeof(double));
  return fit < MAX_LANES ? MAX_LANES : fit > DISTANCE_BLOCK ? DISTANCE_BLOCK : fit;
}

size_t distances_workspace(size_t dim, size_t own) {
  /* whole cache lines */
  return (DISTANCE_CHUNK * (dim + own) + MAX_LANES * DISTANCE_BLOCK + 15) / 8 * 8;
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

static void visit_chunk(const distance_task *task, const simd_table *table, distance_visitor visit, void *context,
                        size_t first, size_t rows, size_t own, double *workspace) {
  const size_t lanes = table->lanes, dim = task->dim, step = block_rows(dim);
  double *tiles = workspace, *distance2 = tiles + DISTANCE_CHUNK * dim, *room = distance2 + MAX_LANES * DISTANCE_BLOCK;
  load_tiles(task, first, rows, lanes, tiles);
  for (size_t a = 0; a < task->n_source; a += step) {
    const size_t n = step < task->n_source - a ? step : task->n_source - a;
    for (size_t tile = 0; tile < rows; tile += lanes) {
      const size_t left = rows - tile;
      table->distances(tiles + tile * dim, distance2, task->source + a * dim, n, dim);
      const distance_block block = {first + tile, left < lanes ? left : lanes, a,    n, distance2,
                                    lanes,        room + tile * own};
      visit(&block, context);
    }
  }
}

void visit_distances(const distance_task *task, distance_visitor visit, void *context, size_t own, double *workspace,
                     int threads) {
  const simd_table *table = simd_current();
  const size_t per_thread = distances_workspace(task->dim, own);
  const size_t n_chunks = (task->count + DISTANCE_CHUNK - 1) / DISTANCE_CHUNK;
  const int team = pairwise_threads(task->count, task->n_source, task->dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(task, table, visit, context, own, workspace, per_thread, n_chunks, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    const size_t last = n_chunks * (part + 1) / (size_t)team;
    for (size_t chunk = n_chunks * part / (size_t)team; chunk < last; chunk++) {
      const size_t first = chunk * DISTANCE_CHUNK, left = task->count - first;
      visit_chunk(task, table, visit, context, first, left < DISTANCE_CHUNK ? left : DISTANCE_CHUNK, own,
                  workspace + part * per_thread);
    }
  }
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
