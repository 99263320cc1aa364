#include "check.h"
#include "core/net/autoencoder.h"

/* Widths that are no multiples of anything. */
static const size_t into[] = {7, 9, 2}, back[] = {2, 9, 7}, width = 7, n = 150;

static autoencoder sample_net(const double *lower, const double *upper) {
  const autoencoder net = {.encoder = {.depth = 2, .width = into, .kind = RECTIFIER_relu},
                           .decoder = {.depth = 2, .width = back, .kind = RECTIFIER_relu},
                           .lower = lower,
                           .upper = upper};
  return net;
}

/* The integral of (cut(t) - x) dt from x to y, for x within the bounds. */
static double one_loss(double y, double x, double lower, double upper) {
  const double inside = y < lower ? lower : y > upper ? upper : y;
  return 0.5 * (inside - x) * (inside - x) + (y - inside) * (inside - x);
}

static double loss(const autoencoder *net, const double *parameters, const double *x, double *first, double *second) {
  const double *z = network_forward(&net->encoder, parameters, x, n, first, 1);
  const double *y = network_forward(&net->decoder, parameters + network_parameters(&net->encoder), z, n, second, 1);
  double sum = 0.0;
  for (size_t i = 0; i < n * width; i++) sum += one_loss(y[i], x[i], net->lower[i % width], net->upper[i % width]);
  return sum / (double)n;
}

/* With beta1 = 0 the first moments are the gradient: against central differences of the loss. */
static void check_gradient(const autoencoder *net, double *store, const double *x) {
  const size_t size = autoencoder_parameters(net);
  const adam_settings adam = {.rate = 0.0, .beta1 = 0.0, .beta2 = 0.9, .epsilon = 1e-8};
  double *workspace = new_doubles(autoencoder_workspace(net, n));
  double *first = new_doubles(network_workspace(&net->encoder, n));
  double *second = new_doubles(network_workspace(&net->decoder, n));
  autoencoder_update(store, 0, net, x, n, &adam, workspace, 1);
  const double h = 1e-5;
  double worst = 0.0;
  for (size_t i = 0; i < size; i++) {
    const double before = store[i];
    store[i] = before + h;
    const double above = loss(net, store, x, first, second);
    store[i] = before - h;
    const double below = loss(net, store, x, first, second);
    store[i] = before;
    worst = fmax(worst, fabs((above - below) / (2.0 * h) - store[size + i]));
  }
  CHECK(worst <= TOLERANCE_DIFFERENCE, "the gradient misses by %g", worst);
  free(workspace), free(first), free(second);
}

static void check_threads(const autoencoder *net, const double *start, const double *x) {
  const size_t size = autoencoder_parameters(net);
  const adam_settings adam = {.rate = -1e-3, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8};
  double *workspace = new_doubles(autoencoder_workspace(net, n)), *one = new_doubles(3 * size);
  double *three = new_doubles(3 * size);
  memcpy(one, start, 3 * size * sizeof(double));
  memcpy(three, start, 3 * size * sizeof(double));
  for (uint64_t t = 0; t < 5; t++) {
    autoencoder_update(one, t, net, x, n, &adam, workspace, 1);
    autoencoder_update(three, t, net, x, n, &adam, workspace, 3);
  }
  CHECK(memcmp(one, three, 3 * size * sizeof(double)) == 0, "an update depends on the number of threads");
  CHECK(memcmp(one, start, size * sizeof(double)) != 0, "updates do not change the parameters");
  free(workspace), free(one), free(three);
}

void test_autoencoder(void) {
  double lower[7], upper[7];
  for (size_t c = 0; c < width; c++) {
    lower[c] = c < 4 ? -0.5 : -INFINITY;
    upper[c] = c < 4 ? 0.5 : INFINITY;
  }
  const autoencoder net = sample_net(lower, upper);
  const size_t size = autoencoder_parameters(&net);
  double *store = new_doubles(3 * size), *x = new_doubles(n * width);
  normals(store, size, 31u);
  memset(store + size, 0, 2 * size * sizeof(double));
  normals(x, n * width, 32u);
  for (size_t i = 0; i < n * width; i++) x[i] = fmin(fmax(x[i], lower[i % width]), upper[i % width]);
  check_threads(&net, store, x);
  check_gradient(&net, store, x);
  free(store), free(x);
}
