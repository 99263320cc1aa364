#include "core/flow/inverse.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/pair/riesz.h"

/* Points solved together: they share the pair tiles. */
#define BLOCK 32
/* Broyden updates kept before a restart. */
#define MEMORY 10
#define NEWTON_STEPS 100
#define HALVINGS 40
/* The scalar model of the Jacobian is kept away from zero. */
#define SMALLEST_SLOPE 0.05

/* The Newton fall-back needs Jacobians; in more dimensions than the engine gives them for, it steps along the
 * scaled residual. */
static size_t newton_dim(size_t dim) {
  return dim <= TILE_HESSIAN_DIM ? dim : 0;
}

static size_t triangle_size(size_t dim) {
  return newton_dim(dim) * (newton_dim(dim) + 1) / 2;
}

/* F at one point from sum w z. */
static void residual_from_force(const inverse_step *step, double weight, const double *v, const double *y,
                                const double *force, double *residual) {
  const double n = (double)step->n;
  for (size_t c = 0; c < step->dim; c++) {
    residual[c] = v[c] - y[c] - weight * (n * (v[c] - step->mean[c]) - force[c]);
  }
}

/* --- a block of points ---------------------------------------------------------------------------------- */

typedef struct {
  double *v, *y, *force, *residual;    /* [BLOCK, dim], one row per point */
  double *history;                     /* [MEMORY, BLOCK, dim], the steps s_0, s_1, ... of Broyden's method */
  double *weight, *bound, *repulsion;  /* [BLOCK] */
  double *trial, *direction;           /* [BLOCK, dim], Newton's method */
  double *triangles;                   /* [BLOCK, dim (dim+1) / 2] */
  double *jacobian, *factor;           /* [dim, dim] */
  double *pairs;
} block_workspace;

static double *take(double **rest, size_t size) {
  double *place = *rest;
  *rest += size;
  return place;
}

static block_workspace carve(double *workspace, size_t dim) {
  block_workspace w;
  double **rest = &workspace;
  w.v = take(rest, BLOCK * dim);
  w.y = take(rest, BLOCK * dim);
  w.force = take(rest, BLOCK * dim);
  w.residual = take(rest, BLOCK * dim);
  w.history = take(rest, MEMORY * BLOCK * dim);
  w.weight = take(rest, BLOCK);
  w.bound = take(rest, BLOCK);
  w.repulsion = take(rest, BLOCK);
  w.trial = take(rest, BLOCK * dim);
  w.direction = take(rest, BLOCK * dim);
  w.triangles = take(rest, BLOCK * triangle_size(dim));
  w.jacobian = take(rest, newton_dim(dim) * newton_dim(dim));
  w.factor = take(rest, newton_dim(dim) * newton_dim(dim));
  w.pairs = workspace;
  return w;
}

size_t backward_workspace(size_t dim) {
  const size_t rows = BLOCK * dim * (MEMORY + 6) + 3 * BLOCK;
  const size_t newton = BLOCK * triangle_size(dim) + 2 * newton_dim(dim) * newton_dim(dim);
  return rows + newton + (newton_dim(dim) ? pairwise_hessian_workspace(dim) : pairwise_workspace(dim));
}

/* --- difficult points: damped Newton on the proximal objective, all of them in step ------------------- */

typedef struct {
  double objective; /* up to a constant */
  double slope;     /* trace of the Jacobian of F over dim */
  double size;      /* |F| */
} local_model;

/* F and the model at v, from its sums in slot `slot`. */
static local_model model_at(const inverse_step *step, const double *v, const double *y, const block_workspace *w,
                            size_t slot, double *residual) {
  const size_t dim = step->dim;
  const double n = (double)step->n, scale = step->gamma / (n - 1.0);
  residual_from_force(step, scale, v, y, w->force + slot * dim, residual);
  double moved = 0.0, from_mean = 0.0;
  for (size_t c = 0; c < dim; c++) {
    moved += (v[c] - y[c]) * (v[c] - y[c]);
    from_mean += (v[c] - step->mean[c]) * (v[c] - step->mean[c]);
  }
  const double spread = n - w->weight[slot] + (step->potential.s + 2.0) * w->bound[slot] / (double)dim;
  const local_model model = {0.5 * moved - scale * (0.5 * n * from_mean + w->repulsion[slot]),
                             1.0 - scale * spread, norm(residual, dim)};
  return model;
}

/* The Jacobian of F, symmetric, from sum (w/u) z z'. */
static void jacobian_at(const inverse_step *step, const block_workspace *w, size_t slot, double *jacobian) {
  const size_t dim = step->dim;
  const double n = (double)step->n, scale = step->gamma / (n - 1.0);
  const double *entry = w->triangles + slot * triangle_size(dim);
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e <= c; e++) jacobian[c * dim + e] = -scale * (step->potential.s + 2.0) * *entry++;
    jacobian[c * dim + c] += 1.0 - scale * (n - w->weight[slot]);
  }
}

