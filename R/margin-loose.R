# Ends that the values of a table show, but that are not sure: a value of another table can lie beyond them.

# New values do not lie beyond such an end. The likelihood gives a value beyond it a probability of at most 1 / n,
# because none of the n values of the table lies there.

# list(ends, reach, scale, log_share) or NULL. ends: c(lower, upper), infinite where an end is sure. reach: the least
# and the largest value. scale: the mean distance beyond an end. log_share: -log(n). own: whether each end was read from
# the values. The end 0 of values that are not negative is sure.
loose_ends <- function(x, ends, own) {
  loose <- own & is.finite(ends) & !(c(TRUE, FALSE) & ends == 0)
  scale <- stats::sd(x)
  if (!any(loose) || !is.finite(scale) || scale == 0) return(NULL)
  list(ends = ifelse(loose, ends, c(-Inf, Inf)), reach = range(x), scale = scale, log_share = -log(length(x)))
}

# The values, those beyond an end that is not sure replaced by the outermost value of the table.
within_loose <- function(x, margin) {
  loose <- margin$loose
  if (is.null(loose)) return(x)
  low <- which(x < loose$ends[1])
  high <- which(x > loose$ends[2])
  x[low] <- loose$reach[1]
  x[high] <- loose$reach[2]
  x
}

# [n]: what is added to the log-density of the outermost value for a value beyond it: the logarithm of the share and of
# an exponential density of the distance. cell [n]: whether the outermost value has a probability.
log_beyond <- function(x, cell, margin) {
  loose <- margin$loose
  if (is.null(loose)) return(0)
  distance <- pmax(loose$ends[1] - x, x - loose$ends[2], 0)
  unit <- if (is.null(margin$unit)) 1 else margin$unit$size
  ifelse(distance > 0, loose$log_share - distance / loose$scale + ifelse(cell, log(unit / loose$scale), 0), 0)
}
