#include "core/base/sorting.h"

#include <stdint.h>
#include <string.h>

#define FEW ((size_t)64)
#define DIGIT 11
#define VALUES ((size_t)1 << DIGIT)
/* Six digits hold a number. The three that count most hold the sign, the exponent and 21 bits, which bring most tables
 * nearly into order. */
#define ALL_DIGITS 6
/* Steps for each number, after which all digits are faster. */
#define MOST_STEPS ((size_t)8)

/* A whole number that increases with v. */
static uint64_t rank_of(double v) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits >> 63 ? ~bits : bits | ((uint64_t)1 << 63);
}

/* The digit number `place` of v, 0 the one that counts least. It overlaps with number 1, which changes nothing. */
static size_t digit_of(double v, int place) {
  const int shift = place == 0 ? 0 : 64 - DIGIT * (ALL_DIGITS - place);
  return (size_t)(rank_of(v) >> shift) & (VALUES - 1);
}

/* From `from` to `to`, by one digit; numbers with the same digit keep their order. */
static void sort_digit(const double *from, double *to, size_t n, int place) {
  size_t next[VALUES] = {0}, before = 0;
  for (size_t i = 0; i < n; i++) next[digit_of(from[i], place)]++;
  for (size_t k = 0; k < VALUES; k++) {
    const size_t count = next[k];
    next[k] = before;
    before += count;
  }
  for (size_t i = 0; i < n; i++) to[next[digit_of(from[i], place)]++] = from[i];
}

/* Copies numbers that are nearly in order and orders them. Gives up (0) after `most` steps. */
static int insert_all(const double *from, double *to, size_t n, size_t most) {
  size_t steps = 0;
  for (size_t i = 0; i < n; i++) {
    const double v = from[i];
    size_t j = i;
    while (j > 0 && to[j - 1] > v) {
      to[j] = to[j - 1];
      j--;
    }
    to[j] = v;
    steps += i - j;
    if (steps > most) return 0;
  }
  return 1;
}

void sort_numbers(double *x, size_t n, double *scratch) {
  if (n <= FEW) {
    memcpy(scratch, x, n * sizeof(double));
    insert_all(scratch, x, n, FEW * FEW);
    return;
  }
  sort_digit(x, scratch, n, ALL_DIGITS - 3);
  sort_digit(scratch, x, n, ALL_DIGITS - 2);
  sort_digit(x, scratch, n, ALL_DIGITS - 1);
  if (insert_all(scratch, x, n, MOST_STEPS * n)) return;
  for (int place = 0; place < ALL_DIGITS; place += 2) {
    sort_digit(scratch, x, n, place);
    sort_digit(x, scratch, n, place + 1);
  }
  memcpy(x, scratch, n * sizeof(double));
}
