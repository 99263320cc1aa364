#include "core/pair/mutual.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define MAX_LANES 8
/* Coordinates and sums of a block stay in the second cache, the reactions of a group of sources in the first.
 * Blocks are as large as that allows: threads wait for each other after every round. */
#define BLOCK_BYTES 1048576
#define MAX_BLOCK 2048
#define REACTION_BYTES 24576
#define MAX_GROUP 32
/* Ordered pairs times coordinates in one round, half a second of two threads: R cannot stop within one. */
#define ROUND_WORK 1e10
/* Fewer rows than this are one block. */
#define MIN_BLOCKED 128
#define ALIGNMENT 64
#define LOG_2 0.69314718055994530941723212145818

static size_t rows_of(size_t dim) {
  return dim + TILE_EXTRA + TILE_LOG;
}

static size_t units_of(size_t n) {
  return n / TILE_UNIT;
}

/* A multiple of four, so that two threads have as much to do as each other; or one. */
static size_t blocks_of(size_t n, size_t dim) {
  if (n < MIN_BLOCKED) return 1;
  size_t rows = BLOCK_BYTES / sizeof(double) / (dim + rows_of(dim));
  if (rows > MAX_BLOCK) rows = MAX_BLOCK;
  if (rows < 4 * TILE_UNIT) rows = 4 * TILE_UNIT;
  const size_t fitting = (n + 4 * rows - 1) / (4 * rows);
  const size_t brief = (size_t)((double)n * (double)n * ((double)dim + 4.0) / (4.0 * ROUND_WORK));
  return 4 * (brief > fitting ? brief : fitting);
}

size_t mutual_rounds(size_t n, size_t dim) {
  return blocks_of(n, dim);
}

size_t mutual_state(size_t n, size_t dim) {
  return TILE_UNIT * units_of(n) * rows_of(dim);
}

static size_t group_of(size_t dim, size_t lanes) {
  size_t group = REACTION_BYTES / sizeof(double) / lanes / rows_of(dim);
  if (group > MAX_GROUP) group = MAX_GROUP;
  group -= group % TILE_UNIT;
  return group ? group : TILE_UNIT;
}

static size_t reaction_size(size_t dim) {
  const size_t least = TILE_UNIT * MAX_LANES * rows_of(dim), usual = REACTION_BYTES / sizeof(double);
  return least > usual ? least : usual;
}

/* The reactions and a unit written twice, on cache lines of their own. */
static size_t workspace_of_thread(size_t dim) {
  return reaction_size(dim) + 2 * TILE_UNIT * dim + ALIGNMENT / sizeof(double);
}

size_t mutual_workspace(size_t n, size_t dim, int threads) {
  const size_t work = TILE_UNIT * units_of(n) * dim + ALIGNMENT / sizeof(double) + (size_t)threads * workspace_of_thread(dim);
  const size_t rest = pairwise_workspace(dim);
  return work > rest ? work : rest;
}

static double *aligned(double *workspace) {
  const size_t beyond = (uintptr_t)workspace % ALIGNMENT;
  return beyond ? workspace + (ALIGNMENT - beyond) / sizeof(double) : workspace;
}

/* The rows as queries and as sources of the pairwise engine, from row `first` on. */
static pair_task ordered_task(const mutual_task *task, size_t first) {
  const pair_task ordered = {task->rows + first * task->dim, task->n - first, task->dim, 1,    task->rows,
                             task->n,                        task->dim,       first,     NULL, task->kernel,
                             task->table};
  return ordered;
}

void mutual_prepare(mutual_task *task) {
  pair_task ordered = ordered_task(task, 0);
  pairwise_prepare(&ordered);
  task->table = ordered.table;
}

void mutual_clear(const mutual_task *task, double *state) {
  const size_t lanes = task->table->lanes, rows = rows_of(task->dim);
  memset(state, 0, mutual_state(task->n, task->dim) * sizeof(double));
  for (size_t t = 0; t < TILE_UNIT * units_of(task->n) / lanes; t++) {
    double *extra = state + (t * rows + task->dim) * lanes;
    for (size_t l = 0; l < lanes; l++) {
      extra[3 * lanes + l] = INFINITY;
      extra[4 * lanes + l] = 1.0;
    }
  }
}

/* --- what the threads share and what each has ------------------------------------------------------------ */

typedef struct {
  const mutual_task *task;
  const double *tiles; /* the rows of whole units, [tiles, dim, lanes] */
  double *state;       /* their sums, [tiles, dim + TILE_EXTRA + TILE_LOG, lanes] */
  size_t lanes, rows, group, blocks;
  mutual_kernel kernel;
  int logarithmic;
} meeting;

