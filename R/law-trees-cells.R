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

# The cells of coordinates with these edges, see law_trees().
described_cells <- function(edges, centre = numeric(length(edges)), scale = rep(1, length(edges))) {
  lapply(seq_along(centre), function(j) describe_cells(edges[[j]], centre[j], scale[j]))
}

# The cell, low < z <= high, of each number; 0: none.
cell_of <- function(cells, z) {
  k <- findInterval(z, cells$low, left.open = TRUE)
  inside <- k > 0
  k[inside][z[inside] > cells$high[k[inside]]] <- 0L
  k
}

heavy_of <- function(cells, cell) c(0, cells$heavy)[cell + 1L]

# Numbers with the mean of their cell in the place of a number within it, because the place within is noise.
settle_in_cells <- function(cells, z) {
  cell <- cell_of(cells, z)
  z[cell > 0] <- cells$mean[cell]
  z
}

# Of each coordinate of points [n, d]: `cell` [n, d] as cell_of() gives it, `settled` [n, d] as settle_in_cells() gives
# it; `cuts`, where a tree may split it, at most `most` increasing numbers, evenly spaced in rank, none of them within a
# cell; and `bins` [n, d], the number of cuts below each number.
find_bins <- function(cells, points, most = 0L) {
  flat <- unlist(lapply(cells, function(of) rbind(of$low, of$high, of$mean)))
  .Call(C_pf_find_bins, points, as.double(flat), vapply(cells, function(of) length(of$low), 0L), most)
}

# With at least this probability a cell is heavy: it has a share of its own, and its rows have no kernels.
heavy_mass <- 0.05

# The ends of the heavy cells [2, cells].
heavy_ends <- function(cells) rbind(cells$low, cells$high)[, cells$heavy > 0, drop = FALSE]
