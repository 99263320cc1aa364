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
#' Columns of numbers are taken as they are: bring them to a common unit first. If there are other columns or missing
#' values, distances are those of [mixed_tables], where every column has its unit. Columns are
#' matched by name where both tables have names, otherwise by position; unknown and
#' missing names are an error. Time grows with the product of the numbers of rows.
#'
#' @param x,y Matrices or data frames with the same columns, of every kind (see [mixed_tables]): two samples, at least
#'   one row each (two for the unbiased estimate).
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
#' energy_distance(iris[1:60, ], iris[91:150, ]) # with the factor
#' @export
energy_distance <- function(x, y, unbiased = FALSE, threads = NULL) {
  unbiased <- check_flag(unbiased, "unbiased")
  moderated <- moderate(check_two_samples(x, y, if (unbiased) 2L else 1L))
  tables <- moderated$tables
  moderated$unit * kernel_score(tables$x, tables$y, score_kernel("riesz"), unbiased, thread_count(threads))
}

score_energy_distance <- function() {
  new_score("energy_distance", "energy distance",
    value = function(x, y, settings) energy_distance(x, y, threads = settings$threads),
    deal_rows = 1000,
    relabel = function(pooled, first, settings) {
      split_discrepancies(pooled, first, sum(first[, 1]), score_kernel("riesz"), FALSE, settings$threads)$statistic
    }
  )
}
