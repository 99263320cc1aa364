/* How many threads a region may use. */
#ifndef PARTICLEFLOW_PARALLEL_H
#define PARTICLEFLOW_PARALLEL_H

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

#endif
