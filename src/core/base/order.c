#include "core/base/order.h"

#include <stdint.h>
#include <string.h>

/* So few are put in order by insertion. */
#define FEW ((size_t)64)
/* A pass sorts by so many bits of a number; six passes see all 64 bits. Most tables are nearly in order after the three
 * that see the first 33 bits: the sign, the exponent and 21 bits. */
#define BITS 11
#define VALUES ((size_t)1 << BITS)
#define PASSES 6
#define FIRST_PASSES 3
/* Moves per number by insertion, after which all passes are faster. */
#define MOST_MOVES ((size_t)8)

/* A whole number that increases with v. */
static uint64_t key_of(double v) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

/* Pass 0 sees the last 11 bits, which overlap with those of pass 1; the others end at bit 64. */
static size_t bits_of(double v, int pass) {
  return (size_t)(key_of(v) >> (pass == 0 ? 0 : 64 - BITS * (PASSES - pass))) & (VALUES - 1);
}

static void sort_by_bits(const placed_number *from, placed_number *to, size_t n, int pass) {
  size_t next[VALUES] = {0}, before = 0;
  for (size_t i = 0; i < n; i++) next[bits_of(from[i].value, pass)]++;
  for (size_t k = 0; k < VALUES; k++) {
    const size_t count = next[k];
    next[k] = before;
    before += count;
  }
  for (size_t i = 0; i < n; i++) to[next[bits_of(from[i].value, pass)]++] = from[i];
}

/* Copies to `to` in order. Returns 0 if that would take more than `most` moves. */
static int insert_all(const placed_number *from, placed_number *to, size_t n, size_t most) {
  size_t moves = 0;
  for (size_t i = 0; i < n; i++) {
    const placed_number own = from[i];
    size_t j = i;
    for (; j > 0 && to[j - 1].value > own.value; j--) to[j] = to[j - 1];
    to[j] = own;
    moves += i - j;
    if (moves > most) return 0;
  }
  return 1;
}

void order_numbers(placed_number *x, size_t n, placed_number *scratch) {
  placed_number *from = x, *to = scratch;
  if (n <= FEW) {
    memcpy(scratch, x, n * sizeof *x);
    insert_all(scratch, x, n, FEW * FEW);
    return;
  }
  for (int pass = PASSES - FIRST_PASSES; pass < PASSES; pass++) {
    sort_by_bits(from, to, n, pass);
    placed_number *other = from;
    from = to;
    to = other;
  }
  /* from is scratch now */
  if (insert_all(from, to, n, MOST_MOVES * n)) return;
  for (int pass = 0; pass < PASSES; pass++) {
    sort_by_bits(from, to, n, pass);
    placed_number *other = from;
    from = to;
    to = other;
  }
  memcpy(x, scratch, n * sizeof *x);
}
