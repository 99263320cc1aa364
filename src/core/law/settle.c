#include "core/law/settle.h"

#include <math.h>

#include "core/base/parallel.h"
#include "core/law/interval.h"

#define SQRT_HALF 0.70710678118654752440

static double polynomial(const double *coefficient, int degree, double x) {
  double value = coefficient[degree];
  for (int k = degree - 1; k >= 0; k--) value = value * x + coefficient[k];
  return value;
}

double normal_quantile(double p) {
  static const double a[8] = {3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
                              1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                              3.3430575583588128105e+4, 2.5090809287301226727e+3};
  static const double b[8] = {1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
                              2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
                              5.2264952788528545610e+3};
  static const double c[8] = {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                              3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                              2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static const double d[8] = {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
                              1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                              1.05075007164441684324e-9};
  static const double e[8] = {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                              2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                              2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static const double f[8] = {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                              7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
                              2.04426310338993978564e-15};
  const double q = p - 0.5;
  if (fabs(q) <= 0.425) {
    const double r = 0.180625 - q * q;
    return q * polynomial(a, 7, r) / polynomial(b, 7, r);
  }
  const double r = sqrt(-log(q < 0.0 ? p : 1.0 - p));
  const double size = r <= 5.0 ? polynomial(c, 7, r - 1.6) / polynomial(d, 7, r - 1.6)
                               : polynomial(e, 7, r - 5.0) / polynomial(f, 7, r - 5.0);
  return q < 0.0 ? -size : size;
}

static interval normal_interval(double from, double to) {
  const tailed normal = {.df = INFINITY, .half_step = 0.0};
  return open_interval(normal, from, to);
}

/* Beyond this many standard deviations, and below this share of the probability beyond the upper end, intervals are
 * left to interval.h, because differences of probabilities would lose digits. */
#define FAR_OUT 8.0
#define NARROW_SHARE 1e-5

/* P(Z < x), x <= FAR_OUT */
static double below(double x) {
  return x == -INFINITY ? 0.0 : 0.5 * erfc(-x * SQRT_HALF);
}

double log_normal_between(double from, double to) {
  if (isnan(from) || isnan(to)) return NAN;
  if (!(from < to)) return -INFINITY;
  const double low = from > 0.0 ? -to : from, high = from > 0.0 ? -from : to;
  if (high < -FAR_OUT) return normal_interval(from, to).log_mass;
  const double top = below(high), mass = top - below(low);
  return mass > NARROW_SHARE * top ? log(mass) : normal_interval(from, to).log_mass;
}

double normal_between(double from, double to, double u) {
  if (isnan(from) || isnan(to)) return NAN;
  if (!(from < to)) return from;
  const int flip = from > 0.0;
  const double low = flip ? -to : from, high = flip ? -from : to;
  double z;
  const double top = high < -FAR_OUT ? 0.0 : below(high), bottom = below(low);
  if (top - bottom > NARROW_SHARE * top && top > 0.0) {
    const double p = bottom + u * (top - bottom);
    z = p < 1.0 ? normal_quantile(p) : high;
  } else {
    const interval within = normal_interval(low, high);
    z = interval_quantile(&within, u);
  }
  z = fmin(fmax(z, low), high);
  return flip ? -z : z;
}

typedef struct {
  const gibbs_column *of;
  const int *rows;
} settled_rows;

static void settle_range(size_t first, size_t end, size_t part, void *context) {
  (void)part;
  const settled_rows *some = context;
  const gibbs_column *of = some->of;
  const size_t j = of->column;
  const double own = of->precision[j], width = 1.0 / sqrt(own);
  for (size_t k = first; k < end; k++) {
    const size_t i = (size_t)some->rows[k];
    double pull = 0.0;
    for (size_t c = 0; c < of->dim; c++) {
      if (c != j) pull += of->precision[c] * (of->z[c * of->n + i] - of->mean[c]);
    }
    const double centre = of->mean[j] - pull / own;
    of->z[j * of->n + i] =
        centre + width * normal_between((of->low[i] - centre) / width, (of->high[i] - centre) / width, of->u[i]);
  }
}

/* A draw takes as long as some 40 coordinates of pairs. */
#define DRAW_WORK 40.0

void settle_rows(const gibbs_column *of, const int *rows, size_t count, int threads) {
  settled_rows some = {.of = of, .rows = rows};
  parallel_ranges(count, threads_worth((double)count * (DRAW_WORK + (double)of->dim), threads), settle_range, &some);
}

typedef struct {
  const gibbs_column *of;
  const placed_number *sorted;
  size_t count;
} ranked_rows;

/* Places [first, end) of the order. Ranks count from 1, and equal values have their mean. */
static void rank_range(size_t first, size_t end, size_t part, void *context) {
  const ranked_rows *some = context;
  const placed_number *sorted = some->sorted;
  const gibbs_column *of = some->of;
  double *z = of->z + of->column * of->n;
  (void)part;
  for (size_t k = first, from, to; k < end; k = to) {
    from = k, to = k + 1; /* NaN is not equal to itself */
    while (from > 0 && k == first && sorted[from - 1].value == sorted[k].value) from--;
    while (to < some->count && sorted[to].value == sorted[k].value) to++;
    const double rank = 0.5 * ((double)from + 1.0 + (double)to);
    const double score = normal_quantile((rank - 0.5) / (double)some->count);
    for (size_t e = k; e < to && e < end; e++) {
      const size_t at = sorted[e].place;
      const double low = of->low[at], high = of->high[at], margin = 1e-4 * fmin(high - low, 1.0);
      z[at] = fmin(fmax(score, low + margin), high - margin);
    }
  }
}

/* A quantile takes as long as some 10 coordinates of pairs. */
#define QUANTILE_WORK 10.0

void rank_rows(const gibbs_column *of, const int *rows, size_t count, placed_number *room, int threads) {
  const double *z = of->z + of->column * of->n;
  for (size_t k = 0; k < count; k++) room[k] = (placed_number){.value = z[rows[k]], .place = (size_t)rows[k]};
  sort_placed(room, count, room + count);
  ranked_rows some = {.of = of, .sorted = room, .count = count};
  parallel_ranges(count, threads_worth((double)count * QUANTILE_WORK, threads), rank_range, &some);
}
