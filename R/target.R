#' Densities to sample from
#'
#' Densities with values and gradients computed in C, and with exact draws. They are targets for [wgf()], and serve to
#' judge its results: mixtures of Gaussians (any mixture, on a ring, on a grid), a banana and a funnel.
#'
#' * `target_ring()` puts the modes on a circle in the first two columns, at equal angles. `target_grid()` puts them on
#'   a square grid in these columns, around 0. The other columns have mean 0.
#' * The banana is \eqn{x_1 \sim N(0, a^2)}{x_1 ~ N(0, a^2)},
#'   \eqn{x_2 \sim N(b(x_1^2 - a^2), 1)}{x_2 ~ N(b (x_1^2 - a^2), 1)} given \eqn{x_1}, and \eqn{N(0, 1)} in the other
#'   columns.
#' * The funnel is \eqn{x_1 \sim N(0, a^2)}{x_1 ~ N(0, a^2)}, and \eqn{N(0, e^{x_1})}{N(0, exp(x_1))} given \eqn{x_1} in
#'   the other columns. The second argument of \eqn{N} is the variance.
#'
#' It is an error if the squares of means or standard deviations leave the range of numbers.
#'
#' @param means Numeric matrix with one row per component.
#' @param covariances Covariances of the components: one positive variance for all, one positive variance per component,
#'   one matrix for all, or a list with one matrix per component. Matrices must be symmetric and positive definite.
#' @param weights Positive weights of the components, one per component. They are divided by their sum. `NULL`: equal
#'   weights.
#' @param modes Number of modes on the ring, at least 1.
#' @param side Number of modes along each side of the grid, at least 1.
#' @param radius Radius of the ring, at least 0.
#' @param spacing Distance between neighbours on the grid, at least 0.
#' @param sd Standard deviation of each mode in each direction, above 0. For the funnel it is \eqn{a}, the standard
#'   deviation of the first column, above 0 and at most 100. If it is beyond 20, the other columns are too wide for
#'   [wgf()] to start from.
#' @param width,bend \eqn{a}, above 0, and \eqn{b} of the banana.
#' @param dim Number of columns, at least 2.
#' @return An object of class `wgf_target`. [simulate()][simulate.wgf_target] gives exact draws.
#'   `predict(target, x)` gives the log-density at the rows of `x`, and `predict(target, x, type = "gradient")` its
#'   gradient.
#' @examples
#' target <- target_mixture(rbind(c(-2, 0), c(2, 0)), covariances = 0.25, weights = c(1, 3))
#' target
#' x <- simulate(target, 5, seed = 1)
#' predict(target, x)
#' @export
target_mixture <- function(means, covariances = 1, weights = NULL) {
  means <- unname(check_points(means, "means"))
  k <- nrow(means)
  d <- ncol(means)
  weights <- if (is.null(weights)) rep(1 / k, k) else check_shares(weights, k)
  roots <- lapply(component_covariances(covariances, k, d), covariance_root, d)
  inverse <- lapply(roots, function(root) forwardsolve(root, diag(d)))
  triangle <- upper.tri(diag(d), diag = TRUE) # of the transpose: the lower triangle by rows
  total <- Reduce(`+`, Map(function(root, w) w * tcrossprod(root), roots, weights))
  centre <- colSums(weights * means)
  spread <- sqrt(diag(total) + colSums(weights * sweep(means, 2, centre)^2))
  new_target(
    sprintf("mixture of %d Gaussian%s", k, if (k == 1) "" else "s"), d, "mixture", list(), means,
    factors = matrix(vapply(inverse, function(a) t(a)[triangle], numeric(d * (d + 1) / 2)), ncol = k),
    constants = log(weights) + vapply(inverse, function(a) sum(log(diag(a))), 0) - d / 2 * log(2 * pi),
    roots = roots, weights = weights, centre = centre, spread = spread
  )
}

#' @rdname target_mixture
#' @export
target_ring <- function(modes = 8, radius = 4, sd = 0.5, dim = 2, weights = NULL) {
  modes <- check_count(modes, "modes", 1L)
  dim <- check_target_size(dim, modes)
  radius <- check_number(radius, "radius", lower = 0)
  angle <- 2 * pi * (seq_len(modes) - 1) / modes
  mode_target(radius * cbind(cos(angle), sin(angle)), sd, dim, weights)
}

