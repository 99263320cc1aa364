#include "core/net/products.h"

#include "core/base/parallel.h"

void gemm(char op_a, char op_b, int m, int n, int k, double alpha, const double *a, int lda, const double *b, int ldb,
          double beta, double *c, int ldc) {
  for (int j = 0; j < n; j++) {
    double *restrict to = c + j * ldc;
    for (int i = 0; i < m; i++) to[i] = beta == 0.0 ? 0.0 : beta * to[i];
    for (int l = 0; l < k; l++) {
      const double factor = alpha * (op_b == 'N' ? b[j * ldb + l] : b[l * ldb + j]);
      if (op_a == 'N') {
        VECTORISE
        for (int i = 0; i < m; i++) to[i] += factor * a[l * lda + i];
      } else {
        for (int i = 0; i < m; i++) to[i] += factor * a[i * lda + l];
      }
    }
  }
}
