#' Augmentation: draw new latent points
#'
#' Fits a latent law to the last frame of a forward flow and draws points from it. [efs_backward()] carries these
#' points to the data.
#'
#' @param traj A [particle_trajectory] from [efs_forward()].
#' @param n Number of points to draw, a whole number of at least 0.
#' @param law Name of a latent law, or a law such as `law_local(jitter = 0.5)`: see [laws]. The default is the law of
#'   the theory.
#' @param ... Settings of the law, if `law` is a name. `method` is an older name of the argument `law` and still works.
#' @param threads As in [efs_forward()].
#' @return A numeric matrix of `n` rows and `d` columns, in the unit of the trajectory. The draws follow [set.seed()],
#'   and the first rows do not depend on `n`.
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Algorithm 1. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' traj <- efs_forward(matrix(rnorm(400), ncol = 2), n_steps = 30)
#' set.seed(1)
#' y <- efs_augment(traj, 100, "equilibrium")
#' new <- efs_backward(traj, y)
#' @export
efs_augment <- function(traj, n, law = "equilibrium", ..., threads = NULL) {
  settings <- list(...)
  if ("method" %in% names(settings)) {
    law <- settings$method
    settings$method <- NULL
  }
  check_settings(settings, "...")
  kind <- as_law(law, settings)
  check_trajectory(traj)
  n <- check_rows(n, "n", dim(traj$frames)[2])
  threads <- threads_within(threads)
  points <- draw_law(fit_law(kind, last_frame(traj), traj$s), n, draw_key(), threads)
  colnames(points) <- dimnames(traj$frames)[[2]]
  points
}
