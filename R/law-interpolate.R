#' The law "interpolate": a point between two particles
#'
#' A point that is uniform on the segment between two particles chosen at random. The law has no settings and no
#' density.
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

interpolate_fit <- function(points) list(points = points)

interpolate_draw <- function(law, n, key, threads) {
  u <- draw_uniform(n, 3, key)
  size <- nrow(law$points)
  from <- pick(u[, 1], size)
  to <- (from - 1 + pick(u[, 2], size - 1)) %% size + 1 # any row other than `from`
  between(law$points, from, to, u[, 3])
}
