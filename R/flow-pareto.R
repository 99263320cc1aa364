# The tail of importance weights: the shape k of a generalised Pareto law, and weights that are smoothed by it.

# The largest weights that make the tail of n weights.
tail_size <- function(n) min(floor(0.2 * n), ceiling(3 * sqrt(n)))

# list(k, log_weights [n]): the log weights with those of the tail replaced by quantiles of the fitted law, none above
# the largest that was seen. Weights of -Inf are allowed. k is NA for fewer than five different weights in the tail.
smooth_weights <- function(log_weights) {
  n <- length(log_weights)
  top <- max(log_weights)
  many <- tail_size(n)
  none <- list(k = NA_real_, log_weights = log_weights)
  if (many < 5 || !is.finite(top)) return(none)
  rows <- order(log_weights)[(n - many + 1):n]
  cutoff <- max(log_weights[order(log_weights)[n - many]], top + log(.Machine$double.xmin))
  excess <- exp(log_weights[rows] - top) - exp(cutoff - top)
  if (diff(range(excess)) < 1e-12) return(list(k = -Inf, log_weights = log_weights)) # equal weights have no tail
  if (sum(excess > 0) < 5) return(none)
  law <- fit_pareto(excess[excess > 0])
  u <- (seq_len(many) - 0.5) / many
  quantiles <- if (abs(law$k) < 1e-10) -law$sigma * log1p(-u) else law$sigma * expm1(-law$k * log1p(-u)) / law$k
  smoothed <- log_weights
  smoothed[rows] <- pmin(log(quantiles + exp(cutoff - top)), 0) + top
  list(k = law$k, log_weights = smoothed)
}

# The generalised Pareto law of excesses x > 0, by the estimate of Zhang and Stephens (2009): the mean of theta under a
# profile likelihood over m values of it, with k shrunk towards 0.5 as by ten more excesses.
fit_pareto <- function(x) {
  x <- sort(x)
  n <- length(x)
  m <- 30 + floor(sqrt(n))
  theta <- 1 / x[n] + (1 - sqrt(m / (seq_len(m) - 0.5))) / (3 * x[floor(n / 4 + 0.5)])
  shape <- vapply(theta, function(b) mean(log1p(-b * x)), 0)
  profile <- n * (log(-theta / shape) - shape - 1)
  share <- exp(profile - max(profile))
  b <- sum(theta * share) / sum(share)
  k <- mean(log1p(-b * x))
  list(k = (n * k + 10 * 0.5) / (n + 10), sigma = -k / b)
}
