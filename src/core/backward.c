#include "core/backward.h"

#include <math.h>
#include <string.h>

#include "core/linalg.h"

/* Points solved together: they share the pair tiles. */
#define BLOCK 32
/* Broyden updates kept before a restart. */
#define MEMORY 10
/* The Newton fall-back forms a [dim, dim] matrix; above this it steps along the scaled residual instead. */
#define NEWTON_MAX_DIM 128
#define NEWTON_STEPS 100
#define HALVINGS 40
/* The scalar model of the Jacobian is kept away from zero. */
#define SMALLEST_SLOPE 0.05

static size_t newton_dim(size_t dim) {
  return dim <= NEWTON_MAX_DIM ? dim : 1;
}

size_t backward_workspace(size_t dim) {
  const size_t block = BLOCK * dim * (MEMORY + 4); /* steps, v, y, force, residual */
  const size_t newton = newton_dim(dim) * newton_dim(dim) * 2 + 4 * dim;
  return pairwise_workspace(dim) + block + 2 * BLOCK + newton;
}

/* F at one point from sum w z. */
static void residual_from_force(const inverse_step *step, double weight, const double *v, const double *y,
                                const double *force, double *residual) {
  const double n = (double)step->n;
  for (size_t c = 0; c < step->dim; c++) {
    residual[c] = v[c] - y[c] - weight * (n * (v[c] - step->mean[c]) - force[c]);
  }
}

/* --- one difficult point: damped Newton on the proximal objective ------------------------------------ */

typedef struct {
  double objective;
  double slope; /* trace of the Jacobian of F over dim */
} local_model;

/* F, the proximal objective and, where `jacobian` is given, the Jacobian of F, at one point. */
static local_model evaluate_point(const inverse_step *step, const double *v, const double *y, double *residual,
                                  double *jacobian, double *z) {
  const size_t n = step->n, dim = step->dim;
  const double scale = step->gamma / ((double)n - 1.0);
  const riesz *potential = &step->potential;
  double energy = 0.0, weight_sum = 0.0, bound_sum = 0.0;
  memset(residual, 0, dim * sizeof(double));
  if (jacobian) memset(jacobian, 0, dim * dim * sizeof(double));
  for (size_t a = 0; a < n; a++) {
    const double *x = step->source + a * dim;
    double distance2 = 0.0;
    for (size_t c = 0; c < dim; c++) {
      z[c] = v[c] - x[c];
      distance2 += z[c] * z[c];
    }
    const double u = distance2 + potential->epsilon;
    const double weight = riesz_weight(potential, u);
    energy += 0.5 * distance2 + riesz_repulsion(potential, u);
    weight_sum += weight;
    bound_sum += weight / u * distance2;
    for (size_t c = 0; c < dim; c++) residual[c] += weight * z[c];
    if (jacobian) {
      for (size_t c = 0; c < dim; c++) {
        const double row = weight / u * z[c];
        for (size_t e = 0; e <= c; e++) jacobian[c * dim + e] += row * z[e];
      }
    }
  }
  double moved = 0.0;
  for (size_t c = 0; c < dim; c++) {
    moved += (v[c] - y[c]) * (v[c] - y[c]);
    residual[c] = v[c] - y[c] - scale * ((double)n * (v[c] - step->mean[c]) - residual[c]);
  }
  const double diagonal = 1.0 - scale * ((double)n - weight_sum);
  const double rank_one = scale * (potential->s + 2.0);
  if (jacobian) {
    for (size_t c = 0; c < dim; c++) {
      for (size_t e = 0; e <= c; e++) jacobian[c * dim + e] *= -rank_one;
      jacobian[c * dim + c] += diagonal;
    }
  }
  const local_model model = {0.5 * moved - scale * energy, diagonal - rank_one * bound_sum / (double)dim};
  return model;
}

/* direction <- -(J + tau I)^{-1} F with the smallest tau of a doubling sequence that makes it positive
 * definite, so that it descends the objective. */
