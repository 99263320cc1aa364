# Scores: how far apart two samples are, and whether the distance is chance.

# Two tables with the same columns, as matrices; columns of the same names in
# another order are put in the order of `x`.
check_two_samples <- function(x, y, min_rows = 1L) {
  x <- check_points(x, "x", min_rows, grouped = FALSE)
  y <- check_points(y, "y", min_rows, dim = ncol(x))
  names <- colnames(x)
  if (!is.null(names) && !anyDuplicated(names) && setequal(names, colnames(y))) y <- y[, names, drop = FALSE]
  list(x = unname(x), y = unname(y))
}

# Rows of a pooled table that stand for all: every one up to `most`, evenly
# spaced ones beyond.
spaced_rows <- function(n, most) {
  if (n <= most) seq_len(n) else round(seq(1, n, length.out = most))
}

# --- kernels ------------------------------------------------------------------

median_rows <- 1000L

# The median distance between pooled rows; where more than half of the pairs are
# duplicates the mean one, and 1 where all rows are equal.
median_distance <- function(x, y) {
  pooled <- rbind(x, y)
  between <- stats::dist(pooled[spaced_rows(nrow(pooled), median_rows), , drop = FALSE])
  width <- stats::median(between)
  if (!(width > 0)) width <- mean(between)
  if (width > 0) width else 1
}

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

# sum of k(x_i, y_j) over all pairs, or over those with i != j.
kernel_total <- function(x, y, kernel, self, threads) {
  rows <- in_blocks(nrow(x), nrow(y) * (ncol(x) + 4), function(from, count) {
    .Call(C_pf_kernel_sums, x, y, from, count, self, kernel$name, kernel$bandwidth, threads)
  })
  kernel$sign * sum(unlist(rows))
}

# MMD^2 from the sums over pairs i != j within each sample and over all pairs
# across.
discrepancy <- function(within_x, within_y, across, n, m, at_zero, unbiased) {
  if (unbiased) return(within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * across / (n * m))
  pmax(0, (within_x / n + at_zero) / n + (within_y / m + at_zero) / m - 2 * across / (n * m))
}

kernel_score <- function(x, y, kernel, unbiased, threads) {
  discrepancy(kernel_total(x, x, kernel, TRUE, threads), kernel_total(y, y, kernel, TRUE, threads),
              kernel_total(x, y, kernel, FALSE, threads), nrow(x), nrow(y), kernel$at_zero, unbiased)
}

#' Energy distance and maximum mean discrepancy
#'
#' How far apart the laws of two samples are, from the distances between their
#' rows. Both are zero in expectation (or in the limit) when the laws are equal,
#' and only then.
#'
#' With \eqn{X, X'} drawn from the law of `x` and \eqn{Y, Y'} from that of `y`,
#' all independent,
#' \deqn{E = 2 \mathrm{E}|X - Y| - \mathrm{E}|X - X'| - \mathrm{E}|Y - Y'|,}
#' in the unit of the data; it is this number that is returned, not its root.
#' For a kernel \eqn{k},
#' \deqn{\mathrm{MMD}^2 = \mathrm{E} k(X, X') + \mathrm{E} k(Y, Y') - 2 \mathrm{E} k(X, Y),}
#' where \eqn{k(x, y)} is \eqn{\exp(-|x-y|^2 / (2 h^2))} (`"gaussian"`),
#' \eqn{\exp(-|x-y| / h)} (`"laplace"`) or \eqn{-|x-y|} (`"riesz"`, which makes
#' it the energy distance). The square is returned, without unit except for
#' `"riesz"`.
#'
#' The biased estimate averages over all pairs, those of a row with itself
#' included (a V-statistic): it is never negative, and zero for a sample against
#' itself. The unbiased one leaves these pairs out (a U-statistic): its
#' expectation is the distance of the laws, so that it may be negative.
#'
#' Columns are taken as they are: bring them to a common unit first. Columns of
#' the same names in another order are matched by name, others by position. Time
#' grows with the product of the numbers of rows.
#'
#' @param x,y Numeric matrices or data frames with the same columns, without
#'   missing values: two samples, at least one row each (two for the unbiased
#'   estimate).
#' @param unbiased `TRUE` for the U-statistic, `FALSE` for the V-statistic.
#' @param kernel The kernel \eqn{k}.
#' @param bandwidth \eqn{h}, in the unit of the data, above zero. `NULL` takes
#'   the median distance between two rows of `x` and `y` together (of 1000 evenly
#'   spaced rows where there are more). To compare several samples with one,
#'   give all the same bandwidth.
#' @param threads As in [efs_forward()].
#' @return One number.
#' @references
#' Szekely GJ, Rizzo ML (2013). Energy statistics: a class of statistics based on
#' distances. \doi{10.1016/j.jspi.2013.03.018}
#'
#' Gretton A, Borgwardt KM, Rasch MJ, Schoelkopf B, Smola A (2012). A kernel
#' two-sample test. Journal of Machine Learning Research 13, 723--773.
#' @seealso [energy_test()] and [mmd_test()]; [wasserstein2()],
#'   [sliced_wasserstein()], [characteristic_distance()]; [novelty()], without
#'   which no closeness should be read.
#' @examples
#' setosa <- iris[iris$Species == "setosa", 1:4]
#' other <- iris[iris$Species != "setosa", 1:4]
#' energy_distance(setosa, other)
#' mmd(setosa, other)
#' @export
energy_distance <- function(x, y, unbiased = FALSE, threads = NULL) {
  unbiased <- check_flag(unbiased, "unbiased")
  tables <- check_two_samples(x, y, if (unbiased) 2L else 1L)
  kernel_score(tables$x, tables$y, score_kernel("riesz"), unbiased, thread_count(threads))
}

#' @rdname energy_distance
#' @export
mmd <- function(x, y, kernel = c("gaussian", "laplace", "riesz"), bandwidth = NULL, unbiased = TRUE,
                threads = NULL) {
  unbiased <- check_flag(unbiased, "unbiased")
  tables <- check_two_samples(x, y, if (unbiased) 2L else 1L)
  kernel <- score_kernel(kernel, bandwidth, tables$x, tables$y)
  kernel_score(tables$x, tables$y, kernel, unbiased, thread_count(threads))
}

