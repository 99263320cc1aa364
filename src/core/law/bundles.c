#include "core/law/bundles.h"

#include <math.h>
#include <string.h>

#include "core/base/linalg.h"
#include "core/base/sorting.h"
#include "core/pair/widened.h"

#define LANES GAUSSIAN_LANES
#define TRIANGLE (BUNDLE_MAX_DIM * (BUNDLE_MAX_DIM + 1) / 2)

/* --- bundles --------------------------------------------------------------------------------------------------- */

size_t bundle_count(size_t n) {
  return n <= BUNDLE_MOST ? 1 : bundle_count(n / 2) + bundle_count(n - n / 2);
}

static size_t as_doubles(size_t ints) {
  return (ints * sizeof(int) + sizeof(double) - 1) / sizeof(double);
}

size_t bundles_workspace(const gaussians *of) {
  const size_t count = bundle_count(of->n), dim = of->dim, stride = of->n + LANES;
  return as_doubles(count + 1) + as_doubles(of->n) + count * (2 * dim + 3) + stride * (2 * dim + triangle_size(dim));
}

static double *take(double **rest, size_t size) {
  double *place = *rest;
  *rest += size;
  return place;
}

/* A lower bound of the least singular value of a lower triangle A: with M = (AA')^-1 the largest eigenvalue of M is at
 * most tr(M^8)^(1/8), which is at most dim^(1/8) times as large. */
static double least_singular(const double *triangle, size_t dim) {
  double a[BUNDLE_MAX_DIM * BUNDLE_MAX_DIM] = {0.0}, inverse[TRIANGLE], m[BUNDLE_MAX_DIM * BUNDLE_MAX_DIM];
  double square[BUNDLE_MAX_DIM * BUNDLE_MAX_DIM], scale = 1.0, trace = 0.0;
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e <= c; e++) a[c * dim + e] = *triangle++;
  }
  invert_factor(a, dim, inverse);
  for (size_t c = 0; c < dim; c++) {
    for (size_t e = 0; e < dim; e++) {
      double sum = 0.0; /* of A^-1' A^-1 */
      for (size_t k = c > e ? c : e; k < dim; k++) sum += inverse[triangle_size(k) + c] * inverse[triangle_size(k) + e];
      m[c * dim + e] = sum;
    }
  }
  for (int power = 0; power < 3; power++) {
    trace = 0.0;
    for (size_t c = 0; c < dim; c++) trace += m[c * dim + c];
    if (!(trace > 0.0 && trace < INFINITY)) return 0.0;
    /* the eigenvalues of M^(2^power) are those of m times scale */
    scale *= trace;
    for (size_t c = 0; c < dim * dim; c++) m[c] /= trace;
    for (size_t c = 0; c < dim; c++) {
      for (size_t e = 0; e < dim; e++) {
        square[c * dim + e] = 0.0;
        for (size_t k = 0; k < dim; k++) square[c * dim + e] += m[c * dim + k] * m[k * dim + e];
      }
    }
    memcpy(m, square, sizeof m);
    scale *= scale;
  }
  trace = 0.0;
  for (size_t c = 0; c < dim; c++) trace += m[c * dim + c];
  const double largest = pow(trace, 0.125) * pow(scale, 0.125);
  return largest > 0.0 && largest < INFINITY ? (1.0 - 1e-9) / sqrt(largest) : 0.0;
}

typedef struct {
  const gaussians *of;
  bundles *in;
  size_t next;
} bundle_builder;

/* What bounds the terms of the bundle `self`, places [from, to). */
static void close_bundle(const bundle_builder *b, size_t self, size_t from, size_t to) {
  const gaussians *of = b->of;
  bundles *in = b->in;
  in->constant[self] = -INFINITY, in->slope[self] = INFINITY, in->offset[self] = 0.0;
  for (size_t c = 0; c < of->dim; c++) {
    in->low[c * in->count + self] = INFINITY, in->high[c * in->count + self] = -INFINITY;
  }
  for (size_t i = from; i < to; i++) {
    const size_t a = (size_t)in->order[i];
    const double slope = least_singular(of->factors + a * triangle_size(of->dim), of->dim);
    for (size_t c = 0; c < of->dim; c++) {
      const double x = of->means[a * of->dim + c];
      double *low = in->low + c * in->count + self, *high = in->high + c * in->count + self;
      if (x < *low) *low = x;
      if (x > *high) *high = x;
    }
    if (of->constants[a] > in->constant[self]) in->constant[self] = of->constants[a];
    if (slope < in->slope[self]) in->slope[self] = slope;
    if (!of->offsets) continue;
    const double *q = of->offsets + a * of->dim, size = sqrt(dot(q, q, of->dim));
    if (size > in->offset[self]) in->offset[self] = size;
  }
}

