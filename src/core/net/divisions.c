#include "core/net/divisions.h"

#include "core/base/parallel.h"
#include "core/net/products.h"
#include "core/pair/distances.h"

/* Products of one block of rows: some 0.1 s. */
#define PRODUCTS_OF_BLOCK 4e8
/* Numbers of the kernel matrix that are held at once, unless 32 rows have more: 32 MB. */
#define NUMBERS_OF_BLOCK 4e6

/* Rows that are multiplied together. It follows from the extents alone, because sums in another order differ in their
 * last bits. */
static size_t block_rows(const division_task *task) {
  const double n = (double)task->n, products = PRODUCTS_OF_BLOCK / (n * (double)(task->count + task->dim));
  const double numbers = NUMBERS_OF_BLOCK / n, fit = products < numbers ? products : numbers;
  const size_t rows = ((size_t)fit / DISTANCE_CHUNK + 1) * DISTANCE_CHUNK;
  return rows < task->n ? rows : task->n;
}

static size_t distance_room(const division_task *task, int threads) {
  return (size_t)threads * distances_workspace(task->dim, 0);
}

size_t division_workspace(const division_task *task, int threads) {
  const size_t rows = block_rows(task);
  return panel_room(task->count, task->n) + panel_size(task->count) + rows * task->n + distance_room(task, threads) +
         (size_t)threads * PANEL_ROWS * rows;
}

/* Rows [from, from + rows) of the kernel matrix, as far as the diagonal: weight(r, j) = block[j rows + r] with row
 * from + r of the sample and j < from + rows; 0 from the diagonal on. */
typedef struct {
  const division_task *task;
  size_t from, rows;
  double *block;
  const double *panels; /* of the zeros and ones, with the divisions in the lanes */
  double *sums;         /* for each division in a lane: over the pairs i > j */
  double *room;         /* for each thread [PANEL_ROWS, block rows] */
  size_t room_size;
} division_block;

static void clear_upper_part(const division_block *b) {
  for (size_t r = 0; r < b->rows; r++) {
    for (size_t j = b->from + r; j < b->from + b->rows; j++) b->block[j * b->rows + r] = 0.0;
  }
}

static void add_row_sums(const division_block *b, double *of_row) {
  for (size_t j = 0; j < b->from + b->rows; j++) {
    const double *weight = b->block + j * b->rows;
    double sum = 0.0;
    for (size_t r = 0; r < b->rows; r++) {
      sum += weight[r];
      of_row[b->from + r] += weight[r];
    }
    of_row[j] += sum;
  }
}

static void multiply_panels(size_t from, size_t to, size_t part, void *context) {
  const division_block *b = context;
  double *product_of = b->room + part * b->room_size;
  const size_t depth = b->from + b->rows;
  for (size_t p = from; p < to; p++) {
    const double *panel = b->panels + p * PANEL_ROWS * b->task->n, *own = panel + b->from * PANEL_ROWS;
    const product sums = {
        .rows = PANEL_ROWS,
        .columns = b->rows,
        .depth = depth,
        .b = b->block,
        .b_down = b->rows,
        .b_across = 1,
        .c = product_of,
        .c_stride = PANEL_ROWS,
        .finish = FINISH_store,
    };
    panel_multiply(product_current(), sums, panel, 0);
    for (size_t r = 0; r < b->rows; r++) {
      for (size_t lane = 0; lane < PANEL_ROWS; lane++) {
        b->sums[p * PANEL_ROWS + lane] += own[r * PANEL_ROWS + lane] * product_of[r * PANEL_ROWS + lane];
      }
    }
  }
}

static double sum_of_first(const double *first, const double *of_row, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += first[i] * of_row[i];
  return sum;
}

status division_sums(const division_task *task, const division_results *out, interrupt_function interrupted,
                     double *workspace, int threads) {
  const size_t step = block_rows(task), lanes = panel_size(task->count);
  double *panels = workspace, *sums = panels + panel_room(task->count, task->n), *block = sums + lanes;
  double *distances = block + step * task->n;
  division_block b = {.task = task, .block = block, .panels = panels, .sums = sums};
  b.room = distances + distance_room(task, threads);
  b.room_size = PANEL_ROWS * step;
  panel_pack_transposed(panels, task->first, task->n, task->count);
  for (size_t l = 0; l < lanes; l++) sums[l] = 0.0;
  for (size_t i = 0; i < task->n; i++) out->of_row[i] = 0.0;
  for (size_t from = 0; from < task->n; from += step) {
    if (interrupted && interrupted()) return STATUS_interrupted;
    b.from = from;
    b.rows = step < task->n - from ? step : task->n - from;
    const distance_task rows = {
        .query = task->rows, .source = task->rows, .from = from, .count = b.rows, .n_source = from + b.rows,
        .dim = task->dim};
    kernel_rows(&rows, &task->kernel, block, distances, threads);
    clear_upper_part(&b);
    add_row_sums(&b, out->of_row);
    const double work = (double)b.rows * (double)(from + b.rows) * (double)task->count;
    parallel_ranges(lanes / PANEL_ROWS, threads_worth(work, threads), multiply_panels, &b);
  }
  for (size_t l = 0; l < task->count; l++) {
    out->within[l] = 2.0 * sums[l];
    out->touched[l] = sum_of_first(task->first + l * task->n, out->of_row, task->n);
  }
  return STATUS_ok;
}
