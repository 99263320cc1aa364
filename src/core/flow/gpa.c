#include "core/flow/gpa.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/pair/pairwise.h"

/* Streams of the random numbers; the layers of the start are stream 0. */
#define STREAM_batch 1

status gpa_move(const gpa_plan *plan, const double *parameters, double *points, size_t n, double *gradient,
                double *largest, double *workspace) {
  const size_t dim = plan->net.width[0], size = n * dim;
  const double step = plan->step;
  if (plan->solver == SOLVER_heun) {
    /* the mean of the gradients here and where an Euler step leads, both of the same phi */
    double *ahead = workspace, *rest = workspace + size;
    VECTORISE
    for (size_t i = 0; i < size; i++) ahead[i] = points[i] - step * gradient[i];
    /* in place: the way back from a block of outputs does not look at its points again */
    gpa_field(plan, parameters, ahead, n, ahead, NULL, rest);
    VECTORISE
    for (size_t i = 0; i < size; i++) gradient[i] = 0.5 * (gradient[i] + ahead[i]);
  }
  double most = 0.0;
  for (size_t i = 0; i < n; i++) most = fmax(most, dot(gradient + i * dim, gradient + i * dim, dim));
  if (largest) *largest = step * sqrt(most);
  VECTORISE
  for (size_t i = 0; i < size; i++) points[i] -= step * gradient[i];
  return all_finite(points, size) ? STATUS_ok : STATUS_diverged;
}

/* --- minibatches ---------------------------------------------------------------------------------------------- */

