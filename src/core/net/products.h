/* Products of matrices. */
#ifndef PARTICLEFLOW_PRODUCTS_H
#define PARTICLEFLOW_PRODUCTS_H

/* c = alpha op(a) op(b) + beta c, column-major, op by 'N' or 'T'; c is [m, n], the inner extent k. */
void gemm(char op_a, char op_b, int m, int n, int k, double alpha, const double *a, int lda, const double *b, int ldb,
          double beta, double *c, int ldc);

#endif
