/* A kernel estimate of a density and its score, in the log domain: at an isolated point it is small and not 0. */
#ifndef PARTICLEFLOW_KDE_H
#define PARTICLEFLOW_KDE_H

#include "core/pair/pairwise.h"

/* log of the integral of the kernel (Gaussian or Laplace) over dim dimensions. */
double kde_log_volume(const pair_kernel *kernel, size_t dim);

/* For each query row y of the task, over the sources x_a that are not its own (m of them, at least 1):
 *   log_density [n_query]  log((1/m) sum_a w(y - x_a)) - log volume
 *   score                  -k sum_a w (y - x_a) / sum_a w, strides as given; null: not wanted
 * Gaussian of bandwidth h: k = 1/h^2 and the score is the gradient of log_density. Laplace of bandwidth t:
 * k = 1/((dim + 1) t^2), which makes it the mean shift over the variance of the kernel: the score of a
 * density that is log-linear over a few t, and not a gradient of log_density.
 * The task must be prepared; workspace: kde_workspace(n_source, dim, threads). */
void kde_field(const pair_task *task, double *log_density, double *score, size_t row_stride, size_t column_stride,
               double *workspace, int threads);
size_t kde_workspace(size_t n_source, size_t dim, int threads);

/* In one dimension: the share of the Gaussian kernel estimate of bandwidth h above each of m points. x [n] and
 * `at` are increasing. To 1e-9. */
void kernel_tail(const double *x, size_t n, const double *at, size_t m, double h, double *out);

#define LEFT_OUT_CELLS ((size_t)1024)

/* In one dimension: the mean log-density of each of n increasing numbers under the Gaussian kernel estimate of
 * bandwidth h of the others. Both are read from a grid of LEFT_OUT_CELLS cells between which they are linear, and h is
 * at least 0.7 cells. */
double left_out_density(const double *x, size_t n, double h);

#endif
