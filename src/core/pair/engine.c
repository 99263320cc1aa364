#include "core/pair/engine.h"

#include <math.h>

#include "core/base/parallel.h"

/* Rows that one call of an engine gets, so that rows that lie close together share its work. */
#define CHUNK ((size_t)256)

typedef struct {
  const sums_engine *engine;
  const double *query;
  size_t n, row_stride, column_stride;
  const pair_sums *out;
  double *workspace;
} engine_rows;

static void run_chunks(size_t from, size_t to, size_t part, void *context) {
  const engine_rows *all = context;
  double *workspace = all->workspace + part * all->engine->workspace;
  for (size_t chunk = from; chunk < to; chunk++) {
    const size_t first = chunk * CHUNK, left = all->n - first;
    const pair_sums out = sums_from(all->out, first, all->engine->dim);
    all->engine->sums(all->engine, all->query + first * all->row_stride, left < CHUNK ? left : CHUNK,
                      all->row_stride, all->column_stride, &out, workspace);
  }
}

void engine_all(const sums_engine *engine, const double *query, size_t n, size_t row_stride, size_t column_stride,
                const pair_sums *out, double *workspace, int threads) {
  engine_rows all = {.engine = engine,
                     .query = query,
                     .n = n,
                     .row_stride = row_stride,
                     .column_stride = column_stride,
                     .out = out,
                     .workspace = workspace};
  /* an engine is made to cost some thousand operations for each point */
  parallel_ranges((n + CHUNK - 1) / CHUNK, threads_worth(1e4 * (double)n, threads), run_chunks, &all);
}

void engine_unknown(const pair_sums *out, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (out->repulsion) out->repulsion[i] = NAN;
    if (out->nearest) out->nearest[i] = NAN;
  }
}
