#include "check.h"
#include "core/flow/inverse.h"
#include "core/pair/riesz.h"
#include "core/flow/field.h"
#include "core/base/linalg.h"

#define MOST_THREADS 2
#define MOST_EVALUATIONS 30
/* Points on top of a particle are solved in at most 19 evaluations; with a wrong Jacobian the damping still
 * brings them home, but in twice as many. */
#define NEWTON_EVALUATIONS 25

typedef struct {
  inverse_step step;
  double *source, *mean, *workspace;
} world;

static world new_world(size_t n, size_t dim, double s, double epsilon, double gamma) {
  world w;
  w.source = new_doubles(n * dim);
  w.mean = new_doubles(dim);
  w.workspace = new_doubles(MOST_THREADS * backward_workspace(dim));
  normals(w.source, n * dim, 90u);
  mean_rows(w.mean, w.source, n, dim);
  const inverse_step step = {.source = w.source, .mean = w.mean, .n = n, .dim = dim,
                             .potential = riesz_kernel(s, epsilon), .gamma = gamma};
  w.step = step;
  return w;
}

static void free_world(world *w) {
  free(w->source), free(w->mean), free(w->workspace);
}

/* out <- weight sum_a grad W(v - x_a), from the definition, at row i of the column-major [m, dim] v. */
static void drift(const world *w, const double *v, size_t m, size_t i, double weight, double *out) {
  const size_t dim = w->step.dim;
  for (size_t c = 0; c < dim; c++) out[c] = 0.0;
  for (size_t a = 0; a < w->step.n; a++) {
    double r2 = 0.0;
    for (size_t c = 0; c < dim; c++) {
      const double z = v[c * m + i] - w->source[a * dim + c];
      r2 += z * z;
    }
    const double factor = 1.0 - pow(r2 + w->step.potential.epsilon, -w->step.potential.exponent);
    for (size_t c = 0; c < dim; c++) out[c] += weight * factor * (v[c * m + i] - w->source[a * dim + c]);
  }
}

static double exact_weight(const world *w) {
  return w->step.gamma / ((double)w->step.n - 1.0);
}

/* Points v pushed forward by y = v - gamma/(n-1) sum grad W(v - x_a), and back. */
static void there_and_back(size_t n, size_t dim, size_t m, double s, double epsilon, double gamma) {
  world w = new_world(n, dim, s, epsilon, gamma);
  double *v = new_doubles(m * dim), *y = new_doubles(m * dim), *step = new_doubles(dim);
  double *out = new_doubles(m * dim), *again = new_doubles(m * dim), *residual = new_doubles(m);
  int *evaluations = calloc(m + 1, sizeof *evaluations);
  if (!evaluations) exit(2);
  normals(v, m * dim, 91u);
  for (size_t i = 0; i < m; i++) {
    drift(&w, v, m, i, exact_weight(&w), step);
    for (size_t c = 0; c < dim; c++) y[c * m + i] = v[c * m + i] - step[c];
  }
  /* the step is a contraction of known strength: the answer is unique and well conditioned */
  const double bound = gamma * (double)n / ((double)n - 1.0) * riesz_curvature(&w.step.potential);
  CHECK(bound < 0.9, "the case n = %zu, d = %zu, s = %g is not well posed: b = %g", n, dim, s, bound);
  invert_points(&w.step, y, y, m, SOLVER_TOLERANCE, MOST_EVALUATIONS, out, residual, evaluations, NULL, w.workspace, 1);
  double error = 0.0, largest = 0.0;
  int most = 0;
  for (size_t i = 0; i < m; i++) {
    double distance2 = 0.0;
    for (size_t c = 0; c < dim; c++) distance2 += (out[c * m + i] - v[c * m + i]) * (out[c * m + i] - v[c * m + i]);
    error = fmax(error, sqrt(distance2));
    largest = fmax(largest, residual[i]);
    if (evaluations[i] > most) most = evaluations[i];
  }
  CHECK(error <= TOLERANCE_INVERSE, "n = %zu, d = %zu, m = %zu, s = %g: the inverse is off by %g", n, dim, m, s, error);
  CHECK(largest <= SOLVER_TOLERANCE, "n = %zu, d = %zu, m = %zu, s = %g: a residual of %g", n, dim, m, s, largest);
  CHECK(most <= MOST_EVALUATIONS, "n = %zu, d = %zu, m = %zu, s = %g: %d evaluations", n, dim, m, s, most);
  invert_points(&w.step, y, y, m, SOLVER_TOLERANCE, MOST_EVALUATIONS, again, residual, evaluations, NULL, w.workspace,
                MOST_THREADS);
  CHECK(!memcmp(out, again, m * dim * sizeof(double)), "n = %zu, d = %zu, m = %zu: the inverse depends on the threads",
        n, dim, m);
  free(v), free(y), free(step), free(out), free(again), free(residual), free(evaluations);
  free_world(&w);
}

/* A softening far below the spacing of the particles and points on top of them: there may be several
 * answers, so what is asked is that each is one, by the definition, and that the residual says so. */
