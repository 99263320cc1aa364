#include "core/net/waves.h"

#include "core/base/parallel.h"
#include "core/net/products.h"

/* Points of a block. */
#define BLOCK ((size_t)64)

typedef struct {
  const waves *of;
  const product_table *table;
  const double *real, *imaginary;
  double *pull;
  double *panels, *turned; /* t, and its transposed */
  double *sums;            /* [2 stride, blocks]: of cos, of sin */
  double *rooms;           /* of each thread: cos and sin [stride, BLOCK] */
  size_t stride;
} waves_run;

static size_t blocks_of(size_t n) {
  return (n + BLOCK - 1) / BLOCK;
}

size_t waves_workspace(const waves *w, int threads) {
  const size_t stride = panel_size(w->count);
  return panel_room(w->count, w->dim) + panel_room(w->dim, w->count) +
         2 * stride * (blocks_of(w->n) + BLOCK * (size_t)threads);
}

static waves_run start(const waves *w, double *workspace) {
  waves_run run = {.of = w, .table = product_current(), .panels = workspace, .stride = panel_size(w->count)};
  run.turned = run.panels + panel_room(w->count, w->dim);
  run.sums = run.turned + panel_room(w->dim, w->count);
  run.rooms = run.sums + 2 * run.stride * blocks_of(w->n);
  panel_pack(run.panels, w->t, NULL, w->count, w->dim);
  return run;
}

static size_t points_in(const waves *w, size_t block) {
  return w->n - block * BLOCK < BLOCK ? w->n - block * BLOCK : BLOCK;
}

/* cos and sin of a block; beyond the last frequency the frequency 0. */
static void turn_block(const waves_run *run, size_t block, double *cosine, double *sine) {
  const waves *w = run->of;
  const size_t n = points_in(w, block);
  const product p = {.rows = run->stride, .columns = n, .depth = w->dim, .b = w->x + block * BLOCK * w->dim,
                     .b_down = 1, .b_across = w->dim, .c = sine, .c_stride = run->stride, .finish = FINISH_store};
  panel_multiply(run->table, p, run->panels, 0);
  run->table->turn(sine, cosine, run->stride * n);
}

static void sum_blocks(size_t first, size_t last, size_t part, void *context) {
  const waves_run *run = context;
  const size_t stride = run->stride;
  double *cosine = run->rooms + 2 * stride * BLOCK * part, *sine = cosine + stride * BLOCK;
  const double one = 1.0;
  for (size_t k = first; k < last; k++) {
    turn_block(run, k, cosine, sine);
    product p = {.rows = stride, .columns = 1, .depth = points_in(run->of, k), .a_stride = stride, .b = &one,
                 .c_stride = stride, .finish = FINISH_store};
    p.a = cosine, p.c = run->sums + 2 * stride * k;
    run->table->apply(&p);
    p.a = sine, p.c += stride;
    run->table->apply(&p);
  }
}

/* A pair of a point and a frequency is as much work as some fifty multiplications. */
static void share_out(const waves *w, int threads, range_function run, void *context) {
  const size_t blocks = blocks_of(w->n);
  const double work = 50.0 * (double)w->n * (double)w->count;
  parallel_short(blocks, work < 1e6 ? 1 : (size_t)threads < blocks ? threads : (int)blocks, run, context, work);
}

void waves_means(const waves *w, double *real, double *imaginary, double *workspace, int threads) {
  waves_run run = start(w, workspace);
  share_out(w, threads, sum_blocks, &run);
  for (size_t j = 0; j < w->count; j++) real[j] = imaginary[j] = 0.0;
  for (size_t k = 0; k < blocks_of(w->n); k++) {
    const double *sums = run.sums + 2 * run.stride * k;
    for (size_t j = 0; j < w->count; j++) real[j] += sums[j], imaginary[j] += sums[run.stride + j];
  }
  for (size_t j = 0; j < w->count; j++) real[j] /= (double)w->n, imaginary[j] /= (double)w->n;
}

static void pull_blocks(size_t first, size_t last, size_t part, void *context) {
  const waves_run *run = context;
  const waves *w = run->of;
  const size_t stride = run->stride, dim = w->dim;
  double *cosine = run->rooms + 2 * stride * BLOCK * part, *sine = cosine + stride * BLOCK;
  for (size_t k = first; k < last; k++) {
    const size_t n = points_in(w, k);
    turn_block(run, k, cosine, sine);
    for (size_t i = 0; i < n; i++) {
      double *restrict weight = cosine + i * stride;
      const double *restrict other = sine + i * stride;
      VECTORISE
      for (size_t j = 0; j < w->count; j++) {
        weight[j] = run->imaginary[j] * weight[j] - run->real[j] * other[j];
      }
    }
    const product p = {.rows = dim, .columns = n, .depth = w->count, .b = cosine, .b_down = 1, .b_across = stride,
                       .c = run->pull + k * BLOCK * dim, .c_stride = dim, .finish = FINISH_store};
    panel_multiply(run->table, p, run->turned, 0);
  }
}

void waves_pull(const waves *w, const double *real, const double *imaginary, double *pull, double *workspace,
                int threads) {
  waves_run run = start(w, workspace);
  run.real = real, run.imaginary = imaginary, run.pull = pull;
  panel_pack_transposed(run.turned, w->t, w->count, w->dim);
  share_out(w, threads, pull_blocks, &run);
}
