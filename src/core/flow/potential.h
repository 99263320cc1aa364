/* The potential phi of the generative particle algorithm (arXiv 2210.17230): a network with a bounded slope that
 * maximises the dual of a divergence D(particles || target). */
#ifndef PARTICLEFLOW_POTENTIAL_H
#define PARTICLEFLOW_POTENTIAL_H

#include "core/base/rng.h"
#include "core/base/status.h"
#include "core/net/divergence.h"
#include "core/net/learner.h"

/* After each update every weight matrix is rescaled to the norm L^(1/D), so that the slope of phi is at most L. */
typedef enum { NORM_spectral = 0, NORM_frobenius = 1, NORM_count = 2 } weight_norm;

typedef enum { SOLVER_euler = 0, SOLVER_heun = 1, SOLVER_count = 2 } flow_solver;

typedef struct {
  network net; /* one output */
  divergence divergence;
  double lipschitz; /* L, INFINITY for none */
  weight_norm norm;
  adam_settings adam;
  flow_solver solver;
  double step;
  size_t n_updates; /* of the network before each step of the particles */
  int threads;      /* no result depends on it */
} gpa_plan;

typedef struct {
  network_learner net;
  double *directions; /* [gpa_directions] where the power iterations ended */
} gpa_learner;

size_t gpa_directions(const network *net);

/* He start, rescaled; moments and directions 0. */
status gpa_start(const gpa_plan *plan, gpa_learner *learner, rng_key key, interrupt_function interrupted,
                 double *workspace);

/* One update of the network on the columns of batch [d, n_p + n_q], those of the particles first.
 * STATUS_diverged where a number is not finite; STATUS_interrupted where `interrupted` says so. The learner is then
 * spoiled. */
status gpa_update(const gpa_plan *plan, gpa_learner *learner, const double *batch, size_t n_p, size_t n_q,
                  interrupt_function interrupted, double *workspace);

/* gradient [d, n] of phi at points [d, n]; phi [n]; either may be NULL. */
void gpa_field(const gpa_plan *plan, const double *parameters, const double *points, size_t n, double *gradient,
               double *phi, double *workspace);

/* What one step of the particles leaves behind. */
typedef struct {
  double divergence;     /* the dual over all particles and target rows, before the step */
  double kinetic_energy; /* mean squared speed there */
  double largest_move;   /* of a particle in the step; 0 where only measured */
} gpa_record;

/* The dual and the kinetic energy at points [d, n] for a target [d, m]; gradient [d, n] is that of phi. */
gpa_record gpa_measure(const gpa_plan *plan, const double *parameters, const double *points, size_t n,
                       const double *target, size_t m, double *gradient, double *workspace);

/* Room for each of these, and for gpa_move(): n columns in a batch, m points and target rows together. */
size_t gpa_workspace(const gpa_plan *plan, size_t n, size_t m);

#endif