static void difficult(size_t dim, double s, double epsilon, double spread) {
  enum { M = 33, N = 40 };
  world w = new_world(N, dim, s, epsilon, 0.1);
  double *y = new_doubles(M * dim), *out = new_doubles(M * dim), *residual = new_doubles(M), *step = new_doubles(dim);
  int evaluations[M];
  normals(y, M * dim, 92u);
  for (size_t i = 0; i < M; i++) {
    for (size_t c = 0; c < dim; c++) y[c * M + i] = w.source[i * dim + c] + spread * y[c * M + i];
  }
  invert_points(&w.step, y, y, M, 1e-9, MOST_EVALUATIONS, out, residual, evaluations, NULL, w.workspace, 1);
  int finite = 1, unsolved = 0, most = 0;
  double disagreement = 0.0;
  for (size_t i = 0; i < M; i++) {
    drift(&w, out, M, i, exact_weight(&w), step);
    double own = 0.0, terms = 1.0;
    for (size_t c = 0; c < dim; c++) {
      const double F = out[c * M + i] - y[c * M + i] - step[c];
      own += F * F;
      terms += fabs(step[c]);
      finite = finite && isfinite(out[c * M + i]);
    }
    disagreement = fmax(disagreement, fabs(sqrt(own) - residual[i]) / terms);
    unsolved += residual[i] > 1e-9;
    if (evaluations[i] > most) most = evaluations[i];
  }
  CHECK(finite, "d = %zu, s = %g, epsilon = %g: a point is not finite", dim, s, epsilon);
  CHECK(unsolved == 0, "d = %zu, s = %g, epsilon = %g: %d of %d points are not solved", dim, s, epsilon, unsolved,
        (int)M);
  CHECK(spread > 1e-3 || most <= NEWTON_EVALUATIONS, "d = %zu, s = %g, epsilon = %g: %d evaluations", dim, s, epsilon,
        most);
  CHECK(disagreement <= 1e-9, "d = %zu, s = %g, epsilon = %g: residuals differ from the definition by %g", dim, s,
        epsilon, disagreement);
  free(y), free(out), free(residual), free(step);
  free_world(&w);
}

/* The paper's loop, against the same loop without tiles. */
static void paper(size_t n, size_t dim, size_t m) {
  enum { INNER = 40 };
  const double beta = 0.1;
  world w = new_world(n, dim, 1.0, 0.05, 0.1);
  double *y = new_doubles(m * dim), *v = new_doubles(m * dim), *step = new_doubles(dim);
  double *out = new_doubles(m * dim), *again = new_doubles(m * dim), *residual = new_doubles(m);
  normals(y, m * dim, 93u);
  memcpy(v, y, m * dim * sizeof(double));
  const double weight = w.step.gamma / (double)n;
  invert_points_paper(&w.step, y, y, m, beta, INNER, out, residual, w.workspace, 1);
  double error = 0.0;
  for (size_t i = 0; i < m; i++) {
    double size = 0.0;
    for (int inner = 0; inner <= INNER; inner++) {
      drift(&w, v, m, i, weight, step);
      size = 0.0;
      for (size_t c = 0; c < dim; c++) {
        const double F = v[c * m + i] - y[c * m + i] - step[c];
        size += F * F;
        if (inner < INNER) v[c * m + i] -= beta * F;
      }
    }
    for (size_t c = 0; c < dim; c++) error = fmax(error, fabs(out[c * m + i] - v[c * m + i]));
    error = fmax(error, fabs(residual[i] - sqrt(size)));
  }
  CHECK(error <= TOLERANCE_INVERSE, "n = %zu, d = %zu, m = %zu: the paper's loop is off by %g", n, dim, m, error);
  invert_points_paper(&w.step, y, y, m, beta, INNER, again, residual, w.workspace, MOST_THREADS);
  CHECK(!memcmp(out, again, m * dim * sizeof(double)),
        "n = %zu, d = %zu, m = %zu: the paper's loop depends on the threads", n, dim, m);
  invert_points_paper(&w.step, y, y, m, beta, INNER / 4, v, residual, w.workspace, 1);
  invert_points_paper(&w.step, y, v, m, beta, INNER - INNER / 4, again, residual, w.workspace, 1);
  CHECK(!memcmp(out, again, m * dim * sizeof(double)),
        "n = %zu, d = %zu, m = %zu: the paper's loop in two parts is another", n, dim, m);
  invert_points_paper(&w.step, y, y, m, beta, 0, again, residual, w.workspace, 1);
  CHECK(!memcmp(y, again, m * dim * sizeof(double)), "no inner step, but the points have moved");
  free(y), free(v), free(step), free(out), free(again), free(residual);
  free_world(&w);
}

void test_inverse(void) {
  const size_t m[] = {0, 1, 33}, dim[] = {1, 2, 5, 17};
  for (size_t i = 0; i < 3; i++) {
    for (size_t j = 0; j < 4; j++) {
      there_and_back(200, dim[j], m[i], 0.0, 0.5, 0.1);
      there_and_back(200, dim[j], m[i], -1.0, 0.5, 0.5);
      there_and_back(2, dim[j], m[i], 1.0, 1.0, 0.1);
      there_and_back(200, dim[j], m[i], 0.5, 0.5, 0.1);
      paper(200, dim[j], m[i]);
    }
  }
  const double spread[] = {1e-6, 1e-3, 0.1};
  for (size_t i = 0; i < 3; i++) {
    difficult(1, 0.0, 1e-3, spread[i]);
    difficult(2, 0.0, 1e-4, spread[i]);
    difficult(2, 1.0, 1e-3, spread[i]);
    difficult(5, 2.0, 1e-2, spread[i]);
    difficult(15, 0.0, 1e-3, spread[i]);
  }
  /* beyond the largest dimension for which a matrix is formed */
  there_and_back(50, 130, 33, 0.0, 0.5, 0.1);
  difficult(130, 0.0, 1e-2, 0.1);
}
