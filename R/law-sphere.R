#' The law "sphere": uniform on a sphere
#'
#' The uniform law on a sphere about the centre of the particles. The radius is the mean distance of the particles from
#' the centre. This is the augmentation of Algorithm 1 of the paper. The law has no settings and no density.
#'
#' @inherit laws references
#' @inherit law_local_covariance return
#' @examples
#' traj <- efs_forward(matrix(rnorm(100), ncol = 2), n_steps = 5)
#' set.seed(1)
#' y <- efs_augment(traj, 10, law_sphere())
#' @family latent laws
#' @export
law_sphere <- structure(function() new_law_kind("sphere", sphere_fit, sphere_draw), class = "law_constructor")

sphere_fit <- function(points) {
  centre <- colMeans(points)
  list(centre = centre, radius = mean(distance_to(points, centre)))
}

sphere_draw <- function(law, n, key, threads) draw_shell(n, law$centre, law$radius, "sphere", 0, key, threads)
