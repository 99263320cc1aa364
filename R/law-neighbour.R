#' The law "neighbour": a point between a particle and a neighbour
#'
#' A point that is uniform on the segment between a particle chosen at random and one of its `k` nearest neighbours.
#' Particles that equal the first one are not counted as neighbours, and equal neighbours count once. If all particles
#' are equal, the draws equal them. The draws stay close to the data and add little that is new. The law has no density.
#' Of more than 50,000 (20,000 in up to three dimensions) particles it knows a sample, see [laws].
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
  new_law_kind("neighbour", neighbour_fit, neighbour_draw, settings = settings, most_rows = kernel_rows)
}, class = "law_constructor")

# Neighbours are sought among the distinct rows, because a draw between a row and its duplicate would be a copy.
neighbour_fit <- function(points, k = 5) {
  first <- first_equal(points)
  distinct <- which(first == seq_along(first))
  if (length(distinct) == 1) return(list(points = points, k = 1L, index = matrix(first))) # all rows are equal
  k <- min(as.integer(k), length(distinct) - 1L)
  apart <- points[distinct, , drop = FALSE]
  index <- neighbours(apart, apart, k, self = TRUE)$index[match(first, distinct), , drop = FALSE]
  list(points = points, k = k, index = matrix(distinct[index], ncol = k))
}

neighbour_draw <- function(law, n, key, threads) {
  u <- draw_uniform(n, 3, key)
  from <- pick(u[, 1], nrow(law$points))
  to <- law$index[cbind(from, pick(u[, 2], law$k))]
  between(law$points, from, to, u[, 3])
}