static void newton_direction(const double *jacobian, const double *residual, size_t dim, double *factor,
                             double *direction) {
  double trace = 0.0;
  for (size_t c = 0; c < dim; c++) trace += fabs(jacobian[c * dim + c]);
  double tau = 0.0;
  for (;;) {
    memcpy(factor, jacobian, dim * dim * sizeof(double));
    for (size_t c = 0; c < dim; c++) factor[c * dim + c] += tau;
    if (cholesky_factor(factor, dim)) break;
    tau = tau > 0.0 ? 4.0 * tau : 1e-3 * (trace / (double)dim + 1e-3);
    if (!(tau < 1e300)) return;
  }
  for (size_t c = 0; c < dim; c++) direction[c] = -residual[c];
  cholesky_solve(factor, direction, dim);
}

static double solve_by_newton(const inverse_step *step, double *v, const double *y, double tolerance,
                              int *evaluations, double *workspace) {
  const size_t dim = step->dim, side = newton_dim(dim);
  double *jacobian = side == dim ? workspace : NULL, *factor = workspace + side * side;
  double *residual = factor + side * side, *direction = residual + dim, *trial = direction + dim;
  double *z = trial + dim;
  local_model model = evaluate_point(step, v, y, residual, jacobian, z);
  double size = norm(residual, dim);
  ++*evaluations;
  for (int iteration = 0; iteration < NEWTON_STEPS && size > tolerance; iteration++) {
    const double slope = model.slope > SMALLEST_SLOPE ? model.slope : 1.0;
    for (size_t c = 0; c < dim; c++) direction[c] = -residual[c] / slope;
    if (jacobian) newton_direction(jacobian, residual, dim, factor, direction);
    const double descent = dot(residual, direction, dim);
    int accepted = 0;
    double length = 1.0;
    for (int half = 0; half < HALVINGS && !accepted; half++, length *= 0.5) {
      for (size_t c = 0; c < dim; c++) trial[c] = v[c] + length * direction[c];
      const local_model there = evaluate_point(step, trial, y, residual, jacobian, z);
      const double there_size = norm(residual, dim);
      ++*evaluations;
      if (there_size < (1.0 - 1e-4 * length) * size ||
          there.objective < model.objective + 1e-4 * length * descent) {
        memcpy(v, trial, dim * sizeof(double));
        model = there;
        size = there_size;
        accepted = 1;
      }
    }
    if (!accepted) break; /* rounding: no shorter step improves either measure */
  }
  return size;
}

/* --- many points: Broyden's method on the shared tiles ------------------------------------------------ */

typedef struct {
  double *v, *y, *force, *residual; /* [BLOCK, dim], one row per point */
  double *history;                  /* [MEMORY, BLOCK, dim], the steps s_0, s_1, ... of Broyden's method */
  double *weight, *bound;           /* [BLOCK] */
  double *newton, *pairs;
} block_workspace;

static block_workspace carve(double *workspace, size_t dim) {
  block_workspace w;
  w.v = workspace;
  w.y = w.v + BLOCK * dim;
  w.force = w.y + BLOCK * dim;
  w.residual = w.force + BLOCK * dim;
  w.history = w.residual + BLOCK * dim;
  w.weight = w.history + MEMORY * BLOCK * dim;
  w.bound = w.weight + BLOCK;
  w.newton = w.bound + BLOCK;
  w.pairs = w.newton + newton_dim(dim) * newton_dim(dim) * 2 + 4 * dim;
  return w;
}

/* Kelley's form of the good Broyden update: from the steps taken so far and z = -F/slope, the next step
 * s_{k+1} = z / (1 - s_k.z/|s_k|^2) after z has been carried through the earlier ones. The history of
 * point p is s_0 .. s_k; returns 0 where the update breaks down. */
