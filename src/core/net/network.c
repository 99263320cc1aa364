#include "core/net/network.h"

#include <math.h>
#include <string.h>

#include "core/base/parallel.h"
#include "core/net/products.h"
#include "core/pair/sums.h"

size_t network_layer(const network *net, size_t l) {
  size_t at = 0;
  for (size_t j = 1; j < l; j++) at += net->width[j] * (net->width[j - 1] + 1);
  return at;
}

size_t network_parameters(const network *net) {
  return network_layer(net, net->depth + 1);
}

void network_start(const network *net, double *parameters, rng_key key) {
  for (size_t l = 1; l <= net->depth; l++) {
    const size_t out = net->width[l], in = net->width[l - 1];
    double *w = parameters + network_layer(net, l);
    const double spread = sqrt(2.0 / (double)in);
    rng_sequence seq;
    rng_start(&seq, key, 0, l);
    for (size_t i = 0; i < out * in; i++) w[i] = spread * rng_normal(&seq);
    memset(w + out * in, 0, out * sizeof(double));
  }
}

/* --- the workspace ---------------------------------------------------------------------------------------
 * From a cache line on: panels of W_1 .. W_D with their biases; panels of their transposed; a_1 .. a_{D-1}, and for
 * the smooth rectifier its slopes, each [stride, n]; the outputs [width D, n]; the derivatives by z_1 .. z_D of a
 * slab of points, each [stride, slab]; sums of the chunks of a slab, each [parameters]. */

/* Between two points: whole vectors, and no power of two, because the points of such a stride share a few sets of the
 * nearest cache. */
static size_t stride_of(size_t width) {
  const size_t whole = (width + 7) / 8 * 8;
  return whole % 64 == 0 ? whole + 8 : whole;
}

/* Of layers `from` .. `to` - 1. */
static size_t stride_sum(const network *net, size_t from, size_t to) {
  size_t sum = 0;
  for (size_t l = from; l < to; l++) sum += stride_of(net->width[l]);
  return sum;
}

/* Room of the panels of layers 1 .. l - 1. */
static size_t panels_before(const network *net, size_t l) {
  size_t sum = 0;
  for (size_t j = 1; j < l; j++) sum += panel_room(net->width[j], net->width[j - 1]);
  return sum;
}

static size_t turned_before(const network *net, size_t l) {
  size_t sum = 0;
  for (size_t j = 1; j < l; j++) sum += panel_room(net->width[j - 1], net->width[j]);
  return sum;
}

/* Points whose derivatives are kept at a time, in cache where layers are narrow: a function of the widths alone,
 * because sums over points go slab by slab. A slab is also as long as nobody asks for interrupts. */
#define SLAB_DOUBLES 131072
#define MOST_SLAB 4096
#define LEAST_SLAB 512

static size_t slab_size(const network *net) {
  const size_t fitting = SLAB_DOUBLES / stride_sum(net, 1, net->depth + 1) / LEAST_SLAB * LEAST_SLAB;
  return fitting > MOST_SLAB ? MOST_SLAB : fitting < LEAST_SLAB ? LEAST_SLAB : fitting;
}

/* Points whose share of the gradient of the parameters is a sum of its own, where that costs less than to hand their
 * activations and derivatives from thread to thread; also a function of the widths alone. */
#define LEAST_CHUNK ((size_t)128)

static size_t chunk_size(const network *net) {
  const size_t per_point = 2 * stride_sum(net, 1, net->depth + 1), worth = 4 * network_parameters(net) / per_point;
  return (worth + LEAST_CHUNK) / LEAST_CHUNK * LEAST_CHUNK;
}

typedef struct {
  const network *net;
  size_t n, slab, chunk; /* points, those of a slab and of a chunk */
  double *base;
  /* from base on; the panels are first */
  size_t turned, activations, slopes, outputs, derivatives, sums, end;
} places;

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* Chunks of so many points. */
static size_t chunks_in(const places *at, size_t count) {
  return (count + at->chunk - 1) / at->chunk;
}

static places divide(const network *net, size_t n, double *base) {
  const size_t depth = net->depth, hidden = stride_sum(net, 1, depth) * n;
  places at = {.net = net, .n = n, .slab = smaller(slab_size(net), n), .chunk = chunk_size(net), .base = base};
  at.turned = panels_before(net, depth + 1);
  at.activations = at.turned + turned_before(net, depth + 1);
  at.slopes = at.activations + hidden;
  at.outputs = at.slopes + (net->kind == RECTIFIER_smooth ? hidden : 0);
  at.derivatives = at.outputs + (net->width[depth] * n + 7) / 8 * 8;
  at.sums = at.derivatives + stride_sum(net, 1, depth + 1) * at.slab;
  at.end = at.sums + (at.slab > at.chunk ? chunks_in(&at, at.slab) * network_parameters(net) : 0);
  return at;
}

