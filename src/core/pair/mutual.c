#include "core/pair/mutual.h"

#include <math.h>
#include <string.h>

#include "core/base/parallel.h"

/* Coordinates and sums of a block stay in the second cache, the reactions of a group of sources in the first.
 * Blocks are as large as that allows, because threads wait for each other after every round. */
#define BLOCK_BYTES 1048576
#define MAX_BLOCK 2048
#define REACTION_BYTES 24576
#define MAX_GROUP 32
/* Ordered pairs times coordinates in one round, half a second of two threads: R cannot stop within one. */
#define ROUND_WORK 1e10
/* Fewer rows than this are one block. */
#define MIN_BLOCKED 128
/* Reactions of four sources lie side by side: [group / 4, rows, 4, lanes]. */
#define SIDE_BY_SIDE ((size_t)4)

static sums_layout layout_of(size_t dim, size_t lanes) {
  const sums_layout layout = {.dim = dim, .lanes = lanes, .behind = BEHIND_logarithms};
  return layout;
}

static size_t rows_of(size_t dim) {
  return dim + EXTRA_ROWS + LOG_ROWS;
}

/* Rows that make whole units; the few that are left over go through pairwise.h. */
static size_t whole_rows(size_t n) {
  return n / TILE_UNIT * TILE_UNIT;
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
  return whole_rows(n) * rows_of(dim);
}

static size_t group_of(size_t dim, size_t lanes) {
  size_t group = REACTION_BYTES / sizeof(double) / lanes / rows_of(dim);
  if (group > MAX_GROUP) group = MAX_GROUP;
  group -= group % TILE_UNIT;
  return group ? group : TILE_UNIT;
}

static size_t reaction_size(size_t dim) {
  const size_t least = TILE_UNIT * SIMD_MAX_LANES * rows_of(dim), usual = REACTION_BYTES / sizeof(double);
  return least > usual ? least : usual;
}

/* The reactions and a unit written twice, on cache lines of their own. */
static size_t workspace_of_thread(size_t dim) {
  return reaction_size(dim) + 2 * TILE_UNIT * dim + CACHE_ROOM;
}

size_t mutual_workspace(size_t n, size_t dim, int threads) {
  const size_t work = whole_rows(n) * dim + CACHE_ROOM + (size_t)threads * workspace_of_thread(dim);
  const size_t rest = pairwise_workspace(dim);
  return work > rest ? work : rest;
}

/* The rows from `first` on as queries of the pairwise engine, all rows as sources. */
static pair_task ordered_task(const mutual_task *task, size_t first) {
  const pair_task ordered = {
      .query = task->rows + first * task->dim,
      .n_query = task->n - first,
      .row_stride = task->dim,
      .column_stride = 1,
      .source = task->rows,
      .n_source = task->n,
      .dim = task->dim,
      .self = first,
      .kernel = task->kernel,
      .table = task->table,
  };
  return ordered;
}

status mutual_prepare(mutual_task *task) {
  if ((unsigned)task->kernel.kind >= WEIGHT_RIESZ_COUNT) return STATUS_bad_argument;
  pair_task ordered = ordered_task(task, 0);
  pairwise_prepare(&ordered);
  task->table = ordered.table;
  return STATUS_ok;
}

void mutual_clear(const mutual_task *task, double *state) {
  const sums_layout layout = layout_of(task->dim, task->table->lanes);
  for (size_t row = 0; row < whole_rows(task->n); row += layout.lanes) {
    sums_clear(&layout, state + row * rows_of(task->dim));
  }
}

/* --- what the threads share and what each has ------------------------------------------------------------ */

typedef struct {
  const mutual_task *task;
  const double *tiles; /* the rows of whole units, [tiles, dim, lanes] */
  double *state;       /* their sums, [tiles, rows, lanes] */
  size_t lanes, rows, group, blocks;
  mutual_kernel kernel;
  within_kernel within;
  tile_kernel ordered; /* against the rows that are left over from the units */
  int logarithmic;
  double *workspace; /* of all threads */
} mutual_run;

typedef struct {
  double *reaction; /* [group / 4, rows, 4, lanes] */
  double *twice;    /* [dim, 2 TILE_UNIT] */
} own_workspace;

static own_workspace workspace_of(const mutual_run *run, size_t part) {
  const size_t dim = run->task->dim;
  double *place = cache_aligned(run->workspace + part * workspace_of_thread(dim));
  const own_workspace own = {place, place + reaction_size(dim)};
  return own;
}

