# The cells of a coordinate of law_trees(): intervals in which the data have one value.

# low, high, probability and mean of the cells of one coordinate under N(centre, scale^2), and the number of each cell
# among the heavy ones (0: light).
describe_cells <- function(ends, centre, scale) {
  low <- if (is.matrix(ends)) ends[, 1] else utils::head(ends, -1)
  high <- if (is.matrix(ends)) ends[, 2] else utils::tail(ends, -1)
  from <- (as.double(low) - centre) / scale
  to <- (as.double(high) - centre) / scale
  mass <- exp(log_interval(from, to))
  mean <- centre + scale * (stats::dnorm(from) - stats::dnorm(to)) / mass
  middle <- ifelse(is.infinite(low), high, ifelse(is.infinite(high), low, (low + high) / 2))
  outside <- !is.finite(mean) | mean < low | mean > high # cells far out, where the mass is rounded to nothing
  mean[outside] <- middle[outside]
  heavy <- mass >= heavy_mass
  list(low = as.double(low), high = as.double(high), mass = mass, mean = mean, heavy = cumsum(heavy) * heavy)
}

# The cell, low < z <= high, of each number; 0: none.
cell_of <- function(cells, z) {
  k <- findInterval(z, cells$low, left.open = TRUE)
  inside <- k > 0
  k[inside][z[inside] > cells$high[k[inside]]] <- 0L
  k
}

heavy_of <- function(cells, cell) c(0, cells$heavy)[cell + 1L]

# Points with the mean of the cell in the place of a number within it, because the place within is noise.
settle_points <- function(law, points, columns = seq_len(ncol(points))) {
  for (j in columns) {
    cell <- cell_of(law$cells[[j]], points[, j])
    points[cell > 0, j] <- law$cells[[j]]$mean[cell]
  }
  points
}

# With at least this probability a cell is heavy: it has a share of its own, and its rows have no kernels.
heavy_mass <- 0.05

# The ends of the heavy cells [2, cells].
heavy_ends <- function(cells) rbind(cells$low, cells$high)[, cells$heavy > 0, drop = FALSE]
