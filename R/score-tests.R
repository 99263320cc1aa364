# Sums in another order differ by rounding; equal splits must count as equal.
permutation_slack <- 1e-10

# The share of random divisions of the pooled rows into n and m rows whose statistic is at least that of x and y. A few
# divisions at a time, so that memory does not grow with their number.
permutation_test <- function(x, y, kernel, unbiased, n_permutations, seed, threads) {
  stream_within(seed, fixed = TRUE)
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

check_permutations <- function(n_permutations, size) {
  n_permutations <- check_count(n_permutations, "n_permutations", 1L)
  if (n_permutations > most_permutations) {
    stop_size(paste("`n_permutations` is %d, which would take hours; give at most %d, which resolve a p-value of a",
                    "ten-millionth."), n_permutations, as.integer(most_permutations))
  }
  check_time(n_permutations * as.numeric(size)^2 / most_products_per_second, "The permutations",
             "give fewer `n_permutations` or fewer rows")
  n_permutations
}

#' Do two samples come from the same law? Permutation tests
#'
#' Compares the energy distance or the MMD of two samples with those of random
#' divisions of the pooled rows.
#'
#' The p-value is \eqn{(1 + \#\{T_b \ge T\}) / (1 + B)} over \eqn{B}
#' permutations, so at least \eqn{1 / (1 + B)}; where both samples are
#' independent draws of one law, a p-value of at most \eqn{\alpha} comes up with
#' probability at most \eqn{\alpha}. A large p-value does not show that two laws
#' are equal, and rows that were made from the rows they are compared with are
#' not independent of them: compare generated rows with held-out ones. Many
#' permutations are evaluated at once, in at most some 400 MB of memory.
#'
#' @inheritParams energy_distance
#' @param x,y Matrices or data frames with the same columns, of every kind (see [mixed_tables]): two samples, at least
#'   two rows each.
#' @param n_permutations \eqn{B}, from 1 to ten million.
#' @param unbiased Which estimate of MMD squared is the statistic, as in [mmd()].
#' @param seed As in [sliced_wasserstein()].
#' @return An object of class `htest`. `energy_test()`: `statistic`
#'   \eqn{nm / (n + m)} times the (biased) energy distance, `estimate` the energy
#'   distance. `mmd_test()`: `statistic` MMD squared; `parameter` has the
#'   bandwidth as well. Both: `parameter` with the number of permutations,
#'   `p.value`, `alternative`, `method`, `data.name`.
#' @inherit energy_distance references
#' @seealso [energy_distance()]
#' @examples
#' energy_test(iris[1:25, 1:4], iris[26:50, 1:4], n_permutations = 199, seed = 1)
#' mmd_test(iris[1:50, 1:4], iris[51:100, 1:4], n_permutations = 199, seed = 1)
#' @export
energy_test <- function(x, y, n_permutations = 999, seed = NULL, threads = NULL) {
  names <- paste(deparse1(substitute(x)), "and", deparse1(substitute(y)))
  moderated <- moderate(check_two_samples(x, y, 2L))
  tables <- moderated$tables
  n <- nrow(tables$x)
  m <- nrow(tables$y)
  n_permutations <- check_permutations(n_permutations, n + m)
  kernel <- score_kernel("riesz")
  found <- permutation_test(tables$x, tables$y, kernel, FALSE, n_permutations, seed, thread_count(threads))
  distance <- moderated$unit * found$discrepancy
  structure(
    list(
      statistic = c(T = n * m / (n + m) * distance),
      parameter = c(permutations = n_permutations),
      p.value = found$p,
      estimate = c(`energy distance` = distance),
      alternative = "the laws of the two samples differ",
      method = "Permutation test of equal laws by energy distance",
      data.name = names
    ),
    class = "htest"
  )
}

#' @rdname energy_test
#' @export
mmd_test <- function(x, y, kernel = c("gaussian", "laplace", "riesz"), bandwidth = NULL, unbiased = TRUE,
                     n_permutations = 999, seed = NULL, threads = NULL) {
  names <- paste(deparse1(substitute(x)), "and", deparse1(substitute(y)))
  unbiased <- check_flag(unbiased, "unbiased")
  moderated <- moderate_kernel(kernel, bandwidth, check_two_samples(x, y, 2L))
  tables <- moderated$tables
  kernel <- moderated$kernel
  n_permutations <- check_permutations(n_permutations, nrow(tables$x) + nrow(tables$y))
  found <- permutation_test(tables$x, tables$y, kernel, unbiased, n_permutations, seed, thread_count(threads))
  riesz <- kernel$label == "riesz"
  structure(
    list(
      statistic = c(`MMD^2` = if (riesz) moderated$unit * found$discrepancy else found$discrepancy),
      parameter = c(permutations = n_permutations, if (!riesz) c(bandwidth = moderated$unit * kernel$bandwidth)),
      p.value = found$p,
      alternative = "the laws of the two samples differ",
      method = sprintf("Permutation test of equal laws by MMD, %s kernel, %s estimate", kernel$label,
                       if (unbiased) "unbiased" else "biased"),
      data.name = names
    ),
    class = "htest"
  )
}
