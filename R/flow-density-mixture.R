# Mixtures of multivariate t laws beside a density: where particles start, and what they are compared with. A mixture is
# a list(means [k, d], roots: upper triangular R with R'R = the scale matrix, weights [k], df [k]).

# Draws [n, d] from the streams `stream` to stream + 2.
draw_t_mixture <- function(mixture, n, key, stream) {
  k <- length(mixture$weights)
  from <- pick_weighted(draw_uniform(n, 1L, key, stream)[, 1], mixture$weights)
  noise <- draw_normal(n, ncol(mixture$means), key, stream + 1L)
  df <- mixture$df[from]
  radius <- sqrt(stats::qchisq(draw_uniform(n, 1L, key, stream + 2L)[, 1], df) / df)
  list(points = component_rows(noise / radius, from, mixture), from = from)
}

# Log-densities [n, k] of the components at points [n, d].
t_mixture_parts <- function(mixture, points, threads) {
  lengths <- squared_lengths(points, mixture$means, mixture$roots, threads)
  t_log_density(lengths, mixture$roots, mixture$df, ncol(points))
}

t_mixture_log_density <- function(mixture, points, threads) {
  log_mean_exp(t_mixture_parts(mixture, points, threads), mixture$weights)
}

# The covariance about the means of the components, or about their common mean.
pooled_covariance <- function(mixture, between = FALSE) {
  total <- Reduce(`+`, Map(function(root, weight) weight * crossprod(root), mixture$roots, mixture$weights))
  if (!between) return(total)
  off <- sweep(mixture$means, 2, colSums(mixture$weights * mixture$means))
  total + crossprod(off * sqrt(mixture$weights))
}

# Effective number over number of weights exp(log_r).
weight_share <- function(log_r) {
  top <- max(log_r)
  if (!is.finite(top)) return(0)
  r <- exp(log_r - top)
  sum(r)^2 / sum(r^2) / length(r)
}
