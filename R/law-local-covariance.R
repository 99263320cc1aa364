law_local_covariance <- function(points, s, k = 20, shrinkage = 0.3, jitter = 0.7) {
  k <- min(check_count(k, "k", 1L), nrow(points) - 1L)
  shrinkage <- check_number(shrinkage, "shrinkage", lower = 0, upper = 1)
  jitter <- check_number(jitter, "jitter", lower = 0)
  if (shrinkage == 0 && k <= ncol(points)) {
    fail("`k` = %d neighbours in %d dimensions have no covariance of full rank; give a `k` above %d or `shrinkage` above 0.",
         k, ncol(points), ncol(points))
  }
  shapes <- local_shapes(points, k, shrinkage)
  new_law("local_covariance", points = points, k = k, shrinkage = shrinkage, jitter = jitter,
          spread = shapes$spread, factors = shapes$factors, log_det = shapes$log_det)
}

# For each point, from C = (1 - shrinkage) C_k + shrinkage tr(C_k)/d I, C_k the
# covariance of the point and its k neighbours: `spread` [d (d+1)/2, n], the upper
# triangle U, C = U'U, by columns; `factors`, U'^-1 by rows, so that |factor z|^2 is the
# Mahalanobis length; and log det of the factor.
local_shapes <- function(points, k, shrinkage) {
  d <- ncol(points)
  n <- nrow(points)
  index <- neighbours(points, points, k, self = TRUE)$index
  upper <- upper.tri(diag(d), diag = TRUE)
  least <- (1e-3 * typical_spacing(points))^2 / d
  spread <- factors <- matrix(0, d * (d + 1) / 2, n)
  log_det <- numeric(n)
  for (i in seq_len(n)) {
    near <- points[c(i, index[i, ]), , drop = FALSE]
    near <- near - rep(colMeans(near), each = k + 1L)
    shape <- crossprod(near) / (k + 1)
    level <- sum(diag(shape)) / d
    shape <- (1 - shrinkage) * shape
    diag(shape) <- diag(shape) + shrinkage * level + max(least, 1e-8 * level)
    root <- chol(shape)
    spread[, i] <- root[upper]
    # the lower triangle of U'^-1 by rows is the upper triangle of U^-1 by columns
    factors[, i] <- backsolve(root, diag(d))[upper]
    log_det[i] <- -sum(log(diag(root)))
  }
  list(spread = spread, factors = factors, log_det = log_det)
}

#' @export
law_density.law_local_covariance <- function(law, points, threads, self = FALSE, jitter = law$jitter, ...) {
  mixture_log_density(points, law$points, law$factors, law$log_det - ncol(points) / 2 * log(2 * pi), jitter, threads,
                      self)
}

#' @export
draw_law.law_local_covariance <- function(law, n, key, threads) {
  d <- ncol(law$points)
  from <- pick(draw_uniform(n, 1, key)[, 1], nrow(law$points))
  noise <- draw_normal(n, d, key, stream = 1L)
  law$points[from, , drop = FALSE] + law$jitter * shaped(noise, law$spread[, from, drop = FALSE])
}

# Row i of `noise` times the upper triangle in column i of `spread` (by columns).
shaped <- function(noise, spread) {
  out <- matrix(0, nrow(noise), ncol(noise))
  entry <- 0L
  for (column in seq_len(ncol(noise))) {
    for (row in seq_len(column)) {
      entry <- entry + 1L
      out[, column] <- out[, column] + noise[, row] * spread[entry, ]
    }
  }
  out
}
