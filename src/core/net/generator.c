#include "core/net/generator.h"

#include <math.h>

#include "core/base/normals.h"
#include "core/base/parallel.h"

/* A thread takes so many points through the network and writes them while they are in cache. Where the network has many
 * parameters, each thread would bring all of them into its cache: then threads share out the layers of a long block. */
#define MANY_PARAMETERS 65536
#define SHORT_BLOCK ((size_t)256)
#define LONG_BLOCK ((size_t)4096)

/* Short blocks between two questions for interrupts. */
#define MOST_BLOCKS ((size_t)256)

typedef struct {
  const generator *of;
  const base_points *from;
  size_t n, block, first; /* points, those of a block, the first block of the round */
  double *x, *rooms;      /* rooms: of each thread, base points and the workspace of the network */
  size_t room;
  int threads; /* within a block */
} generator_run;

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static int is_large(const network *net) {
  return network_parameters(net) > MANY_PARAMETERS;
}

static size_t block_size(const network *net, size_t n) {
  return smaller(is_large(net) ? LONG_BLOCK : SHORT_BLOCK, n > 0 ? n : 1);
}

static size_t room_size(const network *net, size_t block) {
  return net->width[0] * block + network_workspace(net, block);
}

size_t generator_workspace(const generator *g, size_t n, int threads) {
  return room_size(&g->net, block_size(&g->net, n)) * (is_large(&g->net) ? 1 : (size_t)threads);
}

/* Base points [at, at + count) as columns: z [input width, count]. */
static void take_base(const generator_run *run, size_t at, size_t count, double *z) {
  const base_points *from = run->from;
  const size_t width = run->of->net.width[0];
  if (from->z) {
    for (size_t j = 0; j < width; j++) {
      for (size_t i = 0; i < count; i++) z[i * width + j] = from->z[j * run->n + at + i];
    }
    return;
  }
  for (size_t i = 0; i < count;) {
    const size_t row = (at + i) % from->rows, some = smaller(count - i, from->rows - row);
    const uint32_t stream = from->first + from->step * (uint32_t)((at + i) / from->rows);
    if (from->mixture) {
      component_source source = *from->mixture;
      source.key = from->key;
      source.pick_stream = source.stream = stream;
      draw_components(&source, row, some, z + i * width);
    } else {
      fill_normal_columns(z + i * width, some, width, from->key, stream, row);
    }
    i += some;
  }
}

/* Column j of x from z [input width, count] and the outputs y [output width, count] of the network. */
static void write_column(const generator *g, size_t j, const double *z, const double *y, size_t count, double *x) {
  const size_t in = g->net.width[0], out = g->net.width[g->net.depth];
  const double shift = g->shift ? g->shift[j] : 0.0;
  for (size_t i = 0; i < count; i++) x[i] = y[i * out + j];
  if (j < in) {
    for (size_t i = 0; i < count; i++) x[i] += g->start * z[i * in + j];
  }
  if (g->shift) {
    for (size_t i = 0; i < count; i++) x[i] -= shift;
  }
  if (g->low) {
    const double low = g->low[j], range = g->high[j] - low;
    for (size_t i = 0; i < count; i++) x[i] = 1.0 / (1.0 + exp(-x[i])) * range + low;
  }
  if (g->centre) {
    const double centre = g->centre[j], spread = g->spread[j];
    for (size_t i = 0; i < count; i++) x[i] = x[i] * spread + centre;
  }
}

static void make_blocks(size_t first, size_t last, size_t part, void *context) {
  const generator_run *run = context;
  const generator *g = run->of;
  network net = g->net;
  if (!is_large(&net)) net.listen = NULL; /* this may be no thread of R */
  double *z = run->rooms + run->room * part, *workspace = z + net.width[0] * run->block;
  for (size_t k = run->first + first; k < run->first + last; k++) {
    const size_t at = k * run->block, count = smaller(run->block, run->n - at);
    take_base(run, at, count, z);
    const double *y = network_forward(&net, g->parameters, z, count, workspace, run->threads);
    for (size_t j = 0; j < net.width[net.depth]; j++) write_column(g, j, z, y, count, run->x + j * run->n + at);
  }
}

/* Work of a base number and of a result, in multiplications. */
#define EACH_NUMBER 200.0
/* Multiplications that are worth a second thread: some fifty microseconds. */
#define WORTH_A_THREAD 1e6

void generator_points(const generator *g, const base_points *from, size_t n, double *x, double *workspace,
                      int threads) {
  const network *net = &g->net;
  generator_run run = {.of = g, .from = from, .n = n, .block = block_size(net, n), .x = x, .rooms = workspace,
                       .threads = is_large(net) ? threads : 1};
  run.room = room_size(net, run.block);
  const size_t blocks = (n + run.block - 1) / run.block;
  for (; run.first < blocks; run.first += MOST_BLOCKS) {
    if (net->listen) net->listen();
    const size_t some = smaller(MOST_BLOCKS, blocks - run.first);
    const double numbers = (double)(net->width[0] + net->width[net->depth]);
    const double work = (double)some * (double)run.block * ((double)network_parameters(net) + EACH_NUMBER * numbers);
    const int most = is_large(net) || work < WORTH_A_THREAD ? 1 : threads;
    parallel_short(some, (size_t)most < some ? most : (int)some, make_blocks, &run, work);
  }
}
