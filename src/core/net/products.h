/* Products of matrices, with what follows them in a network. Units of a layer lie in the lanes of vectors, and numbers
 * of the points are broadcast; all matrices are column-major.
 *
 * Each entry of a product is one chain of multiplications and additions in the order of the inner index. Its bits
 * depend on the instruction set, and not on the other entries, the number of threads or a BLAS. */
#ifndef PARTICLEFLOW_PRODUCTS_H
#define PARTICLEFLOW_PRODUCTS_H

#include <stddef.h>

/* Where the chains start: at 0, at one number per row, or at c. */
typedef enum { START_zero = 0, START_bias = 1, START_c = 2 } product_start;

/* What becomes of a sum v: c = v, c + v, c - v, max(v, 0); the smooth rectifier, whose slope goes to `side`; v where
 * side > 0, else 0; v times side. */
typedef enum {
  FINISH_store = 0,
  FINISH_add = 1,
  FINISH_subtract = 2,
  FINISH_relu = 3,
  FINISH_smooth = 4,
  FINISH_mask = 5,
  FINISH_scale = 6
} product_finish;

/* c(i, j) from the sum over k of a(i, k) b(k, j). */
typedef struct {
  size_t rows, columns, depth; /* extents of i, j, k */
  const double *a;             /* a(i, k) = a[k a_stride + i], readable up to whole vectors of rows */
  size_t a_stride;
  const double *b; /* b(k, j) = b[k b_down + j b_across] */
  size_t b_down, b_across;
  double *c; /* c(i, j) = c[j c_stride + i] */
  size_t c_stride;
  product_start start;
  const double *bias; /* [rows], readable up to whole vectors */
  product_finish finish;
  double *side;     /* laid out as c */
  double smoothing; /* half-width of the smooth rectifier */
} product;

/* What the moments and the step of Adam need in one update (adam.h). */
typedef struct {
  double beta1, beta2, epsilon;
  double rate, correction; /* rate / (1 - beta1^t), 1 / (1 - beta2^t) */
} adam_update;

typedef struct {
  const char *name;
  void (*multiply)(const product *p);
  /* The same for one column that takes part as a vector: the sum has four chains, of every fourth k. No start, and
   * only to store, to add or to subtract. */
  void (*apply)(const product *p);
  void (*adam)(double *x, double *m, double *v, const double *gradient, size_t n, const adam_update *update);
  /* Angles in `sine` become their sines, and `cosine` their cosines; n is a multiple of PANEL_ROWS. */
  void (*turn)(double *sine, double *cosine, size_t n);
} product_table;

/* The table of the instruction set in force (core/base/instructions.h). */
const product_table *product_current(void);

/* Rows of a panel: a whole number of vectors on every instruction set. */
#define PANEL_ROWS ((size_t)16)

/* A matrix w [rows, columns] and, unless it is NULL, one number per row, in panels [PANEL_ROWS, columns + 1] (or
 * [PANEL_ROWS, columns]) one after the other: the numbers of the rows first, then the columns; 0 beyond the rows. */
size_t panel_size(size_t rows); /* doubles per column of all panels together */
size_t panel_room(size_t rows, size_t columns);
void panel_pack(double *panels, const double *w, const double *bias, size_t rows, size_t columns);
/* The same for the transposed of w, without numbers: panels [PANEL_ROWS, rows] of the columns. */
void panel_pack_transposed(double *panels, const double *w, size_t rows, size_t columns);

/* p for all rows: its a and bias are ignored, its panels and `depth` are those of a matrix that panel_pack (biased) or
 * panel_pack_transposed left. Goes along the inner index in pieces that stay in cache. */
void panel_multiply(const product_table *table, product p, const double *panels, int biased);

#endif
