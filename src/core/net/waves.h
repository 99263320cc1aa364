/* Characteristic functions of points: means of cos and sin of t x over points x, at frequencies t. */
#ifndef PARTICLEFLOW_WAVES_H
#define PARTICLEFLOW_WAVES_H

#include <stddef.h>

typedef struct {
  size_t n, dim, count; /* points, coordinates, frequencies */
  const double *x;      /* [dim, n], one column per point */
  const double *t;      /* [count, dim] by columns */
} waves;

/* The same results on any number of threads: sums over points go in fixed blocks. */
size_t waves_workspace(const waves *w, int threads);

/* real, imaginary [count]: mean cos(t_k x_i), mean sin(t_k x_i). */
void waves_means(const waves *w, double *real, double *imaginary, double *workspace, int threads);

/* pull [dim, n]: sum over k of (imaginary_k cos(t_k x_i) - real_k sin(t_k x_i)) t_k, the gradient by x_i of (n / 2)
 * sum_k |a_k|^2, where a_k = real_k + i imaginary_k is the mean of e^{i t_k x} less a constant. */
void waves_pull(const waves *w, const double *real, const double *imaginary, double *pull, double *workspace,
                int threads);

#endif
