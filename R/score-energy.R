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
#' missing names are an error.
#'
#' @section Large tables:
#' `method = "exact"` sums over all pairs of rows. Its time grows with the product of the numbers of rows. Where such a
#' sum would take more than a few seconds of a processor, `"auto"` takes `"sliced"`. This is for the energy distance and
#' for the kernel `"riesz"`; the other kernels have only the exact sum.
#'
#' `"sliced"` uses that a distance is the mean of its projections. For \eqn{\xi}{xi} uniform on the unit sphere of
#' dimension \eqn{d},
#' \deqn{|z| = C_d \mathrm{E} |\langle \xi, z \rangle|, \quad C_d = \sqrt\pi\, \Gamma((d + 1) / 2) / \Gamma(d / 2).}{
#' |z| = C_d E |<xi, z>|, C_d = sqrt(pi) Gamma((d + 1) / 2) / Gamma(d / 2).}
#' Along one direction the energy distance is \eqn{2 \int (F - G)^2}{2 int (F - G)^2}, with the distribution functions
#' \eqn{F} and \eqn{G} of the projected samples. This takes one sort of all rows. The result is \eqn{C_d} times the
#' mean over random directions, which are drawn in sets of up to 16 orthogonal ones (in two columns, of 8 with equal
#' angles). In one column there is one direction, and the result is exact. In more columns it has a standard error,
#' which comes from the means of the sets. It tells how far the result is from the exact sum over the same rows, not
#' from the distance of the two laws. If the laws differ along few directions of many columns, such directions are
#' seldom drawn. The result is then more often too small than too large, and by more standard errors than is usual.
#'
#' With at least ten sets and 3 to 256 columns, the error is made smaller by comparison with two normal laws that
#' have the means and covariances of the samples. Their energy distance along each direction is a formula. Its mean
#' over all directions is known from many more directions, so that what both have in common makes nearly no error.
#' (This is a control variate, whose coefficient is that of least squares.)
#'
#' @param x,y Matrices or data frames with the same columns, of every kind (see [mixed_tables]): two samples, at least
#'   one row each (two for the unbiased estimate).
#' @param unbiased `TRUE` for the U-statistic, `FALSE` for the V-statistic.
#' @param kernel The kernel \eqn{k}.
#' @param bandwidth \eqn{h}, in the unit of the data, above zero. `NULL` takes
#'   the median distance between two rows of `x` and `y` together (of 1000 evenly
#'   spaced rows where there are more). To compare several samples with one,
#'   give all the same bandwidth.
#' @param method `"exact"`, `"sliced"` or `"auto"`, see the section on large tables.
#' @param n_directions For `"sliced"`: how many directions, at least 1. They are rounded up to whole sets. `NULL`:
#'   at least 64 and ten sets; then so many that the standard error is at most `tolerance` times the value, but at most
#'   1024, and at most 5e8 divided by the number of rows of both tables. If two samples of one law would have a larger
#'   value than `x` and `y`, the standard error is compared with theirs.
#' @param tolerance For `"sliced"`: a number above 0 and at most 1. It has no use if `n_directions` is given.
#' @param seed For `"sliced"`, as in [sliced_wasserstein()].
#' @param threads As in [efs_forward()].
#' @return One number. If it was computed by `"sliced"`, it has the attributes `"standard_error"` and `"directions"`,
#'   and is printed with them. What is computed from it is a plain number. The standard error is 0 in one column, and
#'   `NA` if there is only one set of directions.
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
#' energy_distance(setosa, other, method = "sliced", seed = 1)
#' @export
energy_distance <- function(x, y, unbiased = FALSE, method = c("auto", "exact", "sliced"), n_directions = NULL,
                            tolerance = 0.01, seed = NULL, threads = NULL) {
  unbiased <- check_flag(unbiased, "unbiased")
  slices <- check_slices(method, n_directions, tolerance, seed)
  riesz_score(moderate(check_two_samples(x, y, if (unbiased) 2L else 1L)), unbiased, slices, thread_count(threads),
              "energy_distance()")
}

# Pairs of rows times coordinates up to which all pairs are summed: some three seconds of a processor.
most_exact_pairs <- 1e11

check_slices <- function(method, n_directions, tolerance, seed) {
  if (!is.null(n_directions)) n_directions <- check_count(n_directions, "n_directions", 1L)
  if (!is.null(seed)) check_seed(seed)
  list(method = check_choice(method, c("auto", "exact", "sliced"), "method"), n_directions = n_directions,
       tolerance = check_number(tolerance, "tolerance", 0, 1, open_lower = TRUE), seed = seed)
}

takes_slices <- function(slices, tables) {
  if (slices$method != "auto") return(slices$method == "sliced")
  rows <- as.numeric(nrow(tables$x)) + nrow(tables$y)
  rows^2 * (ncol(tables$x) + 4) > most_exact_pairs
}

# moderated: what moderate() returns. The energy distance of its tables.
riesz_score <- function(moderated, unbiased, slices, threads, what) {
  tables <- moderated$tables
  if (!takes_slices(slices, tables)) {
    return(moderated$unit * kernel_score(tables$x, tables$y, score_kernel("riesz"), unbiased, threads, what))
  }
  key <- with_stream(slices$seed, draw_key)
  found <- sliced_energy(tables$x, tables$y, unbiased, slices$n_directions, slices$tolerance, key, threads)
  new_score_number(moderated$unit * found$value, standard_error = moderated$unit * found$error,
                   directions = found$directions)
}

score_energy_distance <- function() {
  new_score("energy_distance", "energy distance",
    value = function(x, y, settings) energy_distance(x, y, method = "exact", threads = settings$threads),
    deal_rows = 1000,
    relabel = function(pooled, first, settings) {
      split_discrepancies(pooled, first, sum(first[, 1]), score_kernel("riesz"), FALSE, settings$threads)$statistic
    }
  )
}