static void split_bundle(bundle_builder *b, size_t from, size_t to) {
  const gaussians *of = b->of;
  bundles *in = b->in;
  const size_t dim = of->dim, n = to - from;
  if (n <= BUNDLE_MOST) {
    in->first[b->next] = (int)from;
    close_bundle(b, b->next++, from, to);
    return;
  }
  size_t longest = 0;
  double most = -1.0;
  for (size_t c = 0; c < dim; c++) {
    double low = INFINITY, high = -INFINITY;
    for (size_t i = from; i < to; i++) {
      const double x = of->means[(size_t)in->order[i] * dim + c];
      if (x < low) low = x;
      if (x > high) high = x;
    }
    if (high - low > most) most = high - low, longest = c;
  }
  split_rows(of->means, dim, in->order, from, to, from + n / 2, longest);
  split_bundle(b, from, from + n / 2);
  split_bundle(b, from + n / 2, to);
}

bundles bundle_gaussians(const gaussians *of, double *workspace) {
  const size_t n = of->n, dim = of->dim, count = bundle_count(n), stride = n + LANES, triangle = triangle_size(dim);
  double **rest = &workspace;
  bundles in = {.n = n, .dim = dim, .count = count, .stride = stride};
  in.low = take(rest, count * dim), in.high = take(rest, count * dim);
  in.constant = take(rest, count), in.slope = take(rest, count), in.offset = take(rest, count);
  in.mean = take(rest, stride * dim), in.factor = take(rest, stride * triangle);
  in.q = take(rest, stride * dim);
  in.first = (int *)take(rest, as_doubles(count + 1));
  in.order = (int *)take(rest, as_doubles(n));
  for (size_t i = 0; i < n; i++) in.order[i] = (int)i;
  bundle_builder b = {.of = of, .in = &in};
  split_bundle(&b, 0, n);
  in.first[count] = (int)n;
  memset(in.mean, 0, stride * (2 * dim + triangle) * sizeof(double));
  for (size_t i = 0; i < n; i++) {
    const size_t a = (size_t)in.order[i];
    for (size_t c = 0; c < dim; c++) in.mean[c * stride + i] = of->means[a * dim + c];
    for (size_t e = 0; e < triangle; e++) in.factor[e * stride + i] = of->factors[a * triangle + e];
    for (size_t c = 0; of->offsets && c < dim; c++) in.q[c * stride + i] = of->offsets[a * dim + c];
  }
  if (!of->offsets) in.q = NULL;
  return in;
}

/* --- points ---------------------------------------------------------------------------------------------------- */

INLINED void nearness_of_plain(const bundles *in, const double *y, double *nearness) {
  const size_t count = in->count;
  for (size_t g = 0; g < count; g++) nearness[g] = 0.0;
  for (size_t c = 0; c < in->dim; c++) {
    const double *low = in->low + c * count, *high = in->high + c * count, x = y[c];
    for (size_t g = 0; g < count; g++) {
      const double below = low[g] - x, above = x - high[g];
      const double gap = below > above ? below : above, out = gap > 0.0 ? gap : 0.0;
      nearness[g] += out * out;
    }
  }
  for (size_t g = 0; g < count; g++) nearness[g] = sqrt(nearness[g]) * in->slope[g];
}

WIDENED(nearness_of, (const bundles *in, const double *y, double *nearness), (in, y, nearness))

void bundle_nearness(const bundles *in, const double *y, double *nearness) {
  nearness_of(in, y, nearness);
}

/* LANES places from `at` on. */
INLINED void lane_lengths(const bundles *in, size_t at, const double *y, double *sum, double *sum_cross) {
  const size_t dim = in->dim, stride = in->stride;
  const double *factor = in->factor + at;
  double z[BUNDLE_MAX_DIM * LANES];
  for (size_t l = 0; l < LANES; l++) sum[l] = sum_cross[l] = 0.0;
  for (size_t c = 0; c < dim; c++) {
    for (size_t l = 0; l < LANES; l++) z[c * LANES + l] = y[c] - in->mean[c * stride + at + l];
  }
  for (size_t c = 0; c < dim; c++) {
    double along[LANES] = {0.0};
    for (size_t e = 0; e <= c; e++, factor += stride) {
      for (size_t l = 0; l < LANES; l++) along[l] += factor[l] * z[e * LANES + l];
    }
    for (size_t l = 0; l < LANES; l++) sum[l] += along[l] * along[l];
    for (size_t l = 0; in->q && l < LANES; l++) sum_cross[l] += along[l] * in->q[c * stride + at + l];
  }
}

INLINED void run_lengths_plain(const bundles *in, size_t from, size_t to, const double *y, double *length,
                               double *cross) {
  for (size_t at = from; at < to; at += LANES) {
    const size_t count = to - at < LANES ? to - at : LANES;
    double sum[LANES], sum_cross[LANES];
    lane_lengths(in, at, y, sum, sum_cross);
    memcpy(length + at, sum, count * sizeof(double));
    if (in->q) memcpy(cross + at, sum_cross, count * sizeof(double));
  }
}

WIDENED(run_lengths, (const bundles *in, size_t from, size_t to, const double *y, double *length, double *cross),
        (in, from, to, y, length, cross))

void bundle_lengths(const bundles *in, size_t bundle, const double *y, double *length, double *cross) {
  run_lengths(in, (size_t)in->first[bundle], (size_t)in->first[bundle + 1], y, length, cross);
}