typedef struct {
  double *reaction; /* [group / 4, rows, 4, lanes] */
  double *twice;    /* [dim, 2 TILE_UNIT] */
} own_workspace;

static void fill_tiles(double *tiles, const mutual_task *task) {
  const size_t lanes = task->table->lanes, dim = task->dim;
  for (size_t i = 0; i < TILE_UNIT * units_of(task->n); i++) {
    for (size_t c = 0; c < dim; c++) tiles[(i / lanes * dim + c) * lanes + i % lanes] = task->rows[i * dim + c];
  }
}

static double sum_lanes(const double *r, size_t lanes) {
  switch (lanes) {
    case 8: return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    case 4: return (r[0] + r[1]) + (r[2] + r[3]);
    case 2: return r[0] + r[1];
    default: return r[0];
  }
}

static void clear_reactions(const meeting *m, double *reaction, size_t count) {
  const size_t four = 4 * m->lanes;
  memset(reaction, 0, count * m->rows * m->lanes * sizeof(double));
  for (size_t g = 0; g < count; g += 4, reaction += m->rows * four) {
    double *extra = reaction + m->task->dim * four;
    for (size_t l = 0; l < four; l++) {
      extra[3 * four + l] = INFINITY;
      extra[4 * four + l] = 1.0;
    }
  }
}

/* The reactions of rows [first, first + count), added up over the lanes, to their sums. */
static void take_reactions(const meeting *m, const double *reaction, size_t first, size_t count) {
  const size_t lanes = m->lanes, dim = m->task->dim, four = 4 * lanes;
  for (size_t g = 0; g < count; g++) {
    const size_t i = first + g;
    const double *r = reaction + (g / 4 * m->rows * 4 + g % 4) * lanes;
    double *sums = m->state + i / lanes * m->rows * lanes + i % lanes;
    for (size_t c = 0; c < dim; c++) sums[c * lanes] -= sum_lanes(r + c * four, lanes);
    r += dim * four;
    sums += dim * lanes;
    sums[0] += sum_lanes(r, lanes);
    sums[lanes] += sum_lanes(r + four, lanes);
    sums[2 * lanes] += sum_lanes(r + 2 * four, lanes);
    for (size_t l = 0; l < lanes; l++) {
      const double nearest = r[3 * four + l];
      if (nearest < sums[3 * lanes]) sums[3 * lanes] = nearest;
    }
    if (!m->logarithmic) continue;
    double mantissa = sums[4 * lanes];
    for (size_t l = 0; l < lanes; l++) mantissa *= r[4 * four + l];
    int exponent = 0;
    sums[4 * lanes] = 2.0 * frexp(mantissa, &exponent);
    sums[5 * lanes] += sum_lanes(r + 5 * four, lanes) + (double)(exponent - 1);
  }
}

/* Rows [i0, i1) with rows [j0, j1), whole units and none in common. */
static void meet(const meeting *m, size_t i0, size_t i1, size_t j0, size_t j1, double *reaction) {
  const size_t dim = m->task->dim, lanes = m->lanes;
  for (size_t j = j0; j < j1 && i0 < i1; j += m->group) {
    const size_t count = j1 - j < m->group ? j1 - j : m->group;
    clear_reactions(m, reaction, count);
    const size_t t1 = i1 / lanes;
    for (size_t t = i0 / lanes; t < t1; t += TILE_MAX_TILES) {
      const size_t n_tiles = t1 - t < TILE_MAX_TILES ? t1 - t : TILE_MAX_TILES;
      m->kernel(m->tiles + t * dim * lanes, m->state + t * m->rows * lanes, n_tiles, m->task->rows + j * dim, reaction,
                count, dim, &m->task->kernel);
    }
    take_reactions(m, reaction, j, count);
  }
}

/* The rows of one unit with each other. */
static void meet_within(const meeting *m, size_t i, double *twice) {
  const size_t dim = m->task->dim;
  const double *x = m->task->rows + i * dim;
  for (size_t k = 0; k < TILE_UNIT; k++) {
    for (size_t c = 0; c < dim; c++) {
      twice[2 * c * TILE_UNIT + k] = twice[(2 * c + 1) * TILE_UNIT + k] = x[k * dim + c];
    }
  }
  m->task->table->within[m->task->kernel.kind](twice, m->state + i * m->rows, dim, &m->task->kernel);
}

