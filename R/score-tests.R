# Statistics of every column of a 0/1 matrix [n + m, splits] that says which
# pooled rows are the first sample: the rows of the kernel matrix in blocks, all
# splits at once.
split_discrepancies <- function(pooled, first, n, kernel, unbiased, threads) {
  size <- nrow(pooled)
  within <- across <- numeric(ncol(first))
  total <- 0
  in_blocks(size, size * (ncol(pooled) + ncol(first)), function(from, count) {
    block <- .Call(C_pf_kernel_rows, pooled, pooled, from, count, kernel$name, kernel$bandwidth, threads)
    rows <- from + seq_len(count)
    block[cbind(seq_len(count), rows)] <- 0
    chosen <- first[rows, , drop = FALSE]
    sums <- rowSums(block)
    within <<- within + colSums(chosen * (block %*% first))
    across <<- across + colSums(chosen * sums)
    total <<- total + sum(sums)
    NULL
  })
  across <- across - within
  list(
    statistic = discrepancy(kernel$sign * within, kernel$sign * (total - within - 2 * across),
                            kernel$sign * across, n, size - n, kernel$at_zero, unbiased),
    scale = total / size^2
  )
}

# Sums in another order differ by rounding; equal splits must count as equal.
permutation_slack <- 1e-10

permutation_test <- function(x, y, kernel, unbiased, n_permutations, seed, threads) {
  n <- nrow(x)
  size <- n + nrow(y)
  first <- matrix(0, size, n_permutations + 1L)
  first[seq_len(n), 1] <- 1
  drawn <- with_stream(seed, function() {
    vapply(seq_len(n_permutations), function(b) sample.int(size, n), integer(n))
  })
  first[cbind(as.vector(drawn), rep(seq_len(n_permutations) + 1L, each = n))] <- 1
  splits <- split_discrepancies(rbind(x, y), first, n, kernel, unbiased, threads)
  seen <- splits$statistic[1]
  as_large <- sum(splits$statistic[-1] >= seen - permutation_slack * splits$scale)
  list(discrepancy = seen, p = (1 + as_large) / (1 + n_permutations))
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
#' not independent of them: compare generated rows with held-out ones. All
#' permutations are evaluated at once, in memory of \eqn{8 (n + m)(B + 1)} bytes.
#'
#' @inheritParams energy_distance
#' @param x,y Numeric matrices or data frames with the same columns, without
#'   missing values: two samples, at least two rows each.
#' @param n_permutations \eqn{B}, at least 1.
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
  tables <- check_two_samples(x, y, 2L)
  n_permutations <- check_count(n_permutations, "n_permutations", 1L)
  found <- permutation_test(tables$x, tables$y, score_kernel("riesz"), FALSE, n_permutations, seed, thread_count(threads))
  n <- nrow(tables$x)
  m <- nrow(tables$y)
  structure(
    list(
      statistic = c(T = n * m / (n + m) * found$discrepancy),
      parameter = c(permutations = n_permutations),
      p.value = found$p,
      estimate = c(`energy distance` = found$discrepancy),
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
  tables <- check_two_samples(x, y, 2L)
  n_permutations <- check_count(n_permutations, "n_permutations", 1L)
  kernel <- score_kernel(kernel, bandwidth, tables$x, tables$y)
  found <- permutation_test(tables$x, tables$y, kernel, unbiased, n_permutations, seed, thread_count(threads))
  structure(
    list(
      statistic = c(`MMD^2` = found$discrepancy),
      parameter = c(permutations = n_permutations, if (kernel$label != "riesz") c(bandwidth = kernel$bandwidth)),
      p.value = found$p,
      alternative = "the laws of the two samples differ",
      method = sprintf("Permutation test of equal laws by MMD, %s kernel, %s estimate", kernel$label,
                       if (unbiased) "unbiased" else "biased"),
      data.name = names
    ),
    class = "htest"
  )
}
