#include "core/net/autoencoder.h"

#include "core/base/parallel.h"

/* Parameters are updated in ranges of this size, whatever the number of threads. */
#define RANGE 4096

size_t autoencoder_parameters(const autoencoder *net) {
  return network_parameters(&net->encoder) + network_parameters(&net->decoder);
}

static size_t output_width(const autoencoder *net) {
  return net->decoder.width[net->decoder.depth];
}

/* The gradient, what both networks need, the derivatives by the outputs and those by the latent points. */
size_t autoencoder_workspace(const autoencoder *net, size_t n) {
  return autoencoder_parameters(net) + network_workspace(&net->encoder, n) + network_workspace(&net->decoder, n) +
         n * (output_width(net) + net->decoder.width[0]);
}

/* out <- (cut(y) - x) / n, all [width of x, n] */
static void by_outputs(double *restrict out, const double *restrict y, const double *restrict x, const autoencoder *net,
                       size_t n) {
  const size_t width = output_width(net);
  const double share = 1.0 / (double)n;
  for (size_t i = 0; i < n; i++, out += width, y += width, x += width) {
    VECTORISE
    for (size_t c = 0; c < width; c++) {
      const double low = y[c] < net->lower[c] ? net->lower[c] : y[c];
      out[c] = ((low > net->upper[c] ? net->upper[c] : low) - x[c]) * share;
    }
  }
}

typedef struct {
  double *store; /* [P, 3] */
  const double *gradient;
  size_t size;
  double t;
  const adam_settings *adam;
} step_plan;

static void step_ranges(size_t first, size_t last, size_t part, void *context) {
  const step_plan *plan = context;
  (void)part;
  for (size_t r = first; r < last; r++) {
    const size_t from = r * RANGE, left = plan->size - from;
    double *x = plan->store + from;
    adam_step(x, x + plan->size, x + 2 * plan->size, plan->gradient + from, left < RANGE ? left : RANGE, plan->t,
              plan->adam);
  }
}

static void step_all(step_plan *plan, int threads) {
  const size_t ranges = (plan->size + RANGE - 1) / RANGE;
  const int team = threads_worth((double)plan->size, threads);
  parallel_ranges(ranges, (size_t)team < ranges ? team : (int)ranges, step_ranges, plan);
}

void autoencoder_update(double *store, uint64_t updates, const autoencoder *net, const double *x, size_t n,
                        const adam_settings *adam, double *workspace, int threads) {
  const network *encoder = &net->encoder, *decoder = &net->decoder;
  const size_t first = network_parameters(encoder), size = autoencoder_parameters(net);
  double *gradient = workspace, *encoding = gradient + size;
  double *decoding = encoding + network_workspace(encoder, n);
  double *by_output = decoding + network_workspace(decoder, n), *by_latent = by_output + n * output_width(net);
  const double *z = network_forward(encoder, store, x, n, encoding, threads);
  const double *y = network_forward(decoder, store + first, z, n, decoding, threads);
  by_outputs(by_output, y, x, net, n);
  network_backward(decoder, store + first, z, n, by_output, gradient + first, by_latent, decoding, threads);
  network_backward(encoder, store, x, n, by_latent, gradient, NULL, encoding, threads);
  step_plan step = {.store = store, .gradient = gradient, .size = size, .t = (double)updates + 1.0, .adam = adam};
  step_all(&step, threads);
}
