/* Counter-based random numbers: a draw is a pure function of (key, stream, index, slot), so neither
 * the number of threads nor the order of the rows can change it. Philox 4x32-10 (Salmon et al. 2011). */
#ifndef PARTICLEFLOW_RNG_H
#define PARTICLEFLOW_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint32_t word[2];
} rng_key;

/* One block: four 32-bit words from a 128-bit counter and a 64-bit key. */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A sequence of draws for one particle of one stream. */
typedef struct {
  rng_key key;
  uint32_t stream;
  uint64_t particle;
  uint32_t block;  /* next block of this particle */
  double spare[2]; /* uniforms not handed out yet */
  int n_spare;
} rng_sequence;

void rng_start(rng_sequence *seq, rng_key key, uint32_t stream, uint64_t particle);
double rng_uniform(rng_sequence *seq); /* in the open interval (0, 1), 52 bits */
double rng_normal(rng_sequence *seq);  /* Box-Muller, the cosine branch */
double rng_gamma(rng_sequence *seq, double shape); /* scale 1, shape > 0 (Marsaglia and Tsang 2000) */
double rng_beta(rng_sequence *seq, double a, double b);

/* Work of one draw in the unit of threads_worth(): 20,000 draws are worth a second thread. */
#define RNG_WORK 500.0

/* Fills a column-major [n, m] matrix; row i is the sequence of particle first + i. (Normal numbers: normals.h.) */
void fill_uniform(double *out, size_t n, size_t m, rng_key key, uint32_t stream, uint64_t first, int threads);

#endif
