#' Augmentation: draw fresh latent points
#'
#' Draws points where a forward flow has ended; [efs_backward()] carries them
#' to the data.
#'
#' @section Laws:
#' \describe{
#'   \item{`"equilibrium"`}{the law the flow is heading for, about the centre of
#'     the particles (see [equilibrium_radius()]): the direction is uniform and
#'     \eqn{|x|^2/R^2 \sim Beta(d/2, (s-d)/2+2)}, or \eqn{|x| = R} for
#'     \eqn{s \le d-4}. Right after a long flow of many rows in few dimensions;
#'     after a short flow many draws fall where no particle is, and come back far
#'     from the data.}
#'   \item{`"local"`}{a particle plus Gaussian noise whose root-mean-square
#'     length is `jitter` times the median distance of a particle to its nearest
#'     neighbour.}
#'   \item{`"global"`}{a particle plus Gaussian noise with `jitter`\eqn{^2} times the
#'     covariance of all particles, drawn in towards the centre by
#'     \eqn{(1 + jitter^2)^{-1/2}}, so that the covariance stays what it was.}
#'   \item{`"local_covariance"`}{a particle plus Gaussian noise shaped by its
#'     surroundings: the covariance of its `k` nearest neighbours, a share
#'     `shrinkage` of it replaced by the sphere of the same trace, times
#'     `jitter`\eqn{^2}. `keep_moments` draws it in towards the mean of the
#'     neighbours, so that the local covariance stays what it was: better on thin sheets
#'     and clusters, worse in heavy tails.}
#'   \item{`"copula"`}{a Gaussian copula: each coordinate is brought to a normal
#'     one by a monotone map, from its kernel estimate of bandwidth `bandwidth` times
#'     the rule of thumb ([stats::bw.nrd0()]) with a generalised Pareto tail beyond the outer 5 % at
#'     either end, linear between knots; the correlations are kept. For clouds without clusters. With `base`
#'     `"student"` or `"local_covariance"` that law (with its settings) is fitted to the normal coordinates
#'     instead: for clusters and bends among skewed columns.}
#'   \item{`"mixture"`}{a mixture of `components` Gaussians with full covariances,
#'     by the EM algorithm of package mclust with its conjugate prior; `NULL` takes
#'     the number by BIC. `model` is mclust's: `"VVV"`, each component its own
#'     covariance, or `"VEE"`, one shape in several sizes, as heavy tails have it.}
#'   \item{`"student"`}{a mixture of `components` multivariate t by the EM algorithm, with a
#'     conjugate prior worth `prior` rows of a sphere of the component's size, so that a
#'     component may have fewer rows than there are dimensions. With `df = Inf` the components are Gaussian, and
#'     the law is what their posterior predicts: t distributions with as many degrees of freedom as
#'     a component has rows (prior included). A small `df` is for heavy tails.}
#'   \item{`"stack"`}{a mixture of laws with densities: `parts`, a list of
#'     `list(law = , settings = )`, and their `weights`. [efs()] makes it where a
#'     mixture of the laws it has tried gives held-out rows more likelihood than any one.}
#'   \item{`"neighbour"`}{a uniform point between a particle and one of its `k`
#'     nearest neighbours. Close to the data, and little news.}
#'   \item{`"sphere"`}{uniform on the sphere about the centre whose radius is the
#'     mean distance to it: Algorithm 1 of the paper.}
#'   \item{`"ball"`}{uniform in the ball about the centre that encloses all
#'     particles.}
#'   \item{`"interpolate"`}{a uniform point between two particles.}
#' }
#' All but `"sphere"`, `"interpolate"`, `"neighbour"`, and `"equilibrium"` where that is a
#' sphere, have a density, for [logLik()][logLik.efs].
#'
#' @param traj A [particle_trajectory].
#' @param n Number of points to draw.
#' @param method Name of the law. The default is the one of the theory; [efs()]
#'   uses `"local"`.
#' @param ... Settings of the law: `jitter` (default 1) for `"local"`; `jitter`
#'   (`NULL`: the normal reference rule) for `"global"`; `k` (default
#'   20), `shrinkage` (0.1), `jitter` (0.7) and `keep_moments` (`FALSE`) for `"local_covariance"`; `bandwidth` (1)
#'   and `base` (`"normal"`) for `"copula"`; `components` (`NULL`) and `model` (`"VVV"`) for `"mixture"`; `components` (1), `df`
#'   (`Inf`) and `prior` (d + 2) for `"student"`; `k` (default 5) for
#'   `"neighbour"`.
#' @param threads As in [efs_forward()].
#' @return A matrix of `n` rows and `d` columns, on the latent side. Governed by
#'   [set.seed()]; the first rows do not depend on how many are drawn.
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Algorithm 1. \doi{10.48550/arXiv.2507.08239}
#'
#' Hosking JRM, Wallis JR (1987). Parameter and quantile estimation for the generalized Pareto
#' distribution. Technometrics 29. \doi{10.2307/1269343} (the tails of `"copula"`)
#' @examples
#' traj <- efs_forward(matrix(rnorm(400), ncol = 2), n_steps = 30)
#' set.seed(1)
#' y <- efs_augment(traj, 100, "equilibrium")
#' new <- efs_backward(traj, y)
#' @export
efs_augment <- function(traj, n, method = "equilibrium", ..., threads = NULL) {
  check_trajectory(traj)
  n <- check_rows(n, "n", dim(traj$frames)[2])
  threads <- threads_within(threads)
  law <- fit_law(method, traj, ...)
  points <- draw_law(law, n, draw_key(), threads)
  colnames(points) <- dimnames(traj$frames)[[2]]
  points
}
