#' The law "radial": a uniform direction and the radii of the points
#'
#' A law about the mean of the points. The direction is uniform on the sphere and independent of the radius \eqn{r}.
#' The distribution function \eqn{G} of \eqn{t = r^d} is the line through sample quantiles of the points, so that the
#' density of \eqn{t} is constant between two neighbouring quantiles. Beyond the last quantile, which 1 % of the
#' points exceed, \eqn{t} has an exponential tail with their mean excess. With the volume \eqn{v_d} of the unit ball,
#' the log-density at a point is \eqn{\log G'(r^d) - \log v_d}{log G'(r^d) - log v_d}.
#'
#' This is the law of particles that a flow has brought to a round shape. [law_equilibrium()] gives their radii in the
#' limit of infinitely many particles and of infinite time. [efs()] takes this law with `particles`, and
#' [predict()][predict.efs] with `type = "rank"` returns \eqn{G} of each row. [efs()] searches it only if you ask for
#' it.
#'
#' @param centre The centre, one number per coordinate. `NULL`: the mean of the points.
#' @inherit law_local_covariance return
#' @examples
#' traj <- efs_forward(matrix(rnorm(400), ncol = 2), n_steps = 30)
#' set.seed(1)
#' y <- efs_augment(traj, 100, law_radial())
#' @family latent laws
#' @export
law_radial <- structure(function(centre = NULL) {
  if (!is.null(centre)) {
    good <- is.numeric(centre) && length(centre) > 0 && all(is.finite(centre))
    if (!good) fail("`centre` must be NULL or one number per coordinate, not %s.", describe(centre))
  }
  new_law_kind("radial", radial_fit, radial_draw, radial_density, settings = given_settings(), spherical = FALSE)
}, class = "law_constructor")

# The number of quantiles follows the number of points. Between two of them lie at least so many points, but in the
# last tenth, which is near the edge of a round law.
points_between <- 40
most_quantiles <- 19

# knots: quantiles of r^d with the probabilities `levels`; tail: the mean excess over the last one.
radial_fit <- function(points, centre = NULL) {
  if (is.null(centre)) centre <- colMeans(points)
  if (length(centre) != ncol(points)) {
    fail("`centre` has length %d, but the points have %d coordinates.", length(centre), ncol(points))
  }
  grown <- distance_to(points, centre)^ncol(points)
  if (!any(grown > 0)) return(NULL)
  count <- max(2, min(most_quantiles, length(grown) %/% points_between))
  near_edge <- if (length(grown) >= 100 * points_between) seq(0.91, 0.99, by = 0.01) else c(0.95, 0.99)
  levels <- c(seq(0, 0.9, length.out = count), near_edge)
  knots <- c(0, stats::quantile(grown, levels[-1], names = FALSE))
  kept <- c(TRUE, diff(knots) > 0)
  knots <- knots[kept]
  last <- knots[length(knots)]
  beyond <- grown[grown > last]
  tail <- if (length(beyond)) mean(beyond) - last else last * 0.01
  list(centre = centre, knots = knots, levels = levels[kept], tail = max(tail, last * 1e-3))
}

radial_density <- function(law, points, threads, self = FALSE) {
  d <- ncol(points)
  grown <- distance_to(points, law$centre)^d
  last <- length(law$knots)
  rate <- log(diff(law$levels)) - log(diff(law$knots))
  value <- rate[pmin(findInterval(grown, law$knots), last - 1L)]
  beyond <- grown >= law$knots[last]
  value[beyond] <- log(1 - law$levels[last]) - log(law$tail) - (grown[beyond] - law$knots[last]) / law$tail
  matrix(value + lgamma(d / 2 + 1) - d / 2 * log(pi))
}

# The share of the law within the sphere through each point.
radial_rank <- function(law, points) {
  grown <- distance_to(points, law$centre)^ncol(points)
  last <- length(law$knots)
  inside <- stats::approx(law$knots, law$levels, pmin(grown, law$knots[last]))$y
  beyond <- pmax(grown - law$knots[last], 0) / law$tail
  ifelse(beyond > 0, 1 - (1 - law$levels[last]) * exp(-beyond), inside)
}

# The radii of spheres within which the law has the probabilities u.
radial_radius <- function(law, u) {
  last <- length(law$knots)
  inside <- stats::approx(law$levels, law$knots, pmin(u, law$levels[last]))$y
  beyond <- -law$tail * log((1 - pmax(u, law$levels[last])) / (1 - law$levels[last]))
  (inside + beyond)^(1 / length(law$centre))
}

radial_draw <- function(law, n, key, threads) {
  if (n == 0) return(matrix(0, 0, length(law$centre)))
  unit <- draw_shell(n, 0 * law$centre, 1, "sphere", 0, key, threads)
  radius <- radial_radius(law, draw_uniform(n, 1L, key, radius_stream)[, 1])
  sweep(unit * radius, 2, law$centre, "+")
}

# Streams 0 and up are those of draw_shell().
radius_stream <- 7L
