#include "core/flow/approximate.h"

#include <math.h>

#include "core/base/linalg.h"
#include "core/flow/curvature.h"
#include "core/flow/volume.h"
#include "core/pair/pairwise.h"

/* Rows whose triangles are made at a time: many where triangles are small, so that all threads have some. */
static size_t batch_rows(size_t dim) {
  const size_t chunks = 256 / triangle_size(dim);
  return 256 * (chunks > 1 ? chunks : 1);
}

size_t approximate_workspace(const approximate_field *field, size_t n, int threads) {
  const size_t dim = field->engine.dim;
  const size_t rows = dim <= TILE_HESSIAN_DIM ? batch_rows(dim) * (1 + triangle_size(dim)) + dim * dim + 2 * dim : 0;
  return n + rows + (size_t)threads * field->engine.workspace;
}

/* sum over the sources of 1 - w, without the own pair if there is one. */
static double excess(const approximate_field *field, double weight) {
  const double own = field->own ? 1.0 - kernel_weight(&field->engine.kernel, field->engine.kernel.epsilon) : 0.0;
  return (double)field->engine.n - weight - own;
}

void approximate_gradient(const approximate_field *field, const double *query, size_t n, size_t row_stride,
                          size_t column_stride, double *gradient, double *bound, double *workspace, int threads) {
  const sums_engine *engine = &field->engine;
  const double sources = (double)engine->n, scale = field->factor / (sources - 1.0);
  const pair_sums sums = {.force = gradient,
                          .row_stride = 1,
                          .column_stride = n,
                          .weight = bound ? workspace : NULL,
                          .bound = bound};
  engine_all(engine, query, n, row_stride, column_stride, &sums, workspace + n, threads);
  for (size_t c = 0; c < engine->dim; c++) {
    double *column = gradient + c * n;
    for (size_t i = 0; i < n; i++) {
      const double y = query[i * row_stride + c * column_stride];
      column[i] = scale * (sources * (y - field->mean[c]) - column[i]);
    }
  }
  for (size_t i = 0; bound && i < n; i++) {
    bound[i] = scale * (excess(field, workspace[i]) + (engine->kernel.s + 2.0) * bound[i]);
  }
}

void approximate_curvature(const approximate_field *field, const double *query, size_t n, size_t row_stride,
                           size_t column_stride, double *curvature, double *workspace, int threads) {
  const sums_engine *engine = &field->engine;
  const size_t dim = engine->dim, batch = batch_rows(dim);
  const double scale = field->factor / ((double)engine->n - 1.0);
  double *weight = workspace, *triangles = weight + batch;
  double *direction = triangles + batch * triangle_size(dim), *image = direction + dim;
  const pair_sums sums = {.weight = weight, .hessian = triangles};
  for (size_t first = 0; first < n; first += batch) {
    const size_t count = n - first < batch ? n - first : batch;
    engine_all(engine, query + first * row_stride, count, row_stride, column_stride, &sums, image + dim, threads);
    for (size_t i = 0; i < count; i++) {
      const double value = triangle_eigenvalue(triangles + i * triangle_size(dim), dim, direction, image);
      curvature[first + i] = scale * (excess(field, weight[i]) + (engine->kernel.s + 2.0) * value);
    }
  }
}

void approximate_log_det(const approximate_field *field, double gamma, const double *query, size_t n,
                         size_t row_stride, size_t column_stride, double *log_det, double *workspace, int threads) {
  const sums_engine *engine = &field->engine;
  const size_t dim = engine->dim, batch = batch_rows(dim);
  const double scale = gamma * field->factor / ((double)engine->n - 1.0);
  double *weight = workspace, *triangles = weight + batch;
  double *jacobian = triangles + batch * triangle_size(dim);
  const pair_sums sums = {.weight = weight, .hessian = triangles};
  for (size_t first = 0; first < n; first += batch) {
    const size_t count = n - first < batch ? n - first : batch;
    engine_all(engine, query + first * row_stride, count, row_stride, column_stride, &sums, jacobian + dim * dim,
               threads);
    for (size_t i = 0; i < count; i++) {
      log_det[first + i] = log_det_from_sums(excess(field, weight[i]), scale, engine->kernel.s, 0.0,
                                             triangles + i * triangle_size(dim), dim, jacobian);
    }
  }
}
