#include "core/law/interval.h"

#include <float.h>
#include <math.h>

#define LOG_2 0.69314718055994530942
#define LOG_PI 1.1447298858494001741
#define LOG_2_PI 1.8378770664093454836
#define SQRT_HALF 0.70710678118654752440
/* From here the asymptotic series of the normal tail is right to 1e-14, and erfc() has not yet underflowed. */
#define FAR 30.0
/* Above these degrees of freedom the series of half a step is exact to rounding. */
#define MANY 1000.0
/* Above these degrees of freedom t is taken as normal: the relative error x^4 / (4 df) of the density at |x| = 3 is
 * 2e-9. */
#define NORMAL_DF 1e10
/* In an interval whose width times the slope of the log-density is below this, the density is a quadratic. */
#define NARROW 1e-4
#define MOST_STEPS 60
#define MOST_TERMS 200000
#define LEAST 1e-300 /* stands for 0 in the continued fraction */

double t_half_step(double df) {
  if (isinf(df)) return 0.0;
  if (df < MANY) return lgamma(0.5 * (df + 1.0)) - lgamma(0.5 * df);
  return 0.5 * log(0.5 * df) - 0.25 / df + 1.0 / (24.0 * df * df * df);
}

double next_half_step(double df, double half_step) {
  return isinf(df) ? 0.0 : log(0.5 * df) - half_step;
}

double log_cosh(double y) {
  const double size = fabs(y);
  if (size > 1.0) return size - LOG_2 + log1p(exp(-2.0 * size));
  const double s = sinh(size);
  return 0.5 * log1p(s * s);
}

/* The y >= 0 with log cosh(y) = l. */
static double inverse_log_cosh(double l) {
  return l + log1p(sqrt(-expm1(-2.0 * l)));
}

static int is_normal(tailed law) {
  return law.df > NORMAL_DF;
}

/* log density at y */
static double log_height(tailed law, double y) {
  if (is_normal(law)) return -0.5 * (y * y + LOG_2_PI);
  return law.half_step - 0.5 * LOG_PI - law.df * log_cosh(y);
}

/* The continued fraction of the incomplete beta function I_x(a, b), by Lentz's method; it converges quickly for
 * x < (a + 1) / (a + b + 2). I_x(a, b) = x^a (1 - x)^b / (a B(a, b)) times it. */
static double beta_fraction(double a, double b, double x) {
  double c = 1.0, d = 1.0 - (a + b) * x / (a + 1.0);
  d = 1.0 / (fabs(d) < LEAST ? LEAST : d);
  double value = d;
  for (int m = 1; m <= MOST_TERMS; m++) {
    const double i = (double)m, even = i * (b - i) * x / ((a + 2.0 * i - 1.0) * (a + 2.0 * i));
    const double odd = -(a + i) * (a + b + i) * x / ((a + 2.0 * i) * (a + 2.0 * i + 1.0));
    d = 1.0 + even * d;
    c = 1.0 + even / c;
    d = 1.0 / (fabs(d) < LEAST ? LEAST : d);
    if (fabs(c) < LEAST) c = LEAST;
    value *= c * d;
    d = 1.0 + odd * d;
    c = 1.0 + odd / c;
    d = 1.0 / (fabs(d) < LEAST ? LEAST : d);
    if (fabs(c) < LEAST) c = LEAST;
    value *= c * d;
    if (fabs(c * d - 1.0) < 1e-15) break;
  }
  return value;
}

/* P(Y > y) / (f(y) / y) of the normal law for y >= FAR. */
static double far_series(double y) {
  const double r = 1.0 / (y * y);
  return 1.0 - r * (1.0 - r * (3.0 - r * (15.0 - r * (105.0 - r * 945.0))));
}

/* log P(Y > y) for y >= 0, and P(0 < Y < y). */
static double log_tail(tailed law, double y, double *middle) {
  if (y == INFINITY) {
    *middle = 0.5;
    return -INFINITY;
  }
  if (is_normal(law)) {
    *middle = 0.5 * erf(y * SQRT_HALF);
    if (y < FAR) return log(0.5 * erfc(y * SQRT_HALF));
    return -0.5 * (y * y + LOG_2_PI) - log(y) + log(far_series(y));
  }
  const double a = 0.5 * law.df, l = log_cosh(y), side = tanh(y), w = exp(-2.0 * l);
  const double front = law.half_step - 0.5 * LOG_PI - law.df * l; /* log of w^a / B(a, 1/2) */
  if (w < (a + 1.0) / (a + 2.5)) {
    const double tail = front + log(side) - log(law.df) + log(beta_fraction(a, 0.5, w));
    *middle = 0.5 - exp(tail);
    return tail;
  }
  *middle = side * exp(front) * beta_fraction(0.5, a, side * side);
  return log(0.5 - *middle);
}

