# The energy distance of large tables, along lines. For a direction xi that is uniform on the unit sphere of dimension
# d,
#   |z| = C E |<xi, z>|,  C = sqrt(pi) Gamma((d + 1) / 2) / Gamma(d / 2),
# so that the energy distance is C times the mean of those along lines. Each of these costs a sort. Directions are drawn
# in sets of orthogonal ones: over d of them the mean of a quadratic form of xi has no error, and that is what the
# distances along lines are for a small shift. In the plane a set has equal angles, and the first seven harmonics of a
# line's angle have no error. The standard error comes from the spread of the means of the sets.

slice_constant <- function(dim) sqrt(pi) * exp(lgamma((dim + 1) / 2) - lgamma(dim / 2))

# Directions of a set: in one dimension, in the plane, and at most.
line_set_size <- function(dim) if (dim == 2) 8L else min(dim, 16L)

# Without `n_directions`: the fewest directions and sets, the most directions, and the most rows times directions, some
# 20 seconds of a processor.
usual_directions <- c(fewest = 64, most = 1024)
fewest_sets <- 10
most_projected <- 5e8

# Directions come in sets. In one dimension there is one direction.
direction_sets <- function(dim, n_directions) if (dim == 1) 1 else ceiling(n_directions / line_set_size(dim))

# The sets of directions `from` to `to`, [dim, directions]. They do not depend on `from` and `to`.
line_directions <- function(dim, from, to, key, stream = 1L) {
  size <- line_set_size(dim)
  all <- if (dim == 2) angle_sets(size, to, key, stream) else orthogonal_directions(dim, size * to, key, stream, size)
  all[, seq(size * (from - 1) + 1, size * to), drop = FALSE]
}

# [2, size * sets]: sets of lines with equal angles between them, each set turned at random.
angle_sets <- function(size, sets, key, stream) {
  angle <- pi / size * (rep(draw_uniform(sets, 1L, key, stream)[, 1], each = size) + rep(seq_len(size), sets))
  rbind(cos(angle), sin(angle))
}

# One row per direction: the energy distance of the projected samples, and the mean distances of two rows of x and of
# two rows of y.
line_energies <- function(x, y, directions, threads, tick) {
  blocks <- in_blocks(ncol(directions), 10 * (as.numeric(nrow(x)) + nrow(y)), function(from, count) {
    sums <- .Call(C_pf_line_energies, x, y, directions[, from + seq_len(count), drop = FALSE], threads)
    tick(count)
    t(sums)
  }, chunk = 2, least = 2)
  do.call(rbind, blocks)
}

# list(value, error, directions): the energy distance and its standard error. Where `n_directions` is NULL, there are as
# many as bring the standard error to `tolerance` times the value. If two samples of one law would have a larger value
# than this one, `tolerance` times theirs is enough.
sliced_energy <- function(x, y, unbiased, n_directions, tolerance, key, threads) {
  dim <- ncol(x)
  usual <- is.null(n_directions)
  first <- direction_sets(dim, if (usual) usual_directions[["fewest"]] else n_directions)
  if (usual && dim > 1) first <- max(fewest_sets, first)
  state <- list(key = key, unbiased = unbiased, threads = threads, lines = NULL, directions = NULL)
  state <- add_lines(state, x, y, first)
  normal <- if (dim > 2) normal_moments(x, y)
  found <- estimate_energy(state, normal)
  target <- tolerance * max(abs(found$value), found$noise)
  if (!usual || dim == 1 || found$error <= target) return(found)
  most <- min(usual_directions[["most"]], most_projected / (as.numeric(nrow(x)) + nrow(y)))
  wanted <- min(ceiling(first * (found$error / target)^2), direction_sets(dim, most))
  if (wanted <= first) return(found)
  estimate_energy(add_lines(state, x, y, wanted), normal)
}

# Goes on to `sets` sets of directions.
add_lines <- function(state, x, y, sets) {
  dim <- ncol(x)
  done <- length(state$lines) / line_set_size(dim)
  directions <- line_directions(dim, done + 1, sets, state$key)
  total <- ncol(directions)
  what <- "The distances along lines"
  tick <- telling_tick(progress_bar(what, total, NULL)$tick, total, NULL, what)
  sums <- line_energies(x, y, directions, state$threads, tick)
  n <- c(nrow(x), nrow(y))
  state$noise <- c(state$noise, sums[, 2] / n[1] + sums[, 3] / n[2])
  own <- sums[, 1] - if (state$unbiased) sums[, 2] / (n[1] - 1) + sums[, 3] / (n[2] - 1) else 0
  state$lines <- c(state$lines, own)
  state$directions <- cbind(state$directions, directions)
  state$n <- n
  state
}

