# Slices along random directions in place of all pairs; see ?efs_field.

# Directions of the first look, from whose error the number of directions follows, and the most there may be.
first_directions <- 64L
most_directions <- 8192L

# Grid points per length of the softening, and the fewest and the most of all.
grid_fineness <- 6
grid_points <- c(256L, 4096L)

new_sliced_field <- function(asked, points, potential, threads) {
  dim <- ncol(points)
  if (potential$s > 0) fail("The field \"sliced\" is for `s` of at most 0, not %s.", format(potential$s))
  if (dim > most_exact_dims) {
    fail("The field \"sliced\" is for at most %d columns, not %d.", most_exact_dims, dim)
  }
  field <- structure(list(kind = "sliced", key = draw_key(), directions = asked$directions,
                          tolerance = asked$tolerance), class = c("sliced_field", "particle_field"))
  if (is.null(field$directions)) field$directions <- needed_directions(field, points, potential, threads)
  field$directions <- full_sets(field$directions, dim)
  field
}

# In one dimension there is one direction.
full_sets <- function(count, dim) if (dim == 1) 1L else as.integer(dim * ceiling(count / dim))

needed_directions <- function(field, points, potential, threads) {
  field$directions <- full_sets(first_directions, ncol(points))
  frame <- open_field(field, points, 1L, potential, threads)
  error <- check_field(frame, threads)$field_error
  as.integer(min(most_directions, ceiling(field$directions * (error / field$tolerance)^2)))
}

# Measured: a direction costs a point as much as six pairs, of the sources and of the points together.
#' @export
field_work.sliced_field <- function(field, dim) 6 * field$directions

#' @export
format.sliced_field <- function(x, ...) sprintf("slices along %d directions", x$directions)

#' @export
open_field.sliced_field <- function(field, at, step, potential, threads) {
  centre <- colMeans(at)
  squared <- rowSums((at - rep(centre, each = nrow(at)))^2)
  radius <- sqrt(max(squared))
  scale <- mean(squared)
  if (radius == 0) radius <- scale <- 1
  wanted <- ceiling(grid_fineness * 4 * radius / sqrt(potential$epsilon))
  grid <- as.integer(min(max(wanted, grid_points[1]), grid_points[2]))
  spacing <- 4 * radius / (grid - 8L)
  direction <- orthogonal_directions(ncol(at), field$directions, field$key, as.integer(step))
  start <- drop(centre %*% direction) - spacing * (grid - 1) / 2
  spline <- in_blocks(ncol(direction), as.numeric(nrow(at)) * (ncol(at) + 10) / 4, function(from, count) {
    some <- from + seq_len(count)
    .Call(C_pf_slices_build, at, direction[, some, drop = FALSE], start[some], spacing, grid, potential$s,
          potential$epsilon, threads)
  }, chunk = 8)
  spline <- do.call(cbind, spline)
  # what all directions have in common needs no draws; a direction and its opposite have an odd function in common
  common <- if (ncol(at) == 1) numeric(grid) else rowMeans(spline)
  common <- (common - rev(common)) / 2
  core <- c(list(engine = "slices"), potential,
            list(mean = centre, factor = 1, own = FALSE, rows = nrow(at), direction = direction, start = start,
                 spacing = spacing, spline = spline - common, scale = scale,
                 radial = radial_part(common, spacing, scale, ncol(at))))
  new_approximate_frame(field, at, step, core, field_work(field, ncol(at)))
}

# The value at t of the spline with these coefficients, whose grid is centred at 0; a straight line beyond its ends.
spline_values <- function(coefficients, spacing, t) {
  grid <- length(coefficients)
  u <- t / spacing + (grid - 1) / 2
  inside <- pmin(pmax(u, 1), grid - 3)
  cell <- pmin(floor(inside), grid - 4)
  f <- inside - cell
  g <- 1 - f
  at <- function(k) coefficients[cell + k] # cell counts from 0
  value <- (g^3 * at(0) + (f^2 * (3 * f - 6) + 4) * at(1) + (g^2 * (3 * g - 6) + 4) * at(2) + f^3 * at(3)) / 6
  slope <- (f^2 * at(3) - g * (3 * g - 4) * at(2) + f * (3 * f - 4) * at(1) - g^2 * at(0)) / 2
  value + slope * (u - inside)
}

radial_steps <- 256L

# The coefficients of psi, with E [xi S(<xi, y>)] = psi(|y|^2) y for the spline S: a cubic spline in q / (q + scale).
# The first coordinate cos(theta) of xi has density proportional to sin(theta)^(dim - 2) in theta.
radial_part <- function(common, spacing, scale, dim) {
  if (dim == 1) return(numeric(radial_steps + 3L))
  v <- (seq_len(radial_steps) - 1) / radial_steps
  r <- sqrt(scale * v / (1 - v))
  r[1] <- 1e-3 * spacing
  theta <- pi * (seq_len(256) - 0.5) / 256
  density <- sin(theta)^(dim - 2) / sum(sin(theta)^(dim - 2))
  mean_along <- spline_values(common, spacing, outer(r, cos(theta))) %*% (density * cos(theta))
  psi <- drop(mean_along) / r
  # at infinity the slope of the straight line counts
  ends <- spline_values(common, spacing, spacing * length(common) * c(-2, -1, 1, 2))
  psi <- c(psi, sum(density * cos(theta)^2) * (ends[4] - ends[3] + ends[2] - ends[1]) / (2 * spacing * length(common)))
  spline_coefficients(psi)
}

# Of the cubic spline through equidistant values, with no third difference at its ends.
spline_coefficients <- function(values) {
  m <- length(values)
  system <- matrix(0, m + 2, m + 2)
  for (k in seq_len(m)) system[k, k + 0:2] <- c(1, 4, 1) / 6
  system[m + 1, 1:4] <- system[m + 2, m + 2 - 0:3] <- c(1, -3, 3, -1)
  solve(system, c(values, 0, 0))
}

# The bounds of the curvature are close, because few slopes along a direction are negative.
#' @export
survey_field.sliced_frame <- function(frame, own, threads) {
  checked <- check_field(frame, threads, own)
  c(list(curvature = max(own$curvature), pair_share = 1 / (frame$n - 1), nearest = NA_real_), checked)
}
