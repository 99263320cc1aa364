#' Augmentation: draw fresh latent points
#'
#' Draws points where a forward flow has ended; [efs_backward()] carries them
#' to the data.
#'
#' @param traj A [particle_trajectory].
#' @param n Number of points to draw.
#' @param law Name of a latent law, or a law such as `law_local(jitter = 0.5)`: see [laws]. The default is the one
#'   of the theory.
#' @param ... Settings of the law, where `law` is a name. The argument `law` was called `method` once, and this name is
#'   still taken.
#' @param threads As in [efs_forward()].
#' @return A matrix of `n` rows and `d` columns, on the latent side. Governed by
#'   [set.seed()]; the first rows do not depend on how many are drawn.
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
