#include "check.h"
#include "core/net/adam.h"
#include "core/net/network.h"

/* A scalar of the outputs: their product with `by_output`. */
static double scalar(const network *net, const double *parameters, const double *x, size_t n, const double *by_output,
                     double *workspace) {
  const double *out = network_forward(net, parameters, x, n, workspace, 1);
  double sum = 0.0;
  for (size_t i = 0; i < n * net->width[net->depth]; i++) sum += out[i] * by_output[i];
  return sum;
}

/* Central differences, h = 1e-5: errors of h^2 and 1e-16 / h. No kink of a rectifier lies that near, or the
 * check would fail for this seed. */
static void check_gradients(const network *net, size_t n, uint32_t seed) {
  const size_t size = network_parameters(net), in = n * net->width[0], out = n * net->width[net->depth];
  double *parameters = new_doubles(size), *x = new_doubles(in), *by_output = new_doubles(out);
  double *workspace = new_doubles(network_workspace(net, n));
  double *by_parameter = new_doubles(size), *by_input = new_doubles(in), *alone = new_doubles(in);
  normals(parameters, size, seed);
  normals(x, in, seed + 1);
  normals(by_output, out, seed + 2);
  scalar(net, parameters, x, n, by_output, workspace);
  network_backward(net, parameters, x, n, by_output, by_parameter, by_input, workspace, 1);
  network_backward(net, parameters, x, n, by_output, NULL, alone, workspace, 1);
  const double h = 1e-5;
  double worst = 0.0, largest = 1.0;
  for (size_t i = 0; i < size + in; i++) {
    double *at = i < size ? parameters + i : x + (i - size);
    const double before = *at, found = i < size ? by_parameter[i] : by_input[i - size];
    *at = before + h;
    const double above = scalar(net, parameters, x, n, by_output, workspace);
    *at = before - h;
    const double below = scalar(net, parameters, x, n, by_output, workspace);
    *at = before;
    worst = fmax(worst, fabs((above - below) / (2.0 * h) - found));
    largest = fmax(largest, fabs(found));
  }
  CHECK(worst <= TOLERANCE_DIFFERENCE * largest, "gradients at n = %zu, depth %zu miss by %g of %g", n, net->depth,
        worst, largest);
  CHECK(memcmp(by_input, alone, in * sizeof(double)) == 0, "the gradient by x depends on whether another is wanted");
  free(parameters), free(x), free(by_output), free(workspace), free(by_parameter), free(by_input), free(alone);
}

static void check_blocks(void) {
  /* more points than pass through at a time: each as if alone */
  const size_t width[] = {2, 5, 3}, n = 1100;
  const network net = {2, width, RECTIFIER_smooth, 0.3, NULL};
  double *parameters = new_doubles(network_parameters(&net)), *x = new_doubles(2 * n), *all = new_doubles(3 * n);
  double *workspace = new_doubles(network_workspace(&net, n));
  normals(parameters, network_parameters(&net), 90u);
  normals(x, 2 * n, 91u);
  memcpy(all, network_forward(&net, parameters, x, n, workspace, 2), 3 * n * sizeof(double));
  int same = 1;
  for (size_t i = 0; i < n; i += 99) {
    const double *one = network_forward(&net, parameters, x + 2 * i, 1, workspace, 2);
    same = same && memcmp(one, all + 3 * i, 3 * sizeof(double)) == 0;
  }
  CHECK(same, "an output depends on the other points");
  free(parameters), free(x), free(all), free(workspace);
}

static void check_rectifier(void) {
  /* one unit, weight 1, bias 0, passed through: the rectifier itself */
  const size_t width[] = {1, 1, 1};
  const double h = 0.5, parameters[] = {1.0, 0.0, 1.0, 0.0};
  const network smooth = {2, width, RECTIFIER_smooth, h, NULL};
  double x[] = {-2.0, -0.5, 0.0, 0.25, 0.5, 3.0}, workspace[2048 + 64];
  const double *out = network_forward(&smooth, parameters, x, 6, workspace, 1);
  CHECK(network_workspace(&smooth, 6) <= 2048, "the workspace of this test is too small");
  CHECK(out[0] == 0.0 && fabs(out[1]) < 1e-15, "smooth rectifier left of its kink");
  CHECK_NEAR(out[2], 3.0 / 16.0 * h, 1e-15);
  CHECK_NEAR(out[4], 0.5, 1e-15);
  CHECK_NEAR(out[5], 3.0, 1e-15);
  /* the convolution at h / 2 by quadrature: int max(z - u, 0) K(u / h) / h du */
  double sum = 0.0;
  const int rounds = 20000;
  for (int i = 0; i < rounds; i++) {
    const double t = -1.0 + 2.0 * (i + 0.5) / rounds;
    sum += fmax(0.25 - t * h, 0.0) * 0.75 * (1.0 - t * t) * 2.0 / rounds;
  }
  CHECK_NEAR(out[3], sum, 1e-8);
}

static void check_adam(void) {
  /* by hand, against the recursion without running products */
  double x[] = {1.0, -2.0}, m[] = {0.0, 0.0}, v[] = {0.0, 0.0};
  const adam_settings settings = {0.1, 0.9, 0.999, 1e-8};
  const double first[] = {0.5, -3.0}, second[] = {-1.0, 2.0};
  adam_step(x, m, v, first, 2, 1.0, &settings);
  /* bias correction makes the first step the rate, whatever the gradient */
  CHECK_NEAR(x[0], 1.1, 1e-8);
  CHECK_NEAR(x[1], -2.1, 1e-8);
  adam_step(x, m, v, second, 2, 2.0, &settings);
  const double mean = (0.9 * 0.1 * 0.5 - 0.1 * 1.0) / (1.0 - 0.81);
  const double square = (0.999 * 0.001 * 0.25 + 0.001) / (1.0 - 0.999 * 0.999);
  CHECK_NEAR(x[0], 1.1 + 0.1 * mean / sqrt(square), 1e-8);
  /* without a gradient moments end at 0, not among the denormal numbers; NaN stays */
  const double none[] = {0.0, NAN};
  double smallest = 1.0;
  for (int t = 3; t < 8000; t++) {
    adam_step(x, m, v, none, 2, (double)t, &settings);
    if (m[0] != 0.0) smallest = fmin(smallest, fabs(m[0]));
  }
  CHECK(m[0] == 0.0 && smallest > 1e-300 && v[0] > 0.0, "moments decay to %g and %g by way of %g", m[0], v[0],
        smallest);
  CHECK(isnan(m[1]) && isnan(v[1]) && isnan(x[1]), "NaN is lost");
}

void test_network(void) {
  const size_t deep[] = {3, 7, 5, 6, 1}, wide[] = {2, 9, 4}, linear[] = {4, 3};
  const rectifier kinds[] = {RECTIFIER_relu, RECTIFIER_smooth};
  for (size_t kind = 0; kind < 2; kind++) {
    const network nets[] = {{4, deep, kinds[kind], 0.4, NULL},
                            {2, wide, kinds[kind], 0.4, NULL},
                            {1, linear, kinds[kind], 0.4, NULL}};
    for (size_t i = 0; i < 3; i++) {
      check_gradients(&nets[i], 1, 70u);
      check_gradients(&nets[i], 8, 80u);
    }
  }
  check_blocks();
  check_rectifier();
  check_adam();
}
