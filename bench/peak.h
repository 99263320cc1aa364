/* The multiply-add peak of the processor, by which the benches of the kernels measure: twelve independent chains of
 * multiply-adds in registers. Needs core/pair/simd.h for SIMD_X86. */
#ifndef PARTICLEFLOW_BENCH_PEAK_H
#define PARTICLEFLOW_BENCH_PEAK_H

#include <math.h>
#include <string.h>
#include <time.h>

#include "core/pair/simd.h"

#ifdef SIMD_X86
#include <immintrin.h>
#endif

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define CHAINS(S) S(0) S(1) S(2) S(3) S(4) S(5) S(6) S(7) S(8) S(9) S(10) S(11)

#ifdef SIMD_X86
#define OPEN_512(i) __m512d r##i = _mm512_set1_pd(1.0 + (i));
#define STEP_512(i) r##i = _mm512_fmadd_pd(r##i, a, b);
#define SUM_512(i) s = _mm512_add_pd(s, r##i);
__attribute__((target("avx512f"), noinline)) static double chains_avx512(long rounds) {
  const __m512d a = _mm512_set1_pd(0.999999), b = _mm512_set1_pd(1e-6);
  CHAINS(OPEN_512)
  for (long k = 0; k < rounds; k++) {
    CHAINS(STEP_512)
    __asm__ volatile("" ::: "memory");
  }
  __m512d s = _mm512_setzero_pd();
  CHAINS(SUM_512)
  double out[8];
  _mm512_storeu_pd(out, s);
  return out[0] + out[7];
}

#define OPEN_256(i) __m256d r##i = _mm256_set1_pd(1.0 + (i));
#define STEP_256(i) r##i = _mm256_fmadd_pd(r##i, a, b);
#define SUM_256(i) s = _mm256_add_pd(s, r##i);
__attribute__((target("avx2,fma"), noinline)) static double chains_avx2(long rounds) {
  const __m256d a = _mm256_set1_pd(0.999999), b = _mm256_set1_pd(1e-6);
  CHAINS(OPEN_256)
  for (long k = 0; k < rounds; k++) {
    CHAINS(STEP_256)
    __asm__ volatile("" ::: "memory");
  }
  __m256d s = _mm256_setzero_pd();
  CHAINS(SUM_256)
  double out[4];
  _mm256_storeu_pd(out, s);
  return out[0] + out[3];
}
#endif

/* The least seconds that `threads` threads take for `rounds` rounds each. */
typedef double (*peak_loop)(long rounds);
static volatile double sink;

static double seconds_of(peak_loop loop, int threads, int repeats, long rounds) {
  double best = INFINITY;
  for (int k = 0; k < repeats; k++) {
    double total = 0.0;
    const double start = now();
#ifdef _OPENMP
#pragma omp parallel for num_threads(threads) reduction(+ : total) schedule(static)
#endif
    for (int t = 0; t < threads; t++) total += loop(rounds);
    best = fmin(best, now() - start);
    sink = total;
  }
  return best;
}

static peak_loop peak_of(const char *simd) {
#ifdef SIMD_X86
  if (!strcmp(simd, "avx512")) return chains_avx512;
  if (!strcmp(simd, "avx2")) return chains_avx2;
#endif
  (void)simd;
  return NULL;
}

#endif
