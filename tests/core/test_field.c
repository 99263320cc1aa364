#include "check.h"
#include "core/base/linalg.h"
#include "core/flow/curvature.h"
#include "core/flow/field.h"
#include "core/flow/volume.h"
#include "core/pair/riesz.h"

#define MOST_THREADS 2
/* No more rows than this are all examined by largest_curvature(); beyond, it looks at those with the
 * largest bounds only and may miss the largest eigenvalue, here by 11 % at most. */
#define ALL_EXAMINED 64
#define TOLERANCE_UNEXAMINED 0.12

typedef struct {
  size_t n, dim;
  double s, epsilon;
} flow;

/* The field at y and the Jacobian [dim, dim] of it, from the definition: sources x, without row `own`
 * (NO_SELF: all). Returns the multiple of the identity in the Jacobian. */
static double reference_field(const flow *f, const double *x, const double *y, size_t own, double *gradient,
                              double *jacobian) {
  const size_t dim = f->dim;
  const double count = (double)f->n - 1.0;
  double *z = new_doubles(dim), base = 0.0;
  for (size_t c = 0; c < dim; c++) gradient[c] = 0.0;
  for (size_t c = 0; c < dim * dim; c++) jacobian[c] = 0.0;
  for (size_t a = 0; a < f->n; a++) {
    if (a == own) continue;
    double r2 = 0.0;
    for (size_t c = 0; c < dim; c++) {
      z[c] = y[c] - x[a * dim + c];
      r2 += z[c] * z[c];
    }
    const double u = r2 + f->epsilon, w = pow(u, -(f->s / 2.0 + 1.0));
    for (size_t c = 0; c < dim; c++) {
      gradient[c] += (1.0 - w) * z[c] / count;
      for (size_t e = 0; e < dim; e++) jacobian[c * dim + e] += (f->s + 2.0) * w / u * z[c] * z[e] / count;
      jacobian[c * dim + c] += (1.0 - w) / count;
    }
    base += (1.0 - w) / count;
  }
  free(z);
  return base;
}

/* Largest eigenvalue of base I plus a positive semidefinite [dim, dim] matrix, given as their sum. */
static double largest_eigenvalue(const double *a, size_t dim, double base) {
  double *v = new_doubles(dim), *image = new_doubles(dim), value = 0.0;
  normals(v, dim, 80u);
  for (int step = 0; step < 2000; step++) {
    const double length = norm(v, dim);
    if (!(length > 0.0)) break;
    for (size_t c = 0; c < dim; c++) v[c] /= length;
    for (size_t c = 0; c < dim; c++) image[c] = dot(a + c * dim, v, dim) - base * v[c];
    const double now = dot(v, image, dim);
    memcpy(v, image, dim * sizeof(double));
    const int settled = fabs(now - value) <= 1e-12 * now;
    value = now;
    if (settled) break;
  }
  free(v), free(image);
  return base + value;
}

static field_values new_field(size_t n, size_t dim) {
  const field_values field = {new_doubles(n * dim), new_doubles(n), new_doubles(n), new_doubles(n), new_doubles(n)};
  return field;
}

static void free_field(field_values *field) {
  free(field->gradient), free(field->curvature), free(field->repulsion), free(field->nearest), free(field->weight);
}

static void mean_of_rows(void) {
  const double packed[] = {1.0, 10.0, 2.0, 20.0, 6.0, 60.0};
  double mean[2];
  mean_rows(mean, packed, 3, 2);
  CHECK(mean[0] == 3.0 && mean[1] == 30.0, "the mean is (%g, %g)", mean[0], mean[1]);
  mean_rows(mean, packed, 1, 2);
  CHECK(mean[0] == 1.0 && mean[1] == 10.0, "the mean of one row");
}

