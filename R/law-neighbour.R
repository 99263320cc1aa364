#' The law "neighbour": a point between a particle and a neighbour
#'
#' A point that is uniform on the segment between a particle chosen at random and one of its `k` nearest neighbours.
#' The draws stay close to the data and add little that is new. The law has no density.
#'
#' @param k Number of neighbours, a whole number of at least 1.
#' @inherit law_local_covariance return
#' @examples
#' traj <- efs_forward(matrix(rnorm(100), ncol = 2), n_steps = 5)
#' set.seed(1)
#' y <- efs_augment(traj, 10, law_neighbour(k = 3))
#' @family latent laws
#' @export
law_neighbour <- structure(function(k = 5) {
  settings <- given_settings()
  check_count(k, "k", 1L)
  new_law_kind("neighbour", neighbour_fit, neighbour_draw, settings = settings)
}, class = "law_constructor")

neighbour_fit <- function(points, k = 5) {
  k <- min(as.integer(k), nrow(points) - 1L)
  list(points = points, k = k, index = neighbours(points, points, k, self = TRUE)$index)
}

neighbour_draw <- function(law, n, key, threads) {
  u <- draw_uniform(n, 3, key)
  from <- pick(u[, 1], nrow(law$points))
  to <- law$index[cbind(from, pick(u[, 2], law$k))]
  between(law$points, from, to, u[, 3])
}
