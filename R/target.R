#' Densities to sample from
#'
#' Densities whose values and gradients are computed in C and from which exact draws can be made, for [wgf()] and for
#' judging what it does: mixtures of Gaussians (any, on a ring, on a grid), a banana and a funnel.
#'
#' `target_ring()` puts the modes on a circle in the first two columns, `target_grid()` on a square grid there; the
#' other columns have mean 0. The banana is \eqn{x_1 \sim N(0, a^2)}, \eqn{x_2 \sim N(b(x_1^2 - a^2), 1)}, the others
#' \eqn{N(0, 1)}. The funnel is \eqn{x_1 \sim N(0, a^2)}, the others \eqn{N(0, e^{x_1})} given \eqn{x_1}.
#'
#' @param means Numeric matrix, one row a component.
#' @param covariances Of the components: one variance for all, one a component, a matrix for all, or a list of
#'   matrices.
#' @param weights Positive weights of the components, brought to sum 1; `NULL`: equal.
#' @param modes Number of modes on the ring.
#' @param side Number of modes along each side of the grid.
#' @param radius,spacing Of the ring; between neighbours on the grid.
#' @param sd Standard deviation of each mode in each direction; for the funnel that of the first column, \eqn{a}, at
#'   most 100. Beyond 20 the other columns are too wide for [wgf()] to start from.
#' @param width,bend \eqn{a} and \eqn{b} of the banana.
#' @param dim Number of columns.
#' @return An object of class `wgf_target`: [simulate()] gives exact draws, `predict(target, x)` the log-density of
#'   the rows of `x` and `predict(target, x, type = "gradient")` its gradient.
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
  roots <- lapply(component_covariances(covariances, k, d), covariance_root)
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
  radius <- check_number(radius, "radius", lower = 0)
  angle <- 2 * pi * (seq_len(modes) - 1) / modes
  mode_target(radius * cbind(cos(angle), sin(angle)), sd, dim, weights)
}

#' @rdname target_mixture
#' @export
target_grid <- function(side = 3, spacing = 3, sd = 0.5, dim = 2, weights = NULL) {
  side <- check_count(side, "side", 1L)
  spacing <- check_number(spacing, "spacing", lower = 0)
  at <- spacing * (seq_len(side) - (side + 1) / 2)
  mode_target(cbind(rep(at, side), rep(at, each = side)), sd, dim, weights)
}

mode_target <- function(plane, sd, dim, weights) {
  dim <- check_count(dim, "dim", 2L)
  sd <- check_number(sd, "sd", lower = 0, open_lower = TRUE)
  target_mixture(cbind(plane, matrix(0, nrow(plane), dim - 2L)), sd^2, weights)
}

#' @rdname target_mixture
#' @export
target_banana <- function(width = 2, bend = 0.5, dim = 2) {
  dim <- check_count(dim, "dim", 2L)
  width <- check_number(width, "width", lower = 0, open_lower = TRUE)
  bend <- check_number(bend, "bend")
  new_target("banana", dim, "banana", list(width = width, bend = bend), centre = rep(0, dim),
             spread = c(width, sqrt(1 + 2 * bend^2 * width^4), rep(1, dim - 2L)))
}

# The standard deviation exp(x_1 / 2) of each draw is a number with this one, and with none of much more.
widest_funnel <- 100

#' @rdname target_mixture
#' @export
target_funnel <- function(dim = 2, sd = 1) {
  dim <- check_count(dim, "dim", 2L)
  sd <- check_number(sd, "sd", lower = 0, upper = widest_funnel, open_lower = TRUE)
  spread <- min(exp(sd^2 / 4), largest_length)
  new_target("funnel", dim, "funnel", list(sd = sd), centre = rep(0, dim), spread = c(sd, rep(spread, dim - 1L)))
}

# shape: the settings of a banana or a funnel. centre, spread [dim]: means and standard deviations of the columns.
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

# L with C = L L'.
covariance_root <- function(covariance) {
  if (!is.matrix(covariance) || !is.numeric(covariance) || !isSymmetric(unname(covariance))) {
    fail("`covariances` must be symmetric matrices, not %s.", describe(covariance))
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
  sprintf("<wgf_target> %s in %d dimension%s", x$name, x$dim, if (x$dim == 1) "" else "s")
}

#' @export
print.wgf_target <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' Exact draws from a target, and its values
#'
#' @param object,x A target, see [target_mixture()].
#' @param nsim,size Number of rows.
#' @param seed As in [simulate()][simulate.efs].
#' @param newdata Matrix of points.
#' @param type `"log_density"` (normalised) or `"gradient"` of it.
#' @param replace,prob Not used.
#' @param ... Not used.
#' @return `simulate()`, `sample()`: a matrix `[nsim, dim]`, for a mixture with the component of each row as
#'   attribute `"component"`. `predict()`: a number a row, or a matrix.
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

# Values of a target, finite and with gradients of at most `largest`: they may leave the range of doubles.
check_target_values <- function(values, largest = Inf) {
  bad <- !is.finite(values$log_density) | rowSums(!(abs(values$gradient) < largest)) > 0
  if (!any(bad)) return(values)
  stop_unsolved(paste("The log-density of the target, or its gradient, leaves the range of numbers at %d of %d points,",
                      "because they lie too far from it."), sum(bad), length(bad))
}

# From independent standard normals [n, d] and uniforms [n].
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
