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

# --- optimal transport --------------------------------------------------------

# Steps of one .Call(): some 0.2 s, from the extents alone, so that the same
# steps are relaxed whatever else the machine is doing.
steps_per_call <- function(n, m, dim) max(1, min(20, floor(1e9 / (n * m * (dim + 12)))))

sinkhorn_steps <- function(x, y, state, epsilon, relaxation, n_steps, threads) {
  per_call <- steps_per_call(length(state$f), length(state$g), ncol(x))
  while (n_steps > 0) {
    now <- min(per_call, n_steps)
    state <- .Call(C_pf_sinkhorn_steps, x, y, state$f, state$g, epsilon, relaxation, as.integer(now), threads)
    n_steps <- n_steps - now
  }
  state
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
#' @param x,y Numeric matrices or data frames with the same columns, without
#'   missing values: two samples, at least one row each.
#' @param blur Length below which details are blurred, in the unit of the data,
#'   above zero. `NULL`: 0.05 times the root-mean-square distance of a row from
#'   the mean of its sample.
#' @param tolerance Share of misplaced mass to stop at, between 0 and 1.
#' @param max_iterations Iterations to stop at, with a warning.
#' @param max_rows Where a sample has more rows, this many evenly spaced ones
#'   stand for it, and a message says so.
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
#' @export
wasserstein2 <- function(x, y, blur = NULL, tolerance = 0.005, max_iterations = 1000, max_rows = 5000,
                         threads = NULL) {
  tables <- check_two_samples(x, y)
  tolerance <- check_number(tolerance, "tolerance", 0, 1, open_lower = TRUE)
  max_iterations <- check_count(max_iterations, "max_iterations", 1L)
  max_rows <- check_count(max_rows, "max_rows", 1L)
  if (!is.null(blur)) blur <- check_number(blur, "blur", lower = 0, open_lower = TRUE)
  threads <- thread_count(threads)
  tables <- Map(limit_rows, tables, names(tables), max_rows)
  means <- lapply(tables, colMeans)
  x <- sweep(tables$x, 2, means$x)
  y <- sweep(tables$y, 2, means$y)
  radius <- sqrt((mean(rowSums(x^2)) + mean(rowSums(y^2))) / 2)
  of_means <- sum((means$x - means$y)^2)
  if (radius == 0) { # two point masses
    return(structure(sqrt(of_means), blur = if (is.null(blur)) 0 else blur, iterations = 0L, converged = TRUE))
  }
  if (is.null(blur)) blur <- 0.05 * radius
  epsilon <- blur^2
  # the bias to take away is wanted better than what it is taken from
  own_x <- solve_self(x, epsilon, tolerance / 10, max_iterations, threads)
  own_y <- solve_self(y, epsilon, tolerance / 10, max_iterations, threads)
  across <- solve_across(x, y, list(f = own_x$f, g = own_y$f), epsilon, tolerance, max_iterations, threads)
  converged <- across$error <= tolerance && max(own_x$error, own_y$error) <= tolerance
  if (!converged) {
    warning(sprintf("wasserstein2() has not converged in %d iterations: %.2g of the mass is in the wrong place, where `tolerance` is %.2g. Raise `blur` (%.3g) or `max_iterations`.",
                    across$iterations, max(across$error, own_x$error, own_y$error), tolerance, blur), call. = FALSE)
  }
  squared <- of_means + 2 * max(0, across$value - (own_x$value + own_y$value) / 2)
  structure(sqrt(squared), blur = blur, iterations = as.integer(across$iterations), converged = converged)
}

limit_rows <- function(x, what, most) {
  if (nrow(x) <= most) return(x)
  message(sprintf("wasserstein2() takes %d evenly spaced rows of the %d of `%s`; `max_rows` sets how many.",
                  most, nrow(x), what))
  x[spaced_rows(nrow(x), most), , drop = FALSE]
}

# --- random directions and frequencies ----------------------------------------

# Runs draw() from `seed` as simulate() does: the stream is restored afterwards.
with_stream <- function(seed, draw) {
  state <- start_stream(seed)
  if (!is.null(seed)) on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  draw()
}

# Unit vectors, one a row; in one dimension all give the same: one will do.
draw_directions <- function(n, dim) {
  if (dim == 1) return(matrix(1, n, 1))
  z <- matrix(stats::rnorm(n * dim), n, dim)
  z / sqrt(rowSums(z^2))
}

# The pieces of (0, 1) on which the quantile functions of n and of m values are
# both constant: the length of each and which value each sample has there. Ends
# are counted in units of 1 / (n m), whole numbers.
quantile_pieces <- function(n, m) {
  n <- as.double(n)
  m <- as.double(m)
  ends <- if (n == m) seq_len(n) * m else sort(unique(c(seq_len(n) * m, seq_len(m) * n)))
  list(length = diff(c(0, ends)) / (n * m), x = ceiling(ends / m), y = ceiling(ends / n))
}

# Work on a few columns at a time: about this many numbers of a matrix at once.
numbers_at_once <- 2e6

in_columns <- function(n, rows, work) {
  each <- max(1, floor(numbers_at_once / rows))
  unlist(lapply(seq(1, n, by = each), function(first) work(first:min(n, first + each - 1))))
}

#' @rdname wasserstein2
#' @details
#' `sliced_wasserstein()` returns \eqn{(\mathrm{mean}_\theta W_p^p(\theta' x, \theta' y))^{1/p}}
#' over random directions \eqn{\theta}, uniform on the sphere; in one dimension
#' \eqn{W_p} couples equal quantiles, exactly also where the samples differ in
#' size. It takes time \eqn{n \log n} a direction. For equal covariances it is
#' \eqn{\sqrt d} times smaller than \eqn{W_2} at \eqn{p = 2}.
#' @param n_directions How many directions, at least 1 (one is used where there
#'   is one column).
#' @param p Order of the distance, at least 1.
#' @param seed `NULL` goes on with R's current stream; a whole number is given to
#'   [set.seed()] first, and the stream is restored afterwards.
#' @return `sliced_wasserstein()`: one number, in the unit of the data.
#' @export
sliced_wasserstein <- function(x, y, n_directions = 200, p = 2, seed = NULL) {
  tables <- check_two_samples(x, y)
  n_directions <- check_count(n_directions, "n_directions", 1L)
  p <- check_number(p, "p", lower = 1)
  dim <- ncol(tables$x)
  directions <- with_stream(seed, function() draw_directions(if (dim == 1) 1L else n_directions, dim))
  pieces <- quantile_pieces(nrow(tables$x), nrow(tables$y))
  powers <- in_columns(nrow(directions), nrow(tables$x) + nrow(tables$y), function(k) {
    towards <- t(directions[k, , drop = FALSE])
    x <- tables$x %*% towards
    y <- tables$y %*% towards
    vapply(seq_along(k), function(j) {
      sum(pieces$length * abs(sort(x[, j])[pieces$x] - sort(y[, j])[pieces$y])^p)
    }, 0)
  })
  mean(powers)^(1 / p)
}

# log of the area of the unit sphere in `dim` dimensions, and of the constant c
# with E = 1/c int |phi_x(t) - phi_y(t)|^2 |t|^(-dim - 1) dt (Szekely and Rizzo).
log_sphere_area <- function(dim) log(2) + dim / 2 * log(pi) - lgamma(dim / 2)
log_energy_constant <- function(dim) (dim + 1) / 2 * log(pi) - lgamma((dim + 1) / 2)

# Frequencies [k, dim] and weights for which the weighted sum is, on average, the
# energy distance. In polar coordinates its measure is area/c r^-2 dr on each
# direction; r = scale tan(pi u / 2) is drawn with one u in each k-th of (0, 1),
# so r^-2 dr = pi / (2 scale sin(pi u / 2)^2) du.
energy_frequencies <- function(k, dim, radius) {
  scale <- sqrt(dim) / radius
  direction <- draw_directions(k, dim)
  angle <- (seq_len(k) - stats::runif(k)) / k * pi / 2
  list(frequencies = direction * (scale * tan(angle)),
       weights = exp(log_sphere_area(dim) - log_energy_constant(dim)) * pi / (2 * scale * sin(angle)^2) / k)
}

# mean over rows of exp(i t.x) at each frequency, as a matrix (real, imaginary).
characteristic_function <- function(x, frequencies) {
  values <- in_columns(nrow(frequencies), nrow(x), function(k) {
    phase <- x %*% t(frequencies[k, , drop = FALSE])
    rbind(colMeans(cos(phase)), colMeans(sin(phase)))
  })
  matrix(values, ncol = 2, byrow = TRUE)
}

#' Distance of characteristic functions
#'
#' Compares the means of \eqn{e^{i t \cdot x}} of two samples at many frequencies
#' \eqn{t}: in time proportional to the number of rows what energy distance and
#' MMD need all pairs for.
#'
#' \deqn{D_2^2 = \int |\mathrm{E} e^{i t \cdot X} - \mathrm{E} e^{i t \cdot Y}|^2 \tau(dt) \approx
#' \sum_k w_k |\phi_x(t_k) - \phi_y(t_k)|^2,}
#' \eqn{\phi} the means over rows. It is \eqn{D_2^2} that is returned, not its
#' root. With the measure \eqn{\tau(dt) = |t|^{-d-1} dt / c_d},
#' \eqn{c_d = \pi^{(d+1)/2} / \Gamma((d+1)/2)}, it is the energy distance of
#' [energy_distance()]; with a Gaussian one of standard deviation \eqn{1/h} in
#' each coordinate it is the Gaussian MMD squared of bandwidth \eqn{h} of [mmd()].
#' Frequencies drawn from these measures give those numbers on average, with an
#' error that falls as one over the root of `n_frequencies` or faster; two seeds
#' show how large it is.
#'
#' @inheritParams energy_distance
#' @param frequencies Numeric matrix `[k, d]`, one frequency a row, in radians per
#'   unit of the data (for one column also a vector); `NULL` draws them.
#' @param weights Numbers \eqn{w_k} of at least 0, one a frequency, for given
#'   `frequencies`; `NULL`: all \eqn{1/k}.
#' @param measure The measure that frequencies are drawn for: `"energy"` or
#'   `"gaussian"`.
#' @param n_frequencies How many are drawn, at least 1.
#' @param bandwidth \eqn{h} of the Gaussian measure, as in [mmd()].
#' @param seed As in [sliced_wasserstein()].
#' @return One number: \eqn{D_2^2}, in the unit of the data for `"energy"`,
#'   without unit for `"gaussian"`.
#' @references
#' Szekely GJ, Rizzo ML (2013). Energy statistics: a class of statistics based on
#' distances. \doi{10.1016/j.jspi.2013.03.018}
#'
#' Cabannes V, Arnal C (2023). Touring sampling with pushforward maps.
#' \doi{10.48550/arXiv.2311.13845}
#' @seealso [energy_distance()], [mmd()]
#' @examples
#' setosa <- iris[iris$Species == "setosa", 1:4]
#' other <- iris[iris$Species != "setosa", 1:4]
#' characteristic_distance(setosa, other, seed = 1)
#' energy_distance(setosa, other)
#' characteristic_distance(runif(50) %o% 1, rbeta(50, 2, 2) %o% 1, 2 * pi * 1:10)
#' @export
characteristic_distance <- function(x, y, frequencies = NULL, weights = NULL,
                                    measure = c("energy", "gaussian"), n_frequencies = 1000,
                                    bandwidth = NULL, unbiased = FALSE, seed = NULL) {
  unbiased <- check_flag(unbiased, "unbiased")
  tables <- check_two_samples(x, y, if (unbiased) 2L else 1L)
  x <- tables$x
  y <- tables$y
  if (is.null(frequencies)) {
    if (!is.null(weights)) fail("`weights` must come with `frequencies`.")
    drawn <- draw_frequencies(x, y, measure, n_frequencies, bandwidth, seed)
    frequencies <- drawn$frequencies
    weights <- drawn$weights
  } else {
    if (is.null(dim(frequencies)) && ncol(x) == 1) frequencies <- matrix(frequencies)
    frequencies <- check_points(frequencies, "frequencies", dim = ncol(x))
    weights <- check_weights(weights, nrow(frequencies))
  }
  # a common shift turns both means by the same phase: small phases round less
  centre <- colMeans(x)
  of_x <- characteristic_function(sweep(x, 2, centre), frequencies)
  of_y <- characteristic_function(sweep(y, 2, centre), frequencies)
  squares <- rowSums((of_x - of_y)^2)
  if (unbiased) {
    squares <- squares - (1 - rowSums(of_x^2)) / (nrow(x) - 1) - (1 - rowSums(of_y^2)) / (nrow(y) - 1)
  }
  sum(weights * squares)
}

draw_frequencies <- function(x, y, measure, n_frequencies, bandwidth, seed) {
  measure <- check_choice(measure, c("energy", "gaussian"), "measure")
  k <- check_count(n_frequencies, "n_frequencies", 1L)
  if (measure == "energy") {
    if (!is.null(bandwidth)) fail("`bandwidth` has no use with the measure \"energy\"; leave it out.")
    pooled <- rbind(x, y)
    radius <- sqrt(mean(rowSums(sweep(pooled, 2, colMeans(pooled))^2)))
    return(with_stream(seed, function() energy_frequencies(k, ncol(x), if (radius > 0) radius else 1)))
  }
  width <- score_kernel("gaussian", bandwidth, x, y)$bandwidth
  list(frequencies = with_stream(seed, function() matrix(stats::rnorm(k * ncol(x)), k)) / width,
       weights = rep(1 / k, k))
}

check_weights <- function(weights, k) {
  if (is.null(weights)) return(rep(1 / k, k))
  if (!is.numeric(weights) || length(weights) != k || !all(is.finite(weights)) || any(weights < 0)) {
    fail("`weights` must be %d finite numbers of at least 0, one a row of `frequencies`, not %s.", k, describe(weights))
  }
  as.double(weights)
}

# --- permutation tests --------------------------------------------------------

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
