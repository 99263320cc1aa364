#include "core/law/shares.h"

#include <math.h>
#include <string.h>

#include "core/base/parallel.h"
#include "core/pair/widened.h"

#define CHAINS ((size_t)8)

/* y += a x */
INLINED void add_times_plain(double *y, double a, const double *x, size_t n) {
  VECTORISE
  for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

WIDENED(add_times, (double *y, double a, const double *x, size_t n), (y, a, x, n))

/* In eight chains, so that the sums overlap. */
INLINED void product_sum_of_plain(const double *a, const double *b, size_t n, double *sum) {
  double chain[CHAINS] = {0.0};
  size_t i = 0;
  for (; i + CHAINS <= n; i += CHAINS) {
    VECTORISE
    for (size_t k = 0; k < CHAINS; k++) chain[k] += a[i + k] * b[i + k];
  }
  for (; i < n; i++) chain[0] += a[i] * b[i];
  *sum = ((chain[0] + chain[1]) + (chain[2] + chain[3])) + ((chain[4] + chain[5]) + (chain[6] + chain[7]));
}

WIDENED(product_sum_of, (const double *a, const double *b, size_t n, double *sum), (a, b, n, sum))

static double product_sum(const double *a, const double *b, size_t n) {
  double sum;
  product_sum_of(a, b, n, &sum);
  return sum;
}

/* Rows of eta [n, classes] become shares. room [n]. */
static void to_shares(double *eta, size_t n, size_t classes, double *room) {
  double *most = room;
  memcpy(most, eta, n * sizeof(double));
  for (size_t c = 1; c < classes; c++) {
    for (size_t i = 0; i < n; i++) most[i] = eta[c * n + i] > most[i] ? eta[c * n + i] : most[i];
  }
  for (size_t c = 0; c < classes; c++) {
    for (size_t i = 0; i < n; i++) eta[c * n + i] = exp(eta[c * n + i] - most[i]);
  }
  memcpy(most, eta, n * sizeof(double));
  for (size_t c = 1; c < classes; c++) add_times(most, 1.0, eta + c * n, n);
  for (size_t c = 0; c < classes; c++) {
    for (size_t i = 0; i < n; i++) eta[c * n + i] /= most[i];
  }
}

/* eta [n] of one class. */
static void eta_of(const logistic *of, const double *along, size_t c, double *eta) {
  for (size_t i = 0; i < of->n; i++) eta[i] = of->start[c];
  for (size_t k = 0; k < of->columns; k++) add_times(eta, along[c * of->columns + k], of->basis + k * of->n, of->n);
}

static void shares_at(const logistic *of, const double *along, double *shares, double *room) {
  for (size_t c = 0; c < of->classes; c++) eta_of(of, along, c, shares + c * of->n);
  to_shares(shares, of->n, of->classes, room);
}

/* along = ahead + 2 basis' (truth - shares); the shares are used up. */
static void ascend_once(const logistic *of, const double *ahead, double *shares, double *along) {
  const size_t n = of->n;
  for (size_t i = 0; i < n; i++) shares[(size_t)of->class_of[i] * n + i] -= 1.0;
  for (size_t c = 0; c < of->classes; c++) {
    for (size_t k = 0; k < of->columns; k++) {
      const size_t at = c * of->columns + k;
      along[at] = ahead[at] - 2.0 * product_sum(of->basis + k * n, shares + c * n, n);
    }
  }
}

size_t logistic_workspace(const logistic *of) {
  return 2 * of->columns * of->classes + of->n;
}

void logistic_ascend(const logistic *of, size_t most_steps, double least_change, double *along, double *shares,
                     double *workspace) {
  const size_t size = of->columns * of->classes;
  double *before = workspace, *ahead = workspace + size, *room = ahead + size;
  memset(along, 0, size * sizeof(double));
  memset(before, 0, size * sizeof(double));
  for (size_t step = 1; step <= most_steps; step++) {
    const double momentum = ((double)step - 1.0) / ((double)step + 2.0);
    for (size_t k = 0; k < size; k++) ahead[k] = along[k] + momentum * (along[k] - before[k]);
    memcpy(before, along, size * sizeof(double));
    shares_at(of, ahead, shares, room);
    ascend_once(of, ahead, shares, along);
    double change = 0.0;
    for (size_t k = 0; k < size; k++) change = fmax(change, fabs(along[k] - before[k]));
    if (change < least_change) break;
  }
  shares_at(of, along, shares, room);
}

#define LEAST_SPREAD 1e-6
#define MOST_LEVERAGE 0.9

void logistic_without(const logistic *of, const double *along, double *shares, double *room) {
  const size_t n = of->n;
  double *lengths = room, *eta = room + n;
  memset(lengths, 0, n * sizeof(double));
  for (size_t k = 0; k < of->columns; k++) {
    for (size_t i = 0; i < n; i++) lengths[i] += of->basis[k * n + i] * of->basis[k * n + i];
  }
  for (size_t c = 0; c < of->classes; c++) {
    double *share = shares + c * n, spread = 0.0;
    for (size_t i = 0; i < n; i++) spread += share[i] * (1.0 - share[i]);
    spread = fmax(spread / (double)n, LEAST_SPREAD);
    eta_of(of, along, c, eta);
    for (size_t i = 0; i < n; i++) {
      const double leverage = lengths[i] / spread, error = ((size_t)of->class_of[i] == c ? 1.0 : 0.0) - share[i];
      share[i] = eta[i] - leverage * error / (1.0 - fmin(leverage * share[i] * (1.0 - share[i]), MOST_LEVERAGE));
    }
  }
  to_shares(shares, n, of->classes, room);
}

/* mixed [n]: the density of the mixture. */
static void mix(const mixed_densities *of, const double *weights, double *mixed) {
  memset(mixed, 0, of->n * sizeof(double));
  for (size_t k = 0; k < of->parts; k++) add_times(mixed, weights[k], of->density + k * of->n, of->n);
}

/* One step of EM from `weights` to `next`. mixed: room [n]. */
static void mixing_step(const mixed_densities *of, const double *weights, double *next, double *mixed) {
  mix(of, weights, mixed);
  for (size_t i = 0; i < of->n; i++) mixed[i] = 1.0 / mixed[i];
  for (size_t k = 0; k < of->parts; k++) {
    next[k] = weights[k] * product_sum(of->density + k * of->n, mixed, of->n) / (double)of->n;
  }
}

void mixing_steps(const mixed_densities *of, size_t steps, double *weights, double *room) {
  double *next = room + of->n;
  for (size_t step = 0; step < steps; step++) {
    mixing_step(of, weights, next, room);
    memcpy(weights, next, of->parts * sizeof(double));
  }
}

static double mean_log(const mixed_densities *of, const double *weights, double *mixed) {
  double sum = 0.0;
  mix(of, weights, mixed);
  for (size_t i = 0; i < of->n; i++) sum += log(mixed[i]);
  return sum / (double)of->n;
}

/* Below exp(-25) of the largest weight there is nothing to extrapolate. */
#define LEAST_LOG_WEIGHT -25.0

/* The weights beyond `start`, `first` and `second`, which are two steps of EM apart. */
static void extrapolate(const double *start, const double *first, const double *second, size_t parts, double longest,
                        double *ahead) {
  double changes = 0.0, bends = 0.0, most = -INFINITY, sum = 0.0;
  for (size_t k = 0; k < parts; k++) {
    const double change = log(first[k]) - log(start[k]), bend = log(second[k]) - log(first[k]) - change;
    changes += change * change;
    bends += bend * bend;
  }
  const double length = fmin(sqrt(changes / bends), longest);
  for (size_t k = 0; k < parts; k++) {
    const double change = log(first[k]) - log(start[k]), bend = log(second[k]) - log(first[k]) - change;
    ahead[k] = log(start[k]) + 2.0 * length * change + length * length * bend;
    most = fmax(most, ahead[k]);
  }
  for (size_t k = 0; k < parts; k++) sum += ahead[k] = exp(fmax(ahead[k] - most, LEAST_LOG_WEIGHT));
  for (size_t k = 0; k < parts; k++) ahead[k] /= sum;
}

#define SETTLED 1e-6

void mixing_rounds(const mixed_densities *of, size_t most_rounds, double longest, double *weights, double *room) {
  const size_t parts = of->parts;
  double *mixed = room, *first = room + of->n, *second = first + parts, *ahead = second + parts, *next = ahead + parts;
  for (size_t round = 0; round < most_rounds; round++) {
    mixing_step(of, weights, first, mixed);
    mixing_step(of, first, second, mixed);
    double change = 0.0;
    for (size_t k = 0; k < parts; k++) change = fmax(change, fabs(second[k] - first[k]));
    if (change >= SETTLED) {
      extrapolate(weights, first, second, parts, longest, ahead);
      mixing_step(of, ahead, next, mixed);
    }
    const int better = change >= SETTLED && mean_log(of, next, mixed) >= mean_log(of, second, mixed);
    memcpy(weights, better ? next : second, parts * sizeof(double));
    if (!(change >= SETTLED)) return;
  }
}

void calibrate_shares(const mixed_densities *of, const double *wanted, size_t most_rounds, double least_change,
                      double *factors, double *room) {
  double *mixed = room, *mean = room + of->n;
  for (size_t k = 0; k < of->parts; k++) factors[k] = 1.0;
  for (size_t round = 0; round < most_rounds; round++) {
    double change = 0.0;
    mixing_step(of, factors, mean, mixed);
    for (size_t k = 0; k < of->parts; k++) {
      change = fmax(change, fabs(wanted[k] / mean[k] - 1.0));
      factors[k] *= wanted[k] / mean[k];
    }
    if (change < least_change) break;
  }
}
