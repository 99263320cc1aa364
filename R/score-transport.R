# Work of one .Call(), pairs times columns: 0.01 s, or 0.3 s if epsilon is so small that sums have to be computed
# again.
# It follows from the extents alone, so that the same steps are relaxed whatever else the machine is doing.
work_per_call <- 2e8

sinkhorn_steps <- function(x, y, state, epsilon, relaxation, n_steps, threads) {
  per_call <- work_per_call / (as.numeric(length(state$f)) * length(state$g) * (ncol(x) + 12))
  if (per_call < 0.5) return(long_steps(x, y, state, epsilon, relaxation, n_steps, threads))
  per_call <- max(1, min(20, floor(per_call)))
  while (n_steps > 0) {
    now <- min(per_call, n_steps)
    state <- .Call(C_pf_sinkhorn_steps, x, y, state$f, state$g, epsilon, relaxation, as.integer(now), threads)
    n_steps <- n_steps - now
  }
  state
}

# The same steps where one of them takes long: a few rows at a time, so that Ctrl-C is heard.
long_steps <- function(x, y, state, epsilon, relaxation, n_steps, threads) {
  mean_of <- function(values) Reduce(`+`, values) / length(values) # in the order of the core
  for (step in seq_len(n_steps)) {
    target <- soft_minima(x, if (is.null(y)) x else y, if (is.null(y)) state$f else state$g, epsilon, threads)
    state$error <- mean_of(abs(expm1((state$f - target) / epsilon)))
    if (is.null(y)) {
      state$value <- mean_of(state$f) + mean_of(target)
      state$f <- state$f + 0.5 * (target - state$f)
      next
    }
    state$f <- relaxed(state$f, target, relaxation)
    state$g <- relaxed(state$g, soft_minima(y, x, state$f, epsilon, threads), relaxation)
    state$value <- mean_of(state$f) + mean_of(state$g)
  }
  state
}

relaxed <- function(values, target, relaxation) {
  if (relaxation == 1) target else values + relaxation * (target - values)
}

# For each row of x the soft minimum of |x - y_j|^2 / 2 - g_j over the rows y_j,
#   -epsilon log(mean_j exp((g_j - |x - y_j|^2 / 2) / epsilon)),
# as the core computes it: with one more coordinate sqrt(2 (max g - g_j)) the sum is one of Gaussian kernels.
soft_minima <- function(x, y, g, epsilon, threads) {
  most <- max(g)
  query <- cbind(x, 0)
  source <- cbind(y, sqrt(2 * (most - g)))
  sums <- unlist(in_blocks(nrow(x), as.numeric(nrow(y)) * (ncol(source) + 4), function(from, count) {
    .Call(C_pf_kernel_sums, query, source, from, count, FALSE, "gaussian", sqrt(epsilon), threads)
  }))
  minima <- -most - epsilon * log(sums / nrow(y))
  lost <- which(sums <= 1e-280) # terms may have left the range of doubles; a step of the core has them right
  for (rows in split(lost, ceiling(seq_along(lost) / 64))) {
    step <- .Call(C_pf_sinkhorn_steps, x[rows, , drop = FALSE], y, numeric(length(rows)), g, epsilon, 1, 1L, threads)
    minima[rows] <- step$f
  }
  minima
}

# A cloud against itself: averaged steps from zero settle within a few dozen.
solve_self <- function(x, epsilon, tolerance, most, threads) {
  state <- list(f = numeric(nrow(x)), g = numeric(nrow(x)), error = Inf)
  iterations <- 0
  while (state$error > tolerance && iterations < most) {
    now <- min(5, most - iterations)
    state <- sinkhorn_steps(x, NULL, state, epsilon, 1, now, threads)
    iterations <- iterations + now
  }
  c(state, iterations = iterations)
}

relaxation_factor <- 1.8

