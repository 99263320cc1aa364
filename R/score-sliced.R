# The sliced Wasserstein distance; its help page is that of wasserstein2().

# The pieces of (0, 1) on which the quantile functions of n and of m values are
# both constant: the length of each and which value each sample has there. Ends
# are counted in units of 1 / (n m), whole numbers.
quantile_pieces <- function(n, m) {
  n <- as.double(n)
  m <- as.double(m)
  ends <- if (n == m) seq_len(n) * m else sort(unique(c(seq_len(n) * m, seq_len(m) * n)))
  list(length = diff(c(0, ends)) / (n * m), x = ceiling(ends / m), y = ceiling(ends / n))
}

#' @rdname wasserstein2
#' @order 2
#' @details
#' `sliced_wasserstein()` returns \eqn{(\mathrm{mean}_\theta W_p^p(\theta' x, \theta' y))^{1/p}}
#' over random directions \eqn{\theta}, uniform on the sphere; in one dimension
#' \eqn{W_p} couples equal quantiles, exactly also where the samples differ in
#' size. It takes one sort of all rows per direction, so that a million rows take seconds. For equal covariances it is
#' \eqn{\sqrt d} times smaller than \eqn{W_2} at \eqn{p = 2}. The standard error tells how far the result is from that
#' of all directions, for the same rows.
#' @param n_directions How many directions, at least 1 (one is used where there
#'   is one column).
#' @param p Order of the distance, at least 1.
#' @param seed `NULL` goes on with R's current stream; a whole number is given to
#'   [set.seed()] first, and the stream is restored afterwards.
#' @return `sliced_wasserstein()`: one number, in the unit of the data, with the attributes `"standard_error"` (0 in one
#'   column, `NA` for one direction) and `"directions"`. It is printed with them; what is computed from it is a plain
#'   number.
#' @export
sliced_wasserstein <- function(x, y, n_directions = 200, p = 2, seed = NULL, threads = NULL) {
  tables <- check_two_samples(x, y)
  n_directions <- check_count(n_directions, "n_directions", 1L)
  p <- check_number(p, "p", lower = 1)
  found <- moderate(tables)
  tables <- found$tables
  directions <- t(sliced_directions(n_directions, ncol(tables$x), seed))
  costs <- line_transports(tables$x, tables$y, directions, p, thread_count(threads))
  value <- found$unit * if (p <= 2) mean(costs)^(1 / p) else power_mean(costs, 1 / length(costs), p)
  new_score_number(value, standard_error = if (ncol(tables$x) == 1) 0 else root_error(value, costs, p),
                   directions = length(costs))
}

# Of each direction W_p^p, and W_p for p > 2.
line_transports <- function(x, y, directions, p, threads) {
  total <- ncol(directions)
  tick <- telling_tick(progress_bar("sliced_wasserstein()", total, NULL)$tick, total, NULL, "sliced_wasserstein()")
  unlist(in_blocks(total, 10 * (as.numeric(nrow(x)) + nrow(y)), function(from, count) {
    costs <- .Call(C_pf_line_transports, x, y, directions[, from + seq_len(count), drop = FALSE], p, threads)
    tick(count)
    costs
  }, chunk = 2, least = 2))
}

# The standard error of the p-th root of a mean, to first order. costs: as line_transports() gives them.
root_error <- function(value, costs, p) {
  if (length(costs) == 1) return(NA_real_)
  if (p > 2) costs <- (costs / max(costs, .Machine$double.xmin))^p
  if (value == 0) 0 else value / p * stats::sd(costs) / sqrt(length(costs)) / mean(costs)
}

# (sum of weights * values^p)^(1/p), in the unit of the largest value, because high powers leave the range of doubles.
power_mean <- function(values, weights, p) {
  largest <- max(values)
  if (largest > 0) largest * sum(weights * (values / largest)^p)^(1 / p) else 0
}

# Unit vectors, one per row. In one dimension all give the same distance.
sliced_directions <- function(n, dim, seed) {
  check_memory(2 * 8 * as.numeric(n) * dim, sprintf("%.0f directions", n), "give fewer `n_directions`")
  with_stream(seed, function() draw_directions(if (dim == 1) 1L else n, dim))
}

score_sliced_wasserstein <- function() {
  new_score("sliced_wasserstein", "sliced Wasserstein-2",
    value = function(x, y, settings) {
      as.double(sliced_wasserstein(x, y, seed = settings$seed, threads = settings$threads))
    },
    deal_rows = 500,
    relabel = function(pooled, first, settings) {
      sliced_deals(pooled, first, sliced_directions(200L, ncol(pooled), settings$seed))
    }
  )
}

# Of each deal, the sliced distance of order 2. The projections are sorted once: the sorted values of a table are
# those of the pooled rows that belong to it.
sliced_deals <- function(pooled, first, directions) {
  towards <- tcrossprod(pooled, directions) # [N, directions]
  order <- apply(towards, 2, order)
  sorted <- towards[cbind(as.vector(order), as.vector(col(order)))]
  n <- sum(first[, 1])
  pieces <- quantile_pieces(n, nrow(pooled) - n)
  vapply(seq_len(ncol(first)), function(deal) {
    own <- first[order, deal] == 1
    x <- matrix(sorted[own], n)
    y <- matrix(sorted[!own], nrow(pooled) - n)
    gap <- x[pieces$x, , drop = FALSE] - y[pieces$y, , drop = FALSE]
    sqrt(sum(crossprod(pieces$length, gap^2)) / nrow(directions))
  }, 0)
}
