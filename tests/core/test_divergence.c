#include "check.h"
#include "core/net/divergence.h"

static const divergence all[] = {{DIVERGENCE_kl, 0.0},   {DIVERGENCE_alpha, 2.0},      {DIVERGENCE_alpha, 1.2},
                                 {DIVERGENCE_alpha, 10}, {DIVERGENCE_reverse_kl, 0.0}, {DIVERGENCE_js, 0.0}};
#define KINDS (sizeof all / sizeof all[0])

/* f(x) of the header */
static double f(const divergence *d, double x) {
  switch (d->kind) {
    case DIVERGENCE_kl: return x > 0.0 ? x * log(x) : 0.0;
    case DIVERGENCE_alpha: return (pow(x, d->alpha) - 1.0) / (d->alpha * (d->alpha - 1.0));
    case DIVERGENCE_reverse_kl: return -log(x);
    default: return x * log(x) - (x + 1.0) * log((x + 1.0) / 2.0);
  }
}

static double f_slope(const divergence *d, double x) {
  switch (d->kind) {
    case DIVERGENCE_kl: return log(x) + 1.0;
    case DIVERGENCE_alpha: return pow(x, d->alpha - 1.0) / (d->alpha - 1.0);
    case DIVERGENCE_reverse_kl: return -1.0 / x;
    default: return log(2.0 * x / (x + 1.0));
  }
}

/* On three atoms P and Q are known: with phi = f'(dP/dQ) the dual is the divergence itself. P by counts. */
static void check_attained(const divergence *d) {
  const double share_p[] = {0.2, 0.3, 0.5}, share_q[] = {0.5, 0.3, 0.2};
  double p[10], q[10], weight[10], wanted = 0.0;
  size_t at_p = 0, at_q = 0;
  for (int k = 0; k < 3; k++) {
    const double ratio = share_p[k] / share_q[k], phi = f_slope(d, ratio) + 4.0;
    wanted += share_q[k] * f(d, ratio);
    for (int i = 0; i < (int)(10.0 * share_p[k] + 0.5); i++) p[at_p++] = phi;
    for (int i = 0; i < (int)(10.0 * share_q[k] + 0.5); i++) q[at_q++] = phi;
  }
  CHECK_NEAR(divergence_dual(d, p, 10, q, 10, weight), wanted, 1e-12);
  /* the weights are dP/dQ over n; with alpha = 10 phi goes from 3e-5 to 424, so that a rounding of nu is 1e-9 of
   * the smallest */
  CHECK_NEAR(weight[0], 0.04, 1e-8);
  CHECK_NEAR(weight[9], 0.25, 1e-8);
}

/* Weights are minus the derivatives by q and of sum 1; a constant added to phi changes nothing. */
static void check_derivative(const divergence *d, double spread) {
  enum { N_P = 7, N_Q = 9 };
  double p[N_P], q[N_Q], weight[N_Q], scrap[N_Q], total = 0.0;
  normals(p, N_P, 110u);
  normals(q, N_Q, 111u);
  for (int i = 0; i < N_Q; i++) q[i] *= spread;
  const double value = divergence_dual(d, p, N_P, q, N_Q, weight), h = 1e-5;
  for (int j = 0; j < N_Q; j++) {
    const double before = q[j];
    q[j] = before + h;
    const double above = divergence_dual(d, p, N_P, q, N_Q, scrap);
    q[j] = before - h;
    const double below = divergence_dual(d, p, N_P, q, N_Q, scrap);
    q[j] = before;
    CHECK_NEAR(-(above - below) / (2.0 * h), weight[j], TOLERANCE_DIFFERENCE);
    total += weight[j];
  }
  CHECK_NEAR(total, 1.0, TOLERANCE_ROUNDING);
  for (int i = 0; i < N_P; i++) p[i] += 1000.0;
  for (int i = 0; i < N_Q; i++) q[i] += 1000.0;
  CHECK_NEAR(divergence_dual(d, p, N_P, q, N_Q, scrap), value, 1e-10);
}

void test_divergence(void) {
  for (size_t k = 0; k < KINDS; k++) {
    check_attained(&all[k]);
    check_derivative(&all[k], 1.0);
    check_derivative(&all[k], 5.0);
    /* equal samples of a constant potential */
    const double flat[] = {3.0, 3.0, 3.0};
    double weight[3];
    CHECK_NEAR(divergence_dual(&all[k], flat, 3, flat, 3, weight), 0.0, 1e-12);
    /* what would overflow in an exponential */
    const double far[] = {-2000.0, 5000.0, 0.0};
    const double value = divergence_dual(&all[k], far, 3, far, 3, weight);
    CHECK(isfinite(value) && value <= 1e-9, "the dual of equal samples is %g", value);
    const double broken[] = {NAN, 1.0, INFINITY};
    CHECK(!isfinite(divergence_dual(&all[k], flat, 3, broken, 3, weight)), "NaN passes");
  }
}
