# The leading principal components of a large table, in steps that are short calls of BLAS and LAPACK, so that R hears
# Ctrl-C between them. One call of svd() or eigen() for such a table takes many seconds, and nothing can stop it.

# R's own BLAS takes about a quarter of a second for so many operations. A small table takes twice as many.
operations_at_once <- 2.5e8

# Matrices with at most so many rows go to eigen() as a whole, which takes some 0.3 seconds.
most_eigen_rows <- 600

# The subspace below is small only if few components are wanted.
most_krylov_components <- 100

# The residual of an eigenvector, relative to its eigenvalue, at which it is exact enough. The eigenvalue is then wrong
# by the square of this, divided by the relative distance to the other eigenvalues.
krylov_tolerance <- 1e-8

# Noise of 2000 x 3000 takes 30 rounds.
most_krylov_rounds <- 300

# [n, p] and the number of components: whether the steps are used. One call is enough for small tables.
uses_krylov <- function(n, p, count) {
  small <- min(n, p)
  large <- max(n, p)
  operations <- if (p > n) small^2 * (large + 2 * small) else 4 * small^2 * large
  operations > 2 * operations_at_once && count <= most_krylov_components
}

# The matrix whose columns work(columns) returns, a few columns at a time.
by_columns <- function(count, operations_per_column, work) {
  each <- max(1, floor(operations_at_once / operations_per_column))
  do.call(cbind, lapply(seq(1, count, by = each), function(first) work(first:min(count, first + each - 1))))
}

# A [s, s]: the inner products of the rows of the table, or of its columns if these are fewer.
inner_products <- function(table) {
  by_columns(min(dim(table)), 2 * length(table), function(j) {
    if (ncol(table) > nrow(table)) tcrossprod(table, table[j, , drop = FALSE]) else crossprod(table, table[, j])
  })
}

# A v for v [s, k], without A.
times_products <- function(table, v) {
  by_columns(ncol(v), 4 * length(table), function(j) {
    if (ncol(table) > nrow(table)) table %*% crossprod(table, v[, j]) else crossprod(table, table %*% v[, j])
  })
}

# The leading `count` eigenvalues and eigenvectors [s, count] of A, or as many as have `share` of its trace. NULL: they
# were not found.
leading_eigen <- function(table, count, share) {
  size <- min(dim(table))
  trace <- sum(table^2)
  wanted <- function(values) seq_len(min(count, which(cumsum(values) >= share * trace)[1], na.rm = TRUE))
  if (size > most_eigen_rows) {
    # A itself saves time where it is small
    products <- if (size <= 1000) inner_products(table)
    return(krylov(function(v) if (is.null(products)) times_products(table, v) else products %*% v, size, count, wanted))
  }
  parts <- eigen(inner_products(table), symmetric = TRUE)
  kept <- wanted(parts$values)
  list(values = parts$values[kept], vectors = parts$vectors[, kept, drop = FALSE])
}

# Orthonormal columns that span the part of `v` outside the span of `basis`. The second pass removes what rounding
# left in the first.
orthonormal_to <- function(basis, v) {
  for (pass in 1:2) {
    v <- v - basis %*% crossprod(basis, v)
    v <- sweep(v, 2, pmax(sqrt(colSums(v^2)), .Machine$double.xmin), "/")
  }
  parts <- qr(v)
  qr.Q(parts)[, seq_len(min(parts$rank, nrow(basis) - ncol(basis))), drop = FALSE]
}

# Block Lanczos with full orthogonalisation and thick restarts (Wu & Simon 2000) for A [size, size], which times()
# applies. V is an orthonormal basis and H is V'AV. The basis grows by the residuals Ay - ty of the eigenpairs (t, y) of
# H that are not yet exact. It starts with more columns than components are wanted, so that equal eigenvalues are found
# however many there are.
krylov <- function(times, size, count, wanted) {
  wide <- min(size, count + 10L)
  basis <- image <- matrix(0, size, 0)
  h <- matrix(0, 0, 0)
  new <- draw_normal(size, wide, c(1L, 2L))
  for (round in seq_len(most_krylov_rounds)) {
    new <- orthonormal_to(basis, new)
    basis <- cbind(basis, new)
    moved <- times(new)
    image <- cbind(image, moved)
    corner <- crossprod(basis, moved)
    h <- cbind(rbind(h, t(corner[seq_len(nrow(h)), , drop = FALSE])), corner)
    parts <- eigen((h + t(h)) / 2, symmetric = TRUE)
    values <- parts$values[wanted(parts$values)]
    turn <- parts$vectors[, seq_along(values), drop = FALSE]
    vectors <- basis %*% turn
    residual <- image %*% turn - sweep(vectors, 2, values, "*")
    enough <- pmax(krylov_tolerance * values, size * .Machine$double.eps * values[1])
    open <- sqrt(colSums(residual^2)) > enough
    if (!any(open) || ncol(basis) == size) return(list(values = values, vectors = vectors))
    new <- residual[, open, drop = FALSE]
    if (ncol(basis) + ncol(new) > max(400, 4 * wide)) {
      kept <- seq_len(2 * wide)
      basis <- basis %*% parts$vectors[, kept]
      image <- image %*% parts$vectors[, kept]
      h <- diag(parts$values[kept])
    }
  }
  NULL
}
