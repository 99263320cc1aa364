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
