law_local <- function(points, s, jitter = 1) {
  jitter <- check_number(jitter, "jitter", lower = 0)
  spacing <- typical_spacing(points)
  new_law("local", points = points, spacing = spacing, jitter = jitter)
}

#' @export
law_density.law_local <- function(law, points, threads, self = FALSE, jitter = law$jitter, ...) {
  kernel_log_density(points, law$points, jitter * law$spacing / sqrt(ncol(points)), threads, self)
}

#' @export
draw_law.law_local <- function(law, n, key, threads) {
  dim <- ncol(law$points)
  from <- pick(draw_uniform(n, 1, key)[, 1], nrow(law$points))
  noise <- draw_normal(n, dim, key, stream = 1L)
  law$points[from, , drop = FALSE] + law$jitter * law$spacing / sqrt(dim) * noise
}
