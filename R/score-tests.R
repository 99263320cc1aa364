# Permutation tests of two samples, as users call them.

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
#' Columns of numbers are taken as they are: bring them to a common unit first. If there are other columns or missing
#' values, distances are those of [mixed_tables], where every column has its unit.
#'
#' @section Large tables:
#' `method = "exact"` sums over all pairs of rows for each permutation. Where this would take more than some five
#' seconds of a processor, `"auto"` takes `"sliced"` (14,000 rows in both samples together, with 999 permutations). It
#' is for the energy distance and the kernel `"riesz"`.
#'
#' `"sliced"` divides each sample at random into groups of equally many rows, up to 256 groups in all. Rows that are
#' left over are not used: fewer than one group of each sample, but most rows of a sample that is very much larger than
#' the other one. `parameter` tells the number of groups and their size. Permutations exchange whole groups. If both
#' samples are draws of one law, so are all groups. So the p-value is as exact as with single rows. The statistic is
#' the energy distance of both samples, projected on random directions (see [energy_distance()]), with distribution
#' functions that are compared at 512 points of each direction. It is computed from the mean distances between groups,
#' so that a permutation takes no more time for more rows.
#'
#' @inheritParams energy_distance
#' @param x,y Matrices or data frames with the same columns, of every kind (see [mixed_tables]): two samples, at least
#'   two rows each.
#' @param n_permutations \eqn{B}, from 1 to ten million.
#' @param unbiased Which estimate of MMD squared is the statistic, as in [mmd()].
#' @param method `"exact"`, `"sliced"` or `"auto"`, see the section on large tables.
#' @param n_directions For `"sliced"`: the number of directions for the p-value, at least 1. It is rounded up to whole
#'   sets of orthogonal directions. `NULL`: 64.
#' @param seed As in [sliced_wasserstein()].
#' @return An object of class `htest`. `energy_test()`: `statistic`
#'   \eqn{nm / (n + m)} times the (biased) energy distance, `estimate` the energy
#'   distance. `mmd_test()`: `statistic` MMD squared; `parameter` has the
#'   bandwidth as well. Both: `parameter` with the number of permutations,
#'   `p.value`, `alternative`, `method`, `data.name`. With `"sliced"`, `statistic` and `estimate` are those of
#'   `energy_distance(method = "sliced")` for all rows, `estimate` has the standard error beside it, and `parameter` the
#'   numbers of groups, of rows in a group and of directions.
#' @inherit energy_distance references
#' @seealso [energy_distance()]
#' @examples
#' energy_test(iris[1:25, 1:4], iris[26:50, 1:4], n_permutations = 199, seed = 1)
#' mmd_test(iris[1:50, 1:4], iris[51:100, 1:4], n_permutations = 199, seed = 1)
#' @export
energy_test <- function(x, y, n_permutations = 999, method = c("auto", "exact", "sliced"), n_directions = NULL,
                        seed = NULL, threads = NULL) {
  names <- paste(deparse1(substitute(x)), "and", deparse1(substitute(y)))
  slices <- check_slices(method, n_directions, 0.01, seed)
  moderated <- moderate(check_two_samples(x, y, 2L))
  n <- nrow(moderated$tables$x)
  m <- nrow(moderated$tables$y)
  found <- riesz_test(moderated, FALSE, n_permutations, slices, thread_count(threads), "energy_test()")
  structure(
    list(
      statistic = c(T = n / (n + m) * m * found$value[[1]]),
      parameter = found$parameter,
      p.value = found$p,
      estimate = stats::setNames(found$value, c("energy distance", "standard error")[seq_along(found$value)]),
      alternative = "the laws of the two samples differ",
      method = paste0("Permutation test of equal laws by energy distance", found$said),
      data.name = names
    ),
    class = "htest"
  )
}

#' @rdname energy_test
#' @export
mmd_test <- function(x, y, kernel = c("gaussian", "laplace", "riesz"), bandwidth = NULL, unbiased = TRUE,
                     n_permutations = 999, method = c("auto", "exact", "sliced"), n_directions = NULL, seed = NULL,
                     threads = NULL) {
  names <- paste(deparse1(substitute(x)), "and", deparse1(substitute(y)))
  unbiased <- check_flag(unbiased, "unbiased")
  slices <- check_slices(method, n_directions, 0.01, seed)
  moderated <- moderate_kernel(kernel, bandwidth, check_two_samples(x, y, 2L))
  kernel <- moderated$kernel
  check_sliced_kernel(slices$method, kernel)
  found <- if (kernel$label == "riesz") {
    riesz_test(moderated, unbiased, n_permutations, slices, thread_count(threads), "mmd_test()")
  } else {
    kernel_test(moderated, kernel, unbiased, n_permutations, seed, thread_count(threads), "mmd_test()")
  }
  if (kernel$label != "riesz") found$parameter <- c(found$parameter, bandwidth = moderated$unit * kernel$bandwidth)
  structure(
    list(
      statistic = c(`MMD^2` = found$value[[1]]),
      parameter = found$parameter,
      p.value = found$p,
      estimate = if (length(found$value) > 1) stats::setNames(found$value, c("MMD^2", "standard error")),
      alternative = "the laws of the two samples differ",
      method = sprintf("Permutation test of equal laws by MMD, %s kernel, %s estimate%s", kernel$label,
                       if (unbiased) "unbiased" else "biased", found$said),
      data.name = names
    ),
    class = "htest"
  )
}

# list(value, p, parameter, said). value: the statistic of the kernel; with slices its standard error, too.
riesz_test <- function(moderated, unbiased, n_permutations, slices, threads, what) {
  tables <- moderated$tables
  n_permutations <- check_permutation_count(n_permutations)
  if (!takes_groups(slices$method, n_permutations, nrow(tables$x), nrow(tables$y))) {
    found <- kernel_test(moderated, score_kernel("riesz"), unbiased, n_permutations, slices$seed, threads, what)
    found$value <- moderated$unit * found$value
    return(found)
  }
  found <- group_test(tables, unbiased, n_permutations, slices$n_directions, slices$seed, threads)
  energy <- sliced_energy(tables$x, tables$y, unbiased, NULL, 0.01, found$key, threads)
  list(value = moderated$unit * c(energy$value, energy$error), p = found$p,
       parameter = c(permutations = n_permutations, groups = found$groups, `rows per group` = found$size,
                     directions = found$directions),
       said = ", by groups of rows")
}

kernel_test <- function(moderated, kernel, unbiased, n_permutations, seed, threads, what) {
  tables <- moderated$tables
  n_permutations <- check_permutation_count(n_permutations)
  check_permutation_time(n_permutations, nrow(tables$x) + nrow(tables$y))
  found <- permutation_test(tables$x, tables$y, kernel, unbiased, n_permutations, seed, threads, what)
  list(value = found$discrepancy, p = found$p, parameter = c(permutations = n_permutations), said = "")
}
