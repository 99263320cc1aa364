#' Wasserstein distance of order 2
#'
#' The cheapest way to move one sample onto another: the exact distance, its blurred form for many rows, and its cheap
#' relative for very many, the sliced distance.
#'
#' \deqn{W_2^2 = \min_\pi \sum_{ij} \pi_{ij} |x_i - y_j|^2}
#' over the couplings \eqn{\pi} of the two samples, each row of a sample with the
#' same weight. `wasserstein2()` returns the root, in the unit of the data.
#'
#' Columns of numbers are taken as they are: bring them to a common unit first. If there are other columns or missing
#' values, distances are those of [mixed_tables], where every column has its unit.
#'
#' Without `blur` the result is exact, up to the rounding of doubles (an error of \eqn{W_2^2} of about 1e-13 times the
#' largest squared distance of a row of `x` to one of `y`). The network simplex finds the coupling. It holds
#' the squared distances of all pairs in memory, 8 bytes each: 200 MB for 5000 rows in both samples. Time grows
#' somewhat faster than the number of pairs: about 0.04 s for 1000 rows in both samples and 2 s for 5000. The result
#' does not depend on the number of threads, which only compute the distances. Two samples of one law have a distance
#' above 0, which falls slowly with the number of rows where there are many columns: set it beside that of two halves
#' of one sample.
#'
#' With `blur` the result is an approximation for samples with more rows. It is the root of \eqn{2 S_\epsilon}, where
#' \deqn{S_\epsilon = \mathrm{OT}_\epsilon(x, y) - (\mathrm{OT}_\epsilon(x, x) + \mathrm{OT}_\epsilon(y, y)) / 2}
#' is the debiased Sinkhorn divergence
#' with the cost \eqn{|x_i - y_j|^2 / 2} and \eqn{\epsilon} times the relative
#' entropy of \eqn{\pi} to the independent coupling added, \eqn{\epsilon =}
#' `blur`\eqn{^2}. (With the cost \eqn{|x - y|^2} the same \eqn{\epsilon} would be \eqn{2}
#' `blur`\eqn{^2}.) Details finer than `blur` are not seen: as it goes to zero
#' the result goes to \eqn{W_2}, and the number of iterations grows. The result is mostly too small, and the more so
#' the closer the samples are. On tables of numbers and with a blur of 0.05 times the root-mean-square
#' distance of a row from the mean of its sample, the difference was 0.1 to 5 %, and 12 % where one
#' column has much longer distances than the others. A difference
#' of the means enters exactly: \eqn{S_\epsilon} is that of the centred samples
#' plus \eqn{|\bar x - \bar y|^2 / 2}.
#' The iterations are Sinkhorn's in the log domain, with \eqn{\epsilon} falling
#' from the largest cost by halves and over-relaxed near the end. They stop when
#' the share of the mass that the coupling has in the wrong place is at most
#' `tolerance`. Costs are not stored:
#' memory grows with the number of rows, time with the product.
#'
#' @inheritParams energy_distance
#' @param x,y Matrices or data frames with the same columns, of every kind (see [mixed_tables]): two samples, at least
#'   one row each.
#' @param blur `NULL` for the exact distance. Otherwise the length below which details are blurred, a number above 0
#'   in the unit of the data.
#' @param tolerance Share of misplaced mass to stop at, a number above 0 and at
#'   most 1. Only used with `blur`.
#' @param max_iterations The number of iterations after which it stops with a
#'   warning, a whole number of at least 1. Iterations run in groups of up to ten,
#'   and the last group is completed. Only used with `blur`.
#' @param max_rows A whole number of at least 1. Of a sample with more rows, this
#'   many evenly spaced ones stand for it, and a message says so.
#' @return `wasserstein2()`: one number with the attributes `"blur"` (0 without), `"iterations"` (steps of the
#'   simplex, or Sinkhorn iterations of the two samples against each other) and `"converged"` (always `TRUE` without
#'   `blur`). What is computed from it is a plain number.
#' @references
#' Ahuja RK, Magnanti TL, Orlin JB (1993). Network flows: theory, algorithms, and applications. Prentice Hall,
#' chapter 11.
#'
#' Feydy J, Sejourne T, Vialard F-X, Amari S, Trouve A, Peyre G (2019).
#' Interpolating between optimal transport and MMD using Sinkhorn divergences.
#' \doi{10.48550/arXiv.1810.08278}
#'
#' Thibault A, Chizat L, Dossal C, Papadakis N (2021). Overrelaxed
#' Sinkhorn-Knopp algorithm for regularized optimal transport.
#' \doi{10.3390/a14050143}
#'
#' Bonneel N, Rabin J, Peyre G, Pfister H (2015). Sliced and Radon Wasserstein
#' barycenters of measures. \doi{10.1007/s10851-014-0506-3}
#' @seealso [energy_distance()], [novelty()]
#' @examples
#' setosa <- iris[iris$Species == "setosa", 1:4]
#' other <- iris[iris$Species != "setosa", 1:4]
#' wasserstein2(setosa, other)
#' wasserstein2(setosa, other, blur = 0.05)
#' sliced_wasserstein(setosa, other, seed = 1)
#' @order 1
#' @export
wasserstein2 <- function(x, y, blur = NULL, tolerance = 0.005, max_iterations = 1000, max_rows = 5000,
                         threads = NULL) {
  tables <- check_two_samples(x, y)
  tolerance <- check_number(tolerance, "tolerance", 0, 1, open_lower = TRUE)
  max_iterations <- check_count(max_iterations, "max_iterations", 1L)
  max_rows <- check_count(max_rows, "max_rows", 1L)
  if (!is.null(blur)) blur <- check_number(blur, "blur", lower = 0, open_lower = TRUE)
  threads <- thread_count(threads)
  found <- moderate(Map(limit_rows, tables, names(tables), max_rows))
  result <- if (is.null(blur)) {
    exact_distance(found$tables, threads)
  } else {
    blurred_distance(found$tables, moderate_width(blur, found$unit), tolerance, max_iterations, threads)
  }
  if (!attr(result, "converged")) warn_unsettled(result, tolerance, found$unit)
  new_score_number(found$unit * as.numeric(result), blur = found$unit * attr(result, "blur"),
                   iterations = attr(result, "iterations"), converged = attr(result, "converged"))
}

