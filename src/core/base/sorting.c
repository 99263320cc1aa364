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

#define ITEM double
#define VALUE(item) (item)
#define SORT sort_numbers
#include "core/base/radix.h"

#define ITEM placed_number
#define VALUE(item) ((item).value)
#define SORT sort_placed
#include "core/base/radix.h"

static int row_before(const double *rows, size_t dim, int left, int right, size_t c) {
  const double x = rows[(size_t)left * dim + c], y = rows[(size_t)right * dim + c];
  return x != y ? x < y : left < right;
}

/* Quickselect. */
void split_rows(const double *rows, size_t dim, int *order, size_t from, size_t to, size_t middle, size_t c) {
  while (to - from > 1) {
    /* the median of three as pivot */
    int low = order[from], mid = order[from + (to - from) / 2], high = order[to - 1], swap;
    if (row_before(rows, dim, mid, low, c)) swap = low, low = mid, mid = swap;
    if (row_before(rows, dim, high, mid, c)) mid = row_before(rows, dim, high, low, c) ? low : high;
    const int pivot = mid;
    size_t i = from, j = to - 1;
    for (;;) {
      while (row_before(rows, dim, order[i], pivot, c)) i++;
      while (row_before(rows, dim, pivot, order[j], c)) j--;
      if (i >= j) break;
      swap = order[i], order[i] = order[j], order[j] = swap;
      i++, j--;
    }
    /* order[from, i) <= pivot <= order[i, to) */
    const size_t cut = i == from ? from + 1 : i;
    if (middle < cut) to = cut;
    else from = cut;
    if (middle == from) return;
  }
}
