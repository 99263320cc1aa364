#' The law "global": a particle plus noise shaped like all particles
#'
#' A particle chosen at random plus Gaussian noise. The covariance of the noise is `jitter`\eqn{^2} times the
#' covariance of all particles. The sum is shrunk towards the centre by \eqn{(1 + jitter^2)^{-1/2}}, so that the draws
#' have the mean and the covariance of the particles. The law suits data without clusters.
#'
#' The covariance of few rows is estimated badly. Therefore a share \eqn{d/(5n)} of it is replaced by a multiple of the
#' identity with the same trace. A search tries fourteen values of `jitter` between 0.03 and 2.5. Of more than 50,000
#' (20,000 in up to three dimensions) particles the law knows a sample, see [laws].
#'
#' @param jitter Standard deviation of the noise relative to that of the particles, a number of at least 0. `NULL`: the
#'   normal reference rule, \eqn{(4/((d+2)n))^{1/(d+4)}}.
#' @inherit law_local return references
#' @examples
#' law_global(jitter = 0.3)
#' efs(iris[51:100, 3:4], law = law_global(jitter = 0.3), time = 0)
#' @family latent laws
#' @export
law_global <- structure(function(jitter = NULL) {
  settings <- given_settings()
  if (!is.null(jitter)) check_number(jitter, "jitter", lower = 0)
  new_law_kind("global", global_fit, global_draw, global_density, global_candidates, settings, sweep = "jitter",
               spherical = FALSE, searched = 2, components = global_components, most_rows = kernel_rows)
}, class = "law_constructor")

global_candidates <- function(n, d) list(list(jitter = exp(seq(log(0.03), log(2.5), length.out = 14))))

# The share of the identity is d/n divided by this number. d/n is the order of the relative error of the eigenvalues. A
# fifth of it keeps the covariance definite, and its bias is too small to be seen.
sphere_divisor <- 5

global_fit <- function(points, jitter = NULL) {
  d <- ncol(points)
  n <- nrow(points)
  # the normal reference rule where no width is given
  if (is.null(jitter)) jitter <- (4 / ((d + 2) * n))^(1 / (d + 4))
  covariance <- stats::cov(points)
  level <- sum(diag(covariance)) / d
  shrink <- min(1, d / n / sphere_divisor)
  covariance <- (1 - shrink) * covariance
  diag(covariance) <- diag(covariance) + max(shrink * level, 1e-10 * level)
  root <- cholesky(covariance)
  if (is.null(root)) return(NULL)
  list(points = points, centre = colMeans(points), root = root, jitter = jitter)
}

# A draw is c + (x_a - c + h U'e) / (1 + h^2)^(1/2), so its density at y is that of the
# plain mixture at c + (1 + h^2)^(1/2) (y - c), times (1 + h^2)^(d/2).
global_density <- function(law, points, threads, self = FALSE, jitter = law$jitter) {
  d <- ncol(points)
  turned <- function(x) t(backsolve(law$root, t(sweep(x, 2, law$centre)), transpose = TRUE))
  constant <- -sum(log(diag(law$root)))
  means <- turned(law$points)
  at <- turned(points)
  each <- vapply(jitter, function(h) {
    kernel_log_density(sqrt(1 + h^2) * at, means, h, threads, self)[, 1] + constant + d / 2 * log1p(h^2)
  }, numeric(nrow(points)))
  matrix(each, nrow(points))
}

global_draw <- function(law, n, key, threads) {
  from <- pick(draw_uniform(n, 1, key)[, 1], nrow(law$points))
  noise <- law$jitter * draw_normal(n, ncol(law$points), key, stream = 1L) %*% law$root
  centred <- sweep(law$points[from, , drop = FALSE], 2, law$centre) + noise
  sweep(centred / sqrt(1 + law$jitter^2), 2, law$centre, "+")
}

global_components <- function(law) {
  if (!(law$jitter > 0)) return(NULL)
  share <- 1 / sqrt(1 + law$jitter^2)
  n <- nrow(law$points)
  means <- law$centre + share * (t(unname(law$points)) - law$centre)
  pack_components(rep(1 / n, n), means, packed_roots(list(law$jitter * share * law$root)))
}