static void fill_tiles(double *tiles, const mutual_task *task) {
  const size_t lanes = task->table->lanes, dim = task->dim;
  for (size_t i = 0; i < whole_rows(task->n); i++) {
    for (size_t c = 0; c < dim; c++) tiles[(i / lanes * dim + c) * lanes + i % lanes] = task->rows[i * dim + c];
  }
}

/* --- reactions: what a pair adds to its source ------------------------------------------------------------ */

static double sum_lanes(const double *r, size_t lanes) {
  switch (lanes) {
    case 8: return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    case 4: return (r[0] + r[1]) + (r[2] + r[3]);
    case 2: return r[0] + r[1];
    default: return r[0];
  }
}

static void clear_reactions(const mutual_run *run, double *reaction, size_t count) {
  const sums_layout four = layout_of(run->task->dim, SIDE_BY_SIDE * run->lanes);
  for (size_t g = 0; g < count; g += SIDE_BY_SIDE) sums_clear(&four, reaction + g * run->rows * run->lanes);
}

/* r: the extras of one source, `four` doubles from row to row; extra: the sums of that row in its tile. */
static void add_extras(const mutual_run *run, const double *r, size_t four, double *extra) {
  const size_t lanes = run->lanes;
  extra[EXTRA_weight * lanes] += sum_lanes(r + EXTRA_weight * four, lanes);
  extra[EXTRA_bound * lanes] += sum_lanes(r + EXTRA_bound * four, lanes);
  extra[EXTRA_energy * lanes] += sum_lanes(r + EXTRA_energy * four, lanes);
  for (size_t l = 0; l < lanes; l++) {
    const double nearest = r[EXTRA_nearest * four + l];
    if (nearest < extra[EXTRA_nearest * lanes]) extra[EXTRA_nearest * lanes] = nearest;
  }
  if (!run->logarithmic) return;
  double mantissa = extra[EXTRA_mantissa * lanes];
  for (size_t l = 0; l < lanes; l++) mantissa *= r[EXTRA_mantissa * four + l];
  int exponent = 0;
  extra[EXTRA_mantissa * lanes] = 2.0 * frexp(mantissa, &exponent);
  extra[EXTRA_exponent * lanes] += sum_lanes(r + EXTRA_exponent * four, lanes) + (double)(exponent - 1);
}

/* The reactions of rows [first, first + count), added up over the lanes, to their sums. */
static void add_reactions(const mutual_run *run, const double *reaction, size_t first, size_t count) {
  const size_t lanes = run->lanes, dim = run->task->dim, four = SIDE_BY_SIDE * lanes;
  for (size_t g = 0; g < count; g++) {
    const size_t i = first + g;
    const double *r = reaction + (g / SIDE_BY_SIDE * run->rows * SIDE_BY_SIDE + g % SIDE_BY_SIDE) * lanes;
    double *sums = run->state + i / lanes * run->rows * lanes + i % lanes;
    for (size_t c = 0; c < dim; c++) sums[c * lanes] -= sum_lanes(r + c * four, lanes);
    add_extras(run, r + dim * four, four, sums + dim * lanes);
  }
}

/* --- pairs of rows ----------------------------------------------------------------------------------------- */

/* Rows [i0, i1) with rows [j0, j1): whole units, no row in both. */
static void pair_tiles(const mutual_run *run, size_t i0, size_t i1, size_t j0, size_t j1, double *reaction) {
  const size_t dim = run->task->dim, lanes = run->lanes;
  for (size_t j = j0; j < j1 && i0 < i1; j += run->group) {
    const size_t count = j1 - j < run->group ? j1 - j : run->group;
    clear_reactions(run, reaction, count);
    const size_t t1 = i1 / lanes;
    for (size_t t = i0 / lanes; t < t1; t += TILE_MAX_TILES) {
      const size_t n_tiles = t1 - t < TILE_MAX_TILES ? t1 - t : TILE_MAX_TILES;
      run->kernel(run->tiles + t * dim * lanes, run->state + t * run->rows * lanes, n_tiles,
                  run->task->rows + j * dim, reaction, count, dim, &run->task->kernel);
    }
    add_reactions(run, reaction, j, count);
  }
}

