#' Radius of the equilibrium law
#'
#' The radius of the support of the law at which infinitely many particles rest
#' under \eqn{|z|^2/2 + |z|^{-s}/s} (without softening): a ball with density
#' proportional to \eqn{(R^2-|x|^2)^{(s-d+2)/2}} for \eqn{d-4<s<d}, where
#' \eqn{R^{s+2} = \Gamma((d-s)/2)\,\Gamma(s/2+2)/\Gamma(d/2+1)}, and a sphere for
#' \eqn{-2<s\le d-4}, where \eqn{R^{s+2} =
#' 2^{d-3-s}\,\Gamma(d/2)\,\Gamma((d-1-s)/2)/(\sqrt\pi\,\Gamma(d-1-s/2))}. The
#' ball is uniform only for \eqn{s = d-2}, and then \eqn{R = 1}.
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

law_equilibrium <- function(points, s) {
  new_law("equilibrium", centre = colMeans(points),
          radius = equilibrium_radius(ncol(points), s), exponent = s)
}

# On the ball, |x|^2/R^2 ~ Beta(d/2, (s-d)/2+2) and the direction is uniform:
# log q = log Gamma(b + d/2) - log Gamma(b) - d/2 log pi - d log R + (b-1) log(1 - |x|^2/R^2).
#' @export
law_density.law_equilibrium <- function(law, points, threads, self = FALSE, ...) {
  d <- ncol(points)
  b <- (law$exponent - d) / 2 + 2
  share <- rowSums(sweep(points, 2, law$centre)^2) / law$radius^2
  inside <- share < 1
  value <- rep(-Inf, nrow(points))
  value[inside] <- lgamma(b + d / 2) - lgamma(b) - d / 2 * log(pi) - d * log(law$radius) +
    (b - 1) * log1p(-share[inside])
  matrix(value)
}

#' @export
draw_law.law_equilibrium <- function(law, n, key, threads) {
  draw_shell(n, law$centre, law$radius, "equilibrium", law$exponent, key, threads)
}

law_sphere <- function(points, s) {
  centre <- colMeans(points)
  new_law("sphere", centre = centre, radius = mean(distance_to(points, centre)))
}

#' @export
draw_law.law_sphere <- function(law, n, key, threads) {
  draw_shell(n, law$centre, law$radius, "sphere", 0, key, threads)
}

law_ball <- function(points, s) {
  centre <- colMeans(points)
  new_law("ball", centre = centre, radius = max(distance_to(points, centre)))
}

#' @export
law_density.law_ball <- function(law, points, threads, self = FALSE, ...) {
  d <- ncol(points)
  value <- lgamma(d / 2 + 1) - d / 2 * log(pi) - d * log(law$radius)
  matrix(ifelse(distance_to(points, law$centre) <= law$radius, value, -Inf))
}

#' @export
draw_law.law_ball <- function(law, n, key, threads) {
  draw_shell(n, law$centre, law$radius, "ball", 0, key, threads)
}
