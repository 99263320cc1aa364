/* A radix sort, written once and compiled once per kind of item. An including file gives ITEM, a type; VALUE(item), its
 * number; and SORT, the name of the function
 *   void SORT(ITEM *x, size_t n, ITEM *scratch)
 * which brings x [n] into increasing order. Items of equal value keep their order, but for 0 and -0. */

#define RADIX_JOIN(name, what) name##_##what
#define RADIX_NAMED(name, what) RADIX_JOIN(name, what)
#define RADIX_NAME(what) RADIX_NAMED(SORT, what)

/* From `from` to `to`, by one digit. */
static void RADIX_NAME(digit)(const ITEM *from, ITEM *to, size_t n, int place) {
  size_t next[VALUES] = {0}, before = 0;
  for (size_t i = 0; i < n; i++) next[digit_of(VALUE(from[i]), place)]++;
  for (size_t k = 0; k < VALUES; k++) {
    const size_t count = next[k];
    next[k] = before;
    before += count;
  }
  for (size_t i = 0; i < n; i++) to[next[digit_of(VALUE(from[i]), place)]++] = from[i];
}

/* Copies items that are nearly in order and orders them. Gives up (0) after `most` steps. */
static int RADIX_NAME(insert)(const ITEM *from, ITEM *to, size_t n, size_t most) {
  size_t steps = 0;
  for (size_t i = 0; i < n; i++) {
    const ITEM own = from[i];
    size_t j = i;
    for (; j > 0 && VALUE(to[j - 1]) > VALUE(own); j--) to[j] = to[j - 1];
    to[j] = own;
    steps += i - j;
    if (steps > most) return 0;
  }
  return 1;
}

void SORT(ITEM *x, size_t n, ITEM *scratch) {
  if (n <= FEW) {
    memcpy(scratch, x, n * sizeof(ITEM));
    RADIX_NAME(insert)(scratch, x, n, FEW * FEW);
    return;
  }
  RADIX_NAME(digit)(x, scratch, n, ALL_DIGITS - 3);
  RADIX_NAME(digit)(scratch, x, n, ALL_DIGITS - 2);
  RADIX_NAME(digit)(x, scratch, n, ALL_DIGITS - 1);
  if (RADIX_NAME(insert)(scratch, x, n, MOST_STEPS * n)) return;
  for (int place = 0; place < ALL_DIGITS; place += 2) {
    RADIX_NAME(digit)(scratch, x, n, place);
    RADIX_NAME(digit)(x, scratch, n, place + 1);
  }
  memcpy(x, scratch, n * sizeof(ITEM));
}

#undef ITEM
#undef VALUE
#undef SORT
#undef RADIX_JOIN
#undef RADIX_NAMED
#undef RADIX_NAME
