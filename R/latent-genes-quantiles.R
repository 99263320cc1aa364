# The smoothed quantile function of a column: x as a function of the normal score z, by local linear regression of the
# sorted values on their normal scores. It is linear in z beyond the values, and it keeps their mean and variance.

score_grid <- seq(-4.6, 4.6, by = 0.05)
grid_step <- 0.05

# [g, n]: the quantile function at the grid is weights %*% sorted values. The bandwidth in units of z is 1.25 n^(-1/5),
# or the spacing of the scores where this is larger.
quantile_weights <- function(n) {
  z <- stats::qnorm((seq_len(n) - 0.5) / n)
  inner <- pmin(abs(score_grid), z[n])
  width <- pmax(1.25 * n^-0.2, 1 / (n * stats::dnorm(inner)))
  t(vapply(seq_along(score_grid), function(i) local_linear(z - score_grid[i], width[i]), numeric(n)))
}

# The weights of a local linear fit at 0 with a Gaussian kernel. Far from all points it is the line through the nearest.
local_linear <- function(distance, width) {
  k <- exp(-(distance^2 - min(distance^2)) / (2 * width^2))
  s1 <- sum(k * distance)
  s2 <- sum(k * distance^2)
  spread <- sum(k) * s2 - s1^2
  if (!(spread > 1e-10 * s2)) return(k / sum(k))
  k * (s2 - s1 * distance) / spread
}

# The quantile functions [g, b] of columns with the sorted values [n, b].
quantile_grid <- function(sorted, weights) {
  n <- nrow(sorted)
  grid <- weights %*% sorted
  for (i in seq_len(nrow(grid))[-1]) grid[i, ] <- pmax(grid[i, ], grid[i - 1, ])
  mass <- stats::dnorm(score_grid) / sum(stats::dnorm(score_grid))
  centre <- colSums(mass * grid)
  spread <- sqrt(pmax(colSums(mass * grid^2) - centre^2, 0))
  means <- colMeans(sorted)
  wanted <- sqrt(pmax(colSums(sorted^2) - n * means^2, 0) / (n - 1))
  stretch <- ifelse(spread > 0, wanted / spread, 0)
  grid <- (grid - rep(centre, each = nrow(grid))) * rep(stretch, each = nrow(grid)) + rep(means, each = nrow(grid))
  keep_heaps(grid, sorted)
}

# A score between two equal values has their value: heaps, such as values at a limit of detection, stay heaps.
keep_heaps <- function(grid, sorted) {
  n <- nrow(sorted)
  if (!any(sorted[-1, ] == sorted[-n, ])) return(grid)
  place <- stats::pnorm(score_grid) * n + 0.5
  low <- sorted[pmin(pmax(floor(place), 1), n), , drop = FALSE]
  high <- sorted[pmin(pmax(ceiling(place), 1), n), , drop = FALSE]
  heap <- low == high & (place >= 1 & place <= n | repeated_ends(sorted, place))
  grid[heap] <- low[heap]
  for (i in seq_len(nrow(grid))[-1]) grid[i, ] <- pmax(grid[i, ], grid[i - 1, ])
  grid
}

# [g, b]: whether a place beyond the values is beyond an end that several values share.
repeated_ends <- function(sorted, place) {
  n <- nrow(sorted)
  outer(place < 1, sorted[1, ] == sorted[2, ], "&") | outer(place > n, sorted[n, ] == sorted[n - 1, ], "&")
}

# The values [m, b] at the scores z [m, b].
quantile_values <- function(sorted, weights, z) {
  grid <- quantile_grid(sorted, weights)
  last <- length(score_grid)
  place <- (pmin(pmax(z, score_grid[1]), score_grid[last]) - score_grid[1]) / grid_step + 1
  below <- pmin(floor(place), last - 1)
  at <- as.vector(below + (col(z) - 1) * last) # a matrix of two columns would mean rows and columns
  low <- grid[at]
  low + (place - below) * (grid[at + 1] - low)
}

# The scores [m, b] of the values x [m, b]. A value of a heap has the middle of its scores.
quantile_scores <- function(sorted, weights, x) {
  grid <- quantile_grid(sorted, weights)
  z <- matrix(0, nrow(x), ncol(x))
  for (j in which(grid[nrow(grid), ] > grid[1, ])) {
    z[, j] <- stats::approx(grid[, j], score_grid, x[, j], rule = 2, ties = mean)$y
  }
  z
}