size_t network_workspace(const network *net, size_t n) {
  return divide(net, n, NULL).end + CACHE_ROOM;
}

static double *panels_of(const places *at, size_t l) {
  return at->base + panels_before(at->net, l);
}

static double *turned_of(const places *at, size_t l) {
  return at->base + at->turned + turned_before(at->net, l);
}

/* l = 1 .. D - 1 */
static double *activation(const places *at, size_t l, size_t point) {
  return at->base + at->activations + stride_sum(at->net, 1, l) * at->n + point * stride_of(at->net->width[l]);
}

static double *slope(const places *at, size_t l, size_t point) {
  return at->base + at->slopes + stride_sum(at->net, 1, l) * at->n + point * stride_of(at->net->width[l]);
}

/* By z_l, of a point of the slab. */
static double *derivative(const places *at, size_t l, size_t point) {
  return at->base + at->derivatives + stride_sum(at->net, 1, l) * at->slab + point * stride_of(at->net->width[l]);
}

/* What layer l reads: the points x [input width, n], or the activation below, and the distance between two points. */
static const double *input_of(const places *at, const double *x, size_t l, size_t point, size_t *stride) {
  *stride = l == 1 ? at->net->width[0] : stride_of(at->net->width[l - 1]);
  return l == 1 ? x + point * *stride : activation(at, l - 1, point);
}

/* --- forward --------------------------------------------------------------------------------------------- */

/* So many points go through a layer at a time, and so many through all layers one after the other; what they leave
 * stays in cache. */
#define GROUP ((size_t)8)
#define BLOCK ((size_t)32)

/* Multiplications that are worth a second thread: some fifty microseconds. */
#define WORTH_A_THREAD 1e6

static double work_of(const network *net, size_t count) {
  return (double)count * (double)network_parameters(net);
}

/* For `count` points: at most one thread for each of the items. */
static int team_for(const network *net, size_t count, size_t items, int threads) {
  return work_of(net, count) < WORTH_A_THREAD ? 1 : (size_t)threads < items ? threads : (int)items;
}

static void share_out(const network *net, size_t count, size_t items, int threads, range_function run, void *context) {
  parallel_short(items, team_for(net, count, items, threads), run, context, work_of(net, count));
}

typedef struct {
  const product_table *table;
  places at;
  const double *x, *output_gradient;
  double *parameter_gradient, *input_gradient;
  size_t from, count; /* the points of the slab */
} pass;

static void forward_block(const pass *run, size_t point, size_t count) {
  const places *at = &run->at;
  const network *net = at->net;
  for (size_t l = 1; l <= net->depth; l++) {
    const size_t out = net->width[l];
    product p = {.rows = out, .columns = count, .depth = net->width[l - 1], .b_down = 1};
    p.b = input_of(at, run->x, l, point, &p.b_across);
    if (l == net->depth) {
      p.c = at->base + at->outputs + point * out;
      p.c_stride = out;
      p.finish = FINISH_store;
    } else {
      p.c = activation(at, l, point);
      p.c_stride = stride_of(out);
      p.finish = net->kind == RECTIFIER_relu ? FINISH_relu : FINISH_smooth;
      p.side = net->kind == RECTIFIER_relu ? NULL : slope(at, l, point);
      p.smoothing = net->smoothing;
    }
    panel_multiply(run->table, p, panels_of(at, l), 1);
  }
}

/* Groups [first, last) of the points of the slab. */
static void forward_groups(size_t first, size_t last, size_t part, void *context) {
  const pass *run = context;
  const size_t to = smaller(last * GROUP, run->count);
  (void)part;
  for (size_t i = first * GROUP; i < to; i += BLOCK) forward_block(run, run->from + i, smaller(BLOCK, to - i));
}

