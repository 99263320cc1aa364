#include "core/flow/potential.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/net/spectral.h"

/* Points whose gradient is taken at a time. */
#define FIELD_BLOCK 4096

static size_t layer_directions(const network *net, size_t l) {
  return net->width[l] < net->width[l - 1] ? net->width[l] : net->width[l - 1];
}

size_t gpa_directions(const network *net) {
  size_t sum = 0;
  for (size_t l = 1; l <= net->depth; l++) sum += layer_directions(net, l);
  return sum;
}

/* One after the other for each layer, because threads may rescale them side by side, and then a norm for each. */
static size_t bounds_workspace(const network *net) {
  size_t sum = 0;
  for (size_t l = 1; l <= net->depth; l++) sum += spectral_workspace(net->width[l], net->width[l - 1]);
  return sum;
}

static size_t rescale_workspace(const network *net) {
  return bounds_workspace(net) + net->depth;
}

size_t gpa_workspace(const gpa_plan *plan, size_t n, size_t m) {
  const size_t at_once = n > FIELD_BLOCK ? n : FIELD_BLOCK;
  /* outputs of points and target rows, weights of both; points ahead; the gradient of the parameters */
  return at_once + 2 * m + plan->net.width[0] * m + network_parameters(&plan->net) +
         network_workspace(&plan->net, at_once) + rescale_workspace(&plan->net);
}

/* Weights of units that are off shrink with every rescaling, to numbers with which arithmetic is a hundred times
 * slower, their products sooner: below this share of the norm they are 0. */
#define NOTHING 1e-100

typedef struct {
  const gpa_plan *plan;
  gpa_learner *learner;
  double *workspace, *norms; /* norms: [depth] */
  interrupt_function interrupted;
} rescaling;

/* The norm of layer l, or an upper bound of it. direction, workspace: of this layer. */
static double layer_norm(const rescaling *of, size_t l, double *direction, double *workspace) {
  const network *net = &of->plan->net;
  const size_t rows = net->width[l], columns = net->width[l - 1];
  const double *w = of->learner->net.parameters + network_layer(net, l);
  if (of->plan->norm == NORM_frobenius) return norm(w, rows * columns);
  return spectral_bound(w, rows, columns, direction, of->interrupted, workspace);
}

/* W_l <- L^(1/D) W_l / |W_l|. A matrix of zeros stays, and so does one whose norm is not finite. */
static void rescale_layer(const rescaling *of, size_t l) {
  const network *net = &of->plan->net;
  const double size = of->norms[l - 1];
  const double wanted = pow(of->plan->lipschitz, 1.0 / (double)net->depth), factor = wanted / size;
  const size_t count = net->width[l] * net->width[l - 1];
  double *w = of->learner->net.parameters + network_layer(net, l);
  if (!(size > 0.0) || !isfinite(size)) return;
  VECTORISE
  for (size_t i = 0; i < count; i++) {
    const double scaled = w[i] * factor;
    w[i] = fabs(scaled) > NOTHING * wanted ? scaled : 0.0;
  }
}

/* Layers first + 1 .. last. */
static void rescale_layers(size_t first, size_t last, size_t part, void *context) {
  const rescaling *of = context;
  const network *net = &of->plan->net;
  double *direction = of->learner->directions, *workspace = of->workspace;
  (void)part;
  for (size_t l = 1; l <= last; l++) {
    if (l > first) {
      of->norms[l - 1] = layer_norm(of, l, direction, workspace);
      if (of->norms[l - 1] == SPECTRAL_STOPPED) return;
      rescale_layer(of, l);
    }
    direction += layer_directions(net, l);
    workspace += spectral_workspace(net->width[l], net->width[l - 1]);
  }
}

/* The product and the factorisations of one layer, in multiplications; so many of all layers are worth a thread. */
#define WORTH_A_THREAD 2e5
/* A layer of so many takes about half a second: then threads give way to questions for interrupts. */
#define WORTH_A_QUESTION 1e9

