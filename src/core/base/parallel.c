#include "core/base/parallel.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(_OPENMP) && !defined(_WIN32)
#include <pthread.h>
#endif

/* A millisecond or two of work. Below, a second thread costs more than it brings, the more so when other programs
 * want the processor. */
#define WORTH_A_THREAD 1e7

static int cap = 1 << 20;

#if defined(_OPENMP) && !defined(_WIN32)
/* A forked child inherits OpenMP's pool without its threads and would wait for them without end. */
static void single_thread(void) {
  cap = 1;
}
#endif

void threads_init(void) {
#if defined(_OPENMP) && !defined(_WIN32)
  pthread_atfork(0, 0, single_thread);
#endif
}

int threads_processors(void) {
#ifdef _OPENMP
  return omp_get_num_procs();
#else
  return 1;
#endif
}

int threads_openmp_limit(void) {
#ifdef _OPENMP
  const int most = omp_get_max_threads(), limit = omp_get_thread_limit();
  return most < limit ? most : limit;
#else
  return 1;
#endif
}

int threads_compiled(void) {
#ifdef _OPENMP
  return 1;
#else
  return 0;
#endif
}

int threads_limit(int requested) {
  int n = requested < cap ? requested : cap;
  if (n > threads_processors()) n = threads_processors();
  if (n > threads_openmp_limit()) n = threads_openmp_limit();
  return n < 1 ? 1 : n;
}

int threads_worth(double work, int threads) {
  return work < WORTH_A_THREAD ? 1 : threads;
}

int threads_worth_pairs(size_t n_query, size_t n_source, size_t dim, int threads) {
  return threads_worth((double)n_query * (double)n_source * ((double)dim + 4.0), threads);
}

/* --- short work ------------------------------------------------------------------------------------------ */

/* Seconds of running alone after a late call. */
#define LEAST_PAUSE 0.05
#define MOST_PAUSE 2.0

static double seconds(void) {
#ifdef _OPENMP
  return omp_get_wtime();
#else
  return 0.0;
#endif
}

void parallel_short(size_t n, int team, range_function run, void *context, double work) {
  static double best = 0.0; /* least seconds per unit of work so far; the first call runs alone to learn them */
  static double until = 0.0, pause = LEAST_PAUSE;
  if (team <= 1) {
    parallel_ranges(n, 1, run, context);
    return;
  }
  const double start = seconds();
  const int alone = best == 0.0 || start < until;
  parallel_ranges(n, alone ? 1 : team, run, context);
  const double end = seconds(), taken = end - start;
  if (!(work > 0.0)) return;
  if (best == 0.0 || taken < best * work) best = taken / work;
  if (alone) return;
  if (taken > 4.0 * best * work + 3e-4) {
    until = end + pause;
    pause = 2.0 * pause < MOST_PAUSE ? 2.0 * pause : MOST_PAUSE;
  } else {
    pause = 0.5 * pause > LEAST_PAUSE ? 0.5 * pause : LEAST_PAUSE;
  }
}

/* --- ranges ---------------------------------------------------------------------------------------------- */

void parallel_ranges(size_t n, int team, range_function run, void *context) {
  const size_t parts = (size_t)(team < 1 ? 1 : team);
  if (parts == 1) { /* without a region, so that what runs alone may ask R for interrupts */
    if (n > 0) run(0, n, 0, context);
    return;
  }
#ifdef _OPENMP
#pragma omp parallel for num_threads((int)parts) default(none) schedule(static) shared(n, parts, run, context)
#endif
  for (size_t part = 0; part < parts; part++) {
    const size_t from = n * part / parts, to = n * (part + 1) / parts;
    if (from < to) run(from, to, part, context);
  }
}
