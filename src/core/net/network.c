#include "core/net/network.h"

#include <math.h>
#include <string.h>

#include "core/base/parallel.h"
#include "core/net/products.h"

/* Points pass through all layers in blocks: what they leave stays in cache. A block is also small enough that a
 * threaded BLAS keeps its products on one thread (OpenBLAS does up to this many multiplications): waking threads
 * for so little work gains little, and on a busy machine it costs tens of times as much. It depends on nothing but the
 * widths, so that sums over points are the same everywhere. */
#define MOST_PRODUCTS 262144
#define MOST_BLOCK 512
#define LEAST_BLOCK 32

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
 * a_1 .. a_D, each [width, n]; for the smooth rectifier its slopes, alike; two blocks of gradients; one
 * transposed weight matrix. */

static size_t widest(const network *net) {
  size_t most = 0;
  for (size_t l = 0; l <= net->depth; l++) most = net->width[l] > most ? net->width[l] : most;
  return most;
}

static size_t width_sum(const network *net, size_t from, size_t to) {
  size_t sum = 0;
  for (size_t l = from; l < to; l++) sum += net->width[l];
  return sum;
}

static size_t largest_matrix(const network *net) {
  size_t most = 0;
  for (size_t l = 1; l <= net->depth; l++) {
    const size_t size = net->width[l] * net->width[l - 1];
    most = size > most ? size : most;
  }
  return most;
}

static size_t block_size(const network *net) {
  const size_t fitting = MOST_PRODUCTS / largest_matrix(net) / 8 * 8;
  return fitting > MOST_BLOCK ? MOST_BLOCK : fitting < LEAST_BLOCK ? LEAST_BLOCK : fitting;
}

static size_t activations_size(const network *net, size_t n) {
  return width_sum(net, 1, net->depth + 1) * n;
}

static size_t slopes_size(const network *net, size_t n) {
  return net->kind == RECTIFIER_smooth ? width_sum(net, 1, net->depth) * n : 0;
}

size_t network_workspace(const network *net, size_t n) {
  return activations_size(net, n) + slopes_size(net, n) + 2 * widest(net) * block_size(net) + largest_matrix(net);
}

static double *activation(const network *net, double *workspace, size_t n, size_t l) {
  return workspace + width_sum(net, 1, l) * n;
}

static double *slope(const network *net, double *workspace, size_t n, size_t l) {
  return workspace + activations_size(net, n) + width_sum(net, 1, l) * n;
}

/* --- forward --------------------------------------------------------------------------------------------- */

static void add_bias(double *restrict z, const double *restrict bias, size_t width, size_t n) {
  for (size_t i = 0; i < n; i++, z += width) {
    VECTORISE
    for (size_t c = 0; c < width; c++) z[c] += bias[c];
  }
}

static void add_bias_relu(double *restrict z, const double *restrict bias, size_t width, size_t n) {
  for (size_t i = 0; i < n; i++, z += width) {
    VECTORISE
    for (size_t c = 0; c < width; c++) {
      const double value = z[c] + bias[c];
      z[c] = value > 0.0 ? value : 0.0;
    }
  }
}

/* With t = z / h between -1 and 1: r = h (3/16 + t/2 + 3/8 t^2 - t^4/16), r' = 1/2 + 3/4 t - t^3/4. */
static void add_bias_smooth(double *restrict z, double *restrict slopes, const double *restrict bias, double h,
                            size_t width, size_t n) {
  const double scale = 1.0 / h;
  for (size_t i = 0; i < n; i++, z += width, slopes += width) {
    VECTORISE
    for (size_t c = 0; c < width; c++) {
      const double value = z[c] + bias[c], raw = value * scale;
      const double low = raw > -1.0 ? raw : -1.0, t = low < 1.0 ? low : 1.0, square = t * t;
      const double inside = h * (0.1875 + 0.5 * t + square * (0.375 - 0.0625 * square));
      slopes[c] = 0.5 + t * (0.75 - 0.25 * square);
      z[c] = inside + (raw > 1.0 ? value - h : 0.0);
    }
  }
}

