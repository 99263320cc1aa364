# Scores of counts within their cells, given the other genes of the row. A score that is uniform within its cell carries
# no more than its count; the scores of the genes of a row would then be less correlated than the law whose counts they
# are. Data augmentation mends this: fit, draw within the cells, and again.

settle_rounds <- 4L
cell_seed <- 2021L

# v, low, high [n, p]: scores and the ends of their cells. The model of a round is a Gaussian with the leading
# components of the scores, and independent rests.
settle_counts <- function(v, low, high) {
  for (round in seq_len(settle_rounds)) {
    smooth <- signal_projection(v)
    if (is.null(smooth)) return(v)
    blocks <- column_blocks(ncol(v), nrow(v))
    for (i in seq_along(blocks)) {
      at <- blocks[[i]]
      uniform <- draw_uniform(nrow(v), length(at), c(cell_seed + round, i))
      mean <- smooth %*% v[, at, drop = FALSE]
      spread <- sqrt(pmax(1 - colMeans(mean^2), least_rest))
      v[, at] <- draw_truncated(mean, rep(spread, each = nrow(v)), low[, at, drop = FALSE], high[, at, drop = FALSE],
                                uniform)
    }
  }
  v
}

# A rest has at least this part of the variance.
least_rest <- 0.05

# [n, n]: S with S v the part of v [n, p] in its leading components, those whose eigenvalue exceeds (1 + sqrt(n/p))^2,
# the largest eigenvalue of noise of variance 1. A component is shrunk by 1 - 1/eigenvalue, because noise has
# variance 1 in each direction. NULL: there is none.
signal_projection <- function(v) {
  n <- nrow(v)
  parts <- eigen(inner_products_of_rows(v) / ncol(v), symmetric = TRUE)
  edge <- (1 + sqrt(n / ncol(v)))^2
  kept <- which(parts$values > edge)
  if (!length(kept)) return(NULL)
  vectors <- parts$vectors[, kept, drop = FALSE]
  tcrossprod(vectors * rep(1 - 1 / parts$values[kept], each = n), vectors)
}

# Normal draws within [low, high], from uniform numbers.
draw_truncated <- function(mean, spread, low, high, uniform) {
  # by the upper tail on the right of the mean, so that no digits are lost there
  sign <- ifelse(low > mean, -1, 1)
  from <- stats::pnorm(ifelse(sign > 0, low - mean, mean - high) / spread)
  to <- stats::pnorm(ifelse(sign > 0, high - mean, mean - low) / spread)
  z <- mean + sign * spread * stats::qnorm(from + uniform * (to - from))
  pmin(pmax(z, low), high)
}