#' @rdname target_mixture
#' @export
target_grid <- function(side = 3, spacing = 3, sd = 0.5, dim = 2, weights = NULL) {
  side <- check_count(side, "side", 1L)
  dim <- check_target_size(dim, as.double(side)^2)
  spacing <- check_number(spacing, "spacing", lower = 0)
  at <- spacing * (seq_len(side) - (side + 1) / 2)
  mode_target(cbind(rep(at, side), rep(at, each = side)), sd, dim, weights)
}

# The number of dimensions of a target. modes: the number of modes of a mixture; 0: no mixture. A mode has three
# matrices [dim, dim], and R needs some hundred bytes for each of them besides.
check_target_size <- function(dim, modes) {
  dim <- check_count(dim, "dim", 2L)
  numbers <- if (modes > 0) modes * (3 * as.double(dim)^2 + 100) else 4 * as.double(dim)
  what <- sprintf("A target in %d dimensions", dim)
  if (modes > 0) what <- sprintf("%s with %.0f mode%s", what, modes, if (modes == 1) "" else "s")
  check_memory(8 * numbers, what, if (modes > dim) "give fewer modes" else "give a smaller `dim`")
  dim
}

# plane [modes, 2]: the first two columns of the means.
mode_target <- function(plane, sd, dim, weights) {
  sd <- check_number(sd, "sd", lower = 0, open_lower = TRUE)
  target_mixture(cbind(plane, matrix(0, nrow(plane), dim - 2L)), sd^2, weights)
}

#' @rdname target_mixture
#' @export
target_banana <- function(width = 2, bend = 0.5, dim = 2) {
  dim <- check_target_size(dim, 0)
  width <- check_number(width, "width", lower = 0, open_lower = TRUE)
  bend <- check_number(bend, "bend")
  new_target("banana", dim, "banana", list(width = width, bend = bend), centre = rep(0, dim),
             spread = c(width, sqrt(1 + 2 * bend^2 * width^4), rep(1, dim - 2L)))
}

# With this standard deviation of x_1 the standard deviation exp(x_1 / 2) of every draw is within the range of doubles.
# With a much larger one it is not.
widest_funnel <- 100

#' @rdname target_mixture
#' @export
target_funnel <- function(dim = 2, sd = 1) {
  dim <- check_target_size(dim, 0)
  sd <- check_number(sd, "sd", lower = 0, upper = widest_funnel, open_lower = TRUE)
  spread <- min(exp(sd^2 / 4), largest_length)
  new_target("funnel", dim, "funnel", list(sd = sd), centre = rep(0, dim), spread = c(sd, rep(spread, dim - 1L)))
}

# kind: "mixture", "banana" or "funnel". shape: the settings of a banana or a funnel. centre, spread [dim]: means and
# standard deviations of the columns. For a mixture: means [k, dim]; weights [k]; roots, a list of the L with
# L L' = covariance; factors [dim (dim + 1) / 2, k], the lower triangles of L^-1 by rows; constants [k], log(weight)
# minus the log of (2 pi)^(dim / 2) det L.
new_target <- function(name, dim, kind, shape, means = NULL, factors = NULL, constants = NULL, roots = NULL,
                       weights = NULL, centre, spread) {
  wide <- !(abs(centre) + spread <= largest_length)
  if (any(wide) || any(spread < 1 / largest_length)) {
    fail(paste("The target has means of %s and standard deviations of %s, whose squares leave the range of numbers:",
               "choose other units."), some(format(centre, digits = 3)), some(format(spread, digits = 3)))
  }
  structure(
    list(name = name, dim = dim, kind = kind, shape = shape, means = means, factors = factors,
         constants = constants, roots = roots, weights = weights, centre = centre, spread = spread),
    class = "wgf_target"
  )
}

component_covariances <- function(covariances, k, d) {
  if (is.list(covariances)) {
    if (length(covariances) != k) {
      fail("`covariances` must have one matrix for each of the %d components, not %d.", k, length(covariances))
    }
    return(covariances)
  }
  if (is.matrix(covariances)) return(rep(list(covariances), k))
  good <- is.numeric(covariances) && length(covariances) %in% c(1L, k) && all(is.finite(covariances)) &&
    all(covariances > 0)
  if (!good) {
    fail(paste("`covariances` must be positive variances (one for all components, or one for each), a matrix or a list",
               "of matrices, not %s."), describe(covariances))
  }
  lapply(rep_len(covariances, k), function(v) diag(v, d))
}

