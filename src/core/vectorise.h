/* VECTORISE before a loop whose rounds are independent of each other. */
#ifndef PARTICLEFLOW_VECTORISE_H
#define PARTICLEFLOW_VECTORISE_H

#ifdef _OPENMP
#define VECTORISE _Pragma("omp simd")
#else
#define VECTORISE
#endif

#endif
