/* Speed of the network of src/core beside the multiply-add peak of the processor, both measured in turn in one run.
 *   kernel quick|full   writes lines "simd,threads,shape,n,part,microseconds,operations,share" to stdout
 * share: operations per second over the highest peak of as many threads on the same instruction set. Each number is the
 * best of many, because other programs may run, and the peak is measured before and after each shape. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <time.h>

#include "core/base/parallel.h"
#include "core/flow/potential.h"
#include "core/net/learner.h"
#include "core/net/spectral.h"
#include "core/pair/simd.h"
#include "../peak.h"

#define PEAK_ROUNDS 100000L

/* Operations per second at the peak; 0 where there is no loop for this set. */
static double peak_rate(const char *simd, int threads) {
  const peak_loop loop = peak_of(simd);
  const double lanes = strcmp(simd, "avx512") ? 4.0 : 8.0;
  return loop ? threads * lanes * 12.0 * 2.0 * (double)PEAK_ROUNDS / seconds_of(loop, threads, 20, PEAK_ROUNDS) : 0.0;
}

/* --- the network ------------------------------------------------------------------------------------------- */

typedef struct {
  const char *name;
  size_t n, depth, width[6];
} shape;

enum { FORWARD, BACKWARD, TO_INPUT, ADAM, SPECTRAL, PARTS };
static const char *const part_names[PARTS] = {"forward", "to parameters", "to input", "adam", "spectral"};

typedef struct {
  network net;
  size_t n;
  double *store, *x, *by_output, *gradient, *by_input, *workspace, *directions, *spectral;
} bench;

static double *numbers(size_t n, uint32_t seed) {
  double *x = malloc((n + 1) * sizeof(double));
  const rng_key key = {{seed, 1u}};
  rng_sequence seq;
  rng_start(&seq, key, 0, 0);
  for (size_t i = 0; i < n; i++) x[i] = rng_normal(&seq);
  return x;
}

static bench open_bench(const shape *of) {
  bench b = {.net = {.depth = of->depth, .width = of->width, .kind = RECTIFIER_relu}, .n = of->n};
  const size_t size = network_parameters(&b.net);
  size_t room = 0;
  const rng_key key = {{3u, 4u}};
  for (size_t l = 1; l <= of->depth; l++) {
    const size_t needed = spectral_workspace(of->width[l], of->width[l - 1]);
    room = needed > room ? needed : room;
  }
  b.store = calloc(3 * size, sizeof(double));
  network_start(&b.net, b.store, key);
  b.x = numbers(of->n * of->width[0], 5u), b.by_output = numbers(of->n * of->width[of->depth], 6u);
  b.gradient = numbers(size, 7u), b.by_input = numbers(of->n * of->width[0], 8u);
  b.workspace = numbers(network_workspace(&b.net, of->n), 9u), b.spectral = numbers(room, 10u);
  b.directions = calloc(8192, sizeof(double));
  return b;
}

static void close_bench(bench *b) {
  free(b->store), free(b->x), free(b->by_output), free(b->gradient), free(b->by_input), free(b->workspace);
  free(b->spectral), free(b->directions);
}

/* One update of the network and its gradient by the points; the best seconds of each part. */
static void time_once(bench *b, network_learner *learner, int threads, double best[PARTS]) {
  const adam_settings adam = {-1e-5, 0.9, 0.999, 1e-8};
  double at[PARTS + 1], *direction = b->directions;
  at[0] = now();
  network_forward(&b->net, b->store, b->x, b->n, b->workspace, threads);
  at[1] = now();
  network_backward(&b->net, b->store, b->x, b->n, b->by_output, b->gradient, NULL, b->workspace, threads);
  at[2] = now();
  network_backward(&b->net, b->store, b->x, b->n, b->by_output, NULL, b->by_input, b->workspace, threads);
  at[3] = now();
  learner_step(learner, &b->net, b->gradient, &adam);
  at[4] = now();
  for (size_t l = 1; l <= b->net.depth; l++) {
    const size_t rows = b->net.width[l], columns = b->net.width[l - 1];
    spectral_bound(b->store + network_layer(&b->net, l), rows, columns, direction, NULL, b->spectral);
    direction += rows < columns ? rows : columns;
  }
  at[5] = now();
  for (int p = 0; p < PARTS; p++) best[p] = at[p + 1] - at[p] < best[p] ? at[p + 1] - at[p] : best[p];
}

/* The best seconds of an update of gpa() as it runs, of 226 points and the others: with the dual, the checks and, if
 * `rescaled`, the spectral bounds on threads. */
