#include "core/law/mixture.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/base/exponentials.h"
#include "core/base/linalg.h"
#include "core/base/parallel.h"
#include "core/law/bundles.h"

#define LANES GAUSSIAN_LANES

/* From so many components on, in up to BUNDLE_MAX_DIM dimensions, a point looks at the bundles near it only. The sum is
 * the same to the last bit: what is left out is negligible in log_sum_exp(), and the order of the rest is the same. */
#define BUNDLED ((size_t)2000)

static int is_bundled(size_t n, size_t dim) {
  return n >= BUNDLED && dim <= BUNDLE_MAX_DIM;
}

/* Lengths and crosses of one group of points, a row of terms, what the lengths need. With bundles: lengths, crosses,
 * terms twice, places, marks, nearness and bounds of bundles, and whether their lengths are known. */
static size_t part_workspace(size_t n, size_t dim) {
  if (is_bundled(n, dim)) return 5 * n + n / 64 + 1 + 3 * bundle_count(n);
  return 2 * LANES * n + n + gaussian_room(dim);
}

/* |q_a|^2 and the bundles stand behind the parts of the threads. */
size_t mixture_workspace(size_t n, size_t dim, int threads) {
  const gaussians of = {.n = n, .dim = dim};
  return (size_t)threads * part_workspace(n, dim) + n + (is_bundled(n, dim) ? bundles_workspace(&of) : 0);
}

typedef struct {
  const gaussians *mixture;
  const double *points;
  size_t m, first;
  const mixture_widths *widths;
  const double *offset2; /* [n] |q_a|^2; null: none */
  const bundles *near;   /* null: none */
  double *out, *workspace;
} mixture_plan;

/* The length of component a, |A_a (y - m_a) - t q_a|^2. */
static double shifted(const mixture_plan *plan, size_t a, double length, double cross, double share) {
  return plan->offset2 ? length + share * (share * plan->offset2[a] - 2.0 * cross) : length;
}

/* One point, lane 0 of lengths and crosses [n, LANES], against all components but its own. */
static double log_density_at(const mixture_plan *plan, const double *lengths, const double *crosses, size_t own,
                             size_t k, double *terms) {
  const gaussians *mixture = plan->mixture;
  const double width = plan->widths->width[k], share = plan->widths->share[k];
  const double rate = 0.5 / (width * width);
  size_t n_terms = 0;
  for (size_t a = 0; a < mixture->n; a++) {
    if (a == own) continue;
    const double length = shifted(plan, a, lengths[a * LANES], plan->offset2 ? crosses[a * LANES] : 0.0, share);
    terms[n_terms++] = mixture->constants[a] - rate * length;
  }
  return log_sum_exp(terms, n_terms) - (double)mixture->dim * log(width);
}

static void run_groups(size_t from, size_t to, size_t part, void *context) {
  const mixture_plan *plan = context;
  const size_t n = plan->mixture->n, dim = plan->mixture->dim, m = plan->m;
  double *lengths = plan->workspace + part * part_workspace(n, dim), *crosses = lengths + n * LANES;
  double *terms = crosses + n * LANES, *room = terms + n;
  for (size_t g = from; g < to; g++) {
    const size_t i = g * LANES, count = m - i < LANES ? m - i : LANES;
    gaussian_lengths(plan->mixture, plan->points + i * dim, count, lengths, crosses, room);
    for (size_t l = 0; l < count; l++) {
      const size_t own = plan->first == NOT_A_COMPONENT ? NOT_A_COMPONENT : plan->first + i + l;
      for (size_t k = 0; k < plan->widths->n; k++) {
        plan->out[k * m + i + l] = log_density_at(plan, lengths + l, crosses + l, own, k, terms);
      }
    }
  }
}

/* --- bundles --------------------------------------------------------------------------------------------------- */

/* Room for one point; terms and places are those looked at so far, and `most` the largest of them. */
typedef struct {
  double *length, *cross, *term, *dense; /* [n]: by place, by place, looked at, by component */
  int *place;                            /* [n] of each term */
  uint64_t *mark;                        /* [n / 64 + 1] a bit per component, all 0 between uses */
  double *nearness, *bound, *known;      /* [bundles] */
  size_t terms;
  double most;
} bundle_room;

static bundle_room carve_room(double *workspace, size_t n, size_t count) {
  bundle_room room = {.length = workspace, .cross = workspace + n, .term = workspace + 2 * n};
  room.dense = workspace + 3 * n;
  room.place = (int *)(workspace + 4 * n);
  room.mark = (uint64_t *)(workspace + 5 * n);
  room.nearness = workspace + 5 * n + n / 64 + 1;
  room.bound = room.nearness + count;
  room.known = room.bound + count;
  memset(room.mark, 0, (n / 64 + 1) * sizeof *room.mark);
  return room;
}

