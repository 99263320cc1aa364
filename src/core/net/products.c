#include "core/net/products.h"

#include <string.h>

#include "core/base/instructions.h"

extern const product_table product_scalar;
#ifdef SIMD_X86
extern const product_table product_avx2, product_avx512;
#endif
#ifdef SIMD_ARM
extern const product_table product_neon;
#endif

const product_table *product_current(void) {
  const char *name = simd_name();
#ifdef SIMD_X86
  if (!strcmp(name, "avx512")) return &product_avx512;
  if (!strcmp(name, "avx2")) return &product_avx2;
#endif
#ifdef SIMD_ARM
  if (!strcmp(name, "neon")) return &product_neon;
#endif
  (void)name;
  return &product_scalar;
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

size_t panel_size(size_t rows) {
  return (rows + PANEL_ROWS - 1) / PANEL_ROWS * PANEL_ROWS;
}

size_t panel_room(size_t rows, size_t columns) {
  return panel_size(rows) * (columns + 1);
}

/* One column of a panel. */
static void place(double *to, const double *from, size_t rows) {
  if (rows == PANEL_ROWS) { /* a constant size is a few moves of vectors */
    memcpy(to, from, PANEL_ROWS * sizeof(double));
  } else {
    memcpy(to, from, rows * sizeof(double));
    memset(to + rows, 0, (PANEL_ROWS - rows) * sizeof(double));
  }
}

void panel_pack(double *panels, const double *w, const double *bias, size_t rows, size_t columns) {
  for (size_t r = 0; r < rows; r += PANEL_ROWS) {
    const size_t count = smaller(PANEL_ROWS, rows - r);
    if (bias) {
      place(panels, bias + r, count);
      panels += PANEL_ROWS;
    }
    for (size_t k = 0; k < columns; k++, panels += PANEL_ROWS) place(panels, w + k * rows + r, count);
  }
}

void panel_pack_transposed(double *panels, const double *w, size_t rows, size_t columns) {
  for (size_t c = 0; c < columns; c += PANEL_ROWS, panels += PANEL_ROWS * rows) {
    const size_t count = smaller(PANEL_ROWS, columns - c);
    if (count < PANEL_ROWS) memset(panels, 0, PANEL_ROWS * rows * sizeof(double));
    for (size_t i = 0; i < rows; i++) {
      for (size_t l = 0; l < count; l++) panels[i * PANEL_ROWS + l] = w[(c + l) * rows + i];
    }
  }
}

/* A piece of a panel takes a part of the nearest cache. */
#define PIECE ((size_t)192)

void panel_multiply(const product_table *table, product p, const double *panels, int biased) {
  const size_t rows = p.rows, depth = p.depth, size = (depth + (biased ? 1 : 0)) * PANEL_ROWS;
  const product whole = p;
  p.a_stride = PANEL_ROWS;
  for (size_t from = 0; from < depth; from += PIECE) {
    const int last = from + PIECE >= depth;
    p.depth = smaller(PIECE, depth - from);
    p.b = whole.b + from * whole.b_down;
    p.start = from > 0 ? START_c : biased ? START_bias : START_zero;
    p.finish = last ? whole.finish : FINISH_store;
    for (size_t r = 0; r < rows; r += PANEL_ROWS) {
      const double *panel = panels + r / PANEL_ROWS * size;
      p.rows = smaller(PANEL_ROWS, rows - r);
      p.bias = panel;
      p.a = panel + (from + (biased ? 1 : 0)) * PANEL_ROWS;
      p.c = whole.c + r;
      p.side = whole.side ? whole.side + r : NULL;
      table->multiply(&p);
    }
  }
}
