/* Speed of the plain kernels of src/core beside the multiply-add peak of the processor, both measured in
 * one run. Without R; see run.sh.
 *   kernel DIRECTORY [quick]   writes peak.csv, kernel.csv, exponent.csv, scaling.csv and mutual.csv there
 *   kernel DIRECTORY mutual    peak.csv and mutual.csv alone */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/pair/mutual.h"
#include "core/pair/pairwise.h"
#include "core/pair/riesz.h"
#include "core/pair/simd.h"
#include "../peak.h"

/* --- the peak, and what else a pair costs --------------------------------------------------------------- */

#define PEAK_ROUNDS 1000000L

#ifdef SIMD_X86
/* What one source costs a coordinate with differences kept in the nearest cache: a difference from a broadcast,
 * a multiply-add and a store; later a multiply-add from memory. Eight sources a round, as the kernel has them. */
static double cached[16 * 64] __attribute__((aligned(64)));
#define EIGHT(S) S(0) S(1) S(2) S(3) S(4) S(5) S(6) S(7)
#define OPEN_SUM(i) __m512d s##i = _mm512_set1_pd(i);
#define KEEP(i)                                                                                        \
  __asm__ volatile("vsubpd %c2(%1)%{1to8%}, %3, %0" : "=v"(z) : "r"(from), "i"((i) * 128), "v"(y));    \
  __asm__ volatile("vfmadd231pd %1, %1, %0" : "+v"(s##i) : "v"(z));                                    \
  __asm__ volatile("vmovapd %0, %c2(%1)" : : "v"(z), "r"(to), "i"((i) * 64) : "memory");
#define TAKE(i) __asm__ volatile("vfmadd231pd %c2(%1), %3, %0" : "+v"(s##i) : "r"(to), "i"((i) * 64), "v"(y));
#define CLOSE_SUM(i) total = _mm512_add_pd(total, s##i);
#define DEFINE_TRAFFIC(name, STEP)                                                                     \
  __attribute__((target("avx512f"), noinline)) static double name(long rounds) {                       \
    const __m512d y = _mm512_set1_pd(1e-6);                                                            \
    __m512d z = y, total = y;                                                                          \
    EIGHT(OPEN_SUM)                                                                                    \
    for (long k = 0; k < rounds; k++) {                                                                \
      const double *from = cached + (k & 15);                                                          \
      double *to = cached + (k & 15) * 64;                                                             \
      (void)from, (void)z;                                                                             \
      EIGHT(STEP)                                                                                      \
    }                                                                                                  \
    EIGHT(CLOSE_SUM)                                                                                   \
    double out[8];                                                                                     \
    _mm512_storeu_pd(out, total);                                                                      \
    return out[0];                                                                                     \
  }
DEFINE_TRAFFIC(keeping_avx512, KEEP)
DEFINE_TRAFFIC(taking_avx512, TAKE)

/* The same with one 14-bit estimate a round: how many multiply-adds is an estimate worth? */
__attribute__((target("avx512f"), noinline)) static double estimates_avx512(long rounds) {
  const __m512d a = _mm512_set1_pd(0.999999), b = _mm512_set1_pd(1e-6);
  __m512d e = _mm512_set1_pd(1.5);
  CHAINS(OPEN_512)
  for (long k = 0; k < rounds; k++) {
    CHAINS(STEP_512)
    __asm__ volatile("vrsqrt14pd %1, %0" : "=v"(e) : "v"(a));
  }
  __m512d s = e;
  CHAINS(SUM_512)
  double out[8];
  _mm512_storeu_pd(out, s);
  return out[0] + out[7];
}
/* Divider: independent reciprocals at four lanes. */
__attribute__((target("avx2,fma"), noinline)) static double divide_avx2(long rounds) {
  const __m256d one = _mm256_set1_pd(1.0), u = _mm256_set1_pd(1.7);
  for (long k = 0; k < rounds; k++) {
    __m256d e = u;
    __asm__ volatile("" : "+x"(e));
    e = _mm256_div_pd(one, e);
    __asm__ volatile("" : : "x"(e));
  }
  return 0.0;
}
#endif

/* multiply-adds of one thread set a second, each lane two operations */
static double peak_flops(const char *simd, int threads, int repeats) {
  const peak_loop loop = peak_of(simd);
  if (!loop) return NAN;
  const double lanes = !strcmp(simd, "avx512") ? 8.0 : 4.0;
  return 2.0 * lanes * 12.0 * (double)PEAK_ROUNDS * threads / seconds_of(loop, threads, repeats, PEAK_ROUNDS);
}

/* --- the kernels --------------------------------------------------------------------------------------- */

typedef struct {
  size_t n_query, n, dim;
  double *columns, *packed, *force, *weight, *workspace;
} cloud;

static cloud cloud_make(size_t n_query, size_t n, size_t dim) {
  cloud c = {n_query, n, dim, NULL, NULL, NULL, NULL, NULL};
  c.columns = malloc(n * dim * sizeof(double));
  c.packed = malloc(n * dim * sizeof(double));
  c.force = malloc(n * dim * sizeof(double));
  c.weight = malloc(n * sizeof(double));
  c.workspace = malloc(2 * pairwise_workspace(dim) * sizeof(double));
  if (!c.columns || !c.packed || !c.force || !c.weight || !c.workspace) exit(2);
  unsigned long long state = 88172645463325252ULL;
  for (size_t i = 0; i < n * dim; i++) {
    double sum = 0.0; /* near enough to normal */
    for (int k = 0; k < 4; k++) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      sum += (double)(state >> 11) * 0x1p-53;
    }
    c.columns[i] = (sum - 2.0) * sqrt(3.0 / ((double)dim + 2.0));
  }
  pack_rows(c.packed, c.columns, n, dim);
  return c;
}

static void cloud_free(cloud *c) {
  free(c->columns);
  free(c->packed);
  free(c->force);
  free(c->weight);
  free(c->workspace);
}

/* best time of `repeats` for force and weight at the first n_query particles */
static double kernel_seconds_of(cloud *c, double s, int full, int threads, int repeats) {
  pair_task task = {.query = c->columns, .n_query = c->n_query, .row_stride = 1, .column_stride = c->n,
                    .source = c->packed, .n_source = c->n, .dim = c->dim, .self = 0, .kernel = riesz_kernel(s, 1.0)};
  double *extras = malloc(3 * c->n * sizeof(double));
  if (!extras) exit(2);
  pair_sums sums = {.force = c->force, .row_stride = 1, .column_stride = c->n, .weight = c->weight,
                    .bound = extras, .repulsion = extras + c->n, .nearest = extras + 2 * c->n};
  if (!full) sums.bound = sums.repulsion = sums.nearest = NULL;
  double best = INFINITY;
  for (int k = 0; k < repeats; k++) {
    const double start = now();
    pairwise_prepare(&task);
    pairwise_all(&task, &sums, c->workspace, threads);
    best = fmin(best, now() - start);
  }
  sink = c->force[0];
  free(extras);
  return best;
}

static double kernel_seconds(cloud *c, double s, int threads, int repeats) {
  return kernel_seconds_of(c, s, 0, threads, repeats);
}

/* All sums at all particles, each pair visited once. */
static double mutual_seconds(cloud *c, double s, int threads, int repeats) {
  mutual_task task = {.rows = c->packed, .n = c->n, .dim = c->dim, .kernel = riesz_kernel(s, 1.0)};
  const size_t numbers = mutual_state(c->n, c->dim) + 8 + mutual_workspace(c->n, c->dim, threads) + 3 * c->n;
  double *room = malloc(numbers * sizeof(double));
  if (!room) exit(2);
  double *state = room + (8 - (uintptr_t)room / 8 % 8), *extras = state + mutual_state(c->n, c->dim);
  double *workspace = extras + 3 * c->n;
  const pair_sums sums = {.force = c->force, .row_stride = 1, .column_stride = c->n, .weight = c->weight,
                    .bound = extras, .repulsion = extras + c->n, .nearest = extras + 2 * c->n};
  double best = INFINITY;
  for (int k = 0; k < repeats; k++) {
    const double start = now();
    mutual_prepare(&task);
    mutual_clear(&task, state);
    mutual_advance(&task, state, 0, mutual_rounds(c->n, c->dim), workspace, threads);
    mutual_close(&task, state, &sums, workspace);
    best = fmin(best, now() - start);
  }
  sink = c->force[0];
  free(room);
  return best;
}

typedef struct {
  size_t set;
  int threads;
  size_t n_query, n, dim;
  double s, seconds;
} row;

/* Operations of the weight on the arithmetic ports; README.md derives them. */
static double weight_slots(const char *simd, double s, double estimate) {
  const pair_kernel p = riesz_kernel(s, 1.0);
  if (p.kind == WEIGHT_general) return NAN; /* counted for AVX-512 only */
  double power = -1.0;
  for (unsigned left = p.power; left; left >>= 1) power += (left & 1u) + (left > 1u);
  const double with_root = p.kind == WEIGHT_odd;
  if (p.kind == WEIGHT_odd) power += 1.0;
  const double inverse = !strcmp(simd, "avx512") ? estimate + (with_root ? 6.0 : 4.0) : with_root ? 12.0 : 1.0;
  return 2.0 + inverse + with_root + power;
}
#define GENERAL_SLOTS(estimate) (40.0 + (estimate))

/* Cycles that a vector of pairs needs at least. AVX-512: everything shares two ports. AVX2: products and
 * multiply-adds on two ports, sums on one of these and a third; the divider works beside them. */
static double bound_cycles(const char *simd, size_t dim, double s, double estimate, double divide) {
  const double d = (double)dim, merge = dim == 2 || dim == 3 ? 1.0 : 0.0;
  const pair_kernel p = riesz_kernel(s, 1.0);
  if (!strcmp(simd, "avx512")) {
    const double w = p.kind == WEIGHT_general ? GENERAL_SLOTS(estimate) : weight_slots(simd, s, estimate);
    return (3.0 * d + merge + w) / 2.0;
  }
  if (strcmp(simd, "avx2") || p.kind == WEIGHT_general) return NAN;
  const double all = 3.0 * d + merge + weight_slots(simd, s, 0.0), sums = d + merge + 2.0;
  return fmax(fmax(all / 3.0, (all - sums) / 2.0), p.kind == WEIGHT_odd ? 0.0 : divide);
}

/* Force and weight for a vector of pairs that are visited once for both of their rows: 5 d for 3 d, a second sum of
 * weights, and the distance in one sum. The extras are not in it. */
static double mutual_bound_cycles(const char *simd, size_t dim, double s, double estimate, double divide) {
  const double d = (double)dim;
  const pair_kernel p = riesz_kernel(s, 1.0);
  if (!strcmp(simd, "avx512")) {
    const double w = p.kind == WEIGHT_general ? GENERAL_SLOTS(estimate) : weight_slots(simd, s, estimate);
    return (5.0 * d + w + 1.0) / 2.0;
  }
  if (strcmp(simd, "avx2") || p.kind == WEIGHT_general) return NAN;
  const double all = 5.0 * d + 1.0 + weight_slots(simd, s, 0.0), sums = 2.0 * d + 3.0;
  return fmax(fmax(all / 3.0, (all - sums) / 2.0), p.kind == WEIGHT_odd ? 0.0 : divide);
}

/* The same with what the nearest cache takes to keep the differences (AVX-512, d from 4 to 48). */
static double cache_bound_cycles(size_t dim, double s, double estimate, double keeping, double taking) {
  const pair_kernel p = riesz_kernel(s, 1.0);
  const double w = p.kind == WEIGHT_general ? GENERAL_SLOTS(estimate) : weight_slots("avx512", s, estimate);
  return dim > 3 && dim <= 48 ? (double)dim * (keeping + taking) + w / 2.0 : NAN;
}

static FILE *open_csv(const char *directory, const char *name, const char *model) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *f = fopen(path, "w");
  if (!f) {
    perror(path);
    exit(2);
  }
  fprintf(f, "# %s\n", model);
  return f;
}

