# Where the particles of wgf() start, and the units in which they move, found from the density alone: its modes by many
# searches, the normal laws that fit there, and a mixture of t laws about them.

# The start has a key of its own.
place_label <- 6L

# The number of searches, and the rounds of all of them together.
wgf_searches <- 100L

wgf_rounds <- 200L

# The start is wider than the normal law that fits the mode, because the flow draws particles in faster than it drives
# them out.
start_df <- 7

start_widening <- 1.2

# At an edge the fitted law says little about the width.
edge_widening <- 2

# Modes whose fitted law has less of the mass than this are left out.
least_mode_share <- 1e-3

# list(density: in whitened units, points [n, dim], mixture in free coordinates, searches: a list of what the searches
# found, or NULL, evaluations). `start` is NULL, or free coordinates [m, dim].
place_particles <- function(density, start, scale, n, key, threads) {
  target <- density$target
  if (!is.null(scale) && !is.null(start)) {
    density <- whiten_density(density, colMeans(start), scale)
    return(list(density = density, points = coordinates_of(density, start), evaluations = 0))
  }
  if (NROW(target$means) >= 2) return(place_by_target(density, start, scale, n, key))
  starts <- if (is.null(start)) search_starts(density, key) else start[spaced_rows(nrow(start), wgf_searches), ,
                                                                     drop = FALSE]
  modes <- find_modes(density, starts, wgf_rounds, threads)
  mixture <- start_mixture(modes)
  wide <- any(modes$edge) || length(modes$ridge$roots)
  root <- if (is.null(scale)) definite_root(pooled_covariance(mixture, wide)) else scale
  density <- whiten_density(density, mixture$means[1, ], root)
  mixture <- whiten_mixture(density, mixture)
  points <- start_inside(density, mixture, n, key, threads)
  list(density = density, points = points$points, mixture = mixture, evaluations = modes$evaluations + points$evaluations,
       searches = list(tried = nrow(starts), count = modes$count, lost = modes$lost, edge = modes$edge,
                       share = mixture$weights[seq_along(modes$count)]))
}

# Points of many widths about 0, or about the centre of a target.
search_starts <- function(density, key) {
  z <- draw_normal(wgf_searches, density$dim, key, 0L) * rep_len(c(0.3, 1, 3, 10), wgf_searches)
  if (is.null(density$target)) z else unscale_columns(z, density$target$centre, density$target$spread)
}

# A mixture with known components needs no search.
place_by_target <- function(density, start, scale, n, key) {
  target <- density$target
  within <- Reduce(`+`, Map(function(root, weight) weight * tcrossprod(root), target$roots, target$weights))
  density <- whiten_density(density, target$centre, if (is.null(scale)) definite_root(within) else scale)
  if (is.null(start)) start <- unscale_columns(draw_normal(n, density$dim, key, 0L), target$centre, target$spread)
  list(density = density, points = coordinates_of(density, start), evaluations = 0)
}

# The mixture of t laws about the modes, and about the points of ridges.
start_mixture <- function(modes) {
  found <- Map(function(points, roots, log_density) list(points = points, roots = roots, log_density = log_density),
               list(modes$points, modes$ridge$points), list(modes$roots, modes$ridge$roots),
               list(modes$log_density, modes$ridge$log_density))
  points <- rbind(found[[1]]$points, found[[2]]$points)
  roots <- c(found[[1]]$roots, found[[2]]$roots)
  mass <- c(found[[1]]$log_density, found[[2]]$log_density) + vapply(roots, function(root) sum(log(diag(root))), 0)
  weights <- exp(mass - max(mass))
  weights <- weights / sum(weights)
  weights[weights < least_mode_share] <- 0
  widening <- sqrt(c(ifelse(modes$edge, edge_widening, start_widening), rep(edge_widening, length(found[[2]]$roots))))
  list(means = points, roots = Map(`*`, roots, widening), weights = weights / sum(weights),
       df = rep(start_df, length(weights)))
}

# The mixture in the coordinates of the density.
whiten_mixture <- function(density, mixture) {
  mixture$means <- coordinates_of(density, mixture$means)
  mixture$roots <- lapply(mixture$roots, function(root) root %*% backsolve(density$whitening$root, diag(density$dim)))
  mixture
}

# Draws of the mixture; those outside of the support are drawn towards the mean of their component, or to another
# particle.
start_inside <- function(density, mixture, n, key, threads) {
  drawn <- draw_t_mixture(mixture, n, key, 1L)
  points <- drawn$points
  centres <- mixture$means[drawn$from, , drop = FALSE]
  evaluations <- 0
  for (round in 1:6) {
    values <- density_values(density, points, threads, FALSE)
    evaluations <- evaluations + values$evaluations
    out <- which(values$log_density == -Inf)
    if (!length(out)) break
    points[out, ] <- (points[out, , drop = FALSE] + centres[out, , drop = FALSE]) / 2
  }
  if (length(out) && length(out) < n) {
    inside <- setdiff(seq_len(n), out)
    shift <- 1e-3 * draw_normal(length(out), ncol(points), key, 4L)
    points[out, ] <- points[rep_len(inside, length(out)), , drop = FALSE] + shift
  }
  list(points = points, evaluations = evaluations)
}

# The upper root of the user's `scale`: NULL, standard deviations, or a covariance matrix.
check_scale <- function(scale, dim) {
  if (is.null(scale)) return(NULL)
  if (is.matrix(scale)) {
    root <- if (is.numeric(scale) && all(base::dim(scale) == dim) && all(is.finite(scale)) &&
                  isSymmetric(unname(scale))) cholesky(unname(scale))
    if (is.null(root)) {
      fail("`scale` must be standard deviations or a positive definite matrix of %d x %d, not %s.", dim, dim,
           describe(scale))
    }
    return(root)
  }
  good <- is.numeric(scale) && length(scale) %in% c(1L, dim) && all(is.finite(scale)) && all(scale > 0)
  if (!good) {
    fail("`scale` must be one positive number, one for each of the %d coordinates, or a covariance matrix, not %s.", dim,
         describe(scale))
  }
  diag(rep_len(as.double(scale), dim), dim)
}
