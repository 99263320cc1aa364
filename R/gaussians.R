# Log-densities of Gaussian and t mixtures, and draws from their components.

# log-density [rows, widths] of a mixture of equal Gaussian kernels at `centres`.
kernel_log_density <- function(points, centres, widths, threads, self) {
  each <- vapply(widths, function(width) {
    if (!(width > 0)) return(rep(-Inf, nrow(points)))
    kernel_estimate(points, centres, "gaussian", width, FALSE, threads, self)$log_density
  }, numeric(nrow(points)))
  matrix(each, nrow(points))
}

# log-density [rows, widths] of a mixture of Gaussians at `means`, with equal weights if `weights` is NULL. |A_a (y -
# x_a)|^2 / h^2 is the squared Mahalanobis length, with the factors A_a and the width h. `constants`: log of the
# normalising constants, without the weights. `offsets` [d, n] and `shares`: each centre is moved by share times
# offset, in the metric of the factors.
mixture_log_density <- function(points, means, factors, constants, widths, threads, self, weights = NULL,
                                offsets = NULL, shares = rep(1, length(widths))) {
  parts <- nrow(means) - self
  constants <- constants + if (is.null(weights)) -log(parts) else log(weights)
  work <- nrow(means) * (ncol(means)^2 + 10) * 2
  blocks <- in_blocks(nrow(points), work, function(from, count) {
    list(value = .Call(C_pf_mixture_log_density, points, means, factors, offsets, constants, as.double(widths),
                       as.double(shares), from, count, self, threads))
  })
  bind_blocks(blocks)$value
}

# (x - m)' C^-1 (x - m) of each row and component [n, components], where C = R'R.
squared_lengths <- function(points, means, roots, threads = thread_count()) {
  d <- ncol(points)
  factors <- vapply(roots, inverse_factor, numeric(d * (d + 1) / 2))
  factors <- matrix(factors, ncol = length(roots))
  .Call(C_pf_gaussian_lengths, points, means, factors, threads)
}

# The upper Cholesky factor. NULL: the matrix is not definite. (The errors of chol() have no class of their own.)
cholesky <- function(covariance) tryCatch(chol(covariance), error = function(e) NULL)

# The inverse of the lower Cholesky factor t(root), by rows.
inverse_factor <- function(root) {
  d <- ncol(root)
  backsolve(root, diag(d))[upper.tri(diag(d), diag = TRUE)]
}

# Log-densities [n, components] from squared lengths. With infinite df the component is Gaussian.
t_log_density <- function(lengths, roots, df, d) {
  for (g in seq_along(roots)) {
    tail <- if (is.finite(df[g])) {
      lgamma((df[g] + d) / 2) - lgamma(df[g] / 2) - d / 2 * log(df[g] * pi) -
        (df[g] + d) / 2 * log1p(lengths[, g] / df[g])
    } else {
      -d / 2 * log(2 * pi) - lengths[, g] / 2
    }
    lengths[, g] <- tail - sum(log(diag(roots[[g]])))
  }
  lengths
}

# Noise [n, d] scaled and moved to the components `from` of a mixture.
component_rows <- function(noise, from, law) {
  for (g in unique(from)) {
    rows <- which(from == g)
    noise[rows, ] <- noise[rows, , drop = FALSE] %*% law$roots[[g]] + rep(law$means[g, ], each = length(rows))
  }
  noise
}

# Column a of the result is the lower triangle in column a of `triangles` (by rows) times column a of z.
lower_times <- function(triangles, z) {
  out <- z
  entry <- 0L
  for (row in seq_len(nrow(z))) {
    out[row, ] <- 0
    for (column in seq_len(row)) {
      entry <- entry + 1L
      out[row, ] <- out[row, ] + triangles[entry, ] * z[column, ]
    }
  }
  out
}

# log of the weighted mean of exp(each) over the columns.
log_mean_exp <- function(each, weights) {
  most <- each[cbind(seq_len(nrow(each)), max.col(each, "first"))]
  most[!is.finite(most)] <- 0
  most + log(drop(exp(each - most) %*% weights))
}

# The weights of densities with the largest mean log-likelihood, by EM. each: log-densities, one column per density.
mixture_weights <- function(each, steps, weights = rep(1 / ncol(each), ncol(each))) {
  .Call(C_pf_mixing_weights, over_largest(each), weights, as.integer(steps), 0)
}

# The same weights where densities are nearly alike, so that plain EM needs thousands of steps. Each round goes on along
# two steps of the logarithms as far as their curvature says (Varadhan and Roland 2008), if that is no worse. In
# logarithms a weight near 0 can grow again.
converged_weights <- function(each, rounds = 100L) {
  .Call(C_pf_mixing_weights, over_largest(each), rep(1 / ncol(each), ncol(each)), rounds, longest_step)
}

# A step of converged_weights() is at most so many steps of EM.
longest_step <- 100

over_largest <- function(each) exp(each - each[cbind(seq_len(nrow(each)), max.col(each, "first"))])

# Ward's hierarchy is made of at most this many rows, because it needs all distances between them.
most_ward_rows <- 500L

# Classes of Ward's hierarchy on at most most_ward_rows rows, evenly spaced. The other rows join the class with the
# nearest mean. No random number is drawn.
ward_classes <- function(points, components, memo = NULL) {
  n <- nrow(points)
  if (components == 1) return(rep(1L, n))
  some <- unique(round(seq(1, n, length.out = min(n, most_ward_rows))))
  if (components > length(some)) {
    stop_unfit("`components` must be at most %d for %d rows, not %d.", length(some), n, components)
  }
  tree <- remembered(memo, "tree", stats::hclust(stats::dist(points[some, , drop = FALSE]), "ward.D2"))
  cut <- stats::cutree(tree, components)
  centres <- rowsum(points[some, , drop = FALSE], cut) / as.vector(table(cut))
  neighbours(points, unname(centres), 1L)$index[, 1]
}