/* Rows [i0, i1) with each other, and with the rows that are left over from the units. */
static void meet_itself(const meeting *m, size_t i0, size_t i1, const own_workspace *own) {
  const mutual_task *task = m->task;
  for (size_t j0 = i0; j0 < i1; j0 += m->group) {
    const size_t j1 = i1 - j0 < m->group ? i1 : j0 + m->group;
    meet(m, j1, i1, j0, j1, own->reaction);
    for (size_t i = j0; i < j1; i += TILE_UNIT) {
      meet(m, i + TILE_UNIT, j1, i, i + TILE_UNIT, own->reaction);
      meet_within(m, i, own->twice);
    }
  }
  const size_t first = TILE_UNIT * units_of(task->n), dim = task->dim;
  if (first == task->n) return;
  const tile_kernel *kernels = task->table->kernels[TILE_full][task->kernel.kind];
  const tile_kernel kernel = dim <= TILE_MAX_DIM && kernels[dim] ? kernels[dim] : kernels[0];
  for (size_t t = i0 / m->lanes; t < i1 / m->lanes; t++) {
    kernel(m->tiles + t * dim * m->lanes, m->state + t * m->rows * m->lanes, task->rows + first * dim, task->n - first,
           dim, &task->kernel);
  }
}

static size_t block_start(const meeting *m, size_t block) {
  return TILE_UNIT * (units_of(m->task->n) * block / m->blocks);
}

/* Meeting p of round r. In round 0 each block meets itself; then the last block stays where it is while the
 * others go round: with b = blocks - 1, round r joins the last with r, and r + p with r - p modulo b. */
static void hold_meeting(const meeting *m, size_t round, size_t p, const own_workspace *own) {
  if (round == 0) {
    meet_itself(m, block_start(m, p), block_start(m, p + 1), own);
    return;
  }
  const size_t b = m->blocks - 1, r = round % b;
  const size_t one = p ? (r + p) % b : b, other = (r + b - p) % b;
  meet(m, block_start(m, one), block_start(m, one + 1), block_start(m, other), block_start(m, other + 1), own->reaction);
}

void mutual_advance(const mutual_task *task, double *state, size_t from, size_t to, double *workspace, int threads) {
  const size_t lanes = task->table->lanes, dim = task->dim;
  double *tiles = aligned(workspace), *rest = tiles + TILE_UNIT * units_of(task->n) * dim;
  fill_tiles(tiles, task);
  const meeting m = {task,
                     tiles,
                     state,
                     lanes,
                     rows_of(dim),
                     group_of(dim, lanes),
                     blocks_of(task->n, dim),
                     task->table->mutual[task->kernel.kind],
                     task->kernel.s == 0.0};
  const int team = pairwise_threads(task->n, task->n / 2, dim, threads);
  const size_t per_thread = workspace_of_thread(dim);
  for (size_t round = from; round < to; round++) {
    const size_t meetings = round ? m.blocks / 2 : m.blocks;
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(m, round, meetings, rest, per_thread, team, dim)
#endif
    for (size_t part = 0; part < (size_t)team; part++) {
      double *place = aligned(rest + part * per_thread);
      const own_workspace own = {place, place + reaction_size(dim)};
      for (size_t p = meetings * part / (size_t)team; p < meetings * (part + 1) / (size_t)team; p++) {
        hold_meeting(&m, round, p, &own);
      }
    }
  }
}

/* --- the end ---------------------------------------------------------------------------------------------- */

/* `sums` from row `first` on. */
static pair_sums sums_from(const pair_sums *sums, size_t first) {
  pair_sums out = *sums;
  if (out.force) out.force += first * out.row_stride;
  if (out.weight) out.weight += first;
  if (out.bound) out.bound += first;
  if (out.repulsion) out.repulsion += first;
  if (out.nearest) out.nearest += first;
  return out;
}

void mutual_close(const mutual_task *task, const double *state, const pair_sums *out, double *workspace) {
  const size_t lanes = task->table->lanes, dim = task->dim, rows = rows_of(dim), first = TILE_UNIT * units_of(task->n);
  const double s = task->kernel.s;
  for (size_t i = 0; i < first; i++) {
    const double *sums = state + i / lanes * rows * lanes + i % lanes, *extra = sums + dim * lanes;
    for (size_t c = 0; out->force && c < dim; c++) {
      out->force[i * out->row_stride + c * out->column_stride] = sums[c * lanes];
    }
    if (out->weight) out->weight[i] = extra[0];
    if (out->bound) out->bound[i] = extra[lanes];
    if (out->repulsion) {
      const double logarithms = extra[2 * lanes] + log(extra[4 * lanes]) + LOG_2 * extra[5 * lanes];
      out->repulsion[i] = s == 0.0 ? -0.5 * logarithms : extra[2 * lanes] / s;
    }
    if (out->nearest) out->nearest[i] = extra[3 * lanes];
  }
  if (first == task->n) return;
  const pair_task left = ordered_task(task, first);
  const pair_sums last = sums_from(out, first);
  pairwise_range(&left, &last, 0, left.n_query, workspace);
}