void gpa_batch(size_t *order, size_t n, size_t size, rng_key key, uint64_t update, uint32_t side) {
  rng_sequence seq;
  rng_start(&seq, key, STREAM_batch + side, update);
  for (size_t i = 0; i < n; i++) order[i] = i;
  for (size_t i = 0; i < size; i++) {
    const size_t j = i + (size_t)(rng_uniform(&seq) * (double)(n - i));
    const size_t kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
}

/* The rows that an update sees: n_p particles and n_q target rows, in columns [d, n_p + n_q]; without minibatches all
 * of them, where they are. */
typedef struct {
  int whole;
  size_t n_p, n_q;
  double *columns;
  size_t *order;
} minibatch;

static minibatch minibatch_of(const gpa_schedule *schedule, size_t n, size_t m) {
  const size_t size = schedule->batch_size;
  minibatch batch = {.whole = size == 0 || (size >= n && size >= m), .n_p = n, .n_q = m};
  if (!batch.whole && size < n) batch.n_p = size;
  if (!batch.whole && size < m) batch.n_q = size;
  return batch;
}

static void gather(double *out, const double *columns, size_t dim, size_t size, const size_t *order) {
  for (size_t i = 0; i < size; i++) memcpy(out + i * dim, columns + order[i] * dim, dim * sizeof(double));
}

static const double *next_batch(const minibatch *batch, const gpa_state *state, size_t dim, rng_key key) {
  if (batch->whole) return state->columns;
  const uint64_t update = state->learner.net.updates;
  gpa_batch(batch->order, state->n, batch->n_p, key, update, 0);
  gather(batch->columns, state->columns, dim, batch->n_p, batch->order);
  gpa_batch(batch->order, state->m, batch->n_q, key, update, 1);
  gather(batch->columns + batch->n_p * dim, state->columns + state->n * dim, dim, batch->n_q, batch->order);
  return batch->columns;
}

/* --- the stopping rule ------------------------------------------------------------------------------------------ */

gpa_end gpa_watch(gpa_stop *stop, const gpa_record *record) {
  if (record->divergence > stop->divergence) stop->armed = 1;
  stop->low = stop->armed && record->divergence <= stop->divergence ? stop->low + 1.0 : 0.0;
  stop->quiet = record->kinetic_energy <= stop->kinetic_energy ? stop->quiet + 1.0 : 0.0;
  if (stop->low >= stop->patience) return GPA_divergence_reached;
  return stop->quiet >= stop->patience ? GPA_kinetic_reached : GPA_going;
}

/* --- the loop over steps ---------------------------------------------------------------------------------------- */

/* The state before a step. */
typedef struct {
  double *points, *parameters, *moment1, *moment2, *directions;
  uint64_t updates;
} gpa_backup;

typedef struct {
  minibatch batch;
  gpa_backup backup;
  double *gradient; /* [d, n] */
  double *rest;     /* gpa_workspace */
} advance_room;

size_t gpa_advance_workspace(const gpa_plan *plan, const gpa_schedule *schedule, size_t n, size_t m) {
  const minibatch batch = minibatch_of(schedule, n, m);
  const size_t dim = plan->net.width[0];
  return dim * (2 * n + (batch.whole ? 0 : batch.n_p + batch.n_q)) + 3 * network_parameters(&plan->net) +
         gpa_directions(&plan->net) + gpa_workspace(plan, batch.n_p + batch.n_q, n + m);
}

static advance_room divide_room(const gpa_plan *plan, const gpa_schedule *schedule, const gpa_state *state,
                                double *workspace, size_t *order) {
  const size_t dim = plan->net.width[0], size = network_parameters(&plan->net);
  advance_room room = {.batch = minibatch_of(schedule, state->n, state->m), .gradient = workspace};
  gpa_backup *backup = &room.backup;
  backup->points = room.gradient + dim * state->n;
  backup->parameters = backup->points + dim * state->n;
  backup->moment1 = backup->parameters + size;
  backup->moment2 = backup->moment1 + size;
  backup->directions = backup->moment2 + size;
  room.batch.columns = backup->directions + gpa_directions(&plan->net);
  room.batch.order = order;
  room.rest = room.batch.columns + (room.batch.whole ? 0 : dim * (room.batch.n_p + room.batch.n_q));
  return room;
}

static void copy(double *to, const double *from, size_t n) {
  memcpy(to, from, n * sizeof(double));
}

static void back_up(const gpa_plan *plan, const gpa_state *state, gpa_backup *backup) {
  const size_t size = network_parameters(&plan->net);
  copy(backup->points, state->columns, plan->net.width[0] * state->n);
  copy(backup->parameters, state->learner.net.parameters, size);
  copy(backup->moment1, state->learner.net.moment1, size);
  copy(backup->moment2, state->learner.net.moment2, size);
  copy(backup->directions, state->learner.directions, gpa_directions(&plan->net));
  backup->updates = state->learner.net.updates;
}

static void undo(const gpa_plan *plan, gpa_state *state, const gpa_backup *backup) {
  const size_t size = network_parameters(&plan->net);
  copy(state->columns, backup->points, plan->net.width[0] * state->n);
  copy(state->learner.net.parameters, backup->parameters, size);
  copy(state->learner.net.moment1, backup->moment1, size);
  copy(state->learner.net.moment2, backup->moment2, size);
  copy(state->learner.directions, backup->directions, gpa_directions(&plan->net));
  state->learner.net.updates = backup->updates;
}

/* One step: the updates of the network, then the move of the particles. */
static gpa_end make_step(const gpa_plan *plan, const gpa_schedule *schedule, gpa_state *state, advance_room *room,
                         gpa_record *record, interrupt_function interrupted) {
  const size_t dim = plan->net.width[0];
  for (size_t u = 0; u < plan->n_updates; u++) {
    if (interrupted && interrupted()) return GPA_interrupted;
    const double *batch = next_batch(&room->batch, state, dim, schedule->key);
    const status updated = gpa_update(plan, &state->learner, batch, room->batch.n_p, room->batch.n_q, interrupted,
                                      room->rest);
    if (updated == STATUS_interrupted) return GPA_interrupted;
    if (updated != STATUS_ok) return GPA_diverged;
  }
  const double *parameters = state->learner.net.parameters;
  *record = gpa_measure(plan, parameters, state->columns, state->n, state->columns + state->n * dim, state->m,
                        room->gradient, room->rest);
  if (!isfinite(record->divergence) || !isfinite(record->kinetic_energy)) return GPA_diverged;
  const status moved =
      gpa_move(plan, parameters, state->columns, state->n, room->gradient, &record->largest_move, room->rest);
  return moved == STATUS_ok ? GPA_going : GPA_diverged;
}

static size_t multiples(size_t below, size_t every) {
  return (below + every - 1) / every;
}

size_t gpa_kept_networks(const gpa_schedule *schedule, size_t first, size_t n_steps) {
  return multiples(first + n_steps, schedule->every_network) - multiples(first, schedule->every_network);
}

size_t gpa_kept_frames(const gpa_schedule *schedule, size_t first, size_t n_steps) {
  return (first + n_steps) / schedule->every_frame - first / schedule->every_frame;
}

/* After step number state->steps, from 0, of a call that began with number `first`. */
static void keep(const gpa_plan *plan, const gpa_schedule *schedule, const gpa_state *state, size_t first,
                 const gpa_record *record, const gpa_kept *kept) {
  const size_t dim = plan->net.width[0], size = network_parameters(&plan->net), done = state->steps - first;
  kept->records[3 * done] = record->divergence;
  kept->records[3 * done + 1] = record->kinetic_energy;
  kept->records[3 * done + 2] = record->largest_move;
  if (state->steps % schedule->every_network == 0) {
    copy(kept->networks + gpa_kept_networks(schedule, first, done) * size, state->learner.net.parameters, size);
  }
  if ((state->steps + 1) % schedule->every_frame == 0) {
    unpack_rows(kept->frames + gpa_kept_frames(schedule, first, done) * state->n * dim, state->columns, state->n, dim);
  }
}

gpa_end gpa_advance(const gpa_plan *plan, const gpa_schedule *schedule, gpa_state *state, size_t n_steps,
                    const gpa_kept *kept, interrupt_function interrupted, double *workspace, size_t *order) {
  const size_t first = state->steps;
  advance_room room = divide_room(plan, schedule, state, workspace, order);
  gpa_end ended = GPA_going;
  while (state->steps < first + n_steps && ended == GPA_going) {
    gpa_record record = {.divergence = 0.0};
    back_up(plan, state, &room.backup);
    ended = make_step(plan, schedule, state, &room, &record, interrupted);
    if (ended != GPA_going) {
      undo(plan, state, &room.backup);
      return ended;
    }
    keep(plan, schedule, state, first, &record, kept);
    state->steps++;
    ended = gpa_watch(&state->stop, &record);
  }
  return ended;
}

/* --- points that are carried along ------------------------------------------------------------------------------ */

status gpa_carry(const gpa_plan *plan, const double *networks, size_t every, size_t from, size_t count,
                 double *points, size_t n, interrupt_function interrupted, double *gradient, double *workspace) {
  const size_t size = network_parameters(&plan->net);
  for (size_t j = from; j < from + count && n > 0; j++) {
    const double *parameters = networks + j / every * size;
    gpa_field(plan, parameters, points, n, gradient, NULL, workspace);
    if (gpa_move(plan, parameters, points, n, gradient, NULL, workspace) != STATUS_ok) return STATUS_diverged;
    if (interrupted && interrupted()) return STATUS_interrupted;
  }
  return STATUS_ok;
}
