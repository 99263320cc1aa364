#include "check.h"
#include "core/base/linalg.h"
#include "core/base/normals.h"
#include "core/base/components.h"

/* m + L z of each row with plain sums, from matrices of normal and uniform numbers. x [n, dim] by columns. */
static double *plain_draws(const component_source *from, size_t n) {
  const t_components *law = from->law;
  const size_t dim = law->dim;
  double *z = new_doubles(n * dim), *u = new_doubles(n), *x = new_doubles(n * dim), total = 0.0;
  fill_normal(z, n, dim, from->key, from->stream, 0, 1);
  fill_uniform(u, n, 1, from->pick_key, from->pick_stream, 0, 1);
  for (size_t k = 0; k < law->n; k++) total += law->weights[k];
  for (size_t i = 0; i < n; i++) {
    size_t k = 0;
    for (double sum = law->weights[0]; k + 1 < law->n && sum <= u[i] * total; sum += law->weights[k]) k++;
    const double *root = law->roots + (law->shared ? 0 : k) * triangle_size(dim);
    for (size_t c = 0; c < dim; c++) {
      double sum = 0.0;
      for (size_t l = 0; l <= c; l++) sum += root[triangle_size(c) + l] * z[l * n + i];
      x[c * n + i] = sum + law->means[k * dim + c];
    }
  }
  free(z), free(u);
  return x;
}

/* The same bits for any number of draws and of threads, and those of plain sums. One weight is 0: its component would
 * show, because its mean is far away. */
static void check_draws(size_t dim, size_t components, int shared) {
  double *means = new_doubles(components * dim), *roots = new_doubles(components * triangle_size(dim));
  double *weights = new_doubles(components), *df = new_doubles(components), *upto = new_doubles(components);
  normals(means, components * dim, 1);
  normals(roots, components * triangle_size(dim), 2);
  for (size_t k = 0; k < components; k++) {
    weights[k] = k == 1 ? 0.0 : 0.2 + (double)k;
    df[k] = INFINITY;
    if (k == 1) means[dim] = 1e6;
  }
  const t_components law = {.weights = weights, .means = means, .roots = roots, .df = df, .n = components, .dim = dim,
                            .shared = shared};
  sum_weights(&law, upto);
  const component_source source = {.law = &law, .upto = upto, .pick_key = {{1u, 2u}}, .key = {{3u, 4u}},
                                   .pick_stream = 5, .stream = 6};
  const size_t most = 5000, counts[] = {0, 1, 255, 600, most};
  double *wanted = plain_draws(&source, most), *x = new_doubles(most * dim);
  for (size_t r = 0; r < 5; r++) {
    for (int threads = 1; threads <= 3; threads++) {
      const size_t n = counts[r];
      double *room = new_doubles((size_t)threads * component_workspace(&source)), worst = 0.0;
      component_matrix(&source, n, x, room, threads);
      free(room);
      for (size_t i = 0; i < n * dim; i++) {
        const double of = wanted[i / n * most + i % n];
        worst = fmax(worst, fabs(x[i] - of) / (1.0 + fabs(of)));
      }
      CHECK(worst <= TOLERANCE_ROUNDING, "%zu draws in %zu columns miss by %g", n, dim, worst);
    }
  }
  double *some = new_doubles(9 * dim);
  int same = 1;
  draw_components(&source, 77, 9, some);
  for (size_t i = 0; i < 9; i++) {
    for (size_t c = 0; c < dim; c++) same = same && some[i * dim + c] == x[c * most + 77 + i];
  }
  CHECK(same, "draws in %zu columns depend on where they begin", dim);
  free(means), free(roots), free(weights), free(df), free(upto), free(wanted), free(x), free(some);
}

/* u = 0, 1 and the ends of shares. */
static void check_picks(void) {
  const double upto[] = {0.25, 0.25, 1.0}, u[] = {0.0, 0.2, 0.25, 0.5, 1.0};
  const size_t wanted[] = {0, 0, 2, 2, 2};
  for (size_t i = 0; i < 5; i++) CHECK(pick_component(upto, 3, u[i]) == wanted[i], "the component of %g", u[i]);
}

void test_components(void) {
  check_picks();
  check_draws(1, 1, 0);
  check_draws(2, 3, 1);
  check_draws(16, 9, 0);
}
