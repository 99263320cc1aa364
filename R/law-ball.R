#' The law "ball": uniform in a ball
#'
#' The uniform law on the ball about the centre of the particles that encloses all of them. It has no settings. It has
#' a density. [efs()] searches it only if you ask for it.
#'
#' @inherit law_local_covariance return
#' @examples
#' traj <- efs_forward(matrix(rnorm(100), ncol = 2), n_steps = 5)
#' set.seed(1)
#' y <- efs_augment(traj, 10, law_ball())
#' @family latent laws
#' @export
law_ball <- structure(function() {
  new_law_kind("ball", ball_fit, ball_draw, ball_density, spherical = FALSE)
}, class = "law_constructor")

ball_fit <- function(points) {
  centre <- colMeans(points)
  list(centre = centre, radius = max(distance_to(points, centre)))
}

ball_density <- function(law, points, threads, self = FALSE) {
  d <- ncol(points)
  value <- lgamma(d / 2 + 1) - d / 2 * log(pi) - d * log(law$radius)
  matrix(ifelse(distance_to(points, law$centre) <= law$radius, value, -Inf))
}

ball_draw <- function(law, n, key, threads) draw_shell(n, law$centre, law$radius, "ball", 0, key, threads)
