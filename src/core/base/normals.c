#include "core/base/normals.h"

#include <string.h>

#include "core/base/instructions.h"
#include "core/base/parallel.h"

#ifdef SIMD_X86
void avx2_normals(double *out, size_t n, const normal_places *places);
void avx512_normals(double *out, size_t n, const normal_places *places);
#endif
#ifdef SIMD_ARM
void neon_normals(double *out, size_t n, const normal_places *places);
#endif

/* The twin of the others. */
static void scalar_normals(double *out, size_t n, const normal_places *places) {
  for (size_t i = 0; i < n; i++) {
    rng_sequence seq;
    rng_start(&seq, places->key, places->stream, places->particle[i]);
    seq.block = (uint32_t)places->slot[i];
    out[i] = rng_normal(&seq);
  }
}

normal_kernel normals_current(void) {
  const char *name = simd_name();
#ifdef SIMD_X86
  if (!strcmp(name, "avx512")) return avx512_normals;
  if (!strcmp(name, "avx2")) return avx2_normals;
#endif
#ifdef SIMD_ARM
  if (!strcmp(name, "neon")) return neon_normals;
#endif
  (void)name;
  return scalar_normals;
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

typedef struct {
  double *out;
  size_t n, m;
  rng_key key;
  uint32_t stream;
  uint64_t first;
  normal_kernel make;
} fill_plan;

static void fill_rows(size_t from, size_t to, size_t part, void *context) {
  const fill_plan *plan = context;
  normal_places at = {.key = plan->key, .stream = plan->stream};
  (void)part;
  for (size_t i = from; i < to; i += NORMALS_MOST) {
    for (size_t l = 0; l < NORMALS_MOST; l++) at.particle[l] = plan->first + i + l;
    for (size_t j = 0; j < plan->m; j++) {
      for (size_t l = 0; l < NORMALS_MOST; l++) at.slot[l] = j;
      plan->make(plan->out + j * plan->n + i, smaller(NORMALS_MOST, to - i), &at);
    }
  }
}

/* Work of one number in the unit of threads_worth(): 150,000 are worth a second thread. */
#define NORMAL_WORK 70.0

void fill_normal(double *out, size_t n, size_t m, rng_key key, uint32_t stream, uint64_t first, int threads) {
  fill_plan plan = {.out = out, .n = n, .m = m, .key = key, .stream = stream, .first = first,
                    .make = normals_current()};
  const double work = NORMAL_WORK * (double)n * (double)m;
  parallel_short(n, threads_worth(work, threads), fill_rows, &plan, 3.0 * work);
}

void fill_normal_columns(double *out, size_t n, size_t m, rng_key key, uint32_t stream, uint64_t first) {
  const normal_kernel make = normals_current();
  normal_places at = {.key = key, .stream = stream};
  uint64_t slot = 0, particle = first;
  for (size_t i = 0; i < n * m; i += NORMALS_MOST) {
    for (size_t l = 0; l < NORMALS_MOST; l++) {
      at.slot[l] = slot;
      at.particle[l] = particle;
      if (++slot == m) slot = 0, particle++;
    }
    make(out + i, smaller(NORMALS_MOST, n * m - i), &at);
  }
}