# The lower triangular L with L L' = covariance.
covariance_root <- function(covariance, d) {
  good <- is.matrix(covariance) && is.numeric(covariance) && all(dim(covariance) == d) &&
    all(is.finite(covariance)) && isSymmetric(unname(covariance))
  if (!good) {
    fail("`covariances` must be symmetric matrices of %d x %d finite numbers, not %s.", d, d, describe(covariance))
  }
  root <- tryCatch(chol(covariance), error = function(e) NULL)
  if (is.null(root)) fail("`covariances` must be positive definite.")
  unname(t(root))
}

# list(log_density [n], gradient [n, d])
target_field <- function(target, points, threads) {
  .Call(C_pf_target_field, points, target$kind, target$shape, target$means, target$factors, target$constants, threads)
}

#' @export
format.wgf_target <- function(x, ...) {
  check_dots("format()", ...)
  sprintf("<wgf_target> %s in %d dimension%s", x$name, x$dim, if (x$dim == 1) "" else "s")
}

#' @export
print.wgf_target <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' Exact draws from a target, and its values
#'
#' `simulate()` and `sample()` draw independent points. `predict()` gives the log-density or its gradient.
#'
#' @param object,x A target, see [target_mixture()].
#' @param nsim,size Number of rows, at least 0.
#' @param seed As in [simulate()][simulate.efs].
#' @param newdata Numeric matrix of points with one column per dimension. It is an error if the log-density or its
#'   gradient leaves the range of numbers there.
#' @param type `"log_density"`, of the normalised density, or `"gradient"` of the log-density.
#' @param replace,prob Not used.
#' @param ... Not used; for `sample()`, arguments of `simulate()`.
#' @return `simulate()` and `sample()`: a matrix `[nsim, dim]`; for a mixture its attribute `"component"` gives the
#'   component of each row. `predict()`: a numeric vector with one entry per row of `newdata`, or for `"gradient"` a
#'   matrix `[nrow(newdata), dim]`.
#' @examples
#' target <- target_banana()
#' x <- simulate(target, 5, seed = 1)
#' predict(target, x, type = "gradient")
#' @export
simulate.wgf_target <- function(object, nsim = 1, seed = NULL, ...) {
  check_dots("simulate()", ...)
  nsim <- check_rows(nsim, "nsim", object$dim)
  state <- stream_within(seed)
  key <- draw_key()
  out <- draw_target(object, draw_normal(nsim, object$dim, key, 1L), draw_uniform(nsim, 1L, key, 0L)[, 1])
  mark_seed(out, state)
}

# The values of a target. It is an error if they are not finite, or if a gradient is not below `largest`.
check_target_values <- function(values, largest = Inf) {
  bad <- !is.finite(values$log_density) | rowSums(!(abs(values$gradient) < largest)) > 0
  if (!any(bad)) return(values)
  stop_unsolved(paste("The log-density of the target, or its gradient, leaves the range of numbers at %d of %d points,",
                      "because they lie too far from it."), sum(bad), length(bad))
}

# Draws [n, d] from independent standard normals z [n, d] and uniforms u [n].
draw_target <- function(target, z, u) {
  if (target$kind == "mixture") {
    component <- pick_weighted(u, target$weights)
    for (k in unique(component)) {
      rows <- component == k
      z[rows, ] <- sweep(tcrossprod(z[rows, , drop = FALSE], target$roots[[k]]), 2, target$means[k, ], "+")
    }
    attr(z, "component") <- component
    return(z)
  }
  shape <- target$shape
  if (target$kind == "banana") {
    z[, 1] <- shape$width * z[, 1]
    z[, 2] <- z[, 2] + shape$bend * (z[, 1]^2 - shape$width^2)
  } else {
    z[, 1] <- shape$sd * z[, 1]
    z[, -1] <- z[, -1] * exp(z[, 1] / 2)
  }
  z
}

#' @rdname simulate.wgf_target
#' @export
sample.wgf_target <- function(x, size = 1, replace = FALSE, prob = NULL, ...) simulate(x, nsim = size, ...)

#' @rdname simulate.wgf_target
#' @export
predict.wgf_target <- function(object, newdata, type = c("log_density", "gradient"), ...) {
  check_dots("predict()", ...)
  type <- check_choice(type, c("log_density", "gradient"), "type")
  points <- unname(check_points(newdata, "newdata", min_rows = 0L, dim = object$dim))
  check_target_values(target_field(object, points, thread_count()))[[type]]
}