/* The field of the particles, its trace bound and the largest curvature over them. */
static void particles(const flow *f) {
  const size_t n = f->n, dim = f->dim;
  double *x = new_doubles(n * dim), *mean = new_doubles(dim), *gradient = new_doubles(dim),
         *jacobian = new_doubles(dim * dim);
  normals(x, n * dim, 81u);
  mean_rows(mean, x, n, dim);
  pair_task task = {.query = x, .n_query = n, .row_stride = dim, .column_stride = 1, .source = x,
                    .n_source = n, .dim = dim, .self = 0, .kernel = riesz_kernel(f->s, f->epsilon)};
  pairwise_prepare(&task);
  field_values field = new_field(n, dim), again = new_field(n, dim);
  double *workspace = new_doubles(MOST_THREADS * pairwise_workspace(dim));
  field_rows(&task, mean, &field, workspace, 1);
  field_rows(&task, mean, &again, workspace, MOST_THREADS);
  CHECK(!memcmp(field.gradient, again.gradient, n * dim * sizeof(double)) &&
            !memcmp(field.curvature, again.curvature, n * sizeof(double)),
        "n = %zu, d = %zu, s = %g: the field depends on the threads", n, dim, f->s);

  double error = 0.0, largest = -INFINITY, slack = INFINITY, size = 1.0;
  for (size_t i = 0; i < n; i++) {
    const double base = reference_field(f, x, x + i * dim, i, gradient, jacobian);
    for (size_t c = 0; c < dim; c++) {
      error = fmax(error, fabs(field.gradient[c * n + i] - gradient[c]));
      size = fmax(size, fabs(gradient[c]));
    }
    const double eigenvalue = largest_eigenvalue(jacobian, dim, base);
    largest = fmax(largest, eigenvalue);
    slack = fmin(slack, field.curvature[i] - eigenvalue);
    if (dim == 1) error = fmax(error, fabs(field.curvature[i] - eigenvalue) / fmax(1.0, fabs(eigenvalue)));
  }
  CHECK(error <= TOLERANCE_ROUNDING * size, "n = %zu, d = %zu, s = %g: the field is off by %g", n, dim, f->s, error);
  CHECK(slack >= -1e-9 * fmax(1.0, fabs(largest)), "n = %zu, d = %zu, s = %g: a bound falls short by %g", n, dim, f->s,
        -slack);

  ranked_row *ranking = malloc(n * sizeof *ranking);
  double *scratch = new_doubles(curvature_workspace(n, dim, MOST_THREADS));
  if (!ranking) exit(2);
  const double found = largest_curvature(x, n, dim, &task.kernel, field.curvature, ranking, scratch, 1);
  const double found_again =
      largest_curvature(x, n, dim, &task.kernel, field.curvature, ranking, scratch, MOST_THREADS);
  CHECK(!memcmp(&found, &found_again, sizeof found), "n = %zu, d = %zu: the curvature depends on the threads", n, dim);
  CHECK(found <= largest + TOLERANCE_EIGENVALUE * fabs(largest),
        "n = %zu, d = %zu, s = %g: a curvature of %g, but the largest is %g", n, dim, f->s, found, largest);
  CHECK(found >= largest - (n <= ALL_EXAMINED ? TOLERANCE_EIGENVALUE : TOLERANCE_UNEXAMINED) * fabs(largest),
        "n = %zu, d = %zu, s = %g: the largest curvature is %g, not %g", n, dim, f->s, found, largest);
  free(ranking), free(scratch), free(x), free(mean), free(gradient), free(jacobian), free(workspace);
  free_field(&field), free_field(&again);
}

