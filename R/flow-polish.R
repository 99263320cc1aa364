# Metropolis-adjusted Langevin moves (MALA): they leave the density as it is, whatever their size. All chains move
# at once, one per row. A proposal is normal with variance size^2 in each direction about x + size^2 grad log p / 2.

# The size is changed until so many proposals are accepted; it is the best share for smooth densities in many
# dimensions (Roberts and Rosenthal 1998).
best_acceptance <- 0.574

first_size <- function(d) 1.4 * d^(-1 / 6)

# Every fourth move is short, so that chains in a narrow place move too.
short_every <- 4L

short_size <- 0.25

# x [n, d]: where the chains stand, in units in which the density is about as wide in each direction; at: the values
# there. size: one number per move, or the number for the first move if `adapt`. Draws come from `key`, the streams 2 s
# and 2 s + 1 in move s. Returns list(points, values, size [moves], acceptance: of the last move that was not short,
# moved [n]: whether a chain ever moved, outside: the share of proposals outside of the support, evaluations).
langevin_moves <- function(density, x, at, moves, size, adapt, key, threads) {
  n <- nrow(x)
  out <- list(size = numeric(moves), acceptance = NA_real_, moved = rep(FALSE, n), outside = 0, evaluations = 0)
  size <- rep_len(size, max(1L, if (adapt) 1L else moves))
  now <- long <- size[1]
  for (s in seq_len(moves)) {
    short <- s %% short_every == 0L
    now <- if (!adapt) size[s] else if (short) long * short_size else long
    ahead <- langevin_mean(x, at$gradient, now)
    trial <- ahead + now * draw_normal(n, ncol(x), key, 2L * s)
    there <- density_values(density, trial, threads)
    back <- langevin_mean(trial, there$gradient, now)
    log_ratio <- there$log_density - at$log_density +
      (rowSums((trial - ahead)^2) - rowSums((x - back)^2)) / (2 * now^2)
    chance <- exp(pmin(log_ratio, 0))
    chance[!is.finite(chance) | there$log_density == -Inf] <- 0
    go <- draw_uniform(n, 1L, key, 2L * s + 1L)[, 1] < chance
    x[go, ] <- trial[go, ]
    at$log_density[go] <- there$log_density[go]
    at$gradient[go, ] <- there$gradient[go, ]
    out$size[s] <- now
    out$moved <- out$moved | go
    out$outside <- out$outside + mean(there$log_density == -Inf) / moves
    out$evaluations <- out$evaluations + there$evaluations
    if (short) next
    out$acceptance <- mean(chance)
    long <- long * exp(out$acceptance - best_acceptance)
  }
  c(list(points = x, values = at[c("log_density", "gradient")]), out)
}

# The drift size^2 g / 2, but no longer than twice the root-mean-square length of the noise.
langevin_mean <- function(x, gradient, size) {
  drift <- size^2 / 2 * gradient
  longest <- 2 * size * sqrt(ncol(x))
  x + drift * pmin(1, longest / pmax(sqrt(rowSums(drift^2)), 1e-300))
}
