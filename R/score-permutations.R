# Permutation tests by the kernel sums of single rows.

# Sums in another order differ by rounding; equal splits must count as equal.
permutation_slack <- 1e-10

# The share of random divisions of the pooled rows into n and m rows whose statistic is at least that of x and y. A few
# divisions at a time, so that memory does not grow with their number.
permutation_test <- function(x, y, kernel, unbiased, n_permutations, seed, threads, what) {
  stream_within(seed, fixed = TRUE)
  tick <- telling_tick(progress_bar(what, n_permutations, NULL)$tick, n_permutations, NULL, what)
  pooled <- rbind(x, y)
  n <- nrow(x)
  seen <- NULL
  as_large <- done <- 0
  while (done < n_permutations) {
    now <- min(n_permutations - done, max(1, floor(most_divided / nrow(pooled))))
    first <- random_splits(now, n, nrow(pooled), is.null(seen))
    splits <- split_discrepancies(pooled, first, n, kernel, unbiased, threads)
    drawn <- splits$statistic
    if (is.null(seen)) {
      seen <- drawn[1]
      drawn <- drawn[-1]
    }
    as_large <- as_large + sum(drawn >= seen - permutation_slack * splits$scale)
    done <- done + now
    tick(now)
  }
  list(discrepancy = seen, p = (1 + as_large) / (1 + n_permutations))
}

# Numbers of the matrix of divisions that are held at once: 160 MB.
most_divided <- 2e7

# A 0/1 matrix [size, splits] with n ones per column at random; `own`: before them the division into the two samples.
random_splits <- function(splits, n, size, own) {
  first <- matrix(0, size, splits + own)
  if (own) first[seq_len(n), 1] <- 1
  drawn <- vapply(seq_len(splits), function(b) sample.int(size, n), integer(n))
  first[cbind(as.vector(drawn), rep(seq_len(splits) + own, each = n))] <- 1
  first
}

# More permutations would take hours and tell nothing: p-values are then known to a ten-millionth.
most_permutations <- 1e7

check_permutation_count <- function(n_permutations) {
  n_permutations <- check_count(n_permutations, "n_permutations", 1L)
  if (n_permutations > most_permutations) {
    stop_size(paste("`n_permutations` is %d, which would take hours; give at most %d, which resolve a p-value of a",
                    "ten-millionth."), n_permutations, as.integer(most_permutations))
  }
  n_permutations
}

check_permutation_time <- function(n_permutations, size) {
  check_time(n_permutations * as.numeric(size)^2 / most_products_per_second, "The permutations",
             "give fewer `n_permutations` or fewer rows")
}
