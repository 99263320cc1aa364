#include "core/net/autoencoder.h"

#include "core/base/parallel.h"

/* Points of a batch are cut into parts of this size, whose gradients are found one beside the other and added in the
 * order of the parts. Parameters are updated in ranges of this size. Neither depends on the threads. */
#define PART 64
#define RANGE 4096

size_t autoencoder_parameters(const autoencoder *net) {
  return network_parameters(&net->encoder) + network_parameters(&net->decoder);
}

static size_t pieces(size_t n, size_t each) {
  return (n + each - 1) / each;
}

/* --- the workspace: for each part its gradient [P], then what the two networks need, then the derivatives by the
 * outputs [width of x, PART] and by the latent points [latent width, PART] ----------------------------------- */

static size_t output_width(const autoencoder *net) {
  return net->decoder.width[net->decoder.depth];
}

static size_t part_workspace(const autoencoder *net) {
  return autoencoder_parameters(net) + network_workspace(&net->encoder, PART) +
         network_workspace(&net->decoder, PART) + PART * (output_width(net) + net->decoder.width[0]);
}

size_t autoencoder_workspace(const autoencoder *net, size_t n) {
  return pieces(n, PART) * part_workspace(net);
}

typedef struct {
  const autoencoder *net;
  const double *parameters, *x;
  size_t n;
  double *workspace;
} gradient_plan;

/* out <- (cut(y) - x) share, both [size] */
static void by_outputs(double *restrict out, const double *restrict y, const double *restrict x, const autoencoder *net,
                       size_t n, double share) {
  const size_t width = output_width(net);
  for (size_t i = 0; i < n; i++, out += width, y += width, x += width) {
    VECTORISE
    for (size_t c = 0; c < width; c++) {
      const double low = y[c] < net->lower[c] ? net->lower[c] : y[c];
      out[c] = ((low > net->upper[c] ? net->upper[c] : low) - x[c]) * share;
    }
  }
}

/* The gradient over the points [from, from + count), count at most PART, into the head of the workspace. */
static void part_gradient(const gradient_plan *plan, size_t from, size_t count, double *workspace) {
  const network *encoder = &plan->net->encoder, *decoder = &plan->net->decoder;
  const size_t first = network_parameters(encoder);
  const double *x = plan->x + from * encoder->width[0];
  double *gradient = workspace, *encoding = gradient + autoencoder_parameters(plan->net);
  double *decoding = encoding + network_workspace(encoder, PART);
  double *by_output = decoding + network_workspace(decoder, PART);
  double *by_latent = by_output + PART * output_width(plan->net);
  const double *z = network_forward(encoder, plan->parameters, x, count, encoding, 1);
  const double *y = network_forward(decoder, plan->parameters + first, z, count, decoding, 1);
  by_outputs(by_output, y, x, plan->net, count, 1.0 / (double)plan->n);
  network_backward(decoder, plan->parameters + first, z, count, by_output, gradient + first, by_latent, decoding);
  network_backward(encoder, plan->parameters, x, count, by_latent, gradient, NULL, encoding);
}

static void part_gradients(size_t first, size_t last, size_t thread, void *context) {
  const gradient_plan *plan = context;
  (void)thread;
  for (size_t k = first; k < last; k++) {
    const size_t from = k * PART, left = plan->n - from;
    part_gradient(plan, from, left < PART ? left : PART, plan->workspace + k * part_workspace(plan->net));
  }
}

/* --- the update ------------------------------------------------------------------------------------------- */

typedef struct {
  double *store, *gradients; /* [P, 3]; the gradient of part k starts at k * stride */
  size_t size, parts, stride;
  double t;
  const adam_settings *adam;
} step_plan;

static void add_to(double *restrict sum, const double *restrict x, size_t n) {
  VECTORISE
  for (size_t i = 0; i < n; i++) sum[i] += x[i];
}

static void step_ranges(size_t first, size_t last, size_t thread, void *context) {
  const step_plan *plan = context;
  (void)thread;
  for (size_t r = first; r < last; r++) {
    const size_t from = r * RANGE, left = plan->size - from, count = left < RANGE ? left : RANGE;
    double *gradient = plan->gradients + from, *x = plan->store + from;
    for (size_t k = 1; k < plan->parts; k++) add_to(gradient, gradient + k * plan->stride, count);
    adam_step(x, x + plan->size, x + 2 * plan->size, gradient, count, plan->t, plan->adam);
  }
}

static int team(size_t items, int threads) {
  return (size_t)threads < items ? threads : (int)items;
}

void autoencoder_update(double *store, uint64_t updates, const autoencoder *net, const double *x, size_t n,
                        const adam_settings *adam, double *workspace, int threads) {
  const size_t size = autoencoder_parameters(net), parts = pieces(n, PART), ranges = pieces(size, RANGE);
  const int most = threads_worth(6.0 * (double)size * (double)n, threads);
  gradient_plan gradients = {.net = net, .parameters = store, .x = x, .n = n, .workspace = workspace};
  parallel_ranges(parts, team(parts, most), part_gradients, &gradients);
  step_plan step = {.store = store, .gradients = workspace, .size = size, .parts = parts,
                    .stride = part_workspace(net), .t = (double)updates + 1.0, .adam = adam};
  parallel_ranges(ranges, team(ranges, most), step_ranges, &step);
}
