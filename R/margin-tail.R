# The tails of a margin: how far beyond the values new values may lie.

# The tail beyond a threshold that 5 % of the values exceed (at least ten values, at most a quarter), as pareto_tail()
# returns it. Its mean is that of the kernel estimate. Its shape has the largest likelihood of the excesses, penalised
# by a normal prior of mean 0, because a few large values say little about the shape.
fitted_tail <- function(x, width, knots = 40) {
  n <- length(x)
  threshold <- stats::quantile(x, 1 - min(0.25, max(0.05, 10 / n)), names = FALSE, type = 8)
  beyond <- (x - threshold) / width
  probability <- mean(stats::pnorm(beyond))
  mean_excess <- width * mean(beyond * stats::pnorm(beyond) + stats::dnorm(beyond)) / probability
  shape <- tail_shape((x[x > threshold] - threshold) / mean_excess)
  inside <- log(probability)
  log_p <- seq(inside, min(-34.5, 2 * inside), length.out = knots)[-1]
  list(threshold = threshold, x = threshold + mean_excess * (1 - shape) * tail_growth(inside - log_p, shape),
       z = stats::qnorm(log_p, lower.tail = FALSE, log.p = TRUE), log_p = c(inside, log_p))
}

# The shape of a generalised Pareto law of mean 1, from excesses with about this mean.
tail_shape <- function(excess) {
  if (!length(excess)) return(0)
  value <- vapply(tail_shapes, function(shape) {
    if (shape == 0) return(-sum(excess))
    rest <- pmax(1 + shape * excess / (1 - shape), 1e-3)
    -length(excess) * log(1 - shape) - (1 + 1 / shape) * sum(log(rest))
  }, 0)
  tail_shapes[which.max(value - 0.5 * (tail_shapes / shape_spread)^2)]
}

tail_shapes <- (-4:20) / 40
shape_spread <- 0.1


# The excess in units of the scale at which the log-probability has fallen by `fall`. A negative shape has an end, but
# an end that was estimated is never sure: two fifths of the first step remain.
tail_growth <- function(fall, shape) {
  if (shape == 0) return(fall)
  if (shape > 0) return(expm1(shape * fall) / shape)
  last <- log(0.4) / shape
  expm1(shape * pmin(fall, last)) / shape + 0.4 * pmax(fall - last, 0)
}
