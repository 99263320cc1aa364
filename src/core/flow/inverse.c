#include "core/flow/inverse.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/flow/volume.h"

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

/* Entries of the Jacobian that the engine gives. */
static size_t newton_triangle(size_t dim) {
  return triangle_size(newton_dim(dim));
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
  w.triangles = take(rest, BLOCK * newton_triangle(dim));
  w.jacobian = take(rest, newton_dim(dim) * newton_dim(dim));
  w.factor = take(rest, newton_dim(dim) * newton_dim(dim));
  w.pairs = workspace;
  return w;
}

size_t backward_workspace(size_t dim) {
  const size_t rows = BLOCK * dim * (MEMORY + 6) + 3 * BLOCK;
  const size_t newton = BLOCK * newton_triangle(dim) + 2 * newton_dim(dim) * newton_dim(dim);
  return rows + newton + (newton_dim(dim) ? pairwise_hessian_workspace(dim) : pairwise_workspace(dim));
}

/* The sums at the first n rows of the task's query, from the pair engine or from what stands in for it. */
static void block_sums(const inverse_step *step, pair_task *task, size_t n, const pair_sums *sums, double *workspace) {
  task->n_query = n;
  if (step->engine) {
    step->engine->sums(step->engine, task->query, n, task->row_stride, task->column_stride, sums, workspace);
  } else {
    pairwise_range(task, sums, 0, n, workspace);
  }
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
  const local_model model = {
      .objective = 0.5 * moved - scale * (0.5 * n * from_mean + w->repulsion[slot]),
      .slope = 1.0 - scale * spread,
      .size = norm(residual, dim),
  };
  return model;
}

