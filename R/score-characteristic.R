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
#' @param frequencies A numeric matrix or data frame with k rows and the d columns of `x`. Each row is one frequency,
#'   in radians per unit of the data. Columns are matched by name if both have names, otherwise by position. If `x` has
#'   one column, a vector may be given. `NULL`: frequencies are drawn.
#' @param weights k finite numbers \eqn{w_k} of at least 0, one per row of `frequencies`. They can be given only with
#'   `frequencies`. `NULL`: all are \eqn{1/k}.
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
  tables <- read_samples_alike(list(x = x, y = y), if (unbiased) 2L else 1L)
  names <- colnames(tables$x)
  found <- moderate(lapply(tables, unname))
  x <- found$tables$x
  y <- found$tables$y
  unit <- 1
  if (is.null(frequencies)) {
    if (!is.null(weights)) fail("`weights` must come with `frequencies`.")
    measure <- check_choice(measure, c("energy", "gaussian"), "measure")
    if (measure == "energy") unit <- found$unit
    drawn <- draw_frequencies(found, measure, n_frequencies, bandwidth, seed)
    frequencies <- drawn$frequencies
    weights <- drawn$weights
  } else {
    frequencies <- check_frequencies(frequencies, names, ncol(x)) * found$unit
    # the largest phase t.x that a centred row can have
    if (!is.finite(sum(abs(frequencies)) * 2 * largest_number(list(x, y)))) {
      fail("`frequencies` times the rows leave the range of numbers; give smaller `frequencies` or a larger unit.")
    }
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
  unit * sum(weights * squares)
}

# A matrix of frequencies, one row each, with the columns in the order of the tables, whose columns are called `names`.
check_frequencies <- function(frequencies, names, dim) {
  if (is.numeric(frequencies) && is.null(dim(frequencies)) && dim == 1) frequencies <- matrix(frequencies)
  points <- check_points(frequencies, "frequencies", dim = dim)
  unname(points[, match_columns(colnames(points), names, ncol(points), dim, "frequencies"), drop = FALSE])
}

# `found`: the tables x and y in the unit of moderate().
draw_frequencies <- function(found, measure, n_frequencies, bandwidth, seed) {
  x <- found$tables$x
  y <- found$tables$y
  k <- check_count(n_frequencies, "n_frequencies", 1L)
  check_memory(3 * 8 * as.numeric(k) * ncol(x), sprintf("%d frequencies", k), "give fewer `n_frequencies`")
  if (measure == "energy") {
    if (!is.null(bandwidth)) fail("`bandwidth` has no use with the measure \"energy\"; leave it out.")
    pooled <- rbind(x, y)
    radius <- sqrt(mean(rowSums(sweep(pooled, 2, colMeans(pooled))^2)))
    return(with_stream(seed, function() energy_frequencies(k, ncol(x), if (radius > 0) radius else 1)))
  }
  width <- score_kernel("gaussian", moderate_bandwidth(bandwidth, found$unit), x, y)$bandwidth
  list(frequencies = with_stream(seed, function() matrix(stats::rnorm(k * ncol(x)), k)) / width,
       weights = rep(1 / k, k))
}