# The mean over all directions from those that were drawn. A second function of the direction, whose mean is known,
# takes out what both have in common: the energy distance along the line of two normal laws with the means and
# covariances of the samples. (A control variate, with the coefficient of least squares.)
estimate_energy <- function(state, normal) {
  dim <- nrow(state$directions)
  constant <- slice_constant(dim)
  size <- line_set_size(dim)
  of_sets <- function(values) colMeans(matrix(values, size))
  sets <- of_sets(state$lines)
  count <- length(sets)
  found <- list(value = mean(sets), error = if (count > 1) stats::sd(sets) / sqrt(count) else NA_real_)
  if (dim == 1) found$error <- 0
  if (!is.null(normal) && count >= fewest_sets) {
    known <- normal_mean(normal, state, of_sets)
    found <- regress_sets(sets, of_sets(normal_lines(normal, state$directions, state$n, state$unbiased)), known)
  }
  if (!state$unbiased) found$value <- max(0, found$value)
  list(value = constant * found$value, error = constant * found$error, noise = constant * mean(state$noise),
       directions = length(state$lines))
}

# known: list(value, error), the mean of `normal` over all directions.
regress_sets <- function(sets, normal, known) {
  count <- length(sets)
  spread <- sum((normal - mean(normal))^2)
  # equal in all directions: rounding alone would decide
  if (!is.finite(spread) || sqrt(spread / count) <= 1e-10 * mean(abs(normal))) {
    return(list(value = mean(sets), error = stats::sd(sets) / sqrt(count)))
  }
  slope <- sum((normal - mean(normal)) * sets) / spread
  rest <- sets - mean(sets) - slope * (normal - mean(normal))
  off <- known$value - mean(normal)
  squared <- sum(rest^2) / (count - 2) * (1 / count + off^2 / spread) + (slope * known$error)^2
  list(value = mean(sets) + slope * off, error = sqrt(squared))
}

# ---- two normal laws -------------------------------------------------------------------------------------------

# Columns up to which there are normal laws to compare with, and what their covariances may cost.
most_normal_columns <- 256L
most_squares <- 2e8

normal_moments <- function(x, y) {
  if (ncol(x) > most_normal_columns) return(NULL)
  covariance <- function(z) {
    if (nrow(z) == 1) return(matrix(0, ncol(z), ncol(z)))
    stats::cov(z[spaced_rows(nrow(z), max(1000, floor(most_squares / ncol(z)^2))), , drop = FALSE])
  }
  list(shift = colMeans(x) - colMeans(y), x = covariance(x), y = covariance(y))
}

# E |Z| for normal Z.
mean_size <- function(mean, sd) {
  sd <- pmax(sd, 1e-300)
  sd * sqrt(2 / pi) * exp(-(mean / sd)^2 / 2) + mean * (1 - 2 * stats::pnorm(-mean / sd))
}

# The expected energy distance along each direction (a column) of samples of both laws with n[1] and n[2] rows.
normal_lines <- function(moments, directions, n, unbiased) {
  x <- quadratic(moments$x, directions)
  y <- quadratic(moments$y, directions)
  within <- if (unbiased) c(1, 1) else 1 - 1 / n
  2 * mean_size(colSums(moments$shift * directions), sqrt(x + y)) -
    2 / sqrt(pi) * (within[1] * sqrt(x) + within[2] * sqrt(y))
}

# <xi, S xi> for each column xi, by sums in a fixed order.
quadratic <- function(s, directions) {
  total <- 0
  for (i in seq_len(nrow(directions))) total <- total + directions[i, ] * colSums(s[, i] * directions)
  pmax(total, 0)
}

# Its mean over all directions, list(value, error), from many sets.
normal_mean <- function(normal, state, of_sets) {
  dim <- nrow(state$directions)
  sets <- max(10000, 20 * ncol(state$directions)) / line_set_size(dim)
  sets <- ceiling(max(100, min(sets, most_squares / (dim^2 * line_set_size(dim)))))
  directions <- line_directions(dim, 1, sets, state$key, 2L)
  values <- of_sets(normal_lines(normal, directions, state$n, state$unbiased))
  list(value = mean(values), error = stats::sd(values) / sqrt(sets))
}
