#include "check.h"
#include "core/net/adam.h"
#include "core/net/network.h"
#include "core/pair/simd.h"

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

/* --- the network in plain loops --------------------------------------------------------------------------- */

enum { MOST_UNITS = 80 };

/* max(z, 0), or the smooth rectifier; and its slope. */
static double rectify(const network *net, double z, double *slope) {
  const double h = net->smoothing, t = fmin(fmax(z / h, -1.0), 1.0);
  if (net->kind == RECTIFIER_relu) {
    *slope = z > 0.0 ? 1.0 : 0.0;
    return fmax(z, 0.0);
  }
  *slope = 0.5 + 0.75 * t - 0.25 * t * t * t;
  return z > h ? z : h * (3.0 / 16.0 + t / 2.0 + 3.0 / 8.0 * t * t - t * t * t * t / 16.0);
}

/* One point: its outputs, and what it adds to both gradients. */
static void plain_point(const network *net, const double *parameters, const double *x, const double *by_output,
                        double *output, double *by_parameter, double *by_input) {
  double a[6][MOST_UNITS], slopes[6][MOST_UNITS], by_z[6][MOST_UNITS];
  memcpy(a[0], x, net->width[0] * sizeof(double));
  for (size_t l = 1; l <= net->depth; l++) {
    const size_t out = net->width[l], in = net->width[l - 1];
    const double *w = parameters + network_layer(net, l);
    for (size_t i = 0; i < out; i++) {
      double z = w[out * in + i];
      for (size_t k = 0; k < in; k++) z += w[k * out + i] * a[l - 1][k];
      a[l][i] = l < net->depth ? rectify(net, z, &slopes[l][i]) : z;
    }
  }
  memcpy(output, a[net->depth], net->width[net->depth] * sizeof(double));
  memcpy(by_z[net->depth], by_output, net->width[net->depth] * sizeof(double));
  for (size_t l = net->depth; l >= 1; l--) {
    const size_t out = net->width[l], in = net->width[l - 1];
    const double *w = parameters + network_layer(net, l);
    double *to = by_parameter + network_layer(net, l);
    for (size_t k = 0; k < in; k++) {
      double sum = 0.0;
      for (size_t i = 0; i < out; i++) {
        sum += w[k * out + i] * by_z[l][i];
        to[k * out + i] += by_z[l][i] * a[l - 1][k];
      }
      if (l > 1) by_z[l - 1][k] = sum * slopes[l - 1][k];
      if (l == 1) by_input[k] = sum;
    }
    for (size_t i = 0; i < out; i++) to[out * in + i] += by_z[l][i];
  }
}

static double largest_difference(const double *a, const double *b, size_t n) {
  double most = 0.0;
  for (size_t i = 0; i < n; i++) most = fmax(most, fabs(a[i] - b[i]));
  return most;
}

typedef struct {
  double *outputs, *by_parameter, *by_input;
} results;

static results new_results(const network *net, size_t n) {
  const results of = {new_doubles(n * net->width[net->depth]), new_doubles(network_parameters(net)),
                      new_doubles(n * net->width[0])};
  return of;
}

static void free_results(results *of) {
  free(of->outputs), free(of->by_parameter), free(of->by_input);
}

static void run_network(const network *net, const double *parameters, const double *x, const double *by_output,
                        size_t n, int threads, const results *to) {
  double *workspace = new_doubles(network_workspace(net, n));
  memcpy(to->outputs, network_forward(net, parameters, x, n, workspace, threads),
         n * net->width[net->depth] * sizeof(double));
  network_backward(net, parameters, x, n, by_output, to->by_parameter, to->by_input, workspace, threads);
  free(workspace);
}

static int same_bits(const network *net, size_t n, const results *a, const results *b) {
  return !memcmp(a->outputs, b->outputs, n * net->width[net->depth] * sizeof(double)) &&
         !memcmp(a->by_parameter, b->by_parameter, network_parameters(net) * sizeof(double)) &&
         !memcmp(a->by_input, b->by_input, n * net->width[0] * sizeof(double));
}