/* log P(Y > low) / P(Y > high), 0 <= low < high. Far out in the normal tail the logarithms are so large that their
 * difference is noise. */
static double log_gap(tailed law, double low, double high) {
  double middle;
  if (high == INFINITY) return INFINITY;
  if (is_normal(law) && low >= FAR) {
    return 0.5 * (high - low) * (high + low) + log(high / low * (far_series(low) / far_series(high)));
  }
  return log_tail(law, low, &middle) - log_tail(law, high, &middle);
}

/* f(y) / P(Y > y), given log P(Y > y). */
static double hazard(tailed law, double y, double tail) {
  return is_normal(law) && y >= FAR ? y / far_series(y) : exp(log_height(law, y) - tail);
}

/* The width times the largest derivative of the log-density, as the square root of a sum of squares. */
static double variation(tailed law, double middle, double width) {
  if (is_normal(law)) return width * sqrt(middle * middle + 1.0);
  const double slope = law.df * tanh(middle);
  return width * sqrt(slope * slope + law.df);
}

static int is_narrow(tailed law, double low, double high) {
  return isfinite(low) && isfinite(high) && variation(law, 0.5 * (low + high), high - low) < NARROW;
}

/* f'/f at y */
static double log_slope(tailed law, double y) {
  return is_normal(law) ? -y : -law.df * tanh(y);
}

/* The log-mass of a narrow interval: f(m) w (1 + w^2 f''(m) / (24 f(m))). */
static double narrow_mass(tailed law, double low, double high) {
  const double y = 0.5 * (low + high), width = high - low, slope = log_slope(law, y);
  const double bend = is_normal(law) ? -1.0 : -law.df * exp(-2.0 * log_cosh(y));
  return log_height(law, y) + log(width) + width * width * (slope * slope + bend) / 24.0;
}

/* log(1 - exp(-gap)), gap > 0 */
static double log_complement(double gap) {
  return gap > LOG_2 ? log1p(-exp(-gap)) : log(-expm1(-gap));
}

interval open_interval(tailed law, double low, double high) {
  interval of = {.law = law, .low = low, .high = high};
  double middle = 0.0;
  if (is_narrow(law, low, high)) {
    of.log_mass = narrow_mass(law, low, high);
  } else if (low < 0.0 && high > 0.0) {
    log_tail(law, -low, &of.below);
    log_tail(law, high, &of.above);
    of.log_mass = log(of.below + of.above);
  } else {
    const double near = low < 0.0 ? -high : low, far = low < 0.0 ? -low : high;
    of.log_mass = log_tail(law, near, &middle) + log_complement(log_gap(law, near, far));
  }
  return of;
}

/* The y in [low, high], low >= 0, with log P(Y > y) = log P(Y > low) - drop. Newton's method on the log-tail, which is
 * concave: from a y that is too large every step is downwards and stays too large. Two such y are at hand: the tangent
 * at low, and the bound P(Y > y) / P(Y > low) <= f(y) / f(low), because f is log-concave. */
static double descend(tailed law, double low, double high, double tail, double drop) {
  double middle;
  const double tangent = low + drop / hazard(law, low, tail);
  const double bound =
      is_normal(law) ? sqrt(low * low + 2.0 * drop) : inverse_log_cosh(log_cosh(low) + drop / law.df);
  double y = fmin(fmin(tangent, bound), high);
  for (int step = 0; step < MOST_STEPS; step++) {
    const double at = log_tail(law, y, &middle), excess = at - (tail - drop);
    if (!(excess < -1e-15 * fmax(1.0, -at))) break;
    const double next = y + excess / hazard(law, y, at);
    if (!(next < y)) break;
    y = next;
  }
  return fmin(fmax(y, low), high);
}

/* The quantile in [low, high], 0 <= low. */
static double one_sided(tailed law, double low, double high, double u) {
  double middle;
  const double tail = log_tail(law, low, &middle), most = 1.0 - 0.5 * DBL_EPSILON;
  return descend(law, low, high, tail, -log1p(fmin(u, most) * expm1(-log_gap(law, low, high))));
}

double interval_quantile(const interval *of, double u) {
  const tailed law = of->law;
  const double low = of->low, high = of->high;
  if (is_narrow(law, low, high)) {
    const double width = high - low, tilt = 0.5 * width * log_slope(law, 0.5 * (low + high));
    return low + width * (u + tilt * u * (1.0 - u));
  }
  if (low < 0.0 && high > 0.0) {
    const double at = u * (of->below + of->above) - of->below;
    return at < 0.0 ? -one_sided(law, 0.0, -low, -at / of->below) : one_sided(law, 0.0, high, at / of->above);
  }
  return low < 0.0 ? -one_sided(law, -high, -low, 1.0 - u) : one_sided(law, low, high, u);
}
