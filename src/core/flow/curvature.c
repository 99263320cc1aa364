#include "core/flow/curvature.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/pair/pairwise.h"

/* Rows examined at a time; fixed, so that the answer does not depend on the number of threads. */
#define CURVATURE_BATCH 64
#define POWER_STEPS 200
#define POWER_TOLERANCE 1e-6

/* The Jacobian of the field is
 *   J(y) = 1/(n-1) [sum (1-w) I + (s+2) sum (w/u) z z']. */

/* image = A direction, A packed by rows of its lower triangle. */
static void apply_triangle(const double *a, size_t dim, const double *direction, double *image) {
  memset(image, 0, dim * sizeof(double));
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e < c; e++, a++) {
      image[c] += *a * direction[e];
      image[e] += *a * direction[c];
    }
    image[c] += *a++ * direction[c];
  }
}

/* sum (w/u) z z' as a map, without the matrix. */
typedef struct {
  const double *packed, *y;
  size_t n, dim;
  double *scale;          /* [n] w/u */
  const double *triangle; /* or the matrix, where it is there */
} pair_outer;

static void apply_outer(const pair_outer *outer, const double *direction, double *image) {
  const size_t dim = outer->dim;
  if (outer->triangle) {
    apply_triangle(outer->triangle, dim, direction, image);
    return;
  }
  memset(image, 0, dim * sizeof(double));
  for (size_t a = 0; a < outer->n; a++) {
    const double *x = outer->packed + a * dim;
    double along = 0.0;
    for (size_t c = 0; c < dim; c++) along += (outer->y[c] - x[c]) * direction[c];
    along *= outer->scale[a];
    for (size_t c = 0; c < dim; c++) image[c] += along * (outer->y[c] - x[c]);
  }
}

/* The largest eigenvalue by power iteration from `direction`. */
static double largest_eigenvalue(const pair_outer *outer, double *direction, double *image) {
  const size_t dim = outer->dim;
  double length = norm(direction, dim), eigenvalue = 0.0;
  for (int step = 0; step < POWER_STEPS && length > 0.0; step++) {
    for (size_t c = 0; c < dim; c++) direction[c] /= length;
    apply_outer(outer, direction, image);
    length = norm(image, dim);
    const int settled = fabs(length - eigenvalue) <= POWER_TOLERANCE * length;
    eigenvalue = length;
    if (settled) break;
    memcpy(direction, image, dim * sizeof(double));
  }
  return eigenvalue;
}

/* By power iteration from the steepest column. */
double triangle_eigenvalue(const double *triangle, size_t dim, double *direction, double *image) {
  const pair_outer outer = {.dim = dim, .triangle = triangle};
  size_t steepest = 0;
  double most = -1.0;
  for (size_t c = 0; c < dim; c++) {
    const double diagonal = triangle[triangle_size(c) + c];
    if (diagonal > most) most = diagonal, steepest = c;
  }
  for (size_t c = 0; c < dim; c++) {
    const size_t row = c > steepest ? c : steepest, column = c > steepest ? steepest : c;
    direction[c] = triangle[triangle_size(row) + column];
  }
  return largest_eigenvalue(&outer, direction, image);
}

/* sum w and the largest eigenvalue of sum (w/u) z z' at particle i, in any dimension. */
typedef struct {
  double weight, eigenvalue;
} row_steepness;

static row_steepness steepness_without_matrix(const double *packed, size_t n, size_t dim,
                                              const pair_kernel *potential, size_t i, double *workspace) {
  double *direction = workspace + n, *image = direction + dim;
  const double *y = packed + i * dim;
  const pair_outer outer = {.packed = packed, .y = y, .n = n, .dim = dim, .scale = workspace};
  double repulsion = 0.0, largest = -1.0;
  size_t strongest = i;
  for (size_t a = 0; a < n; a++) {
    outer.scale[a] = 0.0;
    if (a == i) continue;
    const double *x = packed + a * dim;
    double distance2 = 0.0;
    for (size_t c = 0; c < dim; c++) distance2 += (y[c] - x[c]) * (y[c] - x[c]);
    const double u = distance2 + potential->epsilon;
    const double weight = kernel_weight(potential, u);
    outer.scale[a] = weight / u;
    repulsion += weight;
    if (weight / u * distance2 > largest) {
      largest = weight / u * distance2;
      strongest = a;
    }
  }
  /* start along the strongest pair, which alone decides where a close pair dominates */
  for (size_t c = 0; c < dim; c++) direction[c] = y[c] - packed[strongest * dim + c];
  const row_steepness out = {repulsion, largest_eigenvalue(&outer, direction, image)};
  return out;
}

