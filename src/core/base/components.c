#include "core/base/components.h"

#include "core/base/linalg.h"
#include "core/base/normals.h"
#include "core/base/parallel.h"

void sum_weights(const t_components *law, double *upto) {
  double sum = 0.0;
  for (size_t k = 0; k < law->n; k++) upto[k] = sum += law->weights[k];
}

size_t pick_component(const double *upto, size_t n, double u) {
  const double at = u * upto[n - 1];
  size_t low = 0, high = n - 1;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (upto[middle] > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

void place_in_component(const t_components *law, size_t k, double *z) {
  const double *root = law->roots + (law->shared ? 0 : k) * triangle_size(law->dim), *mean = law->means + k * law->dim;
  /* from the last coordinate on, because each needs those before it as they were */
  for (size_t i = law->dim; i-- > 0;) z[i] = dot(root + triangle_size(i), z, i + 1) + mean[i];
}

void draw_components(const component_source *from, uint64_t first, size_t count, double *z) {
  const size_t dim = from->law->dim;
  fill_normal_columns(z, count, dim, from->key, from->stream, first);
  for (size_t i = 0; i < count; i++) {
    rng_sequence pick;
    rng_start(&pick, from->pick_key, from->pick_stream, first + i);
    place_in_component(from->law, pick_component(from->upto, from->law->n, rng_uniform(&pick)), z + i * dim);
  }
}

/* Draws that a thread makes before it writes them by columns. */
#define DRAWS_TOGETHER ((size_t)256)

size_t component_workspace(const component_source *from) {
  return DRAWS_TOGETHER * from->law->dim;
}

typedef struct {
  const component_source *from;
  size_t n;
  double *out, *workspace;
} draw_plan;

static void draw_range(size_t first, size_t last, size_t part, void *context) {
  const draw_plan *plan = context;
  const size_t dim = plan->from->law->dim;
  double *z = plan->workspace + part * component_workspace(plan->from);
  for (size_t at = first; at < last; at += DRAWS_TOGETHER) {
    const size_t count = last - at < DRAWS_TOGETHER ? last - at : DRAWS_TOGETHER;
    draw_components(plan->from, at, count, z);
    for (size_t j = 0; j < dim; j++) {
      for (size_t i = 0; i < count; i++) plan->out[j * plan->n + at + i] = z[i * dim + j];
    }
  }
}

/* Work of a draw in the unit of threads_worth(): its component, its normal numbers and the products. */
static double draw_work(size_t dim) {
  return RNG_WORK + 70.0 * (double)dim + 0.5 * (double)(dim * dim);
}

void component_matrix(const component_source *from, size_t n, double *out, double *workspace, int threads) {
  draw_plan plan = {.from = from, .n = n, .out = out, .workspace = workspace};
  const double work = (double)n * draw_work(from->law->dim);
  parallel_short(n, threads_worth(work, threads), draw_range, &plan, 3.0 * work);
}
