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
  new_law("global", points = points, centre = colMeans(points), root = chol(covariance), jitter = jitter)
}

# A draw is c + (x_a - c + h U'e) / (1 + h^2)^(1/2), so its density at y is that of the
# plain mixture at c + (1 + h^2)^(1/2) (y - c), times (1 + h^2)^(d/2).
#' @export
law_density.law_global <- function(law, points, threads, self = FALSE, jitter = law$jitter, ...) {
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

#' @export
draw_law.law_global <- function(law, n, key, threads) {
  from <- pick(draw_uniform(n, 1, key)[, 1], nrow(law$points))
  noise <- law$jitter * draw_normal(n, ncol(law$points), key, stream = 1L) %*% law$root
  centred <- sweep(law$points[from, , drop = FALSE], 2, law$centre) + noise
  sweep(centred / sqrt(1 + law$jitter^2), 2, law$centre, "+")
}
