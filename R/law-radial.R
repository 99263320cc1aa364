#' The law "radial": a uniform direction and the radii of the points
#'
#' A law about the mean of the points. The direction is uniform on the sphere and independent of the radius \eqn{r}.
#' The distribution function \eqn{G} of \eqn{t = r^d} is the line through sample quantiles of the points, so that the
#' density of \eqn{t} is constant between two neighbouring quantiles. Beyond the last quantile, which about 1 % of the
#' points exceed, \eqn{t} has an exponential tail with their mean excess. With the volume \eqn{v_d} of the unit ball,
#' the log-density at a point is \eqn{\log G'(r^d) - \log v_d}{log G'(r^d) - log v_d}.
#'
#' This is the law of the particles at the end of a flow that has brought them to a round shape, where [law_equilibrium()]
#' gives their radii in the limit of infinitely many particles and of infinite time. [efs()] takes it with
#' `particles`, and [predict()][predict.efs] with `type = "rank"` returns \eqn{G} of each row. The law has no settings. [efs()]
#' searches it only if you ask for it.
#'
#' @inherit law_local_covariance return
#' @examples
#' traj <- efs_forward(matrix(rnorm(400), ncol = 2), n_steps = 30)
#' set.seed(1)
#' y <- efs_augment(traj, 100, law_radial())
#' @family latent laws
#' @export
law_radial <- structure(function() {
  new_law_kind("radial", radial_fit, radial_draw, radial_density, spherical = FALSE)
}, class = "law_constructor")

# The number of quantiles follows the number of points. Between two of them lie at least so many points.
points_between <- 50
most_quantiles <- 16

# knots: quantiles of r^d with the probabilities `levels`; tail: the mean excess over the last one.
radial_fit <- function(points) {
  centre <- colMeans(points)
  grown <- distance_to(points, centre)^ncol(points)
  if (!any(grown > 0)) return(NULL)
  count <- max(2, min(most_quantiles, length(grown) %/% points_between))
  levels <- unique(c(seq(0, 0.95, length.out = count), 0.975, 0.99))
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
  unit <- draw_shell(n, 0 * law$centre, 1, "sphere", 0, key, threads)
  radius <- radial_radius(law, draw_uniform(n, 1L, key, radius_stream)[, 1])
  sweep(unit * radius, 2, law$centre, "+")
}

# Streams 0 and up are those of draw_shell().
radius_stream <- 7L
