# Weights p / q of the draws of a generator whose density p is known up to a constant.

check_weighable <- function(object) {
  if (is.null(object$write$density)) {
    fail("`weights` need a generator of a density: distill() of a fit from wgf() or temper(), or of a target.")
  }
  if (!is.null(object$noise)) {
    fail("`weights` need draws without noise of a kernel: distill() with `field` = \"energy\" or \"sliced\".")
  }
  if (object$diagnostics$base_dim != object$diagnostics$dim) {
    fail("`weights` need as many base numbers as coordinates (%d), and the network has %d.", object$diagnostics$dim,
         object$diagnostics$base_dim)
  }
}

# log p - log q [n] at the draws `points` [n, d], which came from the key, in coordinates of the density.
generated_log_weights <- function(object, points, key) {
  parts <- generator_blocks(nrow(points), function(rows, block) {
    z <- base_draws(length(rows), object$network, object$frame, key, 3L * block)
    slope <- generated_log_slope(object, z)
    target <- density_values(object$write$density, points[rows, , drop = FALSE], gradient = FALSE)$log_density
    list(log_weight = target - base_log_density(object$frame$base, z) + slope$log_det, sign = slope$sign)
  })
  signs <- unlist(lapply(parts, `[[`, "sign"))
  if (length(unique(signs)) > 1) {
    warning(sprintf(paste("The network is not one-to-one (its determinant has another sign at %d of %d draws), so that",
                          "the weights are not exact."), min(table(signs)), length(signs)), call. = FALSE)
  }
  as.double(unlist(lapply(parts, `[[`, "log_weight")))
}

# list(log_det [n], sign [n]) of the Jacobian of the map from base points to coordinates.
generated_log_slope <- function(object, z) {
  n <- nrow(z)
  d <- ncol(z)
  map <- function(z) generated_points(z, object$network, object$frame)
  jacobian <- vapply(seq_len(d), function(j) {
    above <- below <- z
    h <- .Machine$double.eps^(1 / 3) * pmax(1, abs(z[, j]))
    above[, j] <- z[, j] + h
    below[, j] <- z[, j] - h
    rise <- map(above) - map(below)
    rise / (above[, j] - below[, j])
  }, z)
  jacobian <- array(jacobian, c(n, d, d))
  each <- vapply(seq_len(n), function(i) {
    found <- determinant(matrix(jacobian[i, , ], d))
    c(found$modulus, found$sign)
  }, numeric(2))
  list(log_det = each[1, ], sign = each[2, ])
}

base_log_density <- function(base, z) {
  if (is.null(base)) return(rowSums(stats::dnorm(z, log = TRUE)))
  mixture_density(base, z, thread_count())
}
