/* The generative particle algorithm (gpa.md, Algorithm 3.1): particles move against the gradient of a potential
 * phi that maximises the dual of a divergence D(particles || target) over networks with a bounded slope. */
#ifndef PARTICLEFLOW_GPA_H
#define PARTICLEFLOW_GPA_H

#include "core/net/adam.h"
#include "core/net/divergence.h"
#include "core/net/network.h"
#include "core/base/status.h"

/* After each update every weight matrix is rescaled to the norm L^(1/D): the slope of phi is at most L. */
typedef enum { NORM_spectral = 0, NORM_frobenius = 1 } weight_norm;

typedef enum { SOLVER_euler = 0, SOLVER_heun = 1 } flow_solver;

typedef struct {
  network net; /* one output */
  divergence divergence;
  double lipschitz; /* L, INFINITY for none */
  weight_norm norm;
  adam_settings adam;
  flow_solver solver;
  double step;
  size_t n_updates; /* of the network before each step of the particles */
} gpa_plan;

/* The network and what its optimiser remembers; P = network_parameters. */
typedef struct {
  double *parameters, *moment1, *moment2; /* [P] */
  double *directions;                     /* [gpa_directions] where the power iterations ended */
  double updates;                         /* done so far */
} gpa_learner;

size_t gpa_directions(const network *net);

/* He start, rescaled, moments 0, directions unset. */
status gpa_start(const gpa_plan *plan, gpa_learner *learner, rng_key key, double *workspace);

/* One update of the network on the columns of batch [d, n_p + n_q], those of the particles first.
 * STATUS_diverged where a number is not finite; the learner is then spoiled. */
status gpa_update(const gpa_plan *plan, gpa_learner *learner, const double *batch, size_t n_p, size_t n_q,
                  double *workspace);

/* gradient [d, n] of phi at points [d, n]; phi [n], both may be NULL. */
void gpa_field(const gpa_plan *plan, const double *parameters, const double *points, size_t n, double *gradient,
               double *phi, double *workspace);

/* What one step of the particles leaves behind. */
typedef struct {
  double divergence;     /* the dual over all particles and target rows, before the step */
  double kinetic_energy; /* mean squared speed there */
  double largest_move;   /* of a particle in the step */
} gpa_record;

/* The dual and the kinetic energy at points [d, n] for a target [d, m]; gradient [d, n] is that of phi. */
gpa_record gpa_measure(const gpa_plan *plan, const double *parameters, const double *points, size_t n,
                       const double *target, size_t m, double *gradient, double *workspace);

/* Moves points [d, n] by one step, given the gradient of phi there (overwritten). `largest` (may be NULL)
 * becomes the longest move. STATUS_diverged where a coordinate is not finite. */
status gpa_move(const gpa_plan *plan, const double *parameters, double *points, size_t n, double *gradient,
                double *largest, double *workspace);

/* Room for each of these: n columns in a batch, m points and target rows together. */
size_t gpa_workspace(const gpa_plan *plan, size_t n, size_t m);

/* The `size` of n rows that update number `update` sees, without replacement: a pure function of the key.
 * order [n] is scratch; its first `size` entries are the rows. */
void gpa_batch(size_t *order, size_t n, size_t size, rng_key key, double update, uint32_t side);

#endif