const double *network_forward(const network *net, const double *parameters, const double *x, size_t n,
                              double *workspace, int threads) {
  pass run = {.table = product_current(), .at = divide(net, n, cache_aligned(workspace)), .x = x};
  for (size_t l = 1; l <= net->depth; l++) {
    const double *w = parameters + network_layer(net, l);
    const size_t out = net->width[l], in = net->width[l - 1];
    panel_pack(panels_of(&run.at, l), w, w + out * in, out, in);
  }
  for (run.from = 0; run.from < n; run.from += run.count) {
    if (net->listen) net->listen();
    run.count = smaller(run.at.slab, n - run.from);
    const size_t groups = (run.count + GROUP - 1) / GROUP;
    share_out(net, run.count, groups, threads, forward_groups, &run);
  }
  return run.at.base + run.at.outputs;
}

/* --- backward -------------------------------------------------------------------------------------------- */

/* The derivatives by z_D .. z_1, and by x if they are wanted, of points `i` on in the slab. */
static void backward_block(const pass *run, size_t i, size_t count) {
  const places *at = &run->at;
  const network *net = at->net;
  const size_t depth = net->depth, last = net->width[depth], point = run->from + i;
  for (size_t j = 0; j < count; j++) {
    memcpy(derivative(at, depth, i + j), run->output_gradient + (point + j) * last, last * sizeof(double));
  }
  for (size_t l = depth; l >= (run->input_gradient ? 1 : 2); l--) {
    const size_t out = net->width[l], in = net->width[l - 1];
    product p = {.rows = in, .columns = count, .depth = out, .b_down = 1};
    p.b = derivative(at, l, i);
    p.b_across = stride_of(out);
    if (l == 1) {
      p.c = run->input_gradient + point * in;
      p.c_stride = in;
      p.finish = FINISH_store;
    } else {
      p.c = derivative(at, l - 1, i);
      p.c_stride = stride_of(in);
      p.finish = net->kind == RECTIFIER_relu ? FINISH_mask : FINISH_scale;
      p.side = net->kind == RECTIFIER_relu ? activation(at, l - 1, point) : slope(at, l - 1, point);
    }
    panel_multiply(run->table, p, turned_of(at, l), 0);
  }
}

static void backward_points(const pass *run, size_t from, size_t to) {
  for (size_t i = from; i < to; i += BLOCK) backward_block(run, i, smaller(BLOCK, to - i));
}

static void backward_groups(size_t first, size_t last, size_t part, void *context) {
  const pass *run = context;
  (void)part;
  backward_points(run, first * GROUP, smaller(last * GROUP, run->count));
}

/* --- the gradient of the parameters ----------------------------------------------------------------------
 * Where a slab has several chunks, threads share out the chunks, and the sums of the chunks are added in their order.
 * Otherwise they share out the parameters: a tile is PANEL_ROWS units times GROUP inputs of one layer, and one thread
 * adds up all of it. Within a chunk sums go over pieces of points in their order. */
#define PIECE ((size_t)128)

static size_t panels_in(size_t width) {
  return (width + PANEL_ROWS - 1) / PANEL_ROWS;
}

static size_t groups_in(size_t width) {
  return (width + GROUP - 1) / GROUP;
}

static size_t layer_tiles(const network *net, size_t l) {
  return panels_in(net->width[l]) * groups_in(net->width[l - 1]);
}

/* The gradient of points [from, to) of the slab: put into `sums` [parameters], or added to what is there. */
typedef struct {
  const pass *run;
  size_t from, to;
  double *sums;
  int add;
} share;

/* Points [i, i + count), and of panel `panel` of layer l the tiles of inputs [first, last), in groups. */
static void add_strip(const share *of, size_t l, size_t i, size_t count, size_t panel, size_t first, size_t last) {
  const pass *run = of->run;
  const network *net = run->at.net;
  const size_t out = net->width[l], in = net->width[l - 1], row = panel * PANEL_ROWS, column = first * GROUP;
  const double one = 1.0;
  double *to = of->sums + network_layer(net, l);
  product p = {.rows = smaller(PANEL_ROWS, out - row),
               .columns = smaller(last * GROUP, in) - column,
               .depth = count,
               .a = derivative(&run->at, l, i) + row,
               .a_stride = stride_of(out),
               .b_across = 1,
               .c = to + column * out + row,
               .c_stride = out,
               .finish = i == of->from && !of->add ? FINISH_store : FINISH_add};
  p.b = input_of(&run->at, run->x, l, run->from + i, &p.b_down) + column;
  run->table->multiply(&p);
  if (first > 0) return;
  p.b = &one;
  p.b_down = 0;
  p.c = to + out * in + row;
  run->table->apply(&p);
}

