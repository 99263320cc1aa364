#' Radius of the equilibrium law
#'
#' Infinitely many particles come to rest under the potential \eqn{|z|^2/2 + |z|^{-s}/s} (without softening) at the
#' equilibrium law. This function gives the radius \eqn{R} of its support.
#'
#' * For \eqn{d-4<s<d} the law is on a ball, with density proportional to \eqn{(R^2-|x|^2)^{(s-d+2)/2}} and
#'   \eqn{R^{s+2} = \Gamma((d-s)/2)\,\Gamma(s/2+2)/\Gamma(d/2+1)}{R^(s+2) = Gamma((d-s)/2) Gamma(s/2+2) / Gamma(d/2+1)}.
#' * For \eqn{-2<s\le d-4} the law is on a sphere, with
#'   \eqn{R^{s+2} = 2^{d-3-s}\,\Gamma(d/2)\,\Gamma((d-1-s)/2)/(\sqrt\pi\,\Gamma(d-1-s/2))}{
#'   R^(s+2) = 2^(d-3-s) Gamma(d/2) Gamma((d-1-s)/2) / (sqrt(pi) Gamma(d-1-s/2))}.
#'
#' The law is uniform on the ball only for \eqn{s = d-2}, and then \eqn{R = 1}.
#'
#' @param dim Dimension \eqn{d}, a whole number of at least 1.
#' @param s Exponent of the repulsion, \eqn{-2 < s < d}.
#' @return One number, in the unit of the particles.
#' @references Shu R (2025). A family of explicit minimizers for interaction
#'   energies. \doi{10.48550/arXiv.2501.14666}
#' @examples
#' equilibrium_radius(2, 0)
#' equilibrium_radius(15, 5)
#' @export
equilibrium_radius <- function(dim, s) {
  dim <- check_count(dim, "dim", 1L)
  .Call(C_pf_equilibrium_radius, dim, check_potential(s, 0, dim)$s)
}

#' The law "equilibrium": the law that the flow approaches
#'
#' The law at which infinitely many particles come to rest (see [equilibrium_radius()]), about the centre of the
#' particles. The direction is uniform. For \eqn{s > d-4}, the squared radius has the law
#' \eqn{|x|^2/R^2 \sim Beta(d/2, (s-d)/2+2)}{|x|^2/R^2 ~ Beta(d/2, (s-d)/2+2)}. For \eqn{s \le d-4}, the radius is
#' constant, \eqn{|x| = R}.
#'
#' The law is right after a long flow of many rows in few dimensions. After a short flow many draws lie where no
#' particle is. These draws come back far from the data. The law has no settings, because the exponent \eqn{s} is that
#' of the flow. It has a density for \eqn{s > d - 4}. [efs()] searches it only if you ask for it.
#'
#' @inherit equilibrium_radius references
#' @inherit law_local_covariance return
#' @examples
#' traj <- efs_forward(matrix(rnorm(400), ncol = 2), n_steps = 30)
#' set.seed(1)
#' y <- efs_augment(traj, 100, law_equilibrium())
#' @family latent laws
#' @export
law_equilibrium <- structure(function() {
  new_law_kind("equilibrium", equilibrium_fit, equilibrium_draw, equilibrium_density, spherical = FALSE,
               dense = equilibrium_is_dense)
}, class = "law_constructor")

equilibrium_fit <- function(points, s) {
  list(centre = colMeans(points), radius = equilibrium_radius(ncol(points), s), exponent = s)
}

# Whether the law is on a ball. Otherwise it is on a sphere and has no density.
equilibrium_is_dense <- function(law) law$exponent > length(law$centre) - 4

# On the ball, |x|^2/R^2 ~ Beta(d/2, (s-d)/2+2) and the direction is uniform:
# log q = log Gamma(b + d/2) - log Gamma(b) - d/2 log pi - d log R + (b-1) log(1 - |x|^2/R^2).
equilibrium_density <- function(law, points, threads, self = FALSE) {
  d <- ncol(points)
  b <- (law$exponent - d) / 2 + 2
  share <- rowSums(sweep(points, 2, law$centre)^2) / law$radius^2
  inside <- share < 1
  value <- rep(-Inf, nrow(points))
  value[inside] <- lgamma(b + d / 2) - lgamma(b) - d / 2 * log(pi) - d * log(law$radius) +
    (b - 1) * log1p(-share[inside])
  matrix(value)
}

equilibrium_draw <- function(law, n, key, threads) {
  draw_shell(n, law$centre, law$radius, "equilibrium", law$exponent, key, threads)
}
