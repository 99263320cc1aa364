#include "core/pair/batch.h"

static void batch_sums(const sums_engine *engine, const double *query, size_t n, size_t row_stride,
                       size_t column_stride, const pair_sums *out, double *workspace) {
  pair_task task = *(const pair_task *)engine->data;
  task.query = query;
  task.n_query = n;
  task.row_stride = row_stride;
  task.column_stride = column_stride;
  pair_sums known = *out;
  known.repulsion = known.nearest = NULL;
  pairwise_range(&task, &known, 0, n, workspace);
  engine_unknown(out, n);
}

sums_engine batch_engine(pair_task *task) {
  pairwise_prepare(task);
  const sums_engine engine = {
      .sums = batch_sums,
      .data = task,
      .workspace =
          task->dim <= TILE_HESSIAN_DIM ? pairwise_hessian_workspace(task->dim) : pairwise_workspace(task->dim),
      .n = task->n_source,
      .dim = task->dim,
      .kernel = task->kernel,
  };
  return engine;
}
