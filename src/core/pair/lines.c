#include "core/pair/lines.h"

#include <math.h>
#include <stdint.h>

#include "core/base/parallel.h"
#include "core/base/sorting.h"

/* Rows that are projected together. */
#define ROWS ((size_t)256)
/* Lines that a thread projects at once, so that a table is read once for all of them, and the numbers they may take. */
#define MOST_LINES ((size_t)8)
#define NUMBERS ((size_t)4000000)

void project_rows(const double *x, size_t stride, size_t dim, size_t from, size_t count, const double *direction,
                  double *out) {
  for (size_t i = 0; i < count; i++) out[i] = 0.0;
  for (size_t c = 0; c < dim; c++) {
    const double *column = x + c * stride + from, part = direction[c];
    VECTORISE
    for (size_t i = 0; i < count; i++) out[i] += part * column[i];
  }
}

/* --- all lines --------------------------------------------------------------------------------------------- */

/* What is computed from two sorted samples. */
typedef void (*line_function)(const line_task *task, const double *x, const double *y, double p, double *out);

typedef struct {
  const line_task *task;
  line_function run;
  double p, *out;
  size_t width; /* numbers of `out` per line */
  double *workspace;
} line_work;

static size_t lines_at_once(size_t n, size_t m) {
  const size_t fit = NUMBERS / (n + m);
  return fit < 1 ? 1 : fit > MOST_LINES ? MOST_LINES : fit;
}

size_t lines_workspace(size_t n, size_t m) {
  return lines_at_once(n, m) * (n + m) + (n > m ? n : m);
}

/* `count` lines from the first, of the table x [n, dim]; line l goes to out + l * stride. */
static void project_lines(const double *x, size_t n, size_t dim, const double *direction, size_t count, double *out,
                          size_t stride) {
  for (size_t from = 0; from < n; from += ROWS) {
    const size_t rows = n - from < ROWS ? n - from : ROWS;
    for (size_t l = 0; l < count; l++) {
      project_rows(x, n, dim, from, rows, direction + l * dim, out + l * stride + from);
    }
  }
}

static void run_lines(size_t from, size_t to, size_t part, void *context) {
  const line_work *w = context;
  const line_task *t = w->task;
  const size_t most = lines_at_once(t->n, t->m), stride = t->n + t->m;
  double *along = w->workspace + part * lines_workspace(t->n, t->m), *scratch = along + most * stride;
  for (size_t first = from; first < to; first += most) {
    const size_t count = to - first < most ? to - first : most;
    const double *direction = t->direction + first * t->dim;
    project_lines(t->x, t->n, t->dim, direction, count, along, stride);
    project_lines(t->y, t->m, t->dim, direction, count, along + t->n, stride);
    for (size_t l = 0; l < count; l++) {
      double *x = along + l * stride, *y = x + t->n;
      sort_numbers(x, t->n, scratch);
      sort_numbers(y, t->m, scratch);
      w->run(t, x, y, w->p, w->out + (first + l) * w->width);
    }
  }
}

static void run_all(line_work *w, int threads) {
  const line_task *t = w->task;
  const double work = (double)t->count * ((double)t->n + (double)t->m) * ((double)t->dim + 40.0);
  parallel_ranges(t->count, threads_worth(work, threads), run_lines, w);
}

/* --- energy -------------------------------------------------------------------------------------------------- */

static void energy_of_line(const line_task *t, const double *x, const double *y, double p, double *out) {
  (void)p;
  const size_t n = t->n, m = t->m;
  const double share_x = 1.0 / (double)n, share_y = 1.0 / (double)m;
  double across = 0.0, within_x = 0.0, within_y = 0.0, f = 0.0, g = 0.0;
  double at = x[0] < y[0] ? x[0] : y[0];
  size_t i = 0, j = 0;
  while (i < n || j < m) {
    const int own = j == m || (i < n && x[i] <= y[j]);
    const double next = own ? x[i] : y[j], gap = next - at;
    across += gap * (f - g) * (f - g);
    within_x += gap * f * (1.0 - f);
    within_y += gap * g * (1.0 - g);
    at = next;
    if (own) f = (double)++i * share_x;
    else g = (double)++j * share_y;
    if (i == n) f = 1.0; /* n times 1/n may be another number */
    if (j == m) g = 1.0;
  }
  out[0] = 2.0 * across;
  out[1] = 2.0 * within_x;
  out[2] = 2.0 * within_y;
}

void line_energies(const line_task *task, double *out, double *workspace, int threads) {
  line_work w = {.task = task, .run = energy_of_line, .out = out, .width = LINE_SUMS, .workspace = workspace};
  run_all(&w, threads);
}

/* --- transport ----------------------------------------------------------------------------------------------- */

static double power(double gap, double p, double unit) {
  return p == 2.0 ? gap * gap : p == 1.0 ? gap : pow(gap / unit, p);
}

/* The mean of (gap / unit)^p over the pieces on which both quantile functions are constant; the unit is 1 for p of 1
 * and 2. Ends of pieces are counted in units of 1 / (n m). `largest`: the largest gap. */
static double couple(const line_task *t, const double *x, const double *y, double p, double unit, double *largest) {
  const uint64_t n = t->n, m = t->m;
  uint64_t at = 0, i = 0, j = 0;
  double sum = 0.0, most = 0.0;
  while (i < n && j < m) {
    const uint64_t end_x = (i + 1) * m, end_y = (j + 1) * n, end = end_x < end_y ? end_x : end_y;
    const double gap = fabs(x[i] - y[j]);
    sum += (double)(end - at) * power(gap, p, unit);
    if (gap > most) most = gap;
    at = end;
    if (end == end_x) i++;
    if (end == end_y) j++;
  }
  *largest = most;
  return sum / ((double)n * (double)m);
}

static void transport_of_line(const line_task *t, const double *x, const double *y, double p, double *out) {
  double largest, again;
  out[0] = couple(t, x, y, p <= 2.0 ? p : 1.0, 1.0, &largest);
  if (p > 2.0) out[0] = largest > 0.0 ? largest * pow(couple(t, x, y, p, largest, &again), 1.0 / p) : 0.0;
}

void line_transports(const line_task *task, double p, double *out, double *workspace, int threads) {
  line_work w = {
      .task = task, .run = transport_of_line, .p = p, .out = out, .width = 1, .workspace = workspace};
  run_all(&w, threads);
}
