#include "core/flow/field.h"

void mean_rows(double *mean, const double *packed, size_t n, size_t dim) {
  for (size_t c = 0; c < dim; c++) mean[c] = 0.0;
  for (size_t i = 0; i < n; i++) {
    for (size_t c = 0; c < dim; c++) mean[c] += packed[i * dim + c];
  }
  for (size_t c = 0; c < dim; c++) mean[c] /= (double)n;
}

/* Where the sums of the pairs go; field_from_sums() makes the field of them. */
static pair_sums sums_of(const field_values *out, size_t m) {
  const pair_sums sums = {
      .force = out->gradient,
      .row_stride = 1,
      .column_stride = m,
      .weight = out->weight,
      .bound = out->curvature,
      .repulsion = out->repulsion,
      .nearest = out->nearest,
  };
  return sums;
}

static void field_from_sums(const pair_task *task, const double *mean, const field_values *out) {
  const size_t m = task->n_query;
  const double n = (double)task->n_source;
  for (size_t c = 0; c < task->dim; c++) {
    double *column = out->gradient + c * m;
    for (size_t i = 0; i < m; i++) {
      const double y = task->query[i * task->row_stride + c * task->column_stride];
      column[i] = (n * (y - mean[c]) - column[i]) / (n - 1.0);
    }
  }
  const double pairs = pairwise_count(task);
  for (size_t i = 0; i < m; i++) {
    out->curvature[i] = (pairs - out->weight[i] + (task->kernel.s + 2.0) * out->curvature[i]) / (n - 1.0);
  }
}

void field_rows(const pair_task *task, const double *mean, const field_values *out, double *workspace,
                int threads) {
  const pair_sums sums = sums_of(out, task->n_query);
  pairwise_all(task, &sums, workspace, threads);
  field_from_sums(task, mean, out);
}

void field_of_sample(const mutual_task *task, const double *state, const double *mean, const field_values *out,
                     double *workspace) {
  const pair_sums sums = sums_of(out, task->n);
  const pair_task rows = {
      .query = task->rows,
      .n_query = task->n,
      .row_stride = task->dim,
      .column_stride = 1,
      .source = task->rows,
      .n_source = task->n,
      .dim = task->dim,
      .self = 0,
      .kernel = task->kernel,
  };
  mutual_close(task, state, &sums, workspace);
  field_from_sums(&rows, mean, out);
}
