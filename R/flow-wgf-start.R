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

# Modes whose fitted law has less of the mass than this are left out.
least_mode_share <- 1e-3

# list(density: in whitened units, points [n, dim], mixture in these units, groups of its components, searches: a list
# of what the searches found, or NULL, evaluations). `start` is NULL, or free coordinates [m, dim].
place_particles <- function(density, start, scale, n, key, threads) {
  if (!is.null(scale) && !is.null(start)) {
    density <- whiten_density(density, colMeans(start), scale)
    return(list(density = density, points = coordinates_of(density, start), evaluations = 0))
  }
  if (NROW(density$target$means) >= 2) return(place_by_target(density, start, scale, n, key, threads))
  starts <- if (is.null(start)) search_starts(density, key) else rows_of_start(start, wgf_searches)
  modes <- find_modes(density, starts, wgf_rounds, threads, check = TRUE)
  law <- start_law(density, modes, n, nrow(starts), key, threads)
  root <- if (is.null(scale)) definite_root(pooled_covariance(law$mixture)) else scale
  density <- whiten_density(density, law$mixture$means[1, ], root)
  mixture <- whiten_mixture(density, law$mixture)
  points <- start_inside(density, mixture, n, key, threads)
  list(density = density, points = points$points, mixture = mixture, groups = law$groups,
       evaluations = modes$evaluations + law$evaluations + points$evaluations,
       searches = list(tried = nrow(starts), found = law$found, lost = modes$lost, edge = any(modes$edge[law$kept])))
}

rows_of_start <- function(x, most) x[spaced_rows(nrow(x), most), , drop = FALSE]

# Points of many widths about 0, or about the centre of a target.
search_starts <- function(density, key) {
  z <- draw_normal(wgf_searches, density$dim, key, 0L) * rep_len(c(0.3, 1, 3, 10), wgf_searches)
  if (is.null(density$target)) z else unscale_columns(z, density$target$centre, density$target$spread)
}

# A mixture with known components needs no search.
place_by_target <- function(density, start, scale, n, key, threads) {
  target <- density$target
  mixture <- list(means = target$means, roots = lapply(target$roots, t), weights = target$weights,
                  df = rep(Inf, nrow(target$means)))
  known <- nrow(target$means) <= most_modes
  linked <- if (known) {
    mode_groups(density, mixture, density_values(density, target$means, threads, FALSE)$log_density, threads)
  } else {
    list(groups = NULL, evaluations = 0)
  }
  within <- Reduce(`+`, Map(function(root, weight) weight * tcrossprod(root), target$roots, target$weights))
  density <- whiten_density(density, target$centre, if (is.null(scale)) definite_root(within) else scale)
  if (is.null(start)) start <- unscale_columns(draw_normal(n, density$dim, key, 0L), target$centre, target$spread)
  list(density = density, points = coordinates_of(density, start), mixture = whiten_mixture(density, mixture),
       groups = linked$groups, evaluations = linked$evaluations)
}

# The law of the start, from the modes: list(mixture, groups: of its components, found [groups]: the number of searches
# that ended there, kept: modes, evaluations). One group alone is corrected by weighted draws.
start_law <- function(density, modes, n, tried, key, threads) {
  kept <- credible_modes(modes, tried)
  found <- list(points = modes$points[kept, , drop = FALSE], roots = modes$roots[kept],
                log_density = modes$log_density[kept], count = modes$count[kept])
  ridge <- modes$lost > tried / 2 && length(modes$ridge$roots) > 0
  if (ridge) {
    found$points <- rbind(found$points, modes$ridge$points)
    found$roots <- c(found$roots, modes$ridge$roots)
    found$log_density <- c(found$log_density, modes$ridge$log_density)
  }
  if (!length(found$roots)) {
    fail("None of %d searches found a mode of `log_density`: give a `start` near one.", tried)
  }
  weights <- mode_log_mass(found)
  weights <- exp(weights - max(weights))
  heavy <- which(weights >= least_mode_share * sum(weights))
  mixture <- list(means = found$points[heavy, , drop = FALSE], roots = found$roots[heavy],
                  weights = weights[heavy] / sum(weights[heavy]), df = rep(start_df, length(heavy)))
  linked <- if (ridge) list(groups = rep(1L, length(heavy)), evaluations = 0) else
    mode_groups(density, mixture, found$log_density[heavy], threads)
  count <- rowsum(c(found$count, numeric(length(weights) - length(kept)))[heavy], linked$groups)[, 1]
  out <- list(kept = kept, found = unname(count), groups = linked$groups, evaluations = linked$evaluations)
  if (length(count) > 1) {
    mixture$roots <- lapply(mixture$roots, `*`, sqrt(start_widening))
    return(c(out, list(mixture = mixture)))
  }
  corrected <- weighted_law(density, mixture, n, key, threads)
  out$evaluations <- out$evaluations + corrected$evaluations
  out$groups <- 1L
  root <- corrected$root * sqrt(start_widening)
  c(out, list(mixture = list(means = t(corrected$mean), roots = list(root), weights = 1, df = start_df)))
}

