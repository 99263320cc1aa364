# Moves of tempered particles that leave the law with density q0^(1 - t) p^t as it is.

# The particles are a list: points [n, d]; log_density [n] and gradient [n, d] of p; log_start [n] and pull [n, d], the
# same of the start law q0 (not needed at t = 1).

# The log-density of the law at exponent t, and its gradient.
bridge_value <- function(cloud, t) {
  if (t == 1) return(cloud$log_density)
  value <- (1 - t) * cloud$log_start + t * cloud$log_density
  value[cloud$log_density == -Inf] <- -Inf
  value
}
bridge_slope <- function(cloud, t) if (t == 1) cloud$gradient else (1 - t) * cloud$pull + t * cloud$gradient

# The particles at points [n, d] of the free scale. evaluations: of the density.
cloud_at <- function(density, points, start, t, threads) {
  values <- density_values(density, points, threads)
  cloud <- list(points = points, log_density = values$log_density, gradient = values$gradient)
  if (t < 1) {
    begun <- mixture_values(start, points, threads)
    cloud$log_start <- begun$log_density
    cloud$pull <- begun$gradient
  }
  list(cloud = cloud, evaluations = values$evaluations)
}

cloud_parts <- c("points", "log_density", "gradient", "log_start", "pull")

# The particles `rows` of a cloud; and a cloud in which they are replaced.
cloud_rows <- function(cloud, rows) {
  lapply(cloud, function(part) if (is.matrix(part)) part[rows, , drop = FALSE] else part[rows])
}
cloud_with <- function(cloud, rows, by) {
  for (part in names(cloud)) {
    if (is.matrix(cloud[[part]])) cloud[[part]][rows, ] <- by[[part]] else cloud[[part]][rows] <- by[[part]]
  }
  cloud
}

# The random numbers of move `move` of step `step`: another key for each.
move_key <- function(run, move, part) other_key(other_key(run$key, run$state$step, move), 0L, part + 1L)

# ---- Langevin moves --------------------------------------------------------------------------------------

# The share of accepted moves at which Langevin moves go furthest, in many dimensions.
wanted_acceptance <- 0.574

# The drift in units of the metric is at most this many times the length that the noise has on average, so that a steep
# slope does not throw a particle away.
most_drift <- 1

# One Metropolis-adjusted Langevin move of all particles. In the metric C = R'R of the other half, a particle goes to
# x + (e^2 / 2) C g + e R'z with g the gradient and z normal, and is accepted with the probability of Metropolis and
# Hastings. Its length e depends on the slope at x, see local_step().
langevin_move <- function(run, cloud, t, move) {
  n <- nrow(cloud$points)
  d <- ncol(cloud$points)
  noise <- draw_normal(n, d, move_key(run, move, 1L), 0L)
  u <- draw_uniform(n, 2L, move_key(run, move, 1L), 7L)
  shorter <- exp(shorter_steps * pmin(u[, 1] / shorter_share - 1, 0))
  size <- run$state$steps[run$half] * shorter
  here <- langevin_law(run, cloud, t, size)
  ahead <- cloud$points + by_half(run, here$size * noise + here$drift, from_metric)
  made <- cloud_at(run$density, ahead, run$state$start, t, run$threads)
  fresh <- made$cloud
  there <- langevin_law(run, fresh, t, size)
  # the noise that would bring the particle back
  back <- -(here$size * noise + here$drift + there$drift) / there$size
  odds <- bridge_value(fresh, t) - bridge_value(cloud, t) + (rowSums(noise^2) - rowSums(back^2)) / 2 +
    d * log(here$size / there$size)
  odds[is.na(odds)] <- -Inf
  chance <- pmin(exp(odds), 1)
  accepted <- u[, 2] < chance
  list(cloud = cloud_with(cloud, which(accepted), cloud_rows(fresh, accepted)), chance = chance,
       moved = accepted, outside = mean(fresh$log_density == -Inf), evaluations = made$evaluations)
}

# list(size [n], drift [n, d]) in units of the metric.
langevin_law <- function(run, cloud, t, size) {
  slope <- by_half(run, bridge_slope(cloud, t), into_metric)
  steep2 <- rowSums(slope^2)
  size <- size / sqrt(1 + steep2 / (steep_slope * ncol(slope)))
  drift <- size^2 / 2 * slope
  long <- sqrt(rowSums(drift^2))
  list(size = size, drift = drift * pmin(1, most_drift * size * sqrt(ncol(slope)) / pmax(long, 1e-300)))
}