/* STATUS_diverged if a norm is not finite. */
static status rescale(const gpa_plan *plan, gpa_learner *learner, interrupt_function interrupted, double *workspace) {
  if (isinf(plan->lipschitz)) return STATUS_ok;
  const network *net = &plan->net;
  rescaling run = {.plan = plan, .learner = learner, .workspace = workspace,
                   .norms = workspace + bounds_workspace(net)};
  double work = 0.0, largest = 0.0;
  for (size_t l = 1; l <= net->depth; l++) {
    const double own = (double)net->width[l] * (double)net->width[l - 1] * (double)layer_directions(net, l);
    work += own;
    if (own > largest) largest = own;
    run.norms[l - 1] = 0.0;
  }
  int team = work < WORTH_A_THREAD ? 1 : (size_t)plan->threads < net->depth ? plan->threads : (int)net->depth;
  if (largest >= WORTH_A_QUESTION && interrupted) team = 1, run.interrupted = interrupted;
  parallel_short(net->depth, team, rescale_layers, &run, 3.0 * work);
  for (size_t l = 0; l < net->depth; l++) {
    if (run.norms[l] == SPECTRAL_STOPPED) return STATUS_interrupted;
  }
  return all_finite(run.norms, net->depth) ? STATUS_ok : STATUS_diverged;
}

status gpa_start(const gpa_plan *plan, gpa_learner *learner, rng_key key, interrupt_function interrupted,
                 double *workspace) {
  const size_t size = network_parameters(&plan->net);
  network_start(&plan->net, learner->net.parameters, key);
  memset(learner->net.moment1, 0, size * sizeof(double));
  memset(learner->net.moment2, 0, size * sizeof(double));
  memset(learner->directions, 0, gpa_directions(&plan->net) * sizeof(double));
  learner->net.updates = 0;
  return rescale(plan, learner, interrupted, workspace);
}

status gpa_update(const gpa_plan *plan, gpa_learner *learner, const double *batch, size_t n_p, size_t n_q,
                  interrupt_function interrupted, double *workspace) {
  const network *net = &plan->net;
  const size_t n = n_p + n_q, size = network_parameters(net);
  double *by_output = workspace, *gradient = by_output + n, *rest = gradient + size;
  const double *phi = network_forward(net, learner->net.parameters, batch, n, rest, plan->threads);
  const double value = divergence_dual(&plan->divergence, phi, n_p, phi + n_p, n_q, by_output + n_p);
  if (!isfinite(value)) return STATUS_diverged;
  for (size_t i = 0; i < n_p; i++) by_output[i] = 1.0 / (double)n_p;
  for (size_t j = n_p; j < n; j++) by_output[j] = -by_output[j];
  network_backward(net, learner->net.parameters, batch, n, by_output, gradient, NULL, rest, plan->threads);
  gradient[size - 1] = 0.0; /* the dual does not change when a constant is added to phi */
  if (!all_finite(gradient, size)) return STATUS_diverged;
  learner_step(&learner->net, net, gradient, &plan->adam);
  const status rescaled = rescale(plan, learner, interrupted, rest);
  if (rescaled != STATUS_ok) return rescaled;
  /* the square of a gradient overflows before the gradient does */
  const int good = all_finite(learner->net.parameters, size) && all_finite(learner->net.moment2, size);
  return good ? STATUS_ok : STATUS_diverged;
}

void gpa_field(const gpa_plan *plan, const double *parameters, const double *points, size_t n, double *gradient,
               double *phi, double *workspace) {
  const network *net = &plan->net;
  const size_t dim = net->width[0];
  for (size_t from = 0; from < n; from += FIELD_BLOCK) {
    const size_t count = n - from < FIELD_BLOCK ? n - from : FIELD_BLOCK;
    double *ones = workspace, *rest = workspace + count;
    const double *output = network_forward(net, parameters, points + from * dim, count, rest, plan->threads);
    if (phi) memcpy(phi + from, output, count * sizeof(double));
    if (!gradient) continue;
    for (size_t i = 0; i < count; i++) ones[i] = 1.0;
    network_backward(net, parameters, points + from * dim, count, ones, NULL, gradient + from * dim, rest,
                     plan->threads);
  }
}

static double mean_square(const double *x, size_t n, size_t dim) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += dot(x + i * dim, x + i * dim, dim);
  return sum / (double)n;
}

gpa_record gpa_measure(const gpa_plan *plan, const double *parameters, const double *points, size_t n,
                       const double *target, size_t m, double *gradient, double *workspace) {
  double *at_points = workspace, *at_target = at_points + n, *weight = at_target + m, *rest = weight + m;
  gpa_field(plan, parameters, points, n, gradient, at_points, rest);
  gpa_field(plan, parameters, target, m, NULL, at_target, rest);
  gpa_record record = {.kinetic_energy = mean_square(gradient, n, plan->net.width[0])};
  record.divergence = divergence_dual(&plan->divergence, at_points, n, at_target, m, weight);
  return record;
}