# The distance with the attributes of a blurred one, in the unit of the tables.
exact_distance <- function(tables, threads) {
  rows <- vapply(tables, nrow, 0L)
  check_memory(8 * prod(rows), sprintf("The distances of %d and %d rows", rows[1], rows[2]),
               "give a smaller `max_rows`, or a `blur`")
  least <- .Call(C_pf_least_cost, tables$x, tables$y, threads)
  structure(sqrt(max(0, least$value)), blur = 0, iterations = as.integer(least$pivots), converged = TRUE)
}

limit_rows <- function(x, what, most) {
  if (nrow(x) <= most) return(x)
  message(sprintf("wasserstein2() takes %d evenly spaced rows of the %d of `%s`; `max_rows` sets how many.",
                  most, nrow(x), what))
  x[spaced_rows(nrow(x), most), , drop = FALSE]
}

bare_distance <- function(x, y, threads) as.numeric(wasserstein2(x, y, threads = threads))

# From the inner products of rows, whose rounding is that of squared distances: coordinates have an error of 1e-8 of the
# largest one.
spanned <- function(x) {
  x <- shift_columns(x, colMeans(x))
  if (!any(x != 0)) return(x[, 1, drop = FALSE])
  score_basis(x)$trained
}

score_wasserstein2 <- function() {
  new_score("wasserstein2", "Wasserstein-2", rows = "w2_rows", deal_rows = 100,
    value = function(x, y, settings) bare_distance(x, y, settings$threads),
    relabel = function(pooled, first, settings) {
      if (ncol(pooled) > nrow(pooled)) pooled <- spanned(pooled)
      vapply(seq_len(ncol(first)), function(deal) {
        own <- first[, deal] == 1
        bare_distance(pooled[own, , drop = FALSE], pooled[!own, , drop = FALSE], settings$threads)
      }, 0)
    }
  )
}

# Root mean squared distance between random halves.
halves_distance <- function(x, threads, splits = 10L) {
  n <- nrow(x)
  squared <- vapply(seq_len(splits), function(split) {
    half <- base::sample.int(n, n %/% 2L)
    bare_distance(x[half, , drop = FALSE], x[-half, , drop = FALSE], threads)^2
  }, 0)
  sqrt(mean(squared))
}
