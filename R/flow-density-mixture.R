# Mixtures of multivariate t laws beside a density: where particles start, and what they are compared with. A mixture is
# a list(means [k, d], roots: upper triangular R with R'R = the scale matrix, weights [k], df [k]), as student_density()
# and student_draw() read it.

mixture_log_values <- function(mixture, points, threads) student_density(mixture, points, threads)[, 1]

# log (weight times density) [n, k] of the components at points [n, d]; lengths: their squared lengths there.
mixture_parts <- function(mixture, points, threads,
                          lengths = squared_lengths(points, mixture$means, mixture$roots, threads)) {
  t_log_density(lengths, mixture$roots, mixture$df, ncol(points)) + rep(log(mixture$weights), each = nrow(points))
}

# The component that is the most likely one at each point.
likeliest_part <- function(mixture, points, threads) max.col(mixture_parts(mixture, points, threads), "first")

# The covariance about the means of the components, or about their common mean.
pooled_covariance <- function(mixture, between = FALSE) {
  total <- Reduce(`+`, Map(function(root, weight) weight * crossprod(root), mixture$roots, mixture$weights))
  if (!between) return(total)
  off <- sweep(mixture$means, 2, colSums(mixture$weights * mixture$means))
  total + crossprod(off * sqrt(mixture$weights))
}

# The number of independent draws that weights are worth: (sum w)^2 / sum w^2.
weights_worth <- function(log_weights) {
  top <- max(log_weights)
  if (!is.finite(top)) return(0)
  w <- exp(log_weights - top)
  sum(w)^2 / sum(w^2)
}
