# Maps from free coordinates z to constrained parameters x, one per kind of constraint. Each kind has
#   place(part, z)      list(x [n, k], log_jacobian [n]): the log of |det dx/dz|
#   pull(part, z, x, g) [n, free]: the gradient by z of (function of x with gradient g [n, k]) + log_jacobian
#   invert(part, x)     z; not finite where x does not satisfy the constraint
# A simplex of K shares has K - 1 free coordinates, and its volume is that of the first K - 1 shares.

density_maps <- list(
  free = list(
    place = function(part, z) list(x = z, log_jacobian = numeric(nrow(z))),
    pull = function(part, z, x, g) g,
    invert = function(part, x) x
  ),
  # x = lower + exp(z)
  lower = list(
    place = function(part, z) list(x = exp(z) + across(part$lower, z), log_jacobian = rowSums(z)),
    pull = function(part, z, x, g) g * exp(z) + 1,
    invert = function(part, x) log_above(x - across(part$lower, x))
  ),
  # x = upper - exp(z)
  upper = list(
    place = function(part, z) list(x = across(part$upper, z) - exp(z), log_jacobian = rowSums(z)),
    pull = function(part, z, x, g) 1 - g * exp(z),
    invert = function(part, x) log_above(across(part$upper, x) - x)
  ),
  # x = lower + (upper - lower) / (1 + exp(-z))
  interval = list(
    place = function(part, z) {
      wide <- across(part$upper - part$lower, z)
      # from the nearer end, so that x does not lose digits there
      x <- ifelse(z < 0, across(part$lower, z) + wide * stats::plogis(z),
                  across(part$upper, z) - wide * stats::plogis(-z))
      list(x = matrix(x, nrow(z)),
           log_jacobian = rowSums(log(wide) + stats::plogis(z, log.p = TRUE) + stats::plogis(-z, log.p = TRUE)))
    },
    pull = function(part, z, x, g) {
      share <- stats::plogis(z)
      g * across(part$upper - part$lower, z) * share * stats::plogis(-z) + 1 - 2 * share
    },
    invert = function(part, x) log_above(x - across(part$lower, x)) - log_above(across(part$upper, x) - x)
  ),
  # x = softmax(V z), with the columns of V orthonormal and orthogonal to 1; |det| = sqrt(K) prod x
  simplex = list(
    place = function(part, z) {
      y <- tcrossprod(z, simplex_axes(ncol(z) + 1L))
      log_x <- y - log_sum_rows(y)
      list(x = exp(log_x), log_jacobian = rowSums(log_x) + 0.5 * log(ncol(y)))
    },
    pull = function(part, z, x, g) {
      (x * (g - rowSums(g * x)) + 1 - ncol(x) * x) %*% simplex_axes(ncol(x))
    },
    invert = function(part, x) {
      log_x <- log_above(x)
      log_x[abs(rowSums(x) - 1) > 1e-6, ] <- NaN
      log_x %*% simplex_axes(ncol(x))
    }
  ),
  # x_1 = z_1 (or lower + exp(z_1)), x_k = x_{k-1} + exp(z_k)
  ordered = list(
    place = function(part, z) {
      steps <- exp(z)
      from <- if (is.finite(part$lower)) 1L else 2L
      if (from == 2L) steps[, 1] <- z[, 1] else steps[, 1] <- steps[, 1] + part$lower
      list(x = cumulate(steps), log_jacobian = rowSums(z[, from:ncol(z), drop = FALSE]))
    },
    pull = function(part, z, x, g) {
      later <- cumulate(g[, ncol(g):1, drop = FALSE])[, ncol(g):1, drop = FALSE] # sums over j >= k
      out <- later * exp(z) + 1
      if (!is.finite(part$lower)) out[, 1] <- later[, 1]
      out
    },
    invert = function(part, x) {
      first <- if (is.finite(part$lower)) log_above(x[, 1, drop = FALSE] - part$lower) else x[, 1, drop = FALSE]
      cbind(first, log_above(x[, -1, drop = FALSE] - x[, -ncol(x), drop = FALSE]))
    }
  ),
  # tanh(z) are partial correlations, see correlation_root()
  correlation = list(
    place = function(part, z) {
      root <- correlation_root(z)
      list(x = correlation_entries(root), log_jacobian = -drop(log_cosh(z) %*% correlation_powers(part_order(z))))
    },
    pull = function(part, z, x, g) correlation_pull(z, g),
    invert = function(part, x) correlation_invert(x)
  )
)

# One value per column, as a matrix like z.
across <- function(values, z) rep(values, each = nrow(z))

# The logarithm; NaN for what is not above 0.
log_above <- function(x) {
  x[!(x > 0)] <- NaN
  log(x)
}

# log of the sum of exp(y) over each row
log_sum_rows <- function(y) {
  most <- y[cbind(seq_len(nrow(y)), max.col(y, "first"))]
  most + log(rowSums(exp(y - most)))
}

