/* Threads: how many a call may use, and the one parallel loop. No other file names OpenMP. */
#ifndef PARTICLEFLOW_PARALLEL_H
#define PARTICLEFLOW_PARALLEL_H

#include <stddef.h>

/* VECTORISE before a loop whose rounds are independent of each other. */
#ifdef _OPENMP
#define VECTORISE _Pragma("omp simd")
#else
#define VECTORISE
#endif

void threads_init(void);           /* installs the fork guard; once, at load */
int threads_limit(int requested);  /* at least 1; never more than asked, than there are processors, than
                                      OpenMP's own limits, and 1 in a forked child */
int threads_processors(void);
int threads_openmp_limit(void);
int threads_compiled(void); /* 1 if compiled with OpenMP */

/* `threads`, or 1 if the work would not pay for waking a second thread. The unit of work is one coordinate of one
 * pair of points, a few floating-point operations. */
int threads_worth(double work, int threads);
/* For n_query times n_source pairs in dim dimensions; the weight of a pair counts as four coordinates. */
int threads_worth_pairs(size_t n_query, size_t n_source, size_t dim, int threads);

/* Items [from, to), which part number `part` of 0, 1, ... does alone: the part may own workspace. */
typedef void (*range_function)(size_t from, size_t to, size_t part, void *context);

/* Cuts the items [0, n) into `team` ranges, [n part / team, n (part + 1) / team), and runs each on a thread of its
 * own; empty ranges are left out. Bits do not depend on `team` as long as items do not depend on each other. */
void parallel_ranges(size_t n, int team, range_function run, void *context);

/* The same for work of a fraction of a millisecond that comes thousands of times. Where other programs hold the
 * processors, each call would wait milliseconds for its threads. So a call that takes much longer than calls for as
 * much work did before makes those of the next moment run alone, longer each time. `work`: in any unit, the same in
 * all calls; 0 where it cannot be told, and then the call says nothing about others. The calling thread is the only
 * one that calls with a team of more than one. */
void parallel_short(size_t n, int team, range_function run, void *context, double work);

#endif
