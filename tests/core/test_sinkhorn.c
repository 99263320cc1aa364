#include "check.h"
#include "core/pair/simd.h"
#include "core/pair/sinkhorn.h"

/* T(g)_i in long double */
static double slow_minimum(const double *x, const double *y, const double *g, size_t m, size_t dim, double epsilon) {
  long double most = -INFINITY, sum = 0.0L;
  for (int pass = 0; pass < 2; pass++) {
    for (size_t j = 0; j < m; j++) {
      long double distance2 = 0.0L;
      for (size_t c = 0; c < dim; c++) {
        const long double z = (long double)x[c] - (long double)y[j * dim + c];
        distance2 += z * z;
      }
      const long double exponent = ((long double)g[j] - 0.5L * distance2) / (long double)epsilon;
      if (pass) sum += expl(exponent - most);
      else if (exponent > most) most = exponent;
    }
  }
  return (double)(-(long double)epsilon * (most + logl(sum / (long double)m)));
}

/* Near, and so far apart that every term of the Gaussian sum is zero. */
static void against_reference(size_t n, size_t m, size_t dim, double spread, double epsilon) {
  const transport_task tasks[] = {{.n = n, .m = m, .dim = dim}, {.n = n, .m = n, .dim = dim}};
  double *x = new_doubles(n * dim), *y = new_doubles(m * dim), *g = new_doubles(m > n ? m : n), *out = new_doubles(n);
  double *workspace = new_doubles(sinkhorn_workspace(&tasks[0], 2) + sinkhorn_workspace(&tasks[1], 2));
  normals(x, n * dim, 90u), normals(y, m * dim, 91u), normals(g, m > n ? m : n, 92u);
  for (size_t i = 0; i < n * dim; i++) x[i] *= spread;
  const char *names[8];
  const size_t n_names = simd_available(names, 8);
  for (size_t t = 0; t < n_names; t++) {
    simd_select(names[t]);
    for (int own = 0; own < 2; own++) {
      transport_task task = tasks[own];
      task.x = x;
      task.y = own ? NULL : y;
      soft_minimum(&task, g, epsilon, out, workspace, 2);
      double error = 0.0;
      for (size_t i = 0; i < n; i++) {
        const double wanted = slow_minimum(x + i * dim, own ? x : y, g, task.m, dim, epsilon);
        error = fmax(error, fabs(out[i] - wanted) / (1.0 + fabs(wanted)));
      }
      CHECK(error <= TOLERANCE_SOFT_MINIMUM,
            "%s: n = %zu, m = %zu, d = %zu, spread %g, eps %g: a soft minimum is off by %g", names[t], n, task.m, dim,
            spread, epsilon, error);
    }
  }
  free(x), free(y), free(g), free(out), free(workspace);
}

/* At rest both marginals hold, more threads change no bit, and a plain step does not lower the value. */
static void to_rest(size_t n, size_t m, size_t dim, int own) {
  const double epsilon = 0.5;
  double *x = new_doubles(n * dim), *y = new_doubles(m * dim);
  double *f = new_doubles(4 * (n + m)), *g = f + n, *f2 = g + m, *g2 = f2 + n;
  const transport_task task = {.x = x, .y = own ? NULL : y, .n = n, .m = own ? n : m, .dim = dim};
  double *workspace = new_doubles(sinkhorn_workspace(&task, 3));
  normals(x, n * dim, 93u), normals(y, m * dim, 94u);
  for (size_t i = 0; i < n; i++) f[i] = f2[i] = 0.0;
  for (size_t j = 0; j < m; j++) g[j] = g2[j] = 0.0;
  transport_state state = {.f = f, .g = g}, twin = {.f = f2, .g = g2};
  double value = -INFINITY;
  int rises = 1, same = 1;
  for (int round = 0; round < 40; round++) {
    const double relaxation = round % 2 ? 1.5 : 1.0;
    CHECK(sinkhorn_steps(&task, &state, epsilon, relaxation, 5, workspace, 1) == STATUS_ok, "steps refused");
    sinkhorn_steps(&task, &twin, epsilon, relaxation, 5, workspace, 3);
    same = same && !memcmp(f, f2, n * sizeof *f) && !memcmp(g, g2, m * sizeof *g) && state.value == twin.value;
    if (round % 2 == 0 && !own) {
      rises = rises && state.value >= value - TOLERANCE_ROUNDING * fabs(value);
      value = state.value;
    }
  }
  CHECK(same, "n = %zu, m = %zu: the potentials depend on the threads", n, m);
  CHECK(rises, "n = %zu, m = %zu: the value falls", n, m);
  CHECK(state.error <= 1e-8, "n = %zu, m = %zu, own = %d: %g of the mass is in the wrong place", n, m, own,
        state.error);
  free(x), free(y), free(f), free(workspace);
}

void test_sinkhorn(void) {
  const double spread[] = {1.0, 1e3}, epsilon[] = {10.0, 0.1, 1e-4};
  for (size_t s = 0; s < 2; s++) {
    for (size_t e = 0; e < 3; e++) {
      against_reference(1, 1, 1, spread[s], epsilon[e]);
      against_reference(9, 33, 2, spread[s], epsilon[e]);
      against_reference(40, 17, 20, spread[s], epsilon[e]);
    }
  }
  to_rest(30, 41, 2, 0);
  to_rest(900, 700, 17, 0); /* enough pairs for a second thread */
  to_rest(30, 30, 2, 1);

  double one = 0.0, f = 0.0, g = 0.0, *workspace;
  const transport_task task = {.x = &one, .y = &one, .n = 1, .m = 1, .dim = 1};
  transport_state state = {.f = &f, .g = &g};
  workspace = new_doubles(sinkhorn_workspace(&task, 1));
  CHECK(sinkhorn_steps(&task, &state, 0.0, 1.0, 1, workspace, 1) == STATUS_bad_argument, "epsilon 0 is taken");
  CHECK(sinkhorn_steps(&task, &state, NAN, 1.0, 1, workspace, 1) == STATUS_bad_argument, "epsilon NaN is taken");
  CHECK(sinkhorn_steps(&task, &state, 1.0, 2.0, 1, workspace, 1) == STATUS_bad_argument, "relaxation 2 is taken");
  CHECK(sinkhorn_steps(&task, &state, 1.0, 1.0, 3, workspace, 1) == STATUS_ok && f == 0.0 && state.value == 0.0,
        "a point against itself has the value %g", state.value);
  free(workspace);
}
