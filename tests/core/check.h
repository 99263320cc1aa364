/* The harness of the stand-alone tests: counted checks that go on after a failure, and every tolerance.
 * A test file is a set of static functions and one test_<noun>(), which main.c calls. */
#ifndef PARTICLEFLOW_CHECK_H
#define PARTICLEFLOW_CHECK_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- tolerances ---------------------------------------------------------------------------------------- */

/* A kernel against the long double reference, relative to the sum of the absolute terms. Weights are
 * powers of a reciprocal that is right to 2 or 3 units in the last place; at s = 13 the relative error is
 * 7.5 times as large. Cancellation is in the denominator. The package promises 1e-10. */
#define TOLERANCE_KERNEL 1e-13
/* The same between two instruction sets, each of which may miss by the above. */
#define TOLERANCE_BACKENDS (2.0 * TOLERANCE_KERNEL)
/* A logarithm, a root and a cosine, each right to one unit in the last place, 2^-53 to 2^-52 of the result. */
#define TOLERANCE_NORMAL 1e-15
/* Published constants, printed to six digits. */
#define TOLERANCE_PRINTED 1e-6
/* A few dozen operations in double, well conditioned. */
#define TOLERANCE_ROUNDING 1e-13
/* Inverse steps are solved to SOLVER_TOLERANCE with every bound b below 0.9, so that a solution is within
 * SOLVER_TOLERANCE / (1 - 0.9). */
#define SOLVER_TOLERANCE 1e-12
#define TOLERANCE_INVERSE 1e-11
/* Power iteration stops when an eigenvalue moves by less than 1e-6 of itself. It approaches from below, so that what
 * is missing is a multiple of the last gain. */
#define TOLERANCE_EIGENVALUE 1e-5
/* A soft minimum from a Gaussian sum: the logarithm of a sum that is right to TOLERANCE_KERNEL, but also of
 * exponents up to 640 that carry their own rounding, 640 times 1e-16, all times epsilon of at most 10. */
#define TOLERANCE_SOFT_MINIMUM 2e-12
/* Cubic interpolation with steps of 1/64: a 384th of h^4 times the fourth derivative, at most 0.6. */
#define TOLERANCE_TAIL 1e-9
/* A mean logarithm of densities from a grid with cells of a 60th of a bandwidth: a cell squared over 4 bandwidths
 * squared, 1e-4, once for the masses and once for the densities. */
#define TOLERANCE_GRID 2e-4
/* Logarithms of shares of intervals, and quantiles within them: 1e-16 over the least share of the probability beyond
 * that is taken as a difference, 1e-5. */
#define TOLERANCE_SHARE 1e-9
/* A gradient after so many steps of accelerated ascent that the coefficients move by less than 1e-13. */
#define TOLERANCE_ASCENT 1e-10
/* Accelerated EM stops when no weight moves by 1e-6 in one step. */
#define TOLERANCE_WEIGHTS 1e-4
/* Central differences with h = 1e-5: h^2 and 1e-16 / h. */
#define TOLERANCE_DIFFERENCE 1e-6
/* Means over draws, in standard errors. The draws are fixed by their keys, so there is no false alarm to
 * budget for: five would happen to a wrong generator only. */
#define STANDARD_ERRORS 5.0

/* --- checks -------------------------------------------------------------------------------------------- */

extern unsigned checks_done, checks_failed;

void record_check(int passed, const char *file, int line, const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 4, 5)))
#endif
    ;

/* CHECK(condition, "what, with %d", values): the text is printed where it fails. */
#define CHECK(condition, ...) record_check((condition) ? 1 : 0, __FILE__, __LINE__, __VA_ARGS__)

/* Absolute or relative, whichever is kinder; false for NaN. */
int near(double value, double expected, double tolerance);

#define CHECK_NEAR(value, expected, tolerance)                                                           \
  record_check(near((value), (expected), (tolerance)), __FILE__, __LINE__, "%s is %.17g, not %.17g",     \
               #value, (double)(value), (double)(expected))

/* --- what the tests share ------------------------------------------------------------------------------ */

/* Room for n doubles, at least one, set to NaN; ends the program where there is none. */
double *new_doubles(size_t n);

/* n standard normal numbers, a pure function of the seed. */
void normals(double *out, size_t n, uint32_t seed);

void test_autoencoder(void);
void test_components(void);
void test_condition(void);
void test_divergence(void);
void test_divisions(void);
void test_energy(void);
void test_equilibrium(void);
void test_exponentials(void);
void test_fft(void);
void test_field(void);
void test_fingerprint(void);
void test_gaussians(void);
void test_generator(void);
void test_gpa(void);
void test_interval(void);
void test_inverse(void);
void test_approximate(void);
void test_kde(void);
void test_linalg(void);
void test_lines(void);
void test_moments(void);
void test_mutual(void);
void test_near(void);
void test_neighbours(void);
void test_network(void);
void test_normals(void);
void test_pairwise(void);
void test_products(void);
void test_parallel(void);
void test_riesz(void);
void test_settle(void);
void test_shares(void);
void test_rng(void);
void test_simd(void);
void test_simplex(void);
void test_sinkhorn(void);
void test_spectral(void);
void test_sums(void);
void test_t_mixture(void);
void test_targets(void);
void test_bins(void);
void test_trees(void);
void test_waves(void);
void test_wgf(void);

#endif
