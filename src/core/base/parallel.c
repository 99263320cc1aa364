#include "core/base/parallel.h"

#ifdef _OPENMP
#include <omp.h>
#endif
#if defined(_OPENMP) && !defined(_WIN32)
#include <pthread.h>
#endif

static int cap = 1 << 20;

#if defined(_OPENMP) && !defined(_WIN32)
/* A forked child inherits OpenMP's pool without its threads and would wait for them for ever. */
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
