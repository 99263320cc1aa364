# The likelihood of a flow, by the change of variables through its steps:
#   log p(y0) = log q(yk) + sum_j log det(I - gamma_j J_j),
# where J_j is the Jacobian of the field of frame j at the point before the step.

# log det of one step at each row of `points`, which the particles `at` move. `self`: the rows are the particles, and
# each is without its own pair.
step_log_det <- function(points, at, gamma, traj, self, threads) {
  if (ncol(at) > most_exact_dims) return(step_log_det_estimate(points, at, gamma, traj, self))
  work <- nrow(at) * (ncol(at)^2 / 2 + 5 * ncol(at) + 20)
  value <- unlist(in_blocks(nrow(points), work, function(from, count) {
    .Call(C_pf_step_log_det, points, at, from, count, self, gamma, traj$s, traj$epsilon, threads)
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
step_log_det_estimate <- function(points, at, gamma, traj, self, probes = 8L) {
  n <- nrow(at)
  d <- ncol(at)
  step <- gamma / (n - 1)
  size <- max(1L, floor(4e6 / n))
  signs <- sign(draw_uniform(d, probes, c(1L, 1L)) - 0.5)
  along <- at %*% signs
  parts <- lapply(split(seq_len(nrow(points)), (seq_len(nrow(points)) - 1L) %/% size), function(rows) {
    y <- points[rows, , drop = FALSE]
    r2 <- pmax(outer(rowSums(y^2), rowSums(at^2), "+") - 2 * tcrossprod(y, at), 0)
    u <- r2 + traj$epsilon
    w <- u^-(traj$s / 2 + 1)
    if (self) w[cbind(seq_along(rows), rows)] <- 0
    a <- 1 - step * ((if (self) n - 1 else n) - rowSums(w))
    scale <- step * (traj$s + 2) * w / u / a
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

# Points carried along with the flow: where they end, and the sums of the log dets. Without `points` the particles
# themselves are taken, each without its own pair.
carry_forward <- function(traj, points = NULL, threads) {
  frame_at <- frame_reader(traj, threads)
  own <- is.null(points)
  if (own) points <- unname(frame_at(1L))
  total <- numeric(nrow(points))
  error <- 0
  for (j in seq_along(traj$gamma)) {
    at <- unname(frame_at(j))
    if (own) points <- at
    volume <- step_log_det(points, at, traj$gamma[j], traj, own, threads)
    total <- total + volume$value
    error <- error + volume$error
    if (!own) {
      field <- field_at(points, at, traj$s, traj$epsilon, FALSE, threads)
      points <- check_carried(points - traj$gamma[j] * field$gradient, traj)
    }
  }
  if (own) points <- last_frame(traj)
  list(points = unname(points), log_det = total, error = error)
}

# Log-density of latent rows of one class, in units of the latent rows. Without `z` the training rows are taken, each
# without its own particle.
flow_log_density <- function(flow, z = NULL, threads) {
  check_density(flow$law)
  if (any(flow$scale == 0)) {
    fail("The rows of a class have no density if a column does not vary within the class; leave this column out.")
  }
  carried <- carry_forward(flow$trajectory, if (!is.null(z)) to_flow(z, flow), threads)
  density <- law_density(flow$law, carried$points, threads, self = is.null(z))
  structure(density[, 1] + carried$log_det + flow_log_volume(flow), error = carried$error)
}