/* The Jacobian of F, symmetric, from sum (w/u) z z'. */
static void jacobian_at(const inverse_step *step, const block_workspace *w, size_t slot, double *jacobian) {
  const size_t dim = step->dim;
  const double n = (double)step->n, scale = step->gamma / (n - 1.0);
  const double *entry = w->triangles + slot * newton_triangle(dim);
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
    const newton_state start = {.length = 1.0};
    state[p] = start;
    memcpy(w->trial + p * dim, w->y + p * dim, dim * sizeof(double));
  }
  const pair_sums sums = {
      .force = w->force,
      .row_stride = dim,
      .column_stride = 1,
      .weight = w->weight,
      .bound = w->bound,
      .repulsion = w->repulsion,
      .hessian = newton_dim(dim) ? w->triangles : NULL,
  };
  task->query = query;
  while (n_active > 0) {
    for (size_t slot = 0; slot < n_active; slot++) {
      memcpy(query + slot * dim, w->trial + active[slot] * dim, dim * sizeof(double));
    }
    block_sums(step, task, n_active, &sums, w->pairs);
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

/* What every block of a call shares. */
typedef struct {
  const inverse_step *step;
  pair_task task; /* without its queries */
  const double *y, *guess;
  size_t m;
  double tolerance;
  int most_evaluations;
  double beta; /* of the paper's loop */
  int n_inner;
  double *out, *residual, *log_det;
  int *evaluations;
  double *workspace;
} inverse_plan;

/* Points [first, first + count) of the call in their iteration; arrays go by point of the block. */
typedef struct {
  size_t first, count;
  size_t active[BLOCK]; /* slot -> point; slots hold the points still running */
  size_t n_active;
  int done[BLOCK];
  int measured[BLOCK];  /* whether log_det is known */
  size_t memory[BLOCK]; /* steps in the history */
  double size[BLOCK];   /* |F| */
  double slope[BLOCK];  /* the scalar model of the Jacobian */
} block_state;

static void block_start(const inverse_plan *plan, const block_workspace *w, block_state *now, size_t first,
                        size_t count) {
  const size_t dim = plan->step->dim, m = plan->m;
  now->first = first;
  now->count = now->n_active = count;
  for (size_t p = 0; p < count; p++) {
    now->active[p] = p;
    now->done[p] = 0;
    now->measured[p] = 0;
    now->memory[p] = 0;
    now->size[p] = INFINITY;
    plan->evaluations[first + p] = 0;
    for (size_t c = 0; c < dim; c++) {
      w->v[p * dim + c] = plan->guess[c * m + first + p];
      w->y[p * dim + c] = plan->y[c * m + first + p];
    }
  }
}

static double slope_at(const inverse_step *step, const block_workspace *w, size_t slot) {
  const double n = (double)step->n, scale = step->gamma / (n - 1.0);
  const double slope =
      1.0 - scale * (n - w->weight[slot] + (step->potential.s + 2.0) * w->bound[slot] / (double)step->dim);
  return slope > SMALLEST_SLOPE ? slope : 1.0;
}

/* Point p with residual F after evaluation number `evaluation`: takes the next step. Returns 0 where the point is done
 * or has become difficult. */
static int broyden_turn(const inverse_plan *plan, const block_workspace *w, block_state *now, size_t p, const double *F,
                        int evaluation) {
  const size_t dim = plan->step->dim;
  const double size = norm(F, dim);
  const int worse = !(size < 2.0 * now->size[p]);
  if (size <= plan->tolerance) {
    now->size[p] = size;
    now->done[p] = 1;
    return 0;
  }
  if (worse && evaluation > 0) return 0;
  now->size[p] = size;
  double *next = w->history + (now->memory[p] * BLOCK + p) * dim;
  if (evaluation == 0 || now->memory[p] == MEMORY) {
    now->memory[p] = 0;
    next = w->history + p * dim;
    for (size_t c = 0; c < dim; c++) next[c] = -F[c] / now->slope[p];
  } else if (!broyden_step(w->history, now->memory[p] - 1, p, dim, F, now->slope[p], next)) {
    return 0;
  }
  now->memory[p]++;
  for (size_t c = 0; c < dim; c++) w->v[p * dim + c] += next[c];
  return 1;
}

/* --- engines with cheap Jacobians: Newton's method ------------------------------------------------------------- */

/* log det (I - gamma J) from the sums in slot `slot`. */
static double log_det_at(const inverse_step *step, const block_workspace *w, size_t slot) {
  const double n = (double)step->n;
  return log_det_from_sums(n - w->weight[slot], step->gamma / (n - 1.0), step->potential.s, 0.0,
                           w->triangles + slot * newton_triangle(step->dim), step->dim, w->jacobian);
}

/* Point p with residual F, which is overwritten, and its sums in slot `slot`: takes the next step. Returns 0 where the
 * point is done or has become difficult. */
static int newton_plain_turn(const inverse_plan *plan, const block_workspace *w, block_state *now, size_t p,
                             size_t slot, double *F, int evaluation) {
  const size_t dim = plan->step->dim;
  const double size = norm(F, dim);
  if (size <= plan->tolerance) {
    now->size[p] = size;
    now->done[p] = now->measured[p] = 1;
    if (plan->log_det) plan->log_det[now->first + p] = log_det_at(plan->step, w, slot);
    return 0;
  }
  if (evaluation > 0 && !(size < 0.5 * now->size[p])) return 0;
  now->size[p] = size;
  jacobian_at(plan->step, w, slot, w->jacobian);
  if (!cholesky_factor(w->jacobian, dim)) return 0;
  cholesky_solve(w->jacobian, F, dim);
  for (size_t c = 0; c < dim; c++) w->v[p * dim + c] -= F[c];
  return 1;
}

/* The running points of a block, by Newton's method or by Broyden's. */
static void solve_running(const inverse_plan *plan, pair_task *task, const block_workspace *w, block_state *now,
                          int by_jacobians) {
  const inverse_step *step = plan->step;
  const size_t dim = step->dim;
  const double scale = step->gamma / ((double)step->n - 1.0);
  /* the tiles see the running points packed to the front of `residual`, which is free until F is made */
  double *query = w->residual;
  task->query = query;
  for (int evaluation = 0; now->n_active > 0 && evaluation < plan->most_evaluations; evaluation++) {
    for (size_t slot = 0; slot < now->n_active; slot++) {
      memcpy(query + slot * dim, w->v + now->active[slot] * dim, dim * sizeof(double));
    }
    const pair_sums sums = {
        .force = w->force,
        .row_stride = dim,
        .column_stride = 1,
        .weight = w->weight,
        .bound = !by_jacobians && evaluation == 0 ? w->bound : NULL,
        .hessian = by_jacobians ? w->triangles : NULL,
    };
    block_sums(step, task, now->n_active, &sums, w->pairs);
    size_t kept = 0;
    for (size_t slot = 0; slot < now->n_active; slot++) {
      const size_t p = now->active[slot];
      double *F = query + slot * dim;
      plan->evaluations[now->first + p]++;
      residual_from_force(step, scale, w->v + p * dim, w->y + p * dim, w->force + slot * dim, F);
      if (!by_jacobians && evaluation == 0) now->slope[p] = slope_at(step, w, slot);
      const int goes_on = by_jacobians ? newton_plain_turn(plan, w, now, p, slot, F, evaluation)
                                       : broyden_turn(plan, w, now, p, F, evaluation);
      if (goes_on) now->active[kept++] = p;
    }
    now->n_active = kept;
  }
}

/* log_det of the points of a block that do not have it yet. */
static void measure_block(const inverse_plan *plan, pair_task *task, const block_workspace *w, block_state *now) {
  const size_t dim = plan->step->dim;
  const pair_sums sums = {.weight = w->weight, .hessian = w->triangles};
  now->n_active = 0;
  task->query = w->residual;
  for (size_t p = 0; p < now->count; p++) {
    if (now->measured[p]) continue;
    memcpy(w->residual + now->n_active * dim, w->v + p * dim, dim * sizeof(double));
    now->active[now->n_active++] = p;
  }
  if (now->n_active == 0) return;
  block_sums(plan->step, task, now->n_active, &sums, w->pairs);
  for (size_t slot = 0; slot < now->n_active; slot++) {
    plan->log_det[now->first + now->active[slot]] = log_det_at(plan->step, w, slot);
  }
}

static void solve_block(const inverse_plan *plan, pair_task *task, size_t first, size_t count, double *workspace) {
  const size_t dim = plan->step->dim;
  const block_workspace w = carve(workspace, dim);
  const sums_engine *engine = plan->step->engine;
  block_state now;
  block_start(plan, &w, &now, first, count);
  solve_running(plan, task, &w, &now, engine && engine->cheap_jacobian && newton_dim(dim));
  size_t n_difficult = 0;
  for (size_t p = 0; p < count; p++) {
    if (!now.done[p]) now.active[n_difficult++] = p;
  }
  solve_by_newton(plan->step, task, &w, now.active, n_difficult, plan->tolerance, now.size, plan->evaluations + first);
  for (size_t p = 0; p < count; p++) {
    plan->residual[first + p] = now.size[p];
    for (size_t c = 0; c < dim; c++) plan->out[c * plan->m + first + p] = w.v[p * dim + c];
  }
  if (plan->log_det) measure_block(plan, task, &w, &now);
}

/* --- the paper's loop ---------------------------------------------------------------------------------------- */

static void descend_block(const inverse_plan *plan, pair_task *task, size_t first, size_t count, double *workspace) {
  const inverse_step *step = plan->step;
  const size_t dim = step->dim, m = plan->m;
  const double scale = step->gamma / (double)step->n;
  const block_workspace w = carve(workspace, dim);
  for (size_t p = 0; p < count; p++) {
    for (size_t c = 0; c < dim; c++) {
      w.y[p * dim + c] = plan->y[c * m + first + p];
      w.v[p * dim + c] = plan->guess[c * m + first + p];
    }
  }
  task->query = w.v;
  task->n_query = count;
  const pair_sums sums = {.force = w.force, .row_stride = dim, .column_stride = 1};
  for (int inner = 0; inner <= plan->n_inner; inner++) {
    pairwise_range(task, &sums, 0, count, w.pairs);
    for (size_t p = 0; p < count; p++) {
      double *v = w.v + p * dim, *F = w.residual + p * dim;
      residual_from_force(step, scale, v, w.y + p * dim, w.force + p * dim, F);
      plan->residual[first + p] = norm(F, dim);
      if (inner == plan->n_inner) continue; /* the last pass only measures */
      for (size_t c = 0; c < dim; c++) v[c] -= plan->beta * F[c];
    }
  }
  for (size_t p = 0; p < count; p++) {
    for (size_t c = 0; c < dim; c++) plan->out[c * m + first + p] = w.v[p * dim + c];
  }
}

/* --- all blocks ---------------------------------------------------------------------------------------------- */

static pair_task task_of(const inverse_step *step) {
  pair_task task = {
      .row_stride = step->dim,
      .column_stride = 1,
      .source = step->source,
      .n_source = step->n,
      .dim = step->dim,
      .self = NO_SELF,
      .kernel = step->potential,
  };
  if (!step->engine) pairwise_prepare(&task);
  return task;
}

typedef void (*block_function)(const inverse_plan *, pair_task *, size_t, size_t, double *);

static void run_blocks(const inverse_plan *plan, block_function run, size_t from, size_t to, size_t part) {
  pair_task task = plan->task;
  const size_t more = plan->step->engine ? plan->step->engine->workspace : 0;
  double *workspace = plan->workspace + part * (backward_workspace(plan->step->dim) + more);
  for (size_t b = from; b < to; b++) {
    const size_t first = b * BLOCK, left = plan->m - first;
    run(plan, &task, first, left < BLOCK ? left : BLOCK, workspace);
  }
}

static void solve_blocks(size_t from, size_t to, size_t part, void *context) {
  run_blocks(context, solve_block, from, to, part);
}

static void descend_blocks(size_t from, size_t to, size_t part, void *context) {
  run_blocks(context, descend_block, from, to, part);
}

void invert_points(const inverse_step *step, const double *y, const double *guess, size_t m, double tolerance,
                   int most_evaluations, double *out, double *residual, int *evaluations, double *log_det,
                   double *workspace, int threads) {
  inverse_plan plan = {
      .step = step,
      .task = task_of(step),
      .y = y,
      .guess = guess,
      .m = m,
      .tolerance = tolerance,
      .most_evaluations = most_evaluations,
      .out = out,
      .residual = residual,
      .log_det = log_det,
      .evaluations = evaluations,
      .workspace = workspace,
  };
  const int team = threads_worth_pairs(4 * m, step->n, step->dim, threads);
  parallel_ranges((m + BLOCK - 1) / BLOCK, team, solve_blocks, &plan);
}

void invert_points_paper(const inverse_step *step, const double *y, const double *start, size_t m, double beta,
                         int n_inner, double *out, double *residual, double *workspace, int threads) {
  inverse_plan plan = {
      .step = step,
      .task = task_of(step),
      .y = y,
      .guess = start,
      .m = m,
      .beta = beta,
      .n_inner = n_inner,
      .out = out,
      .residual = residual,
      .workspace = workspace,
  };
  const int team = threads_worth_pairs((size_t)n_inner * m, step->n, step->dim, threads);
  parallel_ranges((m + BLOCK - 1) / BLOCK, team, descend_blocks, &plan);
}