# An end at an edge that few searches reached is a singular point, or rounding of the density, if a true mode was found.
credible_modes <- function(modes, tried) {
  true <- !modes$edge & modes$count > common_mode * tried
  if (!any(true)) return(seq_along(modes$count))
  which(!modes$edge | modes$count > common_mode * tried)
}

common_mode <- 0.05

# Components of one group: their normal laws overlap, or the density along the line between them does not fall far below
# both ends.
mode_groups <- function(density, mixture, log_density, threads) {
  k <- length(mixture$weights)
  groups <- seq_len(k)
  evaluations <- 0
  for (i in seq_len(k)[-1]) {
    for (j in seq_len(i - 1L)) {
      if (groups[i] == groups[j]) next
      step <- mixture$means[i, ] - mixture$means[j, ]
      root <- definite_root((crossprod(mixture$roots[[i]]) + crossprod(mixture$roots[[j]])) / 2)
      near <- sum(backsolve(root, step, transpose = TRUE)^2) < 16
      if (!near) {
        line <- outer(seq(0.1, 0.9, 0.1), step) + rep(mixture$means[j, ], each = 9)
        values <- density_values(density, line, threads, FALSE)
        evaluations <- evaluations + values$evaluations
        near <- min(values$log_density) > min(log_density[c(i, j)]) - 3
      }
      if (near) groups[groups == groups[i]] <- groups[j]
    }
  }
  list(groups = match(groups, unique(groups)), evaluations = evaluations)
}

# Rounds that correct mean and covariance by weighted draws of a mixture of t laws of three widths. Weights are tempered
# until so many draws count.
law_rounds <- 6L

# The draws of these rounds, and those of the start, come from keys of their own.
round_label <- 10L
start_label <- 11L

law_widths <- c(1, 2.5, 6)

law_shares <- c(0.6, 0.25, 0.15)

# list(mean, root, evaluations)
weighted_law <- function(density, mixture, n, key, threads) {
  d <- density$dim
  law <- list(mean = colSums(mixture$weights * mixture$means), root = definite_root(pooled_covariance(mixture, TRUE)),
              evaluations = 0)
  if (length(mixture$weights) == 1) law$mean <- mixture$means[1, ]
  n <- max(n, 20L * d)
  for (round in seq_len(law_rounds)) {
    wide <- list(means = matrix(law$mean, 3, d, byrow = TRUE), roots = lapply(law_widths, `*`, law$root),
                 weights = law_shares, df = rep(start_df, 3))
    drawn <- student_draw(wide, n, other_key(key, round_label, round), threads)
    values <- density_values(density, drawn, threads, FALSE)
    law$evaluations <- law$evaluations + values$evaluations
    log_r <- values$log_density - mixture_log_values(wide, drawn, threads)
    least <- max(5 * d, 0.1 * n)
    if (sum(log_r > -Inf) < least) break
    power <- even_power(log_r, least)
    weight <- exp(power * (log_r - max(log_r)))
    weight <- weight / sum(weight)
    centre <- colSums(weight * drawn)
    root <- cholesky(crossprod((drawn - across(centre, drawn)) * sqrt(weight)))
    if (is.null(root)) break
    law[c("mean", "root")] <- list(centre, root)
    if (power == 1 && weights_worth(log_r) > 0.25 * n) break
  }
  law
}

# The largest power up to 1 at which weights exp(power log_r) have the effective number `least`.
even_power <- function(log_r, least) {
  share <- function(power) weights_worth(ifelse(log_r == -Inf, -Inf, power * log_r))
  if (share(1) >= least) return(1)
  low <- 0
  high <- 1
  for (i in 1:30) {
    middle <- (low + high) / 2
    if (share(middle) >= least) low <- middle else high <- middle
  }
  low
}

# The mixture in the coordinates of the density.
whiten_mixture <- function(density, mixture) {
  mixture$means <- coordinates_of(density, mixture$means)
  back <- backsolve(density$whitening$root, diag(density$dim))
  mixture$roots <- lapply(mixture$roots, function(root) root %*% back)
  mixture
}

# Draws of the mixture; those outside of the support are drawn towards the mean of their likeliest component, or to
# another particle.
start_inside <- function(density, mixture, n, key, threads) {
  points <- student_draw(mixture, n, other_key(key, start_label), threads)
  centres <- mixture$means[likeliest_part(mixture, points, threads), , drop = FALSE]
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
scale_root <- function(scale, dim) {
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
    fail("`scale` must be one positive number, one for each of the %d coordinates, or a covariance matrix, not %s.",
         dim, describe(scale))
  }
  diag(rep_len(as.double(scale), dim), dim)
}