static int broyden_step(double *history, size_t k, size_t point, size_t dim, const double *residual,
                        double slope, double *z) {
  for (size_t c = 0; c < dim; c++) z[c] = -residual[c] / slope;
  for (size_t j = 0; j < k; j++) {
    const double *s = history + (j * BLOCK + point) * dim;
    const double *next = history + ((j + 1) * BLOCK + point) * dim;
    const double along = dot(s, z, dim) / dot(s, s, dim);
    for (size_t c = 0; c < dim; c++) z[c] += next[c] * along;
  }
  const double *last = history + (k * BLOCK + point) * dim;
  const double shrink = 1.0 - dot(last, z, dim) / dot(last, last, dim);
  if (!(shrink > 0.1)) return 0;
  for (size_t c = 0; c < dim; c++) z[c] /= shrink;
  return 1;
}

typedef enum { POINT_running, POINT_done, POINT_difficult } point_state;

static void solve_block(const inverse_step *step, pair_task *task, const double *y, const double *guess,
                        size_t m, size_t first, size_t count, double tolerance, int most_evaluations,
                        double *out, double *residual, int *evaluations, double *workspace) {
  const size_t dim = step->dim;
  const double scale = step->gamma / ((double)step->n - 1.0);
  block_workspace w = carve(workspace, dim);
  size_t active[BLOCK]; /* slot -> point; slots hold the points still running */
  point_state state[BLOCK];
  size_t memory[BLOCK];
  double size[BLOCK];
  double slope[BLOCK];
  size_t n_active = count;
  for (size_t p = 0; p < count; p++) {
    active[p] = p;
    state[p] = POINT_running;
    memory[p] = 0;
    size[p] = INFINITY;
    evaluations[first + p] = 0;
    for (size_t c = 0; c < dim; c++) {
      w.v[p * dim + c] = guess[c * m + first + p];
      w.y[p * dim + c] = y[c * m + first + p];
    }
  }
  /* the tiles see the running points packed to the front of `residual`, which is free until F is made */
  double *query = w.residual;
  for (int evaluation = 0; n_active > 0 && evaluation < most_evaluations; evaluation++) {
    for (size_t slot = 0; slot < n_active; slot++) {
      memcpy(query + slot * dim, w.v + active[slot] * dim, dim * sizeof(double));
    }
    task->query = query;
    task->n_query = n_active;
    const int first_time = evaluation == 0;
    const pair_sums sums = {w.force, dim, 1, w.weight, first_time ? w.bound : NULL, NULL, NULL};
    pairwise_range(task, &sums, 0, n_active, w.pairs);
    size_t kept = 0;
    for (size_t slot = 0; slot < n_active; slot++) {
      const size_t p = active[slot];
      double *v = w.v + p * dim, *F = query + slot * dim;
      evaluations[first + p]++;
      residual_from_force(step, scale, v, w.y + p * dim, w.force + slot * dim, F);
      if (first_time) {
        const double n = (double)step->n;
        slope[p] = 1.0 - scale * (n - w.weight[slot] +
                                  (step->potential.s + 2.0) * w.bound[slot] / (double)dim);
        if (!(slope[p] > SMALLEST_SLOPE)) slope[p] = 1.0;
      }
      const double now = norm(F, dim);
      const int worse = !(now < 2.0 * size[p]);
      if (now <= tolerance) {
        size[p] = now;
        state[p] = POINT_done;
        continue;
      }
      if (worse && evaluation > 0) {
        state[p] = POINT_difficult;
        continue;
      }
      size[p] = now;
      double *next = w.history + (memory[p] * BLOCK + p) * dim;
      if (first_time || memory[p] == MEMORY) {
        memory[p] = 0;
        next = w.history + p * dim;
        for (size_t c = 0; c < dim; c++) next[c] = -F[c] / slope[p];
      } else if (!broyden_step(w.history, memory[p] - 1, p, dim, F, slope[p], next)) {
        state[p] = POINT_difficult;
        continue;
      }
      memory[p]++;
      for (size_t c = 0; c < dim; c++) v[c] += next[c];
      active[kept++] = p;
    }
    n_active = kept;
  }
  for (size_t p = 0; p < count; p++) {
    double *v = w.v + p * dim;
    if (state[p] != POINT_done) {
      /* afresh from the proximal centre, where the objective is at least known to descend */
      memcpy(v, w.y + p * dim, dim * sizeof(double));
      size[p] = solve_by_newton(step, v, w.y + p * dim, tolerance, &evaluations[first + p], w.newton);
    }
    residual[first + p] = size[p];
    for (size_t c = 0; c < dim; c++) out[c * m + first + p] = v[c];
  }
}

