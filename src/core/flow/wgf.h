/* Wasserstein gradient flows of divergences from a density p that is known up to a constant: particles of density
 * q move by V = w(r) grad log r, r = p/q. For D = integral of q f(r), w(r) = r^2 f''(r). */
#ifndef PARTICLEFLOW_WGF_H
#define PARTICLEFLOW_WGF_H

#include <stddef.h>

#include "core/base/status.h"

typedef enum {
  WGF_kl = 0,             /* KL(q || p): f = -log r,                w = 1 */
  WGF_reverse_kl = 1,     /* KL(p || q): f = r log r,               w = r */
  WGF_jeffreys = 2,       /* their sum:  f = (r - 1) log r,         w = 1 + r */
  WGF_js = 3,             /* Jensen-Shannon: f = r log r / 2 - (r + 1)/2 log((r + 1)/2), w = r / (2 (1 + r)) */
  WGF_pearson = 4,        /* f = (r - 1)^2,                         w = 2 r^2 */
  WGF_neyman = 5,         /* f = (r - 1)^2 / r,                     w = 2 / r */
  WGF_hellinger = 6,      /* f = (sqrt r - 1)^2,                    w = sqrt r / 2 */
  WGF_alpha = 7,          /* f = (r^a - 1 - a (r - 1)) / (a (a - 1)), w = r^a; a not 0 or 1 */
  WGF_log_variance_q = 8, /* half the variance of log r under q:    w = 1 - (log r - E_q log r) */
  WGF_log_variance_p = 9, /* the same under p:                      w = r (1 + log r - E_p log r) */
  WGF_count = 10
} wgf_kind;

typedef struct {
  wgf_kind kind;
  double alpha;
} wgf_divergence;

/* At l = log r; `mean` is that of log r under the reference of the log-variance. */
double wgf_weight(const wgf_divergence *d, double l, double mean);
double wgf_f(const wgf_divergence *d, double l, double mean);
/* r f'(r) - f(r), up to a constant minus the first variation: the rate at which mass grows by descent in the Fisher-Rao
 * metric. Its derivative in l is the weight. */
double wgf_growth(const wgf_divergence *d, double l, double mean);

typedef struct {
  wgf_divergence divergence;
  double cap;      /* a weight divided by that at r = 1 is kept between 1/cap and cap (log-variance: between -cap and
                      cap); INFINITY: no limit */
  double floor;    /* q has a flat part, min(exp(log_own), floor * median of q over the points); 0: none */
  double log_own;  /* log of what a point adds to the estimate of q at its own place */
  double step;     /* time step; 0: share * scale2 / W, where a tenth of the particles have a weight above W. These
                      weights are lowered to W */
  double share;
  double scale2;   /* the variance of the kernel in each direction */
  double furthest; /* no particle moves further in a step; INFINITY: no limit */
} wgf_plan;

typedef struct {
  double log_z;          /* log of the integral of p, by the mean of r */
  double divergence;     /* mean of f(r) over the particles */
  double kinetic_energy; /* mean |V|^2 */
  double step;
  double largest_move;
  double capped; /* share of weights that the cap changed */
} wgf_record;

/* One step of points [n, dim], column-major. log_p, log_q [n] and their gradients [n, dim] at the points. On
 * return log_r [n] is normalised, weight [n] as used. STATUS_diverged where a coordinate is not finite.
 * workspace: [2 n].
 *
 * q has a flat part, because at an isolated point the leave-one-out estimate of q decreases faster than p: its score
 * would move the point away without end. */
status wgf_move(const wgf_plan *plan, double *points, size_t n, size_t dim, const double *log_p, const double *score_p,
                const double *log_q, const double *score_q, double *log_r, double *weight, wgf_record *record,
                double *workspace);

#endif