/* The terms of bundle g at width number k, but for that of component `own`. */
static void look_at(const mixture_plan *plan, bundle_room *room, size_t g, const double *y, size_t own, size_t k) {
  const double width = plan->widths->width[k], share = plan->widths->share[k], rate = 0.5 / (width * width);
  const bundles *near = plan->near;
  if (room->known[g] == 0.0) bundle_lengths(near, g, y, room->length, room->cross);
  room->known[g] = 1.0;
  for (size_t i = (size_t)near->first[g]; i < (size_t)near->first[g + 1]; i++) {
    const size_t a = (size_t)near->order[i];
    if (a == own) continue;
    const double length = shifted(plan, a, room->length[i], plan->offset2 ? room->cross[i] : 0.0, share);
    const double term = plan->mixture->constants[a] - rate * length;
    room->place[room->terms] = (int)a;
    room->term[room->terms++] = term;
    if (term > room->most) room->most = term;
  }
}

/* log_sum_exp() of the terms looked at, added in the order of the components. */
static double sum_in_order(bundle_room *room, size_t n) {
  const double most = room->most;
  if (!(most > -INFINITY)) return -INFINITY;
  for (size_t i = 0; i < room->terms; i++) {
    if (!(room->term[i] - most > EXP_NEGLIGIBLE)) continue;
    const size_t a = (size_t)room->place[i];
    room->dense[a] = room->term[i] - most;
    room->mark[a / 64] |= (uint64_t)1 << (a % 64);
  }
  double sum = 0.0;
  for (size_t w = 0; w <= n / 64; w++) {
    uint64_t bits = room->mark[w];
    room->mark[w] = 0;
    for (size_t a = w * 64; bits; a++, bits >>= 1) {
      if (bits & 1) sum += exp(room->dense[a]);
    }
  }
  return most + log(sum);
}

/* A term of a bundle that is left out is below the largest one by so much more than what is negligible that rounding of
 * the bounds does not matter. */
static double least_bound(double most) {
  return most + EXP_NEGLIGIBLE - 1.0 - 1e-9 * fabs(most);
}

static double bundled_density(const mixture_plan *plan, bundle_room *room, const double *y, size_t own, size_t k) {
  const double width = plan->widths->width[k], share = plan->widths->share[k], rate = 0.5 / (width * width);
  const bundles *near = plan->near;
  size_t best = 0;
  for (size_t g = 0; g < near->count; g++) {
    const double least = room->nearness[g] - share * near->offset[g], length = least > 0.0 ? least * least : 0.0;
    room->bound[g] = near->constant[g] - rate * length;
    if (room->bound[g] > room->bound[best]) best = g;
  }
  room->terms = 0, room->most = -INFINITY;
  look_at(plan, room, best, y, own, k);
  for (size_t g = 0; g < near->count; g++) {
    if (g != best && !(room->bound[g] < least_bound(room->most))) look_at(plan, room, g, y, own, k);
  }
  return sum_in_order(room, near->n) - (double)near->dim * log(width);
}

static void run_bundled(size_t from, size_t to, size_t part, void *context) {
  const mixture_plan *plan = context;
  const bundles *near = plan->near;
  bundle_room room = carve_room(plan->workspace + part * part_workspace(near->n, near->dim), near->n, near->count);
  for (size_t i = from; i < to; i++) {
    const double *y = plan->points + i * near->dim;
    const size_t own = plan->first == NOT_A_COMPONENT ? NOT_A_COMPONENT : plan->first + i;
    memset(room.known, 0, near->count * sizeof(double));
    bundle_nearness(near, y, room.nearness);
    for (size_t k = 0; k < plan->widths->n; k++) plan->out[k * plan->m + i] = bundled_density(plan, &room, y, own, k);
  }
}

/* --- all points ------------------------------------------------------------------------------------------------ */

void mixture_log_density(const gaussians *mixture, const double *points, size_t m, size_t first,
                         const mixture_widths *widths, double *out, double *workspace, int threads) {
  const size_t dim = mixture->dim, n = mixture->n;
  double *offset2 = mixture->offsets ? workspace + (size_t)threads * part_workspace(n, dim) : NULL;
  for (size_t a = 0; offset2 && a < n; a++) {
    offset2[a] = dot(mixture->offsets + a * dim, mixture->offsets + a * dim, dim);
  }
  mixture_plan plan = {
      .mixture = mixture,
      .points = points,
      .m = m,
      .first = first,
      .widths = widths,
      .offset2 = offset2,
      .out = out,
      .workspace = workspace,
  };
  bundles near;
  if (is_bundled(n, dim)) {
    near = bundle_gaussians(mixture, workspace + (size_t)threads * part_workspace(n, dim) + n);
    plan.near = &near;
    parallel_ranges(m, threads_worth_pairs(m, n / 8, 10 * widths->n, threads), run_bundled, &plan);
    return;
  }
  /* an exponential costs as much as ten products */
  const int team = threads_worth_pairs(m, n, dim * dim / 2 + 10 * widths->n, threads);
  parallel_ranges((m + LANES - 1) / LANES, team, run_groups, &plan);
}
