#include "core/base/linalg.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

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

/* The highest bit tells that all bits of the exponent are 1, as those of infinite numbers and NaN are. */
static uint64_t full_exponent(const double *x) {
  uint64_t word;
  memcpy(&word, x, sizeof word);
  return (word & 0x7FF0000000000000u) + 0x0010000000000000u;
}

int all_finite(const double *x, size_t n) {
  uint64_t found = 0;
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    found |= full_exponent(x + i) | full_exponent(x + i + 1) | full_exponent(x + i + 2) | full_exponent(x + i + 3);
  }
  for (; i < n; i++) found |= full_exponent(x + i);
  return !(found >> 63);
}

void make_orthonormal(double *z, size_t count, size_t dim) {
  for (size_t k = 0; k < count; k++) {
    double *own = z + k * dim;
    for (int round = 0; round < 2; round++) { /* the second removes the rounding of the first */
      for (size_t l = 0; l < k; l++) {
        const double *other = z + l * dim, along = dot(own, other, dim);
        for (size_t c = 0; c < dim; c++) own[c] -= along * other[c];
      }
      const double length = norm(own, dim);
      for (size_t c = 0; c < dim; c++) own[c] /= length;
    }
  }
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
