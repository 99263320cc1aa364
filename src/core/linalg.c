#include "core/linalg.h"

#include <math.h>

double dot(const double *a, const double *b, size_t n) {
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}

double norm(const double *a, size_t n) {
  return sqrt(dot(a, a, n));
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
