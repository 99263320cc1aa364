#include "core/base/linalg.h"

#include <math.h>

size_t triangle_size(size_t dim) {
  return dim * (dim + 1) / 2;
}

double dot(const double *a, const double *b, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

double norm(const double *a, size_t n) {
  return sqrt(dot(a, a, n));
}

int all_finite(const double *x, size_t n) {
  /* 0 times anything finite is 0; NaN stays. In eight parts, because one would wait for each addition. */
  double part[8] = {0.0}, sum = 0.0;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (size_t l = 0; l < 8; l++) part[l] += 0.0 * x[i + l];
  }
  for (; i < n; i++) sum += 0.0 * x[i];
  for (size_t l = 0; l < 8; l++) sum += part[l];
  return sum == 0.0;
}

int cholesky_factor(double *a, size_t n) {
  for (size_t j = 0; j < n; j++) {
    double *row_j = a + j * n;
    const double pivot = row_j[j] - dot(row_j, row_j, j);
    if (!(pivot > 0.0)) return 0;
    row_j[j] = sqrt(pivot);
    for (size_t i = j + 1; i < n; i++) {
      double *row_i = a + i * n;
      row_i[j] = (row_i[j] - dot(row_i, row_j, j)) / row_j[j];
    }
  }
  return 1;
}

void cholesky_solve(const double *factor, double *b, size_t n) {
  for (size_t i = 0; i < n; i++) b[i] = (b[i] - dot(factor + i * n, b, i)) / factor[i * n + i];
  for (size_t i = n; i-- > 0;) {
    for (size_t j = i + 1; j < n; j++) b[i] -= factor[j * n + i] * b[j];
    b[i] /= factor[i * n + i];
  }
}

void invert_factor(const double *factor, size_t n, double *inverse) {
  for (size_t c = 0; c < n; c++) {
    double *row = inverse + c * (c + 1) / 2;
    for (size_t e = 0; e <= c; e++) {
      double sum = c == e ? 1.0 : 0.0;
      for (size_t j = e; j < c; j++) sum -= factor[c * n + j] * inverse[j * (j + 1) / 2 + e];
      row[e] = sum / factor[c * n + c];
    }
  }
}
