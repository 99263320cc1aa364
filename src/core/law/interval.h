/* The standard normal law and t laws on an interval: log-probability, and draws by inversion. Nothing is lost in the
 * tails or in narrow intervals.
 *
 * t with df degrees of freedom is taken in the coordinate y, x = sqrt(df) sinh(y). Its density in y is proportional to
 * cosh(y)^(-df), which is log-concave like the normal density, so that one solver inverts both. */
#ifndef PARTICLEFLOW_INTERVAL_H
#define PARTICLEFLOW_INTERVAL_H

/* lgamma((df + 1) / 2) - lgamma(df / 2), by which the constants of t densities are made; 0 if df is infinite. (It
 * calls lgamma() of C, so not inside a parallel region.) */
double t_half_step(double df);
/* The same of df + 1, from that of df. */
double next_half_step(double df, double half_step);

/* log cosh(y) */
double log_cosh(double y);

typedef struct {
  double df;        /* degrees of freedom; INFINITY: the normal law, and y is x */
  double half_step; /* t_half_step(df) */
} tailed;

/* [low, high] in the coordinate y, low < high, each perhaps infinite. */
typedef struct {
  tailed law;
  double low, high;
  double log_mass;     /* the log-probability */
  double below, above; /* the masses on both sides of 0, if 0 is inside; otherwise 0 */
} interval;

interval open_interval(tailed law, double low, double high);

/* The u-quantile of the law within the interval, 0 < u < 1: y. */
double interval_quantile(const interval *of, double u);

#endif
