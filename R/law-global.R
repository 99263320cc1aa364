law_global <- function(points, s, jitter = NULL) {
  d <- ncol(points)
  n <- nrow(points)
  # the normal reference rule where no width is given
  if (is.null(jitter)) jitter <- (4 / ((d + 2) * n))^(1 / (d + 4))
  jitter <- check_number(jitter, "jitter", lower = 0)
  covariance <- stats::cov(points)
  # as much towards the sphere as keeps it definite with few rows
  level <- sum(diag(covariance)) / d
  shrink <- min(1, d / n / 5)
  covariance <- (1 - shrink) * covariance
  diag(covariance) <- diag(covariance) + max(shrink * level, 1e-10 * level)
  new_law("global", points = points, root = chol(covariance), jitter = jitter)
}

#' @export
law_density.law_global <- function(law, points, threads, self = FALSE, jitter = law$jitter, ...) {
  d <- ncol(points)
  turned <- function(x) t(backsolve(law$root, t(x), transpose = TRUE))
  constant <- -sum(log(diag(law$root))) - d / 2 * log(2 * pi)
  mixture_log_density(turned(points), turned(law$points), NULL, rep(constant, nrow(law$points)), jitter, threads, self)
}

#' @export
draw_law.law_global <- function(law, n, key, threads) {
  from <- pick(draw_uniform(n, 1, key)[, 1], nrow(law$points))
  law$points[from, , drop = FALSE] + law$jitter * draw_normal(n, ncol(law$points), key, stream = 1L) %*% law$root
}