static double time_gpa(const shape *of, int threads, double seconds, int rescaled) {
  const gpa_plan plan = {.net = {.depth = of->depth, .width = of->width},
                         .divergence = {.kind = DIVERGENCE_kl},
                         .lipschitz = rescaled ? 1.0 : INFINITY,
                         .norm = NORM_spectral,
                         .adam = {.rate = 1e-5, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8},
                         .threads = threads};
  const size_t size = network_parameters(&plan.net);
  double *store = numbers(3 * size, 1u), *directions = numbers(gpa_directions(&plan.net), 2u);
  double *x = numbers(of->n * of->width[0], 5u), *workspace = numbers(gpa_workspace(&plan, of->n, of->n), 3u);
  gpa_learner learner = {.net = learner_in(store, &plan.net, 0), .directions = directions};
  const rng_key key = {{3u, 4u}};
  double best = 1e300;
  gpa_start(&plan, &learner, key, NULL, workspace);
  for (double start = now(); now() - start < seconds;) {
    const double began = now();
    gpa_update(&plan, &learner, x, 226, of->n - 226, NULL, workspace);
    const double taken = now() - began;
    best = taken < best ? taken : best;
  }
  free(store), free(directions), free(x), free(workspace);
  return best;
}

static void time_shape(const shape *of, int threads, double seconds, double *peak) {
  bench b = open_bench(of);
  const char *simd = simd_current()->name;
  double best[PARTS], all = 0.0, later = 0.0, operations[PARTS] = {0.0};
  for (size_t l = 1; l <= of->depth; l++) {
    const double size = 2.0 * (double)of->n * (double)(of->width[l] * of->width[l - 1]);
    all += size;
    if (l > 1) later += size;
  }
  operations[FORWARD] = all, operations[BACKWARD] = all + later, operations[TO_INPUT] = all;
  for (int p = 0; p < PARTS; p++) best[p] = 1e300;
  network_learner learner = learner_in(b.store, &b.net, 0);
  double before = peak_rate(simd, threads);
  for (double start = now(); now() - start < seconds;) time_once(&b, &learner, threads, best);
  const double after = peak_rate(simd, threads);
  before = before > after ? before : after;
  *peak = before > *peak ? before : *peak;
  const double update = best[FORWARD] + best[BACKWARD] + best[ADAM] + best[SPECTRAL];
  for (int p = 0; p <= PARTS; p++) {
    const double taken = p < PARTS ? best[p] : update, work = p < PARTS ? operations[p] : 2.0 * all + later;
    printf("%s,%d,%s,%zu,%s,%.1f,%.0f,", simd, threads, of->name, of->n, p < PARTS ? part_names[p] : "whole update",
           taken * 1e6, work);
    if (*peak > 0.0 && work > 0.0) printf("%.3f", work / taken / *peak);
    printf("\n");
  }
  for (int rescaled = 1; of->width[of->depth] == 1 && rescaled >= 0; rescaled--) {
    const double taken = time_gpa(of, threads, 0.5 * seconds, rescaled), work = 2.0 * all + later;
    printf("%s,%d,%s,%zu,%s,%.1f,%.0f,", simd, threads, of->name, of->n,
           rescaled ? "gpa update" : "gpa update without rescaling", taken * 1e6, work);
    if (*peak > 0.0) printf("%.3f", work / taken / *peak);
    printf("\n");
  }
  fflush(stdout);
  close_bench(&b);
}

int main(int argc, char **argv) {
  static const shape shapes[] = {
      {"50-64-64-64-1", 491, 4, {50, 64, 64, 64, 1}},
      {"2-32-32-32-1", 400, 4, {2, 32, 32, 32, 1}},
      {"16-64-64-64-16", 8192, 4, {16, 64, 64, 64, 16}},
      {"784-256-15-256-784", 100, 4, {784, 256, 15, 256, 784}},
      {"784-256-15-256-784", 500, 4, {784, 256, 15, 256, 784}},
      {"100-1024-1024-1", 500, 3, {100, 1024, 1024, 1}},
  };
  const int quick = argc > 1 && !strcmp(argv[1], "quick");
  const char *names[4];
  threads_init();
  simd_init();
  const size_t n = simd_available(names, 4);
  printf("simd,threads,shape,n,part,microseconds,operations,share\n");
  for (size_t s = n; s-- > 0;) {
    simd_select(names[s]);
    for (int threads = 1; threads <= (s + 1 == n ? 2 : 1); threads++) {
      double peak = 0.0;
      for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        time_shape(&shapes[k], threads, quick ? 0.1 : s + 1 == n ? 0.8 : 0.2, &peak);
      }
      if (peak > 0.0) printf("%s,%d,peak,0,multiply-adds,,%.0f,1\n", names[s], threads, peak);
    }
  }
  return 0;
}