# Sums over the columns so far.
cumulate <- function(x) {
  for (k in seq_len(ncol(x))[-1]) x[, k] <- x[, k] + x[, k - 1L]
  x
}

# [k, k - 1]: Helmert's contrasts with length 1.
simplex_axes <- function(k) {
  axes <- stats::contr.helmert(k)
  unname(axes / rep(sqrt(colSums(axes^2)), each = k))
}

# ---- correlation matrices --------------------------------------------------------------------------------
# R = W'W with W upper triangular. Column b of W is a point of the unit sphere: with t = tanh(z), c = 1 / cosh(z),
# W_ab = t_ab prod_{k < a} c_kb for a < b, and W_bb = prod_{k < b} c_kb (Lewandowski, Kurowicka and Joe 2009).
# The pairs (a < b) are in the order of the lower triangle of R by columns: a is the column and b the row.

part_order <- function(z) as.integer(round((1 + sqrt(1 + 8 * ncol(z))) / 2))

# [pairs, 2]: a and b of each pair.
correlation_pairs <- function(k) {
  at <- which(lower.tri(diag(k)), arr.ind = TRUE)
  unname(cbind(at[, 2], at[, 1]))
}

# |det dR/dz| = prod cosh(z_ab)^-(K - a + 1)
correlation_powers <- function(k) k - correlation_pairs(k)[, 1] + 1

log_cosh <- function(z) abs(z) + log1p(exp(-2 * abs(z))) - log(2)

# [n, K, K]
correlation_root <- function(z) {
  k <- part_order(z)
  pairs <- correlation_pairs(k)
  root <- array(0, c(nrow(z), k, k))
  for (b in seq_len(k)) {
    left <- rep(1, nrow(z))
    for (pair in which(pairs[, 2] == b)) {
      root[, pairs[pair, 1], b] <- tanh(z[, pair]) * left
      left <- left / cosh(z[, pair])
    }
    root[, b, b] <- left
  }
  root
}

# The correlations [n, pairs] of a root.
correlation_entries <- function(root) {
  pairs <- correlation_pairs(dim(root)[2])
  n <- dim(root)[1]
  out <- matrix(0, n, nrow(pairs))
  for (pair in seq_len(nrow(pairs))) {
    upto <- seq_len(pairs[pair, 1])
    products <- root[, upto, pairs[pair, 1], drop = FALSE] * root[, upto, pairs[pair, 2], drop = FALSE]
    out[, pair] <- rowSums(matrix(products, n))
  }
  out
}

correlation_pull <- function(z, g) {
  root <- correlation_root(z)
  k <- dim(root)[2]
  pairs <- correlation_pairs(k)
  by_root <- array(0, dim(root))
  for (pair in seq_len(nrow(pairs))) {
    a <- pairs[pair, 1]
    b <- pairs[pair, 2]
    for (row in seq_len(a)) {
      by_root[, row, a] <- by_root[, row, a] + g[, pair] * root[, row, b]
      by_root[, row, b] <- by_root[, row, b] + g[, pair] * root[, row, a]
    }
  }
  out <- -tanh(z) * across(correlation_powers(k), z)
  for (b in seq_len(k)[-1]) out <- out + column_pull(z, pairs, b, matrix(by_root[, , b], nrow(z)))
  out
}

# What column b of the root, with gradient `by_root` [n, K], adds to the gradient by z.
column_pull <- function(z, pairs, b, by_root) {
  own <- which(pairs[, 2] == b) # a = 1 .. b - 1
  out <- matrix(0, nrow(z), ncol(z))
  t <- tanh(z[, own, drop = FALSE])
  shrink <- 1 / cosh(z[, own, drop = FALSE])
  left <- matrix(1, nrow(z), b) # left[, a]: the product of `shrink` before a
  for (a in seq_along(own)) left[, a + 1L] <- left[, a] * shrink[, a]
  by_left <- by_root[, b]
  for (a in rev(seq_along(own))) {
    out[, own[a]] <- left[, a] * shrink[, a] * (by_root[, a] * shrink[, a] - by_left * t[, a])
    by_left <- by_left * shrink[, a] + by_root[, a] * t[, a]
  }
  out
}

correlation_invert <- function(x) {
  k <- part_order(x)
  pairs <- correlation_pairs(k)
  root <- array(0, c(nrow(x), k, k))
  z <- x
  for (b in seq_len(k)) {
    left <- rep(1, nrow(x)) # what is left of the squared length of column b
    for (pair in which(pairs[, 2] == b)) {
      a <- pairs[pair, 1]
      before <- seq_len(a - 1L)
      products <- root[, before, a, drop = FALSE] * root[, before, b, drop = FALSE]
      entry <- (x[, pair] - rowSums(matrix(products, nrow(x)))) / root[, a, a]
      z[, pair] <- suppressWarnings(atanh(entry / sqrt(left)))
      root[, a, b] <- entry
      left <- left - entry^2
      left[!(left > 0)] <- NaN
    }
    root[, b, b] <- sqrt(left)
  }
  z
}
