# Stein's identities. For draws x of a density p with score s = grad log p and any m,
#   E s = 0,   -E (x - m) s' = I.
# If instead the draws are normal with covariance C and p is normal with covariance P and another mean, then in units in
# which C = I the first is P^-1 (mean of p - mean of the draws) and the second is P^-1. This tells how far off the draws
# are.

# z, gradient [n, d]: draws and their scores. A list with
#   coordinates  data frame, one row per coordinate: shift (mean of p minus that of the draws, in sds of p), ratio
#                (sd of the draws over that of p), and their Monte Carlo errors shift_error and ratio_error
#   directions   the same by principal direction of the second identity, from the narrowest p to the widest.
# Where the second identity is not positive, shift and ratio are NA. size: the number of independent draws among the n.
# groups [n]: draws of separate modes. The identities hold in each of them, and are taken about the means of the groups.
stein_check <- function(z, gradient, size = nrow(z), groups = rep(1L, nrow(z))) {
  n <- nrow(z)
  centred <- within_groups(z, groups)
  root <- cholesky(crossprod(centred) / n)
  if (is.null(root)) return(NULL)
  x <- t(backsolve(root, t(centred), transpose = TRUE)) # covariance I
  s <- tcrossprod(gradient, root)
  second <- -crossprod(x, s) / n
  second <- (second + t(second)) / 2
  parts <- eigen(second, symmetric = TRUE)
  along <- parts$vectors
  directions <- stein_rows(x %*% along, s %*% along, size)
  # by coordinate: the scores of z_j in units of its own sd, all other coordinates fixed
  spread <- sqrt(colMeans(centred^2))
  coordinates <- stein_coordinates(second, root, colMeans(s), directions, along, spread, x, s, size)
  list(coordinates = coordinates, directions = directions)
}

# x [n, d] minus the means of the groups of rows.
within_groups <- function(x, groups) {
  means <- rowsum(x, groups) / as.vector(table(groups))
  x - means[as.character(groups), , drop = FALSE]
}

# For unit directions: x, s [n, k] are draws (variance 1) and scores along them.
stein_rows <- function(x, s, size) {
  n <- nrow(x)
  second <- -colMeans(x * s)
  known <- second > 0
  second[!known] <- NA
  error <- function(values) sqrt(pmax(colMeans(values^2) - colMeans(values)^2, 0) / size)
  data.frame(shift = colMeans(s) / sqrt(second), shift_error = error(s) / sqrt(second), ratio = sqrt(second),
             ratio_error = error(x * s) / (2 * sqrt(second)))
}

# P = second^-1 in whitened units, and root' P root in units of z.
stein_coordinates <- function(second, root, mean_score, directions, along, spread, x, s, size) {
  d <- length(spread)
  if (anyNA(directions$ratio)) {
    return(data.frame(shift = rep(NA_real_, d), shift_error = NA_real_, ratio = NA_real_, ratio_error = NA_real_))
  }
  inverse <- along %*% (t(along) / directions$ratio^2)
  spread_p <- sqrt(colSums(root * (inverse %*% root)))
  to_z <- inverse %*% root # [d, d]: scores in whitened units times this are Newton's steps in units of z
  steps <- s %*% to_z
  error <- function(values) sqrt(pmax(colMeans(values^2) - colMeans(values)^2, 0) / size)
  # the change of spread_p^2 by the second identity: -(inverse root_j)' (x s') (inverse root_j)
  pull <- x %*% to_z
  data.frame(shift = colMeans(steps) / spread_p, shift_error = error(steps) / spread_p, ratio = spread / spread_p,
             ratio_error = spread / spread_p * error(pull * steps) / (2 * spread_p^2))
}