static pair_task step_task(const inverse_step *step, size_t row_stride, size_t column_stride) {
  pair_task task = {NULL,      0,       row_stride, column_stride,   step->source,
                    step->n,   step->dim, NO_SELF,  step->potential, NULL};
  pairwise_prepare(&task);
  return task;
}

void invert_points(const inverse_step *step, const double *y, const double *guess, size_t m, double tolerance,
                   int most_evaluations, double *out, double *residual, int *evaluations, double *workspace,
                   int threads) {
  const size_t n_blocks = (m + BLOCK - 1) / BLOCK, per_thread = backward_workspace(step->dim);
  const pair_task shared_task = step_task(step, step->dim, 1);
  const int team = pairwise_threads(4 * m, step->n, step->dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static)                                  \
    shared(step, shared_task, y, guess, m, tolerance, most_evaluations, out, residual, evaluations,        \
           workspace, n_blocks, per_thread, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    pair_task task = shared_task;
    for (size_t b = n_blocks * part / (size_t)team; b < n_blocks * (part + 1) / (size_t)team; b++) {
      const size_t first = b * BLOCK, count = m - first < BLOCK ? m - first : BLOCK;
      solve_block(step, &task, y, guess, m, first, count, tolerance, most_evaluations, out, residual,
                  evaluations, workspace + part * per_thread);
    }
  }
}

static void descend_block(const inverse_step *step, pair_task *task, const double *y, size_t m, size_t first,
                          size_t count, double beta, int n_inner, double *out, double *residual,
                          double *workspace) {
  const size_t dim = step->dim;
  const double scale = step->gamma / (double)step->n;
  block_workspace w = carve(workspace, dim);
  for (size_t p = 0; p < count; p++) {
    for (size_t c = 0; c < dim; c++) w.v[p * dim + c] = w.y[p * dim + c] = y[c * m + first + p];
  }
  task->query = w.v;
  task->n_query = count;
  const pair_sums sums = {w.force, dim, 1, NULL, NULL, NULL, NULL};
  for (int inner = 0; inner <= n_inner; inner++) {
    pairwise_range(task, &sums, 0, count, w.pairs);
    for (size_t p = 0; p < count; p++) {
      double *v = w.v + p * dim, *F = w.residual + p * dim;
      residual_from_force(step, scale, v, w.y + p * dim, w.force + p * dim, F);
      residual[first + p] = norm(F, dim);
      if (inner == n_inner) continue; /* the last pass only measures */
      for (size_t c = 0; c < dim; c++) v[c] -= beta * F[c];
    }
  }
  for (size_t p = 0; p < count; p++) {
    for (size_t c = 0; c < dim; c++) out[c * m + first + p] = w.v[p * dim + c];
  }
}

void invert_points_paper(const inverse_step *step, const double *y, size_t m, double beta, int n_inner,
                         double *out, double *residual, double *workspace, int threads) {
  const size_t n_blocks = (m + BLOCK - 1) / BLOCK, per_thread = backward_workspace(step->dim);
  const pair_task shared_task = step_task(step, step->dim, 1);
  const int team = pairwise_threads((size_t)n_inner * m, step->n, step->dim, threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(team) default(none) schedule(static) \
    shared(step, shared_task, y, m, beta, n_inner, out, residual, workspace, n_blocks, per_thread, team)
#endif
  for (size_t part = 0; part < (size_t)team; part++) {
    pair_task task = shared_task;
    for (size_t b = n_blocks * part / (size_t)team; b < n_blocks * (part + 1) / (size_t)team; b++) {
      const size_t first = b * BLOCK, count = m - first < BLOCK ? m - first : BLOCK;
      descend_block(step, &task, y, m, first, count, beta, n_inner, out, residual,
                    workspace + part * per_thread);
    }
  }
}