/* Points [from, from + count). */
static void forward_block(const network *net, const double *parameters, const double *x, size_t n, size_t from,
                          size_t count, double *workspace) {
  const double *below = x + from * net->width[0];
  const double *w = parameters;
  for (size_t l = 1; l <= net->depth; l++) {
    const size_t out = net->width[l], in = net->width[l - 1];
    const double *bias = w + out * in;
    double *a = activation(net, workspace, n, l) + from * out;
    gemm('N', 'N', (int)out, (int)count, (int)in, 1.0, w, (int)out, below, (int)in, 0.0, a, (int)out);
    if (l == net->depth) {
      add_bias(a, bias, out, count);
    } else if (net->kind == RECTIFIER_relu) {
      add_bias_relu(a, bias, out, count);
    } else {
      add_bias_smooth(a, slope(net, workspace, n, l) + from * out, bias, net->smoothing, out, count);
    }
    below = a;
    w = bias + out;
  }
}

typedef struct {
  const network *net;
  const double *parameters, *x;
  size_t n, block;
  double *workspace;
} forward_plan;

static void forward_blocks(size_t first, size_t last, size_t part, void *context) {
  const forward_plan *plan = context;
  (void)part;
  for (size_t k = first; k < last; k++) {
    const size_t from = k * plan->block, left = plan->n - from;
    forward_block(plan->net, plan->parameters, plan->x, plan->n, from, left < plan->block ? left : plan->block,
                  plan->workspace);
  }
}

const double *network_forward(const network *net, const double *parameters, const double *x, size_t n,
                              double *workspace, int threads) {
  forward_plan plan = {
      .net = net, .parameters = parameters, .x = x, .n = n, .block = block_size(net), .workspace = workspace};
  const size_t blocks = (n + plan.block - 1) / plan.block;
  parallel_ranges(blocks, (size_t)threads < blocks ? threads : (int)blocks, forward_blocks, &plan);
  return activation(net, workspace, n, net->depth);
}

/* --- backward -------------------------------------------------------------------------------------------- */

/* Through the rectifier, from a = r(z). */
static void mask_relu(double *restrict gradient, const double *restrict a, size_t size) {
  VECTORISE
  for (size_t i = 0; i < size; i++) gradient[i] = a[i] > 0.0 ? gradient[i] : 0.0;
}

static void mask_smooth(double *restrict gradient, const double *restrict slopes, size_t size) {
  VECTORISE
  for (size_t i = 0; i < size; i++) gradient[i] *= slopes[i];
}

static void add_columns(double *restrict sum, const double *restrict columns, size_t width, size_t n) {
  for (size_t i = 0; i < n; i++, columns += width) {
    VECTORISE
    for (size_t c = 0; c < width; c++) sum[c] += columns[c];
  }
}

static void transpose(double *restrict out, const double *restrict a, size_t rows, size_t columns) {
  for (size_t j = 0; j < columns; j++) {
    for (size_t i = 0; i < rows; i++) out[i * columns + j] = a[j * rows + i];
  }
}

void network_backward(const network *net, const double *parameters, const double *x, size_t n,
                      const double *output_gradient, double *parameter_gradient, double *input_gradient,
                      double *workspace, int threads) {
  (void)threads;
  const size_t block = block_size(net), room = widest(net) * block;
  double *here = workspace + activations_size(net, n) + slopes_size(net, n);
  double *below = here + room, *turned = below + room;
  if (parameter_gradient) memset(parameter_gradient, 0, network_parameters(net) * sizeof(double));
  for (size_t from = 0; from < n; from += block) {
    const size_t count = n - from < block ? n - from : block;
    const size_t last = net->width[net->depth];
    memcpy(here, output_gradient + from * last, count * last * sizeof(double));
    for (size_t l = net->depth; l >= 1; l--) {
      const size_t out = net->width[l], in = net->width[l - 1], at = network_layer(net, l);
      const double *input = l == 1 ? x + from * in : activation(net, workspace, n, l - 1) + from * in;
      if (parameter_gradient) {
        double *w_gradient = parameter_gradient + at;
        gemm('N', 'T', (int)out, (int)in, (int)count, 1.0, here, (int)out, input, (int)in, 1.0, w_gradient,
                  (int)out);
        add_columns(w_gradient + out * in, here, out, count);
      }
      if (l == 1 && !input_gradient) break;
      double *to = l == 1 ? input_gradient + from * in : below;
      /* a reference BLAS multiplies by a transposed matrix at a fraction of its speed */
      transpose(turned, parameters + at, out, in);
      gemm('N', 'N', (int)in, (int)count, (int)out, 1.0, turned, (int)in, here, (int)out, 0.0, to, (int)in);
      if (l == 1) break;
      if (net->kind == RECTIFIER_relu) {
        mask_relu(to, input, in * count);
      } else {
        mask_smooth(to, slope(net, workspace, n, l - 1) + from * in, in * count);
      }
      below = here;
      here = to;
    }
  }
}
