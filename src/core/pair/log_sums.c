#include "core/pair/log_sums.h"

#include <math.h>

static double distance2_to(const pair_task *task, const double *y, size_t a, size_t dim) {
  const double *x = task->source + a * task->dim;
  double sum = 0.0;
  for (size_t c = 0; c < dim; c++) {
    const double z = y[c * task->column_stride] - x[c];
    sum += z * z;
  }
  return sum;
}

log_sum pairwise_log_sum(const pair_task *task, const log_terms *terms, size_t i, double *exponent, double *shift,
                         size_t stride) {
  const size_t dim = terms->dim, own = pairwise_own(task, i);
  const double *y = task->query + i * task->row_stride;
  log_sum out = {-INFINITY, 0.0};
  for (size_t a = 0; a < task->n_source; a++) {
    const double distance2 = distance2_to(task, y, a, dim);
    const double offset = terms->offset ? terms->offset[a] : 0.0;
    exponent[a] = (offset - terms->scale * (terms->root ? sqrt(distance2) : distance2)) * terms->rate;
    if (a != own && exponent[a] > out.most) out.most = exponent[a];
  }
  for (size_t c = 0; shift && c < dim; c++) shift[c * stride] = 0.0;
  if (isinf(out.most)) return out;
  for (size_t a = 0; a < task->n_source; a++) {
    if (a == own || !(exponent[a] > out.most - terms->negligible)) continue;
    const double term = exp(exponent[a] - out.most);
    const double *x = task->source + a * task->dim;
    out.sum += term;
    for (size_t c = 0; shift && c < dim; c++) shift[c * stride] += term * (y[c * task->column_stride] - x[c]);
  }
  for (size_t c = 0; shift && c < dim; c++) shift[c * stride] /= out.sum;
  return out;
}
