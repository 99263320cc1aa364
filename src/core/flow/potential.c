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

static size_t rescale_workspace(const network *net) {
  size_t most = 0;
  for (size_t l = 1; l <= net->depth; l++) {
    const size_t size = spectral_workspace(net->width[l], net->width[l - 1]);
    most = size > most ? size : most;
  }
  return most;
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

/* W_l <- L^(1/D) W_l / |W_l|. A matrix of zeros stays. */
static int rescale(const gpa_plan *plan, gpa_learner *learner, double *workspace) {
  if (isinf(plan->lipschitz)) return 1;
  const network *net = &plan->net;
  const double wanted = pow(plan->lipschitz, 1.0 / (double)net->depth);
  double *direction = learner->directions;
  for (size_t l = 1; l <= net->depth; l++) {
    const size_t rows = net->width[l], columns = net->width[l - 1];
    double *w = learner->net.parameters + network_layer(net, l);
    const double size = plan->norm == NORM_frobenius
                            ? norm(w, rows * columns)
                            : spectral_bound(w, rows, columns, direction, workspace);
    if (!isfinite(size)) return 0;
    if (size > 0.0) {
      const double factor = wanted / size;
      VECTORISE
      for (size_t i = 0; i < rows * columns; i++) {
        const double scaled = w[i] * factor;
        w[i] = fabs(scaled) > NOTHING * wanted ? scaled : 0.0;
      }
    }
    direction += layer_directions(net, l);
  }
  return 1;
}

status gpa_start(const gpa_plan *plan, gpa_learner *learner, rng_key key, double *workspace) {
  const size_t size = network_parameters(&plan->net);
  network_start(&plan->net, learner->net.parameters, key);
  memset(learner->net.moment1, 0, size * sizeof(double));
  memset(learner->net.moment2, 0, size * sizeof(double));
  memset(learner->directions, 0, gpa_directions(&plan->net) * sizeof(double));
  learner->net.updates = 0;
  return rescale(plan, learner, workspace) ? STATUS_ok : STATUS_diverged;
}

status gpa_update(const gpa_plan *plan, gpa_learner *learner, const double *batch, size_t n_p, size_t n_q,
                  double *workspace) {
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
  if (!rescale(plan, learner, rest)) return STATUS_diverged;
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
