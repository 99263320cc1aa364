/* The dual of an f-divergence D(P || Q) for a given potential phi:
 *   mean_P phi - inf_nu [nu + mean_Q f*(phi - nu)],
 * a lower bound of D that is an equality at the best phi. The infimum is where mean_Q f*'(phi - nu) = 1. */
#ifndef PARTICLEFLOW_DIVERGENCE_H
#define PARTICLEFLOW_DIVERGENCE_H

#include <stddef.h>

typedef enum {
  DIVERGENCE_kl = 0,         /* f(x) = x log x; nu in closed form (Donsker and Varadhan) */
  DIVERGENCE_alpha = 1,      /* f(x) = (x^alpha - 1) / (alpha (alpha - 1)), alpha > 1 */
  DIVERGENCE_reverse_kl = 2, /* f(x) = -log x */
  DIVERGENCE_js = 3,         /* f(x) = x log x - (x + 1) log((x + 1)/2): twice Jensen and Shannon's */
  DIVERGENCE_count = 4
} divergence_kind;

typedef struct {
  divergence_kind kind;
  double alpha;
} divergence;

/* p [n_p], q [n_q]: phi at the samples of P and Q. weight [n_q] becomes f*'(q - nu) / n_q: positive, of sum 1,
 * minus the derivative of the dual by q. Not finite where the sums overflow. */
double divergence_dual(const divergence *d, const double *p, size_t n_p, const double *q, size_t n_q,
                       double *weight);

#endif