/* Points that are no particles feel all n of them. */
static void other_points(const flow *f, size_t m) {
  const size_t n = f->n, dim = f->dim;
  double *x = new_doubles(n * dim), *y = new_doubles(m * dim), *mean = new_doubles(dim);
  double *gradient = new_doubles(dim), *jacobian = new_doubles(dim * dim);
  normals(x, n * dim, 82u);
  normals(y, m * dim, 83u);
  mean_rows(mean, x, n, dim);
  pair_task task = {.query = y, .n_query = m, .row_stride = dim, .column_stride = 1, .source = x,
                    .n_source = n, .dim = dim, .self = NO_SELF, .kernel = riesz_kernel(f->s, f->epsilon)};
  pairwise_prepare(&task);
  field_values field = new_field(m, dim);
  double *workspace = new_doubles(pairwise_workspace(dim)), error = 0.0;
  field_rows(&task, mean, &field, workspace, 1);
  for (size_t i = 0; i < m; i++) {
    reference_field(f, x, y + i * dim, NO_SELF, gradient, jacobian);
    for (size_t c = 0; c < dim; c++) error = fmax(error, fabs(field.gradient[c * m + i] - gradient[c]));
  }
  CHECK(error <= 10.0 * TOLERANCE_ROUNDING, "%zu other points, d = %zu, s = %g: the field is off by %g", m, dim, f->s,
        error);
  free(x), free(y), free(mean), free(gradient), free(jacobian), free(workspace);
  free_field(&field);
}

/* log det (I - gamma J) by elimination on the reference Jacobian; NaN where the matrix is not definite. */
static void volumes(const flow *f, double gamma) {
  const size_t n = f->n, dim = f->dim;
  double *x = new_doubles(n * dim), *gradient = new_doubles(dim), *jacobian = new_doubles(dim * dim);
  double *log_det = new_doubles(n), *again = new_doubles(n);
  double *workspace = new_doubles(step_log_det_workspace(dim, MOST_THREADS));
  normals(x, n * dim, 84u);
  pair_task task = {.query = x, .n_query = n, .row_stride = dim, .column_stride = 1, .source = x,
                    .n_source = n, .dim = dim, .self = 0, .kernel = riesz_kernel(f->s, f->epsilon)};
  pairwise_prepare(&task);
  step_log_det(&task, gamma, log_det, workspace, 1);
  step_log_det(&task, gamma, again, workspace, MOST_THREADS);
  CHECK(!memcmp(log_det, again, n * sizeof(double)), "n = %zu, d = %zu: the determinant depends on the threads", n,
        dim);
  double error = 0.0;
  for (size_t i = 0; i < n; i++) {
    reference_field(f, x, x + i * dim, i, gradient, jacobian);
    for (size_t c = 0; c < dim * dim; c++) jacobian[c] = (c % (dim + 1) ? 0.0 : 1.0) - gamma * jacobian[c];
    const double total = cholesky_factor(jacobian, dim) ? 0.0 : NAN;
    double expected = total;
    for (size_t c = 0; c < dim; c++) expected += 2.0 * log(jacobian[c * dim + c]);
    if (isnan(total)) expected = NAN;
    CHECK(isnan(expected) == isnan(log_det[i]), "n = %zu, d = %zu: row %zu is %g", n, dim, i, log_det[i]);
    if (!isnan(expected)) error = fmax(error, fabs(expected - log_det[i]));
  }
  CHECK(error <= TOLERANCE_ROUNDING * 10.0 * (double)dim, "n = %zu, d = %zu, s = %g: off by %g", n, dim, f->s, error);
  free(x), free(gradient), free(jacobian), free(log_det), free(again), free(workspace);
}

void test_field(void) {
  mean_of_rows();
  const size_t n[] = {2, 9, 200}, dim[] = {1, 2, 5, 17};
  const double s[] = {0.0, -1.0, 1.0, 0.5, -1.5};
  for (size_t i = 0; i < 3; i++) {
    for (size_t j = 0; j < 4; j++) {
      for (size_t k = 0; k < 5; k++) {
        const flow f = {n[i], dim[j], s[k], 0.2};
        particles(&f);
        other_points(&f, 0);
        other_points(&f, 13);
        volumes(&f, 0.3);
      }
    }
  }
  const flow sharp = {60, 3, 1.0, 1e-3};
  particles(&sharp);
}
