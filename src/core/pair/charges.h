/* Sums over sources with charges, in one to three dimensions: what a tree is summed with.
 *
 * Queries go in groups of CHARGE_LANES. Rows of CHARGE_LANES doubles, one per query, are
 *   0 .. dim-1   sum q w z
 *   dim          sum q w
 *   dim + 1 ..   CHARGES_bound: sum q (w/u) |z|^2
 *                CHARGES_hessian: sum q (w/u) z z', the lower triangle row by row
 * The bits of a query do not depend on the others of its group. */
#ifndef PARTICLEFLOW_CHARGES_H
#define PARTICLEFLOW_CHARGES_H

#include <stddef.h>

#include "core/pair/kernel.h"

#define CHARGE_LANES ((size_t)8)
#define CHARGE_MAX_DIM ((size_t)3)
/* of all rows at most: 3 + 1 + 6 */
#define CHARGE_MAX_ROWS ((size_t)10)

typedef enum { CHARGES_force = 0, CHARGES_bound = 1, CHARGES_hessian = 2, CHARGES_modes = 3 } charge_mode;

/* query: [dim, CHARGE_LANES]. source: [n, dim + 1], the charge q last. sums: [rows, CHARGE_LANES], overwritten. */
typedef void (*charge_kernel)(const double *query, double *sums, const double *source, size_t n,
                              const pair_kernel *kernel);

size_t charge_rows(charge_mode mode, size_t dim);

/* For a Riesz weight, on the instruction set that is in force. */
charge_kernel charge_kernel_for(charge_mode mode, weight_kind kind, size_t dim);

typedef struct {
  charge_kernel kernels[CHARGES_modes][WEIGHT_RIESZ_COUNT][CHARGE_MAX_DIM];
} charge_table;

extern const charge_table charges_scalar;
#if defined(__x86_64__) && defined(__GNUC__) && !defined(_WIN32)
extern const charge_table charges_avx2, charges_avx512;
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
extern const charge_table charges_neon;
#endif

#endif