/* The rows of the unit that starts with row i among each other. */
static void pair_unit(const mutual_run *run, size_t i, double *twice) {
  const size_t dim = run->task->dim;
  const double *x = run->task->rows + i * dim;
  for (size_t k = 0; k < TILE_UNIT; k++) {
    for (size_t c = 0; c < dim; c++) {
      twice[2 * c * TILE_UNIT + k] = twice[(2 * c + 1) * TILE_UNIT + k] = x[k * dim + c];
    }
  }
  run->within(twice, run->state + i * run->rows, dim, &run->task->kernel);
}

/* Rows [i0, i1) among each other, and with the rows that are left over from the units. */
static void pair_block(const mutual_run *run, size_t i0, size_t i1, const own_workspace *own) {
  const mutual_task *task = run->task;
  for (size_t j0 = i0; j0 < i1; j0 += run->group) {
    const size_t j1 = i1 - j0 < run->group ? i1 : j0 + run->group;
    pair_tiles(run, j1, i1, j0, j1, own->reaction);
    for (size_t i = j0; i < j1; i += TILE_UNIT) {
      pair_tiles(run, i + TILE_UNIT, j1, i, i + TILE_UNIT, own->reaction);
      pair_unit(run, i, own->twice);
    }
  }
  const size_t first = whole_rows(task->n), dim = task->dim, lanes = run->lanes;
  if (first == task->n) return;
  for (size_t t = i0 / lanes; t < i1 / lanes; t++) {
    run->ordered(run->tiles + t * dim * lanes, run->state + t * run->rows * lanes, task->rows + first * dim,
                 task->n - first, dim, &task->kernel);
  }
}

/* --- rounds -------------------------------------------------------------------------------------------------- */

static size_t block_start(const mutual_run *run, size_t block) {
  return TILE_UNIT * (run->task->n / TILE_UNIT * block / run->blocks);
}

/* Pair number p of blocks in a round. In round 0 each block is paired with itself; then the last block stays where
 * it is while the others go round: with b = blocks - 1, round r pairs the last with r, and r + p with r - p
 * modulo b. */
static void pair_blocks(const mutual_run *run, size_t round, size_t p, const own_workspace *own) {
  if (round == 0) {
    pair_block(run, block_start(run, p), block_start(run, p + 1), own);
    return;
  }
  const size_t b = run->blocks - 1, r = round % b;
  const size_t one = p ? (r + p) % b : b, other = (r + b - p) % b;
  pair_tiles(run, block_start(run, one), block_start(run, one + 1), block_start(run, other),
             block_start(run, other + 1), own->reaction);
}

typedef struct {
  const mutual_run *run;
  size_t round;
} mutual_round;

static void run_round(size_t from, size_t to, size_t part, void *context) {
  const mutual_round *now = context;
  const own_workspace own = workspace_of(now->run, part);
  for (size_t p = from; p < to; p++) pair_blocks(now->run, now->round, p, &own);
}

void mutual_advance(const mutual_task *task, double *state, size_t from, size_t to, double *workspace, int threads) {
  const simd_table *table = task->table;
  const weight_kind kind = task->kernel.kind;
  const size_t dim = task->dim;
  double *tiles = cache_aligned(workspace);
  fill_tiles(tiles, task);
  const mutual_run run = {
      .task = task,
      .tiles = tiles,
      .state = state,
      .lanes = table->lanes,
      .rows = rows_of(dim),
      .group = group_of(dim, table->lanes),
      .blocks = blocks_of(task->n, dim),
      .kernel = table->mutual[kind],
      .within = table->within[kind],
      .ordered = simd_tile_kernel(table, TILE_full, kind, dim),
      .logarithmic = task->kernel.s == 0.0,
      .workspace = tiles + whole_rows(task->n) * dim,
  };
  const int team = threads_worth_pairs(task->n, task->n / 2, dim, threads);
  for (size_t round = from; round < to; round++) {
    mutual_round now = {&run, round};
    parallel_ranges(round ? run.blocks / 2 : run.blocks, team, run_round, &now);
  }
}

/* --- the end ---------------------------------------------------------------------------------------------- */

void mutual_close(const mutual_task *task, const double *state, const pair_sums *out, double *workspace) {
  const size_t lanes = task->table->lanes, dim = task->dim, first = whole_rows(task->n);
  const sums_layout layout = layout_of(dim, lanes);
  for (size_t i = 0; i < first; i++) {
    sums_store(&layout, state + i / lanes * rows_of(dim) * lanes + i % lanes, task->kernel.s, out, i);
  }
  if (first == task->n) return;
  const pair_task left = ordered_task(task, first);
  const pair_sums last = sums_from(out, first, dim);
  pairwise_range(&left, &last, 0, left.n_query, workspace);
}
