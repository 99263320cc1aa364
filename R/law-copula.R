# Each coordinate is brought to normal scores by a monotone map; the scores follow `base`:
# "normal" with their correlations, or another law with the settings in `...`.
law_copula <- function(points, s, bandwidth = 1, base = "normal", ..., memo = NULL) {
  bandwidth <- check_number(bandwidth, "bandwidth", lower = 0, open_lower = TRUE)
  base <- check_choice(base, c("normal", "student", "local_covariance"), "base")
  normal <- remembered(memo, paste("copula", bandwidth), normal_scores(points, bandwidth))
  maps <- normal$maps
  scores <- normal$scores
  if (base != "normal") {
    check_law_settings(base, names(list(...)))
    fitted <- do.call(paste0("law_", base), list(points = scores, s = s, ..., memo = normal$memo))
    return(new_law("copula", maps = maps, base = fitted, bandwidth = bandwidth))
  }
  if (...length() > 0) fail("The law \"copula\" with `base` = \"normal\" has no further setting than `bandwidth`.")
  correlation <- stats::cor(scores)
  # as much towards none as the noise of an entry, which also keeps it definite
  shrink <- min(1, (ncol(points) + 1) / nrow(points))
  correlation <- (1 - shrink) * correlation + shrink * diag(ncol(points))
  new_law("copula", maps = maps, root = chol(correlation), bandwidth = bandwidth)
}

#' @export
format.law_copula <- function(x, ...) {
  if (is.null(x$base)) return(NextMethod())
  sprintf("copula (bandwidth = %s) of %s", format(x$bandwidth, digits = 3), format(x$base))
}

# `memo`: for what a law of the scores wants to remember.
normal_scores <- function(points, bandwidth) {
  maps <- lapply(seq_len(ncol(points)), function(column) normalising_map(points[, column], bandwidth))
  list(maps = maps, scores = to_normal(maps, unname(points)), memo = new.env(parent = emptyenv()))
}

# Knots x -> z, z = qnorm(F(x)), F the kernel estimate of the distribution function between two thresholds,
# with a generalised Pareto tail beyond each.
normalising_map <- function(x, bandwidth, knots = 200) {
  width <- bandwidth * stats::bw.nrd0(x)
  if (!(width > 0)) width <- max(abs(x), 1) * 1e-8
  upper <- pareto_tail(x, width)
  lower <- pareto_tail(-x, width)
  at <- stats::quantile(x, stats::ppoints(knots - 4L), names = FALSE, type = 8)
  at <- sort(c(-lower$threshold, at[at > -lower$threshold & at < upper$threshold], upper$threshold))
  at <- at[c(TRUE, diff(at) > 1e-6 * width)]
  # the upper tail at the knots; of the lower one its complement
  z <- stats::qnorm(.Call(C_pf_kernel_tail, as.double(sort(x)), at, width), lower.tail = FALSE)
  x <- c(rev(-lower$x), at, upper$x)
  z <- c(-rev(lower$z), z, upper$z)
  keep <- is.finite(z) & c(TRUE, diff(x) > 0) & c(TRUE, diff(z) > 0)
  list(x = x[keep], z = z[keep])
}

# Beyond a threshold that 5 % of the values exceed (at least ten, at most a quarter) the excess is generalised Pareto:
# the shape by probability-weighted moments (Hosking and Wallis 1987), drawn in towards 0 with few values and kept
# between 0 and 1/2, the mean that of the kernel estimate. Knots of equal steps in the log of the probability, down to 1e-15.
pareto_tail <- function(x, width, knots = 40) {
  n <- length(x)
  threshold <- stats::quantile(x, 1 - min(0.25, max(0.05, 10 / n)), names = FALSE, type = 8)
  excess <- sort(x[x > threshold] - threshold)
  m <- length(excess)
  first <- if (m > 0) mean(excess) else width
  second <- if (m > 0) mean((1 - (seq_len(m) - 0.35) / m) * excess) else width / 2
  shape <- min(max((2 - first / (first - 2 * second)) * m / (m + 10), 0), 0.5)
  if (is.na(shape)) shape <- 0
  beyond <- (x - threshold) / width
  probability <- mean(stats::pnorm(beyond))
  mean_excess <- width * mean(beyond * stats::pnorm(beyond) + stats::dnorm(beyond)) / probability
  inside <- log(probability)
  log_p <- seq(inside, min(-34.5, 2 * inside), length.out = knots)[-1]
  growth <- if (shape > 1e-6) expm1(shape * (inside - log_p)) / shape else inside - log_p
  list(threshold = threshold, x = threshold + mean_excess * (1 - shape) * growth,
       z = stats::qnorm(log_p, lower.tail = FALSE, log.p = TRUE))
}

# Piecewise linear, and on in the same direction beyond the ends: values and slopes.
piecewise <- function(from, to, at) {
  piece <- findInterval(at, from, all.inside = TRUE)
  slope <- (to[piece + 1L] - to[piece]) / (from[piece + 1L] - from[piece])
  list(value = to[piece] + slope * (at - from[piece]), slope = slope)
}

to_normal <- function(maps, points) {
  for (column in seq_along(maps)) {
    points[, column] <- piecewise(maps[[column]]$x, maps[[column]]$z, points[, column])$value
  }
  points
}

#' @export
law_density.law_copula <- function(law, points, threads, self = FALSE, ...) {
  slopes <- vapply(seq_along(law$maps), function(column) {
    log(piecewise(law$maps[[column]]$x, law$maps[[column]]$z, points[, column])$slope)
  }, numeric(nrow(points)))
  slopes <- rowSums(matrix(slopes, nrow(points)))
  scores <- to_normal(law$maps, points)
  if (!is.null(law$base)) return(law_density(law$base, scores, threads, self = self, ...) + slopes)
  z <- backsolve(law$root, t(scores), transpose = TRUE)
  value <- -ncol(points) / 2 * log(2 * pi) - sum(log(diag(law$root))) - colSums(z^2) / 2
  matrix(value + slopes)
}

#' @export
draw_law.law_copula <- function(law, n, key, threads) {
  z <- if (is.null(law$base)) {
    draw_normal(n, length(law$maps), key, stream = 1L) %*% law$root
  } else {
    draw_law(law$base, n, key, threads)
  }
  for (column in seq_along(law$maps)) {
    z[, column] <- piecewise(law$maps[[column]]$z, law$maps[[column]]$x, z[, column])$value
  }
  z
}