# One centred cloud against another. The potentials of each against itself are
# the answer where the clouds are copies; where they are no good start, epsilon
# falls by halves from a bound on the largest cost, one step each.
solve_across <- function(x, y, start, epsilon, tolerance, most, threads) {
  state <- sinkhorn_steps(x, y, start, epsilon, 1, 2, threads)
  iterations <- 2
  if (!(state$error < 0.1)) {
    state[c("f", "g")] <- list(numeric(nrow(x)), numeric(nrow(y)))
    scale <- (sqrt(max(rowSums(x^2))) + sqrt(max(rowSums(y^2))))^2 / 2
    while (scale > epsilon && iterations < most) {
      state <- sinkhorn_steps(x, y, state, scale, 1, 1, threads)
      scale <- scale / 2
      iterations <- iterations + 1
    }
    state$error <- Inf
  }
  relaxation <- 1
  while (state$error > tolerance && iterations < most) {
    before <- state$error
    state <- sinkhorn_steps(x, y, state, epsilon, relaxation, 9, threads)
    state <- sinkhorn_steps(x, y, state, epsilon, 1, 1, threads) # its value is a bound
    iterations <- iterations + 10
    relaxation <- if (state$error < 0.2 && state$error < before) relaxation_factor else 1
  }
  c(state, iterations = iterations)
}

#' Wasserstein distance of order 2
#'
#' The cheapest way to move one sample onto another, by the debiased Sinkhorn
#' divergence, and its cheap relative for many rows, the sliced distance.
#'
#' \deqn{W_2^2 = \min_\pi \sum_{ij} \pi_{ij} |x_i - y_j|^2}
#' over the couplings \eqn{\pi} of the two samples, each row of a sample with the
#' same weight. `wasserstein2()` computes
#' \deqn{S_\epsilon = \mathrm{OT}_\epsilon(x, y) - (\mathrm{OT}_\epsilon(x, x) + \mathrm{OT}_\epsilon(y, y)) / 2}
#' with the cost \eqn{|x_i - y_j|^2 / 2} and \eqn{\epsilon} times the relative
#' entropy of \eqn{\pi} to the independent coupling added, \eqn{\epsilon =}
#' `blur`\eqn{^2}, and returns the root of \eqn{2 S_\epsilon}, in the unit of the
#' data. (With the cost \eqn{|x - y|^2} the same \eqn{\epsilon} would be \eqn{2}
#' `blur`\eqn{^2}.) Details finer than `blur` are not seen; as it goes to zero
#' the result goes to \eqn{W_2}, and the number of iterations grows. A difference
#' of the means enters exactly: \eqn{S_\epsilon} is that of the centred samples
#' plus \eqn{|\bar x - \bar y|^2 / 2}.
#'
#' The iterations are Sinkhorn's in the log domain, with \eqn{\epsilon} falling
#' from the largest cost by halves and over-relaxed near the end. They stop when
#' the share of the mass that the coupling has in the wrong place is at most
#' `tolerance`. Until then the result is mostly too small. Costs are not stored:
#' memory grows with the number of rows, time with the product.
#'
#' @inheritParams energy_distance
#' @param x,y Matrices or data frames with the same columns, of every kind (see [mixed_tables]): two samples, at least
#'   one row each.
#' @param blur Length below which details are blurred, in the unit of the data,
#'   above zero. `NULL`: 0.05 times the root-mean-square distance of a row from
#'   the mean of its sample.
#' @param tolerance Share of misplaced mass to stop at, a number above 0 and at
#'   most 1.
#' @param max_iterations The number of iterations after which it stops with a
#'   warning, a whole number of at least 1. Iterations run in groups of up to ten,
#'   and the last group is completed.
#' @param max_rows A whole number of at least 1. Of a sample with more rows, this
#'   many evenly spaced ones stand for it, and a message says so.
#' @return `wasserstein2()`: one number with the attributes `"blur"`,
#'   `"iterations"` (of the two samples against each other) and `"converged"`.
#' @references
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
  if (!is.null(blur)) blur <- moderate_width(blur, found$unit)
  result <- transport_distance(found$tables, blur, tolerance, max_iterations, threads)
  if (!attr(result, "converged")) warn_unsettled(result, tolerance, found$unit)
  structure(found$unit * as.numeric(result), blur = found$unit * attr(result, "blur"),
            iterations = attr(result, "iterations"), converged = attr(result, "converged"))
}

