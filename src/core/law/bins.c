#include "core/law/bins.h"

#include <math.h>
#include <stdlib.h>

/* How many of n increasing numbers are below z. */
static size_t count_below(const double *x, size_t n, double z) {
  size_t from = 0, to = n;
  while (from < to) {
    const size_t middle = from + (to - from) / 2;
    if (x[middle] < z) from = middle + 1;
    else to = middle;
  }
  return from;
}

size_t cell_of(const cell_list *cells, double z) {
  const size_t k = count_below(cells->low, cells->n, z);
  return k > 0 && z <= cells->high[k - 1] ? k : 0;
}

static int by_high(const void *a, const void *b) {
  const ends *x = a, *y = b;
  if (x->high != y->high) return x->high < y->high ? -1 : 1;
  return (x->low > y->low) - (x->low < y->low);
}

/* Cut number k of `most` is wanted at this rank. */
static double wanted_rank(size_t k, size_t n, size_t most) {
  return rint((double)n * (double)k / (double)(most + 1));
}

/* Between the last row of one value and the first of the next. Of more gaps than `most`, the first at or after each
 * wanted rank, or else the last one. */
static size_t place_cuts(const ends *sorted, size_t n, size_t most, double *cuts) {
  size_t gaps = 0, seen = 0, count = 0, k = 1;
  for (size_t i = 1; i < n; i++) gaps += sorted[i - 1].high < sorted[i].high;
  for (size_t i = 1; i < n; i++) {
    if (!(sorted[i - 1].high < sorted[i].high)) continue;
    seen++;
    if (gaps > most) {
      if (k > most) break;
      if (wanted_rank(k, n, most) > (double)i && seen < gaps) continue;
      while (k <= most && wanted_rank(k, n, most) <= (double)i) k++;
    }
    cuts[count++] = (sorted[i - 1].high + sorted[i].low) / 2.0;
  }
  return count;
}

size_t find_bins(const double *z, size_t n, const cell_list *cells, size_t most, int *cell, double *settled,
                 double *cuts, unsigned char *bin, ends *room) {
  for (size_t i = 0; i < n; i++) {
    const size_t k = cell_of(cells, z[i]);
    cell[i] = (int)k;
    settled[i] = k ? cells->mean[k - 1] : z[i];
    bin[i] = 0;
    room[i] = k ? (ends){cells->high[k - 1], cells->low[k - 1]} : (ends){z[i], z[i]};
  }
  if (most == 0) return 0;
  qsort(room, n, sizeof(ends), by_high);
  const size_t count = place_cuts(room, n, most, cuts);
  for (size_t i = 0; i < n; i++) bin[i] = (unsigned char)count_below(cuts, count, z[i]);
  return count;
}
