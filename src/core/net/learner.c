#include "core/net/learner.h"

#include "core/base/linalg.h"

network_learner learner_in(double *store, const network *net, uint64_t updates) {
  const size_t size = network_parameters(net);
  const network_learner learner = {
      .parameters = store, .moment1 = store + size, .moment2 = store + 2 * size, .updates = updates};
  return learner;
}

void learner_step(network_learner *learner, const network *net, const double *gradient, const adam_settings *adam) {
  learner->updates++;
  adam_step(learner->parameters, learner->moment1, learner->moment2, gradient, network_parameters(net),
            (double)learner->updates, adam);
}

size_t learner_workspace(const network *net, size_t n) {
  return network_parameters(net) + network_workspace(net, n);
}

status learner_update(network_learner *learner, const network *net, const double *x, size_t n,
                      const double *output_gradient, const adam_settings *adam, double *workspace,
                      int threads) {
  const size_t size = network_parameters(net);
  double *gradient = workspace, *rest = gradient + size;
  network_forward(net, learner->parameters, x, n, rest, threads);
  network_backward(net, learner->parameters, x, n, output_gradient, gradient, NULL, rest, threads);
  learner_step(learner, net, gradient, adam);
  const int finite = all_finite(learner->parameters, size) && all_finite(learner->moment1, size) &&
                     all_finite(learner->moment2, size);
  return finite ? STATUS_ok : STATUS_diverged;
}