/* Tiles [first, last) of layer l. */
static void add_layer(const share *of, size_t l, size_t first, size_t last) {
  const size_t groups = groups_in(of->run->at.net->width[l - 1]);
  for (size_t i = of->from; i < of->to; i += PIECE) {
    for (size_t tile = first; tile < last;) {
      const size_t panel = tile / groups, next = smaller((panel + 1) * groups, last);
      add_strip(of, l, i, smaller(PIECE, of->to - i), panel, tile - panel * groups, next - panel * groups);
      tile = next;
    }
  }
}

/* Tiles [first, last) of all layers one after the other, of the whole slab. */
static void gradient_tiles(size_t first, size_t last, size_t part, void *context) {
  const pass *run = context;
  const share all = {.run = run, .to = run->count, .sums = run->parameter_gradient, .add = run->from > 0};
  size_t before = 0;
  (void)part;
  for (size_t l = 1; l <= run->at.net->depth; l++) {
    const size_t end = before + layer_tiles(run->at.net, l);
    if (first < end && last > before) {
      add_layer(&all, l, first > before ? first - before : 0, smaller(last, end) - before);
    }
    before = end;
  }
}

static double *sums_of(const pass *run, size_t chunk) {
  return run->at.base + run->at.sums + chunk * network_parameters(run->at.net);
}

/* All derivatives of chunks [first, last). */
static void backward_chunks(size_t first, size_t last, size_t part, void *context) {
  const pass *run = context;
  const network *net = run->at.net;
  (void)part;
  for (size_t k = first; k < last; k++) {
    const size_t from = k * run->at.chunk;
    const share own = {.run = run, .from = from, .to = smaller(from + run->at.chunk, run->count),
                       .sums = sums_of(run, k)};
    backward_points(run, own.from, own.to);
    for (size_t l = 1; l <= net->depth; l++) add_layer(&own, l, 0, layer_tiles(net, l));
  }
}

/* So many parameters at a time. */
#define STRETCH ((size_t)512)

static void add_chunks(size_t first, size_t last, size_t part, void *context) {
  const pass *run = context;
  const size_t size = network_parameters(run->at.net), chunks = chunks_in(&run->at, run->count);
  (void)part;
  for (size_t at = first * STRETCH; at < smaller(last * STRETCH, size); at += STRETCH) {
    const size_t count = smaller(STRETCH, size - at);
    double *restrict to = run->parameter_gradient + at;
    if (run->from == 0) memset(to, 0, count * sizeof(double));
    for (size_t k = 0; k < chunks; k++) {
      const double *restrict sums = sums_of(run, k) + at;
      VECTORISE
      for (size_t i = 0; i < count; i++) to[i] += sums[i];
    }
  }
}

/* One slab. */
static void backward_slab(pass *run, int threads) {
  const network *net = run->at.net;
  const size_t groups = (run->count + GROUP - 1) / GROUP, chunks = chunks_in(&run->at, run->count);
  if (run->parameter_gradient && chunks > 1) {
    const size_t stretches = (network_parameters(net) + STRETCH - 1) / STRETCH;
    share_out(net, run->count, chunks, threads, backward_chunks, run);
    /* how fast sums are added depends on where they lie */
    parallel_short(stretches, team_for(net, run->count, stretches, threads), add_chunks, run, 0.0);
    return;
  }
  share_out(net, run->count, groups, threads, backward_groups, run);
  if (!run->parameter_gradient) return;
  size_t tiles = 0;
  for (size_t l = 1; l <= net->depth; l++) tiles += layer_tiles(net, l);
  share_out(net, run->count, tiles, threads, gradient_tiles, run);
}

void network_backward(const network *net, const double *parameters, const double *x, size_t n,
                      const double *output_gradient, double *parameter_gradient, double *input_gradient,
                      double *workspace, int threads) {
  pass run = {.table = product_current(), .at = divide(net, n, cache_aligned(workspace)), .x = x,
              .output_gradient = output_gradient, .parameter_gradient = parameter_gradient,
              .input_gradient = input_gradient};
  for (size_t l = input_gradient ? 1 : 2; l <= net->depth; l++) {
    panel_pack_transposed(turned_of(&run.at, l), parameters + network_layer(net, l), net->width[l], net->width[l - 1]);
  }
  if (n == 0 && parameter_gradient) memset(parameter_gradient, 0, network_parameters(net) * sizeof(double));
  for (run.from = 0; run.from < n; run.from += run.count) {
    if (net->listen) net->listen();
    run.count = smaller(run.at.slab, n - run.from);
    backward_slab(&run, threads);
  }
}
