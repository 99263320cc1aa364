# Heaps of a margin: values that are recorded more often than their neighbours, and units that most rows keep to.

# The values that stand more often than a smooth distribution lets expect: by at least four standard errors more than
# their neighbours, or so often that chance has a probability below 1e-4 (where most neighbours stand once) or 1e-6
# (where they stand more often, but most multiples of the unit between them have no row).
find_heaps <- function(values, counts, unit = NULL) {
  often <- which(counts >= 2)
  if (!length(often)) return(numeric())
  k <- max(3, ceiling(sqrt(length(values)) / 2))
  padded <- function(x) c(rep(NA, k), x, rep(NA, k))
  around <- outer(often + k, setdiff(-k:k, 0), `+`)
  near <- matrix(padded(counts)[around], length(often))
  at <- matrix(padded(values)[around], length(often))
  # the upper quartile of the counts of the k values to each side
  expected <- upper_quartiles(near)
  heap <- counts[often] >= 4 & counts[often] > expected + 4 * sqrt(expected)
  spread <- apply(at, 1, max, na.rm = TRUE) - apply(at, 1, min, na.rm = TRUE)
  cells <- if (is.null(unit)) rep(Inf, length(often)) else spread / unit$size
  rate <- rowSums(near, na.rm = TRUE) / cells
  chance <- stats::ppois(counts[often] - 1, pmax(ifelse(expected == 1, pmin(rate, 1), 1.5 * rate), 0.005),
                         lower.tail = FALSE)
  heap <- heap | chance < ifelse(expected == 1, 1e-4, 1e-6)
  values[often[heap]]
}

# [n]: the upper quartile of each row of x, as quantile() gives it, without NA.
upper_quartiles <- function(x) {
  n <- nrow(x)
  sorted <- matrix(x[order(row(x), x)], n, byrow = TRUE)
  at <- 1 + 0.75 * (rowSums(!is.na(x)) - 1)
  low <- sorted[cbind(seq_len(n), floor(at))]
  low + (at - floor(at)) * (sorted[cbind(seq_len(n), ceiling(at))] - low)
}

# ---- a coarser unit that most rows keep to ---------------------------------------------------------------

# The coarser unit: the largest of some multiples of the unit that at least nine in ten rows are multiples of, as where
# tenths were recorded and a few hundredths. `share`: the rows that were rounded to it, beyond those that are multiples
# by chance. NULL: none.
coarse_unit <- function(values, counts, unit) {
  if (is.null(unit) || sum(counts) < 20) return(NULL)
  for (times in c(1000, 500, 200, 100, 50, 20, 10, 5, 2)) {
    size <- times * unit$size
    kept <- sum(counts[on_grid(values, size, unit$size)]) / sum(counts)
    share <- (kept - 1 / times) / (1 - 1 / times)
    if (kept >= 0.9) return(list(size = size, offset = 0, digits = unit$digits, share = share))
  }
  NULL
}

on_grid <- function(x, size, unit_size) abs(x - round(x / size) * size) < unit_size / 4
