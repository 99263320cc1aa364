#' The law "interpolate": a point between two particles
#'
#' A point that is uniform on the segment between two different particles chosen at random. The first particle is any
#' of the particles, the second is any that does not equal the first. If all particles are equal, the draws equal them.
#' The law has no settings and no density.
#'
#' @inherit law_local_covariance return
#' @examples
#' traj <- efs_forward(matrix(rnorm(100), ncol = 2), n_steps = 5)
#' set.seed(1)
#' y <- efs_augment(traj, 10, law_interpolate())
#' @family latent laws
#' @export
law_interpolate <- structure(function() new_law_kind("interpolate", interpolate_fit, interpolate_draw),
                             class = "law_constructor")

# Equal rows stand together, so that a draw can leave out all rows that equal its first row. `last`: the place of the
# last row that equals row i. `others`: the number of rows that differ from row i.
interpolate_fit <- function(points) {
  n <- nrow(points)
  first <- first_equal(points)
  place <- order(first)
  sorted <- first[place]
  last <- n + 1L - match(sorted, rev(sorted))
  list(points = points[place, , drop = FALSE], last = last, others = n - (last - match(sorted, sorted) + 1L))
}

interpolate_draw <- function(law, n, key, threads) {
  u <- draw_uniform(n, 3, key)
  size <- nrow(law$points)
  from <- pick(u[, 1], size)
  to <- (law$last[from] - 1 + pick(u[, 2], law$others[from])) %% size + 1 # any row that differs, if there is one
  between(law$points, from, to, u[, 3])
}
