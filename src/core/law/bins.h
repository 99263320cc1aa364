/* The bins of one coordinate, between which trees split. Some intervals are cells, in which the data have one value. */
#ifndef PARTICLEFLOW_BINS_H
#define PARTICLEFLOW_BINS_H

#include <stddef.h>

/* Cells low < z <= high in increasing order that do not overlap; mean: what stands for a number within one. */
typedef struct {
  const double *low, *high, *mean;
  size_t n;
} cell_list;

/* The cell of a number, from 1; 0: none. */
size_t cell_of(const cell_list *cells, double z);

typedef struct {
  double high, low;
} ends;

/* Of z [n]: its cells; `settled`, the means of cells in the place of numbers within them; and where it may be split:
 * at most `most` increasing cuts, evenly spaced in rank, none of them within a cell. A bin is the number of cuts below
 * z. Returns the number of cuts. room [n]. */
size_t find_bins(const double *z, size_t n, const cell_list *cells, size_t most, int *cell, double *settled,
                 double *cuts, unsigned char *bin, ends *room);

#endif
