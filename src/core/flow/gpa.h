/* The generative particle algorithm (arXiv 2210.17230, Algorithm 3.1): particles move against the gradient of the
 * potential (potential.h), which is updated before each step. */
#ifndef PARTICLEFLOW_GPA_H
#define PARTICLEFLOW_GPA_H

#include "core/flow/potential.h"

/* Moves points [d, n] by one step, given the gradient of phi there (overwritten). `largest` (may be NULL)
 * becomes the longest move. STATUS_diverged where a coordinate is not finite. */
status gpa_move(const gpa_plan *plan, const double *parameters, double *points, size_t n, double *gradient,
                double *largest, double *workspace);

/* The `size` of n rows that update number `update` sees, without replacement: a pure function of the key.
 * order [n] is scratch; its first `size` entries are the rows. */
void gpa_batch(size_t *order, size_t n, size_t size, rng_key key, uint64_t update, uint32_t side);

/* What ends a flow before its steps are done: values at or below a tolerance for some steps in a row; the divergence
 * counts only after it was above its tolerance once, because a network that has just started tells nothing apart. */
typedef struct {
  double divergence, kinetic_energy; /* the tolerances; -INFINITY: never */
  double patience;                   /* steps in a row that it takes */
  double low, quiet;                 /* steps in a row so far, of the divergence and of the kinetic energy */
  int armed;                         /* was the divergence above its tolerance? */
} gpa_stop;

/* Why a flow ended. */
typedef enum {
  GPA_going = 0,
  GPA_diverged = 1,
  GPA_divergence_reached = 2,
  GPA_kinetic_reached = 3,
  GPA_interrupted = 4
} gpa_end;

/* Looks at the record of a step. */
gpa_end gpa_watch(gpa_stop *stop, const gpa_record *record);

/* A flow as it stands. */
typedef struct {
  double *columns; /* [d, n + m]: the n particles, which move, and the m target rows */
  size_t n, m;
  gpa_learner learner;
  gpa_stop stop;
  size_t steps; /* made so far */
} gpa_state;

/* What does not change from step to step. */
typedef struct {
  size_t batch_size; /* rows of each side that an update sees; 0: all */
  rng_key key;
  size_t every_network, every_frame; /* at least 1 */
} gpa_schedule;

/* What is kept of some steps, in order: the networks of the steps whose number, from 0, is a multiple of
 * every_network, and the particles after so many steps that the number of steps is one of every_frame. */
typedef struct {
  double *records;  /* [3, n_steps]: divergence, kinetic energy, largest move */
  double *networks; /* [P, gpa_kept_networks] */
  double *frames;   /* [n d, gpa_kept_frames], each frame column-major [n, d] */
} gpa_kept;
size_t gpa_kept_networks(const gpa_schedule *schedule, size_t first, size_t n_steps);
size_t gpa_kept_frames(const gpa_schedule *schedule, size_t first, size_t n_steps);

/* Makes at most n_steps steps: before each n_updates updates of the network, each on the next minibatch. A step that
 * fails or is interrupted is undone whole. The number of steps made is the growth of state->steps; the same in one call
 * or in several. workspace: gpa_advance_workspace; order: [max(n, m)] scratch, NULL without minibatches. */
gpa_end gpa_advance(const gpa_plan *plan, const gpa_schedule *schedule, gpa_state *state, size_t n_steps,
                    const gpa_kept *kept, interrupt_function interrupted, double *workspace, size_t *order);
size_t gpa_advance_workspace(const gpa_plan *plan, const gpa_schedule *schedule, size_t n, size_t m);

/* Points [d, n] that a flow carries along: its steps from + 1 .. from + count, where step j, from 0, moves by network
 * j / every of networks [P, .]. gradient: [d, n] scratch; workspace: gpa_workspace(plan, 1, n). STATUS_diverged where a
 * coordinate is not finite, STATUS_interrupted with the points where they are. */
status gpa_carry(const gpa_plan *plan, const double *networks, size_t every, size_t from, size_t count,
                 double *points, size_t n, interrupt_function interrupted, double *gradient, double *workspace);

#endif
