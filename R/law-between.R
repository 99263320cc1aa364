law_interpolate <- function(points, s) {
  new_law("interpolate", points = points)
}

#' @export
draw_law.law_interpolate <- function(law, n, key, threads) {
  u <- draw_uniform(n, 3, key)
  size <- nrow(law$points)
  from <- pick(u[, 1], size)
  to <- (from - 1 + pick(u[, 2], size - 1)) %% size + 1 # any row but `from`
  between(law$points, from, to, u[, 3])
}

law_neighbour <- function(points, s, k = 5) {
  k <- min(check_count(k, "k", 1L), nrow(points) - 1L)
  new_law("neighbour", points = points, k = k,
          index = neighbours(points, points, k, self = TRUE)$index)
}

#' @export
draw_law.law_neighbour <- function(law, n, key, threads) {
  u <- draw_uniform(n, 3, key)
  from <- pick(u[, 1], nrow(law$points))
  to <- law$index[cbind(from, pick(u[, 2], law$k))]
  between(law$points, from, to, u[, 3])
}
