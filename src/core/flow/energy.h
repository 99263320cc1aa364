/* The gradient flow of the energy distance from particles x [n, dim] to target rows y [m, dim], by slices.
 *
 * A particle moves by -grad of 2 mean_j |x - y_j| - 2 mean_k |x - x_k|. With |z| = C E|<xi, z>| over directions xi that
 * are uniform on the sphere, C = sqrt(pi) Gamma((dim + 1) / 2) / Gamma(dim / 2), this is
 *   C E[4 xi (F(t) - G(t))],  t = <xi, x>,
 * where F and G are the distribution functions of the particles and of the target along xi.
 *
 * One step goes along `dim` directions that are orthogonal to each other, so that the moves along one leave the places
 * along the others as they are. Along each it is a step of the implicit rule,
 *   t' + pull G(t') = t + pull F(t),  pull = 4 C step / dim,
 * which has one solution for any pull > 0 and keeps the order of the particles. F is linear between the particles; at a
 * particle, half of those at its place count as before it. G is linear between the target rows; at a row that is alone,
 * half of it counts as before it, and where several are at one place, G jumps. */
#ifndef PARTICLEFLOW_ENERGY_H
#define PARTICLEFLOW_ENERGY_H

#include "core/base/sorting.h"
#include "core/base/status.h"

typedef struct {
  const double *source, *target, *query; /* column-major [n, dim], [m, dim], [q, dim]; query rows are moved with the
                                            particles, but are no particles */
  size_t n, m, q, dim;
  const double *direction; /* [count, dim], unit vectors, one per row */
  size_t count;
  double pull;
} energy_task;

/* What the directions need; the glue allocates it. Directions are worked on `wave` at a time. */
typedef struct {
  placed_number *numbers; /* [team, n + m + max(n, m)] */
  double *ranks;          /* [team, n + m] */
  double *moves;          /* [wave, max(n, m) + q] */
  size_t wave;
  int team;
} energy_room;

/* The room that a task needs: all but the pointers. */
energy_room energy_plan(const energy_task *task, int threads);
size_t energy_numbers(const energy_task *task);

/* across [count]: of each direction 2 int (F - G)^2 before the step, all pairs counted. moved_source [n, dim] and
 * moved_query [q, dim] must hold the places before and become those after the step. STATUS_interrupted where
 * `interrupted` says so; STATUS_diverged where a number is not finite. The bits do not depend on the team. */
status energy_step(const energy_task *task, double *across, double *moved_source, double *moved_query,
                   const energy_room *room, interrupt_function interrupted);

typedef struct {
  double mean, square, largest; /* of the lengths of the moves: mean, mean square, largest */
} energy_moves;
energy_moves energy_lengths(const double *before, const double *after, size_t n, size_t dim);

#endif