/* direction <- -(J + tau I)^{-1} F with the smallest tau of a growing sequence that makes the matrix positive
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

/* Where a point stands in its own damped Newton iteration. */
typedef struct {
  local_model here;
  double length, descent;
  int iteration, halvings;
} newton_state;

/* Looks at the trial point of `slot`: takes it or halves the step. Returns 0 when the point is finished. */
static int newton_turn(const inverse_step *step, const block_workspace *w, size_t p, size_t slot, double tolerance,
                       newton_state *state, double *residual) {
  const size_t dim = step->dim;
  double *v = w->v + p * dim, *trial = w->trial + p * dim, *direction = w->direction + p * dim;
  const local_model there = model_at(step, trial, w->y + p * dim, w, slot, residual);
  const int taken = state->iteration == 0 || there.size < (1.0 - 1e-4 * state->length) * state->here.size ||
                    there.objective < state->here.objective + 1e-4 * state->length * state->descent;
  if (taken) {
    memcpy(v, trial, dim * sizeof(double));
    state->here = there;
    state->length = 1.0;
    state->halvings = 0;
    if (there.size <= tolerance || state->iteration++ == NEWTON_STEPS) return 0;
    const double slope = there.slope > SMALLEST_SLOPE ? there.slope : 1.0;
    for (size_t c = 0; c < dim; c++) direction[c] = -residual[c] / slope;
    if (newton_dim(dim)) {
      jacobian_at(step, w, slot, w->jacobian);
      newton_direction(w->jacobian, residual, dim, w->factor, direction);
    }
    state->descent = dot(residual, direction, dim);
  } else {
    /* rounding: no shorter step improves either measure */
    if (++state->halvings == HALVINGS) return 0;
    state->length *= 0.5;
  }
  for (size_t c = 0; c < dim; c++) trial[c] = v[c] + state->length * direction[c];
  return 1;
}

/* Points `active` afresh from the proximal centre, where the objective is at least known to descend. */
static void solve_by_newton(const inverse_step *step, pair_task *task, const block_workspace *w, size_t *active,
                            size_t n_active, double tolerance, double *size, int *evaluations) {
  const size_t dim = step->dim;
  newton_state state[BLOCK];
  double *query = w->history, *residual = w->history + BLOCK * dim; /* Broyden's steps are done with */
  for (size_t slot = 0; slot < n_active; slot++) {
    const size_t p = active[slot];
    const newton_state start = {{0.0, 0.0, 0.0}, 1.0, 0.0, 0, 0};
    state[p] = start;
    memcpy(w->trial + p * dim, w->y + p * dim, dim * sizeof(double));
  }
  const pair_sums sums = {w->force, dim, 1, w->weight, w->bound, w->repulsion, NULL,
                          newton_dim(dim) ? w->triangles : NULL};
  task->query = query;
  while (n_active > 0) {
    for (size_t slot = 0; slot < n_active; slot++) {
      memcpy(query + slot * dim, w->trial + active[slot] * dim, dim * sizeof(double));
    }
    task->n_query = n_active;
    pairwise_range(task, &sums, 0, n_active, w->pairs);
    size_t kept = 0;
    for (size_t slot = 0; slot < n_active; slot++) {
      const size_t p = active[slot];
      evaluations[p]++;
      const int goes_on = newton_turn(step, w, p, slot, tolerance, &state[p], residual);
      size[p] = state[p].here.size;
      if (goes_on) active[kept++] = p;
    }
    n_active = kept;
  }
}

/* --- many points: Broyden's method on the shared tiles ------------------------------------------------ */

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
    const pair_sums sums = {w.force, dim, 1, w.weight, first_time ? w.bound : NULL, NULL, NULL, NULL};
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
  size_t n_difficult = 0;
  for (size_t p = 0; p < count; p++) {
    if (state[p] != POINT_done) active[n_difficult++] = p;
  }
  solve_by_newton(step, task, &w, active, n_difficult, tolerance, size, evaluations + first);
  for (size_t p = 0; p < count; p++) {
    residual[first + p] = size[p];
    for (size_t c = 0; c < dim; c++) out[c * m + first + p] = w.v[p * dim + c];
  }
}

static pair_task step_task(const inverse_step *step, size_t row_stride, size_t column_stride) {
  pair_task task = {NULL,      0,       row_stride, column_stride,   step->source,
                    step->n,   step->dim, NO_SELF,  NULL,      step->potential, NULL};
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
  const pair_sums sums = {w.force, dim, 1, NULL, NULL, NULL, NULL, NULL};
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
