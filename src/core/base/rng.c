#include "core/base/rng.h"

#include <math.h>

#include "core/base/parallel.h"

#define TWO_PI 6.283185307179586476925286766559

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = (uint64_t)0xD2511F53u * c0;
    const uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
    const uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

void rng_start(rng_sequence *seq, rng_key key, uint32_t stream, uint64_t particle) {
  seq->key = key;
  seq->stream = stream;
  seq->particle = particle;
  seq->block = 0;
  seq->n_spare = 0;
}

/* 52 random bits, shifted by half a unit, which the 53rd bit of a double holds: neither 0 nor 1 comes out. */
static double unit_interval(uint32_t high, uint32_t low) {
  const uint64_t bits = ((uint64_t)high << 20) ^ (uint64_t)(low >> 12);
  return ((double)bits + 0.5) * 0x1.0p-52;
}

double rng_uniform(rng_sequence *seq) {
  if (seq->n_spare == 0) {
    const uint32_t counter[4] = {seq->block, seq->stream, (uint32_t)seq->particle,
                                 (uint32_t)(seq->particle >> 32)};
    uint32_t word[4];
    philox4x32(counter, seq->key.word, word);
    seq->block++;
    seq->spare[1] = unit_interval(word[0], word[1]);
    seq->spare[0] = unit_interval(word[2], word[3]);
    seq->n_spare = 2;
  }
  return seq->spare[--seq->n_spare];
}

double rng_normal(rng_sequence *seq) {
  const double radius = sqrt(-2.0 * log(rng_uniform(seq)));
  return radius * cos(TWO_PI * rng_uniform(seq));
}

double rng_gamma(rng_sequence *seq, double shape) {
  double boost = 1.0;
  if (shape < 1.0) {
    boost = pow(rng_uniform(seq), 1.0 / shape);
    shape += 1.0;
  }
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / sqrt(9.0 * d);
  for (;;) {
    const double z = rng_normal(seq);
    const double root = 1.0 + c * z;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    if (log(rng_uniform(seq)) < 0.5 * z * z + d * (1.0 - v + log(v))) return boost * d * v;
  }
}

double rng_beta(rng_sequence *seq, double a, double b) {
  const double x = rng_gamma(seq, a);
  const double y = rng_gamma(seq, b);
  return x / (x + y);
}

typedef struct {
  double *out;
  size_t n, m;
  rng_key key;
  uint32_t stream;
  uint64_t first;
} fill_plan;

static void fill_rows(size_t from, size_t to, size_t part, void *context) {
  const fill_plan *plan = context;
  (void)part;
  for (size_t i = from; i < to; i++) {
    rng_sequence seq;
    rng_start(&seq, plan->key, plan->stream, plan->first + i);
    for (size_t j = 0; j < plan->m; j++) plan->out[j * plan->n + i] = rng_uniform(&seq);
  }
}

void fill_uniform(double *out, size_t n, size_t m, rng_key key, uint32_t stream, uint64_t first, int threads) {
  fill_plan plan = {.out = out, .n = n, .m = m, .key = key, .stream = stream, .first = first};
  const double draws = (double)n * (double)m;
  /* a draw takes as long as some hundred multiplications, the unit of parallel_short() elsewhere */
  parallel_short(n, threads_worth(draws * RNG_WORK, threads), fill_rows, &plan, 500.0 * draws);
}