/* All three results on this instruction set against the plain loops; the same bits on 1, 2, 3 and 5 threads. */
static void check_against_loops(const network *net, size_t n) {
  const size_t size = network_parameters(net), in = net->width[0], out = net->width[net->depth];
  const int threads[] = {2, 3, 5};
  double *parameters = new_doubles(size), *x = new_doubles(n * in), *by_output = new_doubles(n * out);
  results plain = new_results(net, n), one = new_results(net, n), more = new_results(net, n);
  const rng_key key = {{5u, 6u}};
  network_start(net, parameters, key);
  for (size_t i = 0; i < size; i++) parameters[i] += 0.01;
  normals(x, n * in, 92u);
  normals(by_output, n * out, 93u);
  memset(plain.by_parameter, 0, size * sizeof(double));
  for (size_t i = 0; i < n; i++) {
    plain_point(net, parameters, x + i * in, by_output + i * out, plain.outputs + i * out, plain.by_parameter,
                plain.by_input + i * in);
  }
  run_network(net, parameters, x, by_output, n, 1, &one);
  const double by_parameter = largest_difference(one.by_parameter, plain.by_parameter, size) / (double)(n + 8);
  CHECK(largest_difference(one.outputs, plain.outputs, n * out) <= TOLERANCE_KERNEL &&
            largest_difference(one.by_input, plain.by_input, n * in) <= TOLERANCE_KERNEL &&
            by_parameter <= TOLERANCE_KERNEL,
        "%s: network of depth %zu from %zu at n = %zu misses by %g, %g and %g", simd_current()->name, net->depth, in,
        n, largest_difference(one.outputs, plain.outputs, n * out),
        largest_difference(one.by_input, plain.by_input, n * in), by_parameter);
  for (size_t t = 0; t < 3; t++) {
    run_network(net, parameters, x, by_output, n, threads[t], &more);
    CHECK(same_bits(net, n, &one, &more), "%s: depth %zu at n = %zu has other bits on %d threads",
          simd_current()->name, net->depth, n, threads[t]);
  }
  free_results(&plain), free_results(&one), free_results(&more);
  free(parameters), free(x), free(by_output);
}

static void check_instruction_sets(void) {
  const size_t gpa[] = {50, 64, 64, 64, 1}, odd[] = {3, 7, 17, 5, 2}, one[] = {1, 1, 1}, linear[] = {9, 33};
  const size_t narrow[] = {65, 15, 72}, points[] = {1, 2, 3, 7, 8, 9, 63, 64, 65, 511, 4100};
  const size_t *widths[] = {gpa, odd, one, linear, narrow}, depths[] = {4, 4, 2, 1, 2};
  const char *names[4];
  const size_t n_names = simd_available(names, 4);
  for (size_t s = 0; s < n_names; s++) {
    simd_select(names[s]);
    for (size_t w = 0; w < 5; w++) {
      for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
        const network net = {depths[w], widths[w], (p + w) % 2 ? RECTIFIER_smooth : RECTIFIER_relu, 0.4, NULL};
        if (points[p] < 4000 || w == 1 || w == 4) check_against_loops(&net, points[p]);
      }
    }
  }
  simd_init();
}

/* Without points the gradient of the parameters is 0. */
static void check_none(void) {
  const size_t width[] = {2, 3, 1};
  const network net = {2, width, RECTIFIER_relu, 0.0, NULL};
  double parameters[13], gradient[13], *workspace = new_doubles(network_workspace(&net, 0)), sum = 0.0;
  normals(parameters, 13, 94u), normals(gradient, 13, 95u);
  network_forward(&net, parameters, parameters, 0, workspace, 2);
  network_backward(&net, parameters, parameters, 0, parameters, gradient, NULL, workspace, 2);
  for (size_t i = 0; i < 13; i++) sum += fabs(gradient[i]);
  CHECK(sum == 0.0, "the gradient of no points is %g", sum);
  free(workspace);
}

static int asked = 0;

static void count_question(void) {
  asked++;
}

static void check_blocks(void) {
  /* more points than pass through at a time: each as if alone */
  const size_t width[] = {2, 5, 3}, n = 9000;
  const network net = {2, width, RECTIFIER_smooth, 0.3, count_question};
  double *parameters = new_doubles(network_parameters(&net)), *x = new_doubles(2 * n), *all = new_doubles(3 * n);
  double *workspace = new_doubles(network_workspace(&net, n));
  normals(parameters, network_parameters(&net), 90u);
  normals(x, 2 * n, 91u);
  memcpy(all, network_forward(&net, parameters, x, n, workspace, 2), 3 * n * sizeof(double));
  CHECK(asked == 3, "9000 points of a small network ask %d times, not 3", asked);
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
  double x[] = {-2.0, -0.5, 0.0, 0.25, 0.5, 3.0}, workspace[2048];
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
  check_instruction_sets();
  check_none();
  check_blocks();
  check_rectifier();
  check_adam();
}