# A matrix of the rows of the particles, each half turned by its metric.
by_half <- function(run, rows, turn) {
  for (h in 1:2) {
    own <- run$half == h
    rows[own, ] <- turn(rows[own, , drop = FALSE], run$state$units[[h]]$root)
  }
  rows
}
into_metric <- function(slope, root) tcrossprod(slope, root)
from_metric <- function(z, root) z %*% root

# A share of the steps is shorter, down to exp(-shorter_steps) of the others, because one length may suit one region and
# not another.
shorter_share <- 0.3
shorter_steps <- 3

# Steps are shorter where the slope is steeper than this, as a multiple of the slope of a normal law: there the density
# changes on a smaller scale than the metric.
steep_slope <- 2

# ---- jumps -----------------------------------------------------------------------------------------------

# A jump of all particles: each proposal is a draw from the mixture that was fitted to the other half. log_ratio: of p
# and the mixture at the proposals and at the particles before the jump.
mixture_jump <- function(run, cloud, t, move) {
  n <- nrow(cloud$points)
  state <- run$state
  ahead <- cloud$points
  from <- to <- numeric(n)
  for (h in 1:2) {
    rows <- which(run$half == h)
    law <- state$laws[[h]]
    ahead[rows, ] <- student_draw(law, length(rows), move_key(run, move, 1L + h), run$threads)
    to[rows] <- mixture_log_values(law, ahead[rows, , drop = FALSE], run$threads)
    from[rows] <- mixture_log_values(law, cloud$points[rows, , drop = FALSE], run$threads)
  }
  made <- cloud_at(run$density, ahead, state$start, t, run$threads)
  fresh <- made$cloud
  odds <- bridge_value(fresh, t) - bridge_value(cloud, t) + from - to
  odds[is.na(odds)] <- -Inf
  chance <- pmin(exp(odds), 1)
  accepted <- draw_uniform(n, 1L, move_key(run, move, 4L), 8L)[, 1] < chance
  list(cloud = cloud_with(cloud, which(accepted), cloud_rows(fresh, accepted)), chance = chance,
       moved = accepted, evaluations = made$evaluations,
       ratios = cbind(fresh$log_density - to, cloud$log_density - from))
}

# ---- a round ---------------------------------------------------------------------------------------------

# One jump, if jumps are of use, and one Langevin move. The step of one half follows the accepted moves of the other.
move_round <- function(run, cloud, t, move) {
  state <- run$state
  jump <- NULL
  if (state$jump_use > 0.05 || move %% 4L == 0L) {
    jump <- mixture_jump(run, cloud, t, 2L * move)
    cloud <- jump$cloud
    state$jump_use <- mean(jump$chance)
  }
  walk <- langevin_move(run, cloud, t, 2L * move + 1L)
  taken <- vapply(2:1, function(h) mean(walk$chance[run$half == h]), 0)
  state$steps <- pmin(pmax(state$steps * exp(taken - wanted_acceptance), 1e-4), 4)
  state$evaluations <- state$evaluations + walk$evaluations + if (is.null(jump)) 0 else jump$evaluations
  run$state <- state
  list(run = run, cloud = walk$cloud, walked = mean(walk$chance),
       jumped = if (is.null(jump)) NA_real_ else mean(jump$chance), ratios = jump$ratios, outside = walk$outside,
       moved = walk$moved | if (is.null(jump)) FALSE else jump$moved)
}

# How much the particles still know of where they stood: the largest correlation over the principal axes of `unit`, of
# the coordinates and of their squares, which are cut at 9 because of heavy tails.
remembrance <- function(before, now, unit) {
  both <- function(points) {
    z <- into_unit(points, unit)
    z <- cbind(z, pmin(z^2, 9))
    sweep(z, 2, colMeans(z))
  }
  a <- both(before)
  b <- both(now)
  size <- sqrt(colSums(a^2) * colSums(b^2))
  max(ifelse(size > 0, colSums(a * b) / size, 0))
}
