# Heaps of a margin: values that are recorded more often than their neighbours, and units that some rows keep to.

# The values that stand more often than a smooth distribution lets expect: by at least four standard errors more than
# their neighbours, or so often that chance has a probability below 1e-4 (where most neighbours stand once) or 1e-6
# (where they stand more often, but most multiples of the unit between them have no row).
find_heaps <- function(values, counts, unit = NULL) {
  often <- which(counts >= 2)
  n <- length(values)
  k <- max(3, ceiling(sqrt(n) / 2))
  # sums over the k values to each side, and how far these reach
  from <- pmax(often - k, 1)
  to <- pmin(often + k, n)
  sums <- cumsum(c(0, counts))
  near <- sums[to + 1] - sums[from] - counts[often]
  spread <- if (n < 2) rep(-Inf, length(often)) else {
    values[ifelse(to == often, to - 1, to)] - values[ifelse(from == often, from + 1, from)]
  }
  rate <- near / if (is.null(unit)) rep(Inf, length(often)) else spread / unit$size
  chance <- function(rate) stats::ppois(counts[often] - 1, pmax(rate, 0.005), lower.tail = FALSE)
  single <- chance(pmin(rate, 1)) < 1e-4
  several <- chance(1.5 * rate) < 1e-6
  # the others are no heaps, whatever their neighbours are
  some <- which(single | several | counts[often] > 5)
  if (!length(some)) return(numeric())
  often <- often[some]
  expected <- in_columns(length(often), 2 * k, function(part) neighbour_quartiles(counts, often[part], k))
  heap <- counts[often] >= 4 & counts[often] > expected + 4 * sqrt(expected)
  values[often[heap | ifelse(expected == 1, single[some], several[some])]]
}

# The upper quartile of the counts of the k values to each side of those at `often`.
neighbour_quartiles <- function(counts, often, k) {
  around <- outer(often, setdiff(-k:k, 0), `+`)
  around[around < 1 | around > length(counts)] <- NA
  upper_quartiles(matrix(counts[around], length(often)))
}

# [n]: the upper quartile of each row of x, as quantile() gives it, without NA.
upper_quartiles <- function(x) {
  n <- nrow(x)
  sorted <- matrix(x[order(row(x), x)], n, byrow = TRUE)
  at <- 1 + 0.75 * (rowSums(!is.na(x)) - 1)
  low <- sorted[cbind(seq_len(n), floor(at))]
  low + (at - floor(at)) * (sorted[cbind(seq_len(n), ceiling(at))] - low)
}

# ---- a coarser unit that some rows keep to ---------------------------------------------------------------

# The coarser unit: a multiple of the unit to which more rows keep than by chance, as where tenths were recorded by some
# and whole numbers by others, or ages in fives. `share`: the rows that were rounded to it, beyond those that are
# multiples by chance. Of several units with nearly the largest share it is the coarsest. Values that a tenth of the
# rows have say nothing about the other rows. NULL: none.
coarse_unit <- function(values, counts, unit) {
  usual <- counts < 0.1 * sum(counts)
  n <- sum(counts[usual])
  if (is.null(unit) || n < 20) return(NULL)
  times <- coarse_times[coarse_times * unit$size <= diff(range(values)) / 8]
  shares <- vapply(times, function(k) {
    on <- on_grid(values, k * unit$size, unit$size)
    beyond <- sum(counts[usual & on]) / n - 1 / k
    clear <- sum(usual & on) >= 8 && beyond > 6 * sqrt(1 / (k * n))
    if (clear) beyond / (1 - 1 / k) else 0
  }, 0)
  if (!any(shares >= least_coarse_share)) return(NULL)
  error <- sqrt((1 - min(max(shares), 1)) / n) # of the share for the smallest multiple
  best <- which(shares >= max(shares) - 0.03 - 2 * error)[1]
  list(size = times[best] * unit$size, offset = 0, digits = unit$digits, share = min(shares[best], 1))
}

coarse_times <- c(1000, 500, 200, 100, 50, 20, 10, 5, 2)
least_coarse_share <- 0.25

on_grid <- function(x, size, unit_size) abs(x - round(x / size) * size) < unit_size / 4
