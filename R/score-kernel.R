# Kernel sums, of which the scores by kernels and their permutation tests are made.

# `name`: what the core calls the kernel, whose values are `sign` times those of
# the score; `at_zero`: the value k(z, z) of the score's kernel.
score_kernel <- function(kernel, bandwidth = NULL, x, y) {
  kernel <- check_choice(kernel, c("gaussian", "laplace", "riesz"), "kernel")
  if (kernel == "riesz") {
    if (!is.null(bandwidth)) fail("`bandwidth` has no use with the kernel \"riesz\"; leave it out.")
    return(list(label = kernel, name = "distance", bandwidth = 1, sign = -1, at_zero = 0))
  }
  if (is.null(bandwidth)) bandwidth <- median_distance(x, y)
  bandwidth <- check_number(bandwidth, "bandwidth", lower = 0, open_lower = TRUE)
  list(label = kernel, name = kernel, bandwidth = bandwidth, sign = 1, at_zero = 1)
}

# The tables and the kernel in a unit in which no square leaves the range of doubles.
moderate_kernel <- function(kernel, bandwidth, tables) {
  found <- moderate(tables)
  bandwidth <- moderate_bandwidth(bandwidth, found$unit)
  c(found, list(kernel = score_kernel(kernel, bandwidth, found$tables$x, found$tables$y)))
}

moderate_bandwidth <- function(bandwidth, unit) {
  if (!is.null(bandwidth)) moderate_width(check_number(bandwidth, "bandwidth", lower = 0, open_lower = TRUE), unit)
}

# sum of k(x_i, y_j) over all pairs, or over those with i != j. tick: is told the pairs that are done.
kernel_total <- function(x, y, kernel, self, threads, tick) {
  rows <- in_blocks(nrow(x), nrow(y) * (ncol(x) + 4), function(from, count) {
    sums <- .Call(C_pf_kernel_sums, x, y, from, count, self, kernel$name, kernel$bandwidth, threads)
    tick(count * as.numeric(nrow(y)))
    sums
  })
  kernel$sign * sum(unlist(rows))
}

# MMD^2 from the sums over pairs i != j within each sample and over all pairs
# across.
discrepancy <- function(within_x, within_y, across, n, m, at_zero, unbiased) {
  if (unbiased) return(within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * across / (n * m))
  pmax(0, (within_x / n + at_zero) / n + (within_y / m + at_zero) / m - 2 * across / (n * m))
}

# what: the function of the user, which names the bar and begins the message of a long run; NULL: neither.
kernel_score <- function(x, y, kernel, unbiased, threads, what = NULL) {
  n <- as.numeric(nrow(x))
  m <- as.numeric(nrow(y))
  tick <- function(pairs) NULL
  if (!is.null(what)) {
    pairs <- n^2 + m^2 + n * m
    tick <- telling_tick(progress_bar(what, pairs, NULL)$tick, pairs, NULL, what)
  }
  discrepancy(kernel_total(x, x, kernel, TRUE, threads, tick), kernel_total(y, y, kernel, TRUE, threads, tick),
              kernel_total(x, y, kernel, FALSE, threads, tick), nrow(x), nrow(y), kernel$at_zero, unbiased)
}

# The statistics of the columns of a 0/1 matrix [N, splits], which says for each split which of the N pooled rows are
# the n rows of the first sample. All splits are computed at once. `scale`: the mean value of the kernel.
split_discrepancies <- function(pooled, first, n, kernel, unbiased, threads) {
  size <- nrow(pooled)
  storage.mode(first) <- "double"
  sums <- .Call(C_pf_division_sums, pooled, first, kernel$name, kernel$bandwidth, thread_count(threads))
  total <- sum(sums$of_row)
  within <- sums$within
  across <- sums$touched - within
  list(
    statistic = discrepancy(kernel$sign * within, kernel$sign * (total - within - 2 * across),
                            kernel$sign * across, n, size - n, kernel$at_zero, unbiased),
    scale = total / size^2
  )
}