/* A batch of rows: their coordinates, sums of weights and triangles; then what the engine needs. */
size_t curvature_workspace(size_t n, size_t dim, int threads) {
  if (dim > TILE_HESSIAN_DIM) return (size_t)threads * (n + 2 * dim);
  const size_t batch = CURVATURE_BATCH * (dim + 1 + triangle_size(dim)) + 2 * dim;
  return batch + (size_t)threads * pairwise_hessian_workspace(dim);
}

typedef struct {
  const double *packed;
  size_t n, dim;
  const pair_kernel *potential;
  const ranked_row *rows;
  row_steepness *out;
  double *workspace;
} steepness_plan;

static void run_without_matrix(size_t from, size_t to, size_t part, void *context) {
  const steepness_plan *plan = context;
  double *workspace = plan->workspace + part * (plan->n + 2 * plan->dim);
  for (size_t b = from; b < to; b++) {
    plan->out[b] =
        steepness_without_matrix(plan->packed, plan->n, plan->dim, plan->potential, plan->rows[b].row, workspace);
  }
}

/* At most CURVATURE_BATCH rows, by their triangles from the pair engine. */
static void steepness_by_matrix(const steepness_plan *plan, size_t count, int threads) {
  const size_t dim = plan->dim;
  double *query = plan->workspace, *weight = query + CURVATURE_BATCH * dim, *triangles = weight + CURVATURE_BATCH;
  double *direction = triangles + CURVATURE_BATCH * triangle_size(dim), *image = direction + dim;
  size_t own[CURVATURE_BATCH];
  for (size_t b = 0; b < count; b++) {
    own[b] = plan->rows[b].row;
    memcpy(query + b * dim, plan->packed + own[b] * dim, dim * sizeof(double));
  }
  pair_task task = {
      .query = query,
      .n_query = count,
      .row_stride = dim,
      .column_stride = 1,
      .source = plan->packed,
      .n_source = plan->n,
      .dim = dim,
      .self = NO_SELF,
      .own = own,
      .kernel = *plan->potential,
  };
  pairwise_prepare(&task);
  const pair_sums sums = {.weight = weight, .hessian = triangles};
  pairwise_all(&task, &sums, image + dim, threads);
  for (size_t b = 0; b < count; b++) {
    plan->out[b].weight = weight[b];
    plan->out[b].eigenvalue = triangle_eigenvalue(triangles + b * triangle_size(dim), dim, direction, image);
  }
}

static void steepness_of_rows(steepness_plan *plan, size_t count, int threads) {
  if (plan->dim <= TILE_HESSIAN_DIM) {
    steepness_by_matrix(plan, count, threads);
  } else {
    parallel_ranges(count, threads_worth_pairs(count, plan->n, 4 * plan->dim, threads), run_without_matrix, plan);
  }
}

static int by_bound(const void *left, const void *right) {
  const ranked_row *a = left, *b = right;
  if (a->bound != b->bound) return a->bound > b->bound ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

/* As many rows as cost about a tenth of the field (2.5 d + 12 operations a pair there, d^2/2 + 5 d + 20 here),
 * and one batch in any case. */
static size_t rows_worth_a_look(size_t n, size_t dim) {
  const double d = (double)dim;
  const double share = 0.1 * (2.5 * d + 12.0) / (0.5 * d * d + 5.0 * d + 20.0);
  const size_t least = dim <= TILE_HESSIAN_DIM ? CURVATURE_BATCH : CURVATURE_BATCH / 4;
  const size_t worth = (size_t)(share * (double)n);
  return worth > least ? worth : least;
}

double largest_curvature(const double *packed, size_t n, size_t dim, const pair_kernel *potential,
                         const double *bounds, ranked_row *ranking, double *workspace, int threads) {
  size_t most = rows_worth_a_look(n, dim);
  if (most > n) most = n;
  for (size_t i = 0; i < n; i++) {
    ranking[i].bound = bounds[i];
    ranking[i].row = i;
  }
  qsort(ranking, n, sizeof(ranked_row), by_bound);
  const double pairs = (double)(n - 1);
  double found = -INFINITY;
  for (size_t first = 0; first < most && found < ranking[first].bound; first += CURVATURE_BATCH) {
    const size_t batch = most - first < CURVATURE_BATCH ? most - first : CURVATURE_BATCH;
    row_steepness steepness[CURVATURE_BATCH];
    steepness_plan plan = {
        .packed = packed,
        .n = n,
        .dim = dim,
        .potential = potential,
        .rows = ranking + first,
        .out = steepness,
        .workspace = workspace,
    };
    steepness_of_rows(&plan, batch, threads);
    for (size_t b = 0; b < batch; b++) {
      const double value = (pairs - steepness[b].weight + (potential->s + 2.0) * steepness[b].eigenvalue) / pairs;
      found = fmax(found, value);
    }
  }
  return found;
}