# The distance with its attributes, in the unit of the tables; `blur` NULL: a share of their spread. The attribute
# "error" is the share of the mass in the wrong place.
transport_distance <- function(tables, blur, tolerance, max_iterations, threads) {
  means <- lapply(tables, colMeans)
  x <- sweep(tables$x, 2, means$x)
  y <- sweep(tables$y, 2, means$y)
  radius <- root_mean_distance(tables)
  of_means <- sum((means$x - means$y)^2)
  if (radius == 0) { # two point masses
    blur <- if (is.null(blur)) 0 else blur
    return(structure(sqrt(of_means), blur = blur, iterations = 0L, converged = TRUE, error = 0))
  }
  if (is.null(blur)) blur <- 0.05 * radius
  epsilon <- blur^2
  # the bias to take away is wanted better than what it is taken from
  own_x <- solve_self(x, epsilon, tolerance / 10, max_iterations, threads)
  own_y <- solve_self(y, epsilon, tolerance / 10, max_iterations, threads)
  across <- solve_across(x, y, list(f = own_x$f, g = own_y$f), epsilon, tolerance, max_iterations, threads)
  error <- max(across$error, own_x$error, own_y$error)
  squared <- of_means + 2 * max(0, across$value - (own_x$value + own_y$value) / 2)
  structure(sqrt(squared), blur = blur, iterations = as.integer(across$iterations), converged = error <= tolerance,
            error = error)
}

warn_unsettled <- function(result, tolerance, unit) {
  warning(sprintf(paste(
    "wasserstein2() has not converged in %d iterations: %.2g of the mass is in the wrong place, where `tolerance` is",
    "%.2g. Raise `blur` (%.3g) or `max_iterations`."
  ), attr(result, "iterations"), min(1, attr(result, "error")), tolerance, unit * attr(result, "blur")), call. = FALSE)
}

limit_rows <- function(x, what, most) {
  if (nrow(x) <= most) return(x)
  message(sprintf("wasserstein2() takes %d evenly spaced rows of the %d of `%s`; `max_rows` sets how many.",
                  most, nrow(x), what))
  x[spaced_rows(nrow(x), most), , drop = FALSE]
}

# Where columns outnumber rows, in coordinates of the subspace that the rows span: the same distances.
quiet_distance <- function(x, y, threads) {
  if (ncol(x) > nrow(x) + nrow(y)) {
    both <- spanned(rbind(x, y))
    own <- seq_len(nrow(x))
    x <- both[own, , drop = FALSE]
    y <- both[-own, , drop = FALSE]
  }
  as.numeric(suppressWarnings(wasserstein2(x, y, tolerance = 0.01, threads = threads)))
}

# From the inner products of rows, whose rounding is that of squared distances: coordinates have an error of 1e-8 of the
# largest one.
spanned <- function(x) {
  x <- shift_columns(x, colMeans(x))
  if (!any(x != 0)) return(x[, 1, drop = FALSE])
  score_basis(x)$trained
}

# All comparisons of a report alike: what has not settled to 2 % of the mass moves the distance far less.
score_wasserstein2 <- function() {
  new_score("wasserstein2", "Wasserstein-2", value = report_transport, rows = "w2_rows", deal_rows = 100,
    relabel = function(pooled, first, settings) {
      if (ncol(pooled) > nrow(pooled)) pooled <- spanned(pooled)
      vapply(seq_len(ncol(first)), function(deal) {
        own <- first[, deal] == 1
        report_transport(pooled[own, , drop = FALSE], pooled[!own, , drop = FALSE], settings)
      }, 0)
    }
  )
}

# Levels have equal distances, between which a small blur needs two to three times as many iterations to choose.
report_transport <- function(x, y, settings) {
  blur <- if (!is.null(settings$layout)) 0.1 * root_mean_distance(list(x = x, y = y))
  if (identical(blur, 0)) blur <- NULL
  as.numeric(suppressWarnings(
    wasserstein2(x, y, blur = blur, tolerance = 0.02, max_iterations = 500, threads = settings$threads)
  ))
}

# Of a row from the mean of its table.
root_mean_distance <- function(tables) {
  sqrt(sum(vapply(tables, function(x) mean(rowSums(sweep(x, 2, colMeans(x))^2)), 0)) / length(tables))
}

# Root mean squared distance between random halves.
halves_distance <- function(x, threads, splits = 10L) {
  n <- nrow(x)
  if (ncol(x) > n) x <- spanned(x)
  squared <- vapply(seq_len(splits), function(split) {
    half <- base::sample.int(n, n %/% 2L)
    quiet_distance(x[half, , drop = FALSE], x[-half, , drop = FALSE], threads)^2
  }, 0)
  sqrt(mean(squared))
}
