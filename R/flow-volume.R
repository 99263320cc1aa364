# The volume that one step of an exact flow makes of a volume.

# log det of one step at each row of `points`, which the particles `at` move. potential: list(s, epsilon). `self`: the
# rows are the particles, and each is without its own pair.
step_log_det <- function(points, at, gamma, potential, self, threads) {
  if (ncol(at) > most_exact_dims) return(step_log_det_estimate(points, at, gamma, potential, self))
  work <- nrow(at) * (ncol(at)^2 / 2 + 5 * ncol(at) + 20)
  value <- unlist(in_blocks(nrow(points), work, function(from, count) {
    .Call(C_pf_step_log_det, points, at, from, count, self, gamma, potential$s, potential$epsilon, threads)
  }))
  list(value = as.double(value), error = 0)
}

# Up to this dimension the core computes Jacobians.
most_exact_dims <- 128L

# In more dimensions: I - gamma J = a (I - M) with M = (c/a) sum (w/u) z z', so that
#   log det = d log a - tr M - tr M^2 / 2 - tr M^3 / 3 - ...
# tr M is exact. The next two terms are estimated by v'M^2 v and v'M^3 v at random signs v, and their standard error is
# returned. The rest is at most m^3/(4 (1-m)) tr M, where m is the largest eigenvalue of M. It is small if steps can be
# undone.
step_log_det_estimate <- function(points, at, gamma, potential, self, probes = 8L) {
  n <- nrow(at)
  d <- ncol(at)
  step <- gamma / (n - 1)
  size <- max(1L, floor(4e6 / n))
  signs <- sign(draw_uniform(d, probes, c(1L, 1L)) - 0.5)
  along <- at %*% signs
  parts <- lapply(split(seq_len(nrow(points)), (seq_len(nrow(points)) - 1L) %/% size), function(rows) {
    y <- points[rows, , drop = FALSE]
    r2 <- pmax(outer(rowSums(y^2), rowSums(at^2), "+") - 2 * tcrossprod(y, at), 0)
    u <- r2 + potential$epsilon
    w <- u^-(potential$s / 2 + 1)
    if (self) w[cbind(seq_along(rows), rows)] <- 0
    a <- 1 - step * ((if (self) n - 1 else n) - rowSums(w))
    scale <- step * (potential$s + 2) * w / u / a
    # M v, with the matrix M of each row: sum_a scale (y - x_a) ((y - x_a).v)
    apply_m <- function(directions, shared) {
      # directions [rows, d]
      to_source <- if (is.null(shared)) directions %*% t(at) else matrix(shared, length(rows), n, byrow = TRUE)
      inner <- rowSums(y * directions) - to_source
      weighted <- scale * inner
      y * rowSums(weighted) - weighted %*% at
    }
    second <- third <- matrix(0, length(rows), probes)
    for (p in seq_len(probes)) {
      v <- matrix(signs[, p], length(rows), d, byrow = TRUE)
      first <- apply_m(v, along[, p])
      second[, p] <- rowSums(first^2)
      third[, p] <- rowSums(first * apply_m(first, NULL))
    }
    each <- second / 2 + third / 3
    cbind(d * log(a) - rowSums(scale * r2) - rowMeans(each), apply(each, 1, stats::var) / probes)
  })
  both <- do.call(rbind, parts)
  list(value = both[, 1], error = sqrt(mean(both[, 2])))
}
