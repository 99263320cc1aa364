# The interface of R to the pair engine: fields, kernel sums, neighbours and distances.

# The gradient field of Algorithm 2 at the rows of `query`, caused by the particles `source`. `self`: the query rows
# are the particles themselves.
field_at <- function(query, source, s, epsilon, self, threads) {
  if (self) return(sample_field(source, s, epsilon, threads))
  ordered_field(query, source, s, epsilon, FALSE, threads)
}

ordered_field <- function(query, source, s, epsilon, self, threads) {
  bind_blocks(in_blocks(nrow(query), nrow(source) * (ncol(source) + 4), function(from, count) {
    .Call(C_pf_field, query, source, from, count, self, s, epsilon, threads)
  }))
}

# The field at the particles themselves visits each pair once. It works in rounds, and each round receives the sums of
# the rounds before. The last round gives the field.
sample_field <- function(points, s, epsilon, threads) {
  n <- nrow(points)
  rounds <- .Call(C_pf_sample_rounds, n, ncol(points))
  if (rounds == 0) return(ordered_field(points, points, s, epsilon, TRUE, threads))
  result <- NULL
  in_blocks(rounds, as.numeric(n) * n * (ncol(points) + 4) / (2 * rounds), function(from, count) {
    result <<- .Call(C_pf_sample_field, points, result, from, from + count, s, epsilon, threads)
    NULL
  }, chunk = 1, least = 1)
  result
}

# The k nearest rows of `source` to each row of `query`: `index` and `distance`, matrices [rows of query, k]. `self`: a
# row is not its own neighbour.
neighbours <- function(query, source, k, self = FALSE, threads = NULL) {
  threads <- thread_count(threads)
  # `index` and `distance`, each in its blocks and as a whole
  check_memory(2 * (4 + 8) * as.double(nrow(query)) * k, sprintf("%.0f neighbours of %d rows", k, nrow(query)),
               "give fewer neighbours")
  # the second term is the work of keeping the nearest sorted
  bind_blocks(in_blocks(nrow(query), nrow(source) * (ncol(source) + 4) + k^2 / 2, function(from, count) {
    .Call(C_pf_neighbours, query, source, from, count, self, as.integer(k), threads)
  }))
}

# list(log_density, score) of the kernel estimate from `points` at `query`; NULL: at the points. `self`: row i of
# `query` is evaluated without point i.
kernel_estimate <- function(query, points, kernel, bandwidth, score = TRUE, threads = NULL, self = is.null(query)) {
  force(self)
  if (is.null(query)) query <- points
  bind_blocks(in_blocks(nrow(query), nrow(points) * (ncol(points) + 4), function(from, count) {
    .Call(C_pf_kde, query, points, from, count, self, kernel, bandwidth, score, threads)
  }))
}

log_kernel_volume <- function(kernel, bandwidth, dim) {
  if (kernel == "gaussian") return(dim * (log(2 * pi) / 2 + log(bandwidth)))
  log(2) + dim / 2 * log(pi) - lgamma(dim / 2) + lgamma(dim) + dim * log(bandwidth)
}

# Variance of the kernel in each direction, divided by the squared bandwidth.
kernel_variance <- function(kernel, dim) if (kernel == "gaussian") 1 else dim + 1

# Mean log-density of each particle under the estimate from the others.
leave_one_out <- function(points, kernel, bandwidth, threads) {
  mean(kernel_estimate(NULL, points, kernel, bandwidth, FALSE, threads)$log_density)
}

# The bandwidth of the highest likelihood on a geometric grid. The search goes outwards from `guess`, whose likelihood
# is `best`.
likely_bandwidth <- function(points, kernel, threads, ratio = 1.1, guess = NULL, best = NULL) {
  if (is.null(guess)) {
    spread <- stats::median(column_spread(points)) / sqrt(kernel_variance(kernel, ncol(points)))
    guess <- spread * nrow(points)^(-1 / (ncol(points) + 4))
    ratios <- c(2, 1.3, ratio)
  } else {
    ratios <- ratio
  }
  score <- function(h) leave_one_out(points, kernel, h, threads)
  if (is.null(best)) best <- score(guess)
  for (r in ratios) {
    for (towards in c(r, 1 / r)) {
      rounds <- 0
      repeat {
        value <- score(guess * towards)
        if (!(value > best) || rounds > 60) break
        guess <- guess * towards
        best <- value
        rounds <- rounds + 1
      }
      if (rounds > 0) break
    }
  }
  guess
}

# Median distance of a particle to its nearest neighbour, where equal particles count once. 0: all particles are equal.
typical_spacing <- function(points) {
  nearest <- neighbours(points, points, 1L, self = TRUE)$distance
  width <- max(apply(points, 2, function(column) diff(range(column))))
  if (min(nearest) > 1e-9 * width) return(stats::median(nearest))
  distinct <- points[first_equal(points) == seq_len(nrow(points)), , drop = FALSE]
  if (nrow(distinct) < 2) return(0)
  stats::median(neighbours(distinct, distinct, 1L, self = TRUE)$distance)
}

# For each row the number of the first row that equals it. Rows are equal if they agree to 1e-12 of the range of each
# column, because equal rows may differ in the last bits after a matrix product or a flow.
first_equal <- function(points) {
  n <- nrow(points)
  low <- apply(points, 2, min)
  width <- apply(points, 2, max) - low
  key <- round(sweep(sweep(points, 2, low), 2, ifelse(width > 0, width, 1), "/") * 1e12)
  order <- do.call(order, c(lapply(seq_len(ncol(key)), function(column) key[, column]), method = "radix"))
  sorted <- key[order, , drop = FALSE]
  new <- c(TRUE, rowSums(sorted[-1, , drop = FALSE] != sorted[-n, , drop = FALSE]) > 0)
  first <- integer(n)
  first[order] <- order[new][cumsum(new)]
  first
}

median_rows <- 1000L

# The median distance between pooled rows. If more than half of the pairs are duplicates, the mean distance; if all
# rows are equal, 1.
median_distance <- function(x, y) {
  pooled <- rbind(x, y)
  between <- stats::dist(pooled[spaced_rows(nrow(pooled), median_rows), , drop = FALSE])
  width <- stats::median(between)
  if (!(width > 0)) width <- mean(between)
  if (width > 0) width else 1
}

kernel_force <- function(query, source, kernel, width, self, threads) {
  .Call(C_pf_kernel_force, query, source, 0L, nrow(query), self, kernel, width, threads)
}

# For each row of `query`: `count`, the number of rows a of `source` at a distance of at most radius[a], and `nearest`,
# the distance to the nearest row of `source`.
within_radius <- function(query, source, radius, threads = NULL) {
  threads <- thread_count(threads)
  bind_blocks(in_blocks(nrow(query), nrow(source) * (ncol(source) + 4), function(from, count) {
    .Call(C_pf_count_within, query, source, from, count, radius, threads)
  }))
}

distance_to <- function(points, centre) sqrt(rowSums(sweep(points, 2, centre)^2))

between <- function(points, from, to, t) {
  (1 - t) * points[from, , drop = FALSE] + t * points[to, , drop = FALSE]
}

limit_spaced <- function(x, most) if (nrow(x) > most) x[spaced_rows(nrow(x), most), , drop = FALSE] else x
