#include "check.h"
#include "core/base/instructions.h"
#include "core/base/normals.h"
#include "core/net/generator.h"

static double *new_normals(size_t n, uint32_t seed) {
  double *x = new_doubles(n);
  normals(x, n, seed);
  return x;
}

/* The formula at the head of generator.h, from base points [n, in] by columns. */
static double *plain_points(const generator *g, const double *z, size_t n) {
  const size_t in = g->net.width[0], out = g->net.width[g->net.depth];
  double *x = new_doubles(n * out), *columns = new_doubles(in * n), *room = new_doubles(network_workspace(&g->net, n));
  for (size_t i = 0; i < n * in; i++) columns[i % n * in + i / n] = z[i];
  const double *y = network_forward(&g->net, g->parameters, columns, n, room, 1);
  for (size_t j = 0; j < out; j++) {
    for (size_t i = 0; i < n; i++) {
      double v = y[i * out + j] + (j < in ? g->start * z[j * n + i] : 0.0) - (g->shift ? g->shift[j] : 0.0);
      if (g->low) v = g->low[j] + (g->high[j] - g->low[j]) / (1.0 + exp(-v));
      x[j * n + i] = g->centre ? g->centre[j] + g->spread[j] * v : v;
    }
  }
  free(columns), free(room);
  return x;
}

/* Base points of n rows, of which each `rows` have a stream of their own. */
static double *plain_base(const base_points *from, size_t n, size_t in) {
  double *z = new_doubles(n * in), *part = new_doubles(from->rows * in);
  for (size_t at = 0, k = 0; at < n; at += from->rows, k++) {
    const size_t count = n - at < from->rows ? n - at : from->rows;
    const uint32_t stream = from->first + from->step * (uint32_t)k;
    if (from->mixture) {
      component_source source = *from->mixture;
      source.key = from->key;
      source.pick_stream = source.stream = stream;
      double *room = new_doubles(component_workspace(&source));
      component_matrix(&source, count, part, room, 1);
      free(room);
    } else {
      fill_normal(part, count, in, from->key, stream, 0, 1);
    }
    for (size_t i = 0; i < count * in; i++) z[i / count * n + at + i % count] = part[i];
  }
  free(part);
  return z;
}

/* mixture: of the base points; null: they are normal. */
static void check_generator(const generator *g, const component_source *mixture, size_t n) {
  const size_t in = g->net.width[0], out = g->net.width[g->net.depth];
  const base_points drawn = {.mixture = mixture, .key = {{5u, 6u}}, .first = 3, .step = 3, .rows = 300};
  double *z = plain_base(&drawn, n, in), *wanted = plain_points(g, z, n);
  const base_points given = {.z = z};
  double *x = new_doubles(n * out), *y = new_doubles(n * out), worst = 0.0;
  for (int threads = 1; threads <= 3; threads++) {
    double *room = new_doubles(generator_workspace(g, n, threads));
    generator_points(g, &given, n, x, room, threads);
    generator_points(g, &drawn, n, y, room, threads);
    free(room);
    CHECK(memcmp(x, y, n * out * sizeof(double)) == 0, "%zu drawn points differ from those given", n);
    for (size_t i = 0; i < n * out; i++) worst = fmax(worst, fabs(x[i] - wanted[i]) / (1.0 + fabs(wanted[i])));
  }
  CHECK(worst <= TOLERANCE_ROUNDING, "%zu points of a generator miss by %g", n, worst);
  free(z), free(wanted), free(x), free(y);
}

/* More base points than columns, fewer, and as many; with and without each part. */
static void check_shapes(void) {
  const size_t wide[] = {5, 20, 3}, narrow[] = {2, 20, 20, 3}, square[] = {3, 3}, large[] = {3, 260, 260, 3};
  const size_t *widths[] = {wide, narrow, square, large}, depths[] = {2, 3, 1, 3};
  double *shift = new_normals(3, 1), *centre = new_normals(3, 2), *spread = new_normals(3, 3);
  const double low[] = {-1.0, 0.0, 2.0}, high[] = {1.0, 3.0, 2.5};
  const double weights[] = {0.3, 0.7}, means[] = {-3.0, 0.0, 1.0, 3.0, 1.0, 0.0}, df[] = {INFINITY, INFINITY};
  const double roots[] = {1.0, 0.3, 0.5, 0.0, 0.0, 0.2, 0.4, 0.0, 0.4, 0.1, 0.1, 0.9}, upto[] = {0.3, 1.0};
  const t_components law = {.weights = weights, .means = means, .roots = roots, .df = df, .n = 2, .dim = 3};
  const component_source source = {.law = &law, .upto = upto, .pick_key = {{7u, 8u}}};
  for (size_t k = 0; k < 4; k++) {
    generator g = {.net = {.depth = depths[k], .width = widths[k]}, .start = k == 1 ? 0.5 : 1.0};
    double *parameters = new_normals(network_parameters(&g.net), 4);
    for (size_t i = 0; i < network_parameters(&g.net); i++) parameters[i] *= k == 3 ? 0.05 : 0.3;
    g.parameters = parameters;
    check_generator(&g, NULL, 1);
    if (k != 1) g.shift = shift;
    if (k != 2) g.centre = centre, g.spread = spread;
    check_generator(&g, NULL, k == 3 ? 4100 : 900);
    if (g.net.width[0] == 3) check_generator(&g, &source, 900);
    g.low = low, g.high = high;
    check_generator(&g, NULL, 257);
    check_generator(&g, NULL, 0);
    free(parameters);
  }
  free(shift), free(centre), free(spread);
}

void test_generator(void) {
  const char *before = simd_name(), *names[4];
  const size_t n = simd_available(names, 4);
  for (size_t i = 0; i < n; i++) {
    simd_select(names[i]);
    check_shapes();
  }
  simd_select(before);
}