static void cpu_model(char *out, size_t size) {
  char line[512];
  snprintf(out, size, "unknown");
  FILE *f = fopen("/proc/cpuinfo", "r");
  int family = 0, model = 0;
  while (f && fgets(line, sizeof line, f)) {
    char *colon = strchr(line, ':');
    if (!colon) continue;
    colon[strcspn(colon, "\n")] = '\0';
    if (!strncmp(line, "model name", 10)) snprintf(out, size, "%s", colon + 2);
    if (!strncmp(line, "cpu family", 10)) family = atoi(colon + 2);
    if (!strncmp(line, "model\t", 6)) model = atoi(colon + 2);
    if (!strncmp(line, "flags", 5)) break;
  }
  if (f) fclose(f);
  const size_t used = strlen(out);
  snprintf(out + used, size - used, ", family %d, model %d", family, model);
}

/* The particles at themselves, each pair visited once, beside the ordered loop, in turn so that both meet the
 * same machine. Ordered pairs are counted, n (n - 1), though each is computed once for both rows. */
static void write_mutual(FILE *f, const char *simd, double peak[3], double estimate, double divide, int quick) {
  const struct {
    size_t n, dim;
    double s;
  } cases[] = {{15000, 15, 13.0}, {5000, 15, 13.0}, {15000, 15, 12.5}, {15000, 15, 0.0}, {15000, 1, 0.0},
               {15000, 1, 0.5},   {15000, 2, 0.0},  {15000, 2, 0.5},   {15000, 3, 0.0},  {15000, 3, 0.5},
               {15000, 5, 1.0},   {5000, 32, 1.0},  {5000, 64, 1.0},   {3000, 96, 1.0},  {1000, 15, 13.0},
               {300, 15, 13.0},   {100, 2, 0.0}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    const size_t n = quick && cases[k].n > 2000 ? 2000 : cases[k].n, dim = cases[k].dim;
    const double s = cases[k].s, pairs = (double)n * (double)(n - 1);
    cloud c = cloud_make(n, n, dim);
    double ordered[2] = {INFINITY, INFINITY}, mutual[2] = {INFINITY, INFINITY};
    const int runs = n < 2000 ? 50 : quick ? 2 : 7;
    for (int r = 0; r < runs; r++) {
      for (int threads = 1; threads <= 2; threads++) {
        ordered[threads - 1] = fmin(ordered[threads - 1], kernel_seconds_of(&c, s, 1, threads, 1));
        mutual[threads - 1] = fmin(mutual[threads - 1], mutual_seconds(&c, s, threads, 1));
        /* the clock may have changed: shares are of the highest peak so far */
        if (n >= 2000 || r == 0) peak[threads] = fmax(peak[threads], peak_flops(simd, threads, 20));
      }
    }
    for (int threads = 1; threads <= 2; threads++) {
      const double speed = pairs / mutual[threads - 1], cycles = peak[threads] / 4.0;
      fprintf(f, "%s,%d,%zu,%zu,%g,%.6f,%.4g,%.3f,%.3f,%.3f,%.3f,%.3f\n", simd, threads, n, dim, s,
              mutual[threads - 1], speed, ordered[threads - 1] / mutual[threads - 1],
              speed / (cycles / bound_cycles(simd, dim, s, estimate, divide)),
              speed / (2.0 * cycles / mutual_bound_cycles(simd, dim, s, estimate, divide)),
              speed * (5.0 * (double)dim + 16.0) / peak[threads], mutual[0] / mutual[threads - 1]);
      fflush(f);
    }
    cloud_free(&c);
  }
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  const int quick = argc > 2 && !strcmp(argv[2], "quick"), alone = argc > 2 && !strcmp(argv[2], "mutual");
  const int repeats = quick ? 2 : 5;
  char model[600];
  cpu_model(model, sizeof model);
  simd_init();
  const char *names[4];
  const size_t n_names = simd_available(names, 4);

  double estimate = NAN, divide = NAN, keeping = NAN, taking = NAN;
  FILE *f = open_csv(argv[1], "peak.csv", model);
  fprintf(f, "quantity,simd,threads,value\n");
  double peak[4][3];
  for (size_t k = 0; k < n_names; k++) {
    for (int threads = 1; threads <= 2; threads++) {
      peak[k][threads] = peak_flops(names[k], threads, 100);
      if (peak_of(names[k])) fprintf(f, "gigaflops,%s,%d,%.2f\n", names[k], threads, peak[k][threads] / 1e9);
    }
#ifdef SIMD_X86
    if (!strcmp(names[k], "avx512")) {
      const double plain = seconds_of(chains_avx512, 1, 100, PEAK_ROUNDS);
      estimate = 12.0 * (seconds_of(estimates_avx512, 1, 100, PEAK_ROUNDS) / plain - 1.0);
      fprintf(f, "rsqrt14_in_multiply_adds,avx512,1,%.2f\n", estimate);
      const double cycle = plain / (6.0 * PEAK_ROUNDS);
      keeping = seconds_of(keeping_avx512, 1, 100, PEAK_ROUNDS) / cycle / (8.0 * PEAK_ROUNDS);
      taking = seconds_of(taking_avx512, 1, 100, PEAK_ROUNDS) / cycle / (8.0 * PEAK_ROUNDS);
      fprintf(f, "difference_square_store_cycles,avx512,1,%.2f\n", keeping);
      fprintf(f, "multiply_add_from_memory_cycles,avx512,1,%.2f\n", taking);
    }
    if (!strcmp(names[k], "avx2")) {
      const double cycle = seconds_of(chains_avx2, 1, 100, PEAK_ROUNDS) / (6.0 * PEAK_ROUNDS);
      divide = seconds_of(divide_avx2, 1, 40, PEAK_ROUNDS) / PEAK_ROUNDS / cycle;
      fprintf(f, "divide_cycles,avx2,1,%.2f\n", divide);
      fprintf(f, "gigahertz,avx2,1,%.3f\n", 1e-9 / cycle);
    }
#endif
  }
  fclose(f);

  f = open_csv(argv[1], "mutual.csv", model);
  fprintf(f, "simd,threads,n,d,s,seconds,pairs_per_second,times_ordered,share_of_ordered_bound,share_of_bound,"
             "share_of_peak,speedup\n");
  for (size_t k = n_names; k-- > 0;) {
    if (!peak_of(names[k])) continue;
    simd_select(names[k]);
    write_mutual(f, names[k], peak[k], estimate, divide, quick);
  }
  fclose(f);
  if (alone) return 0;

  f = open_csv(argv[1], "kernel.csv", model);
  FILE *e = open_csv(argv[1], "exponent.csv", model);
  fprintf(f, "simd,threads,n_query,n,d,s,seconds,pairs_per_second,peak_flops,share_of_peak,bound_pairs_per_second,"
             "share_of_bound,share_of_cache_bound\n");
  fprintf(e, "simd,threads,d,integer_s,seconds_over_integer\n");
  row rows[4 * 2 * 10 * 4];
  size_t n_rows = 0;
  const size_t dims[] = {1, 2, 3, 5, 8, 15, 16, 20, 50, 200};
  const double exponents[] = {0.0, 1.0, 13.0, 0.5};
  for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
    const size_t dim = dims[i], n = quick ? 2000 : dim <= 20 ? 15000 : 4000;
    cloud c = cloud_make(n, n, dim);
    for (size_t k = 0; k < n_names; k++) {
      simd_select(names[k]);
      const int scalar = !strcmp(names[k], "scalar");
      c.n_query = scalar ? n / 16 : n;
      for (int threads = 1; threads <= 2; threads++) {
        /* the clock may have changed since the last row */
        const double again = peak_flops(names[k], threads, 20);
        if (again > peak[k][threads]) peak[k][threads] = again;
        double each[4];
        for (int j = 0; j < 4; j++) {
          each[j] = NAN;
          if (exponents[j] == 13.0 && dim != 15) continue;
          each[j] = kernel_seconds(&c, exponents[j], threads, repeats);
          const row made = {k, threads, c.n_query, n, dim, exponents[j], each[j]};
          rows[n_rows++] = made;
        }
        for (int j = 0; j < 3; j++) {
          if (each[j] == each[j]) {
            fprintf(e, "%s,%d,%zu,%g,%.3f\n", names[k], threads, dim, exponents[j], each[3] / each[j]);
          }
        }
      }
    }
    cloud_free(&c);
  }
  fclose(e);
  /* shares of the highest peak of the whole run: on a shared machine any one measurement may be low */
  for (size_t r = 0; r < n_rows; r++) {
    const row *at = rows + r;
    const char *simd = names[at->set];
    const double p = peak[at->set][at->threads], d = (double)at->dim;
    const double pairs = (double)at->n_query * (double)(at->n - 1) / at->seconds;
    /* the peak is two multiply-adds a cycle and core, so a cycle is four operations a lane */
    const double bound = p / 4.0 / bound_cycles(simd, at->dim, at->s, estimate, divide);
    const double cache = strcmp(simd, "avx512") ? NAN
                         : pairs * 4.0 / p * cache_bound_cycles(at->dim, at->s, estimate, keeping, taking);
    fprintf(f, "%s,%d,%zu,%zu,%zu,%g,%.5f,%.4g,%.4g,%.3f,%.4g,%.3f,%.3f\n", simd, at->threads, at->n_query, at->n,
            at->dim, at->s, at->seconds, pairs, p, pairs * (5.0 * d + 16.0) / p, bound, pairs / bound, cache);
  }
  fclose(f);

  f = open_csv(argv[1], "scaling.csv", model);
  fprintf(f, "simd,n,d,s,seconds_1,seconds_2,speedup,peak_speedup\n");
  const size_t sizes[] = {5000, 15000};
  for (size_t i = 0; i < 2; i++) {
    cloud c = cloud_make(sizes[i], sizes[i], 15);
    for (size_t k = 0; k < n_names; k++) {
      if (!peak_of(names[k])) continue;
      simd_select(names[k]);
      double one = INFINITY, two = INFINITY;
      for (int r = 0; r < 5; r++) { /* in turn, so that both meet the same machine */
        one = fmin(one, kernel_seconds(&c, 13.0, 1, 1));
        two = fmin(two, kernel_seconds(&c, 13.0, 2, 1));
      }
      fprintf(f, "%s,%zu,15,13,%.5f,%.5f,%.3f,%.3f\n", names[k], sizes[i], one, two, one / two,
              peak[k][2] / peak[k][1]);
    }
    cloud_free(&c);
  }
  fclose(f);
  return 0;
}
