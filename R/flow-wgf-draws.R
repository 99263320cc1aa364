# Draws of a whitened run of wgf(), and what they tell about its quality. The draws are those of the kernel estimate
# after Langevin moves; without moves they are those of the kernel estimate.

# Streams of other keys than that of the steps.
polish_label <- 7L
draw_label <- 8L
compare_label <- 9L

# n draws [n, dim] of the kernel estimate, inside of the support: list(points, values, outside, evaluations). A draw
# outside is replaced by its particle.
inside_draws <- function(density, points, kernel, bandwidth, n, key, threads) {
  drawn <- estimate_draws(points, kernel, bandwidth, n, key)
  values <- density_values(density, drawn$points, threads)
  evaluations <- values$evaluations
  out <- which(values$log_density == -Inf)
  if (length(out)) {
    drawn$points[out, ] <- points[drawn$from[out], , drop = FALSE]
    again <- density_values(density, drawn$points[out, , drop = FALSE], threads)
    values$log_density[out] <- again$log_density
    values$gradient[out, ] <- again$gradient
    evaluations <- evaluations + again$evaluations
  }
  list(points = drawn$points, values = values[c("log_density", "gradient")], evaluations = evaluations,
       outside = out)
}

# list(points [n, d], from [n]): draws of the kernel estimate, and the particles from which they come.
estimate_draws <- function(points, kernel, bandwidth, n, key) {
  d <- ncol(points)
  from <- balanced_rows(nrow(points), n, draw_uniform(n, 1L, key, 0L)[, 1])
  list(points = points[from, , drop = FALSE] + bandwidth * draw_kernel(kernel, n, d, key, 1L), from = from)
}

# The metric of the moves: the covariance of the draws if they are one group, otherwise that of the whitened units.
polish_metric <- function(points, single) {
  d <- ncol(points)
  centre <- apply(points, 2, stats::median)
  if (!single || nrow(points) < 5 * d) return(list(centre = centre, root = diag(d)))
  off <- points - across(centre, points)
  # far draws do not count: the 5 per cent that lie furthest
  length2 <- rowSums(off^2)
  near <- length2 <= stats::quantile(length2, 0.95)
  root <- cholesky(crossprod(off[near, , drop = FALSE]) / sum(near))
  list(centre = centre, root = if (is.null(root)) diag(d) else root)
}

# A draw costs one evaluation per move, a particle one per step: there are more draws than particles.
draws_per_particle <- 4L

# All of it for a run at its end: list(draws [m, dim] in free coordinates, metric, moves, stein, comparison, ...).
polished_draws <- function(run, bandwidth) {
  density <- run$rule$density
  threads <- run$threads
  points <- run$state$points
  n <- draws_per_particle * nrow(points)
  drawn <- inside_draws(density, points, run$rule$kernel, bandwidth, n, other_key(run$key, draw_label), threads)
  kernel_log_r <- drawn$values$log_density -
    kernel_estimate(drawn$points, points, run$rule$kernel, bandwidth, FALSE, threads)$log_density
  kernel_log_r[drawn$outside] <- -Inf
  groups <- draw_groups(run, drawn$points)
  metric <- polish_metric(drawn$points, all(groups == groups[1]))
  inner <- whiten_density(density, metric$centre, metric$root)
  from <- coordinates_of_inner(inner, drawn$points)
  at <- list(log_density = drawn$values$log_density + inner$whitening$own_volume,
             gradient = tcrossprod(drawn$values$gradient, metric$root))
  moved <- langevin_moves(inner, from, at, run$control$polish, first_size(ncol(points)), TRUE,
                          other_key(run$key, polish_label), threads)
  free <- free_of(inner, moved$points)
  gradient <- t(backsolve(inner$whitening$root, t(moved$values$gradient)))
  compared <- compare_draws(inner, moved$points, groups, run, threads)
  list(
    free = free, density = inner, log_density = moved$values$log_density - inner$whitening$log_volume,
    moves = moved[c("size", "acceptance", "outside")], stuck = mean(!moved$moved),
    kept = kept_correlation(from, moved$points, groups), stein = stein_check(free, gradient, groups = groups),
    kernel_log_r = kernel_log_r,
    outside = length(drawn$outside) / n, comparison = compared,
    evaluations = drawn$evaluations + moved$evaluations + compared$evaluations
  )
}

# The group of modes in which each draw began. Groups with few draws are no groups of their own.
draw_groups <- function(run, points) {
  if (length(unique(run$groups)) < 2) return(rep(1L, nrow(points)))
  groups <- run$groups[likeliest_part(run$mixture, points, run$threads)]
  if (any(tabulate(groups) >= least_group(ncol(points)))) groups else rep(1L, nrow(points))
}

least_group <- function(d) 5 * d + 5

# How much of where the chains stood before the moves is left: the largest correlation over coordinates, within groups.
kept_correlation <- function(before, after, groups) {
  before <- within_groups(before, groups)
  after <- within_groups(after, groups)
  size <- sqrt(colSums(before^2) * colSums(after^2))
  max(ifelse(size > 0, colSums(before * after) / size, 1))
}

# Independent draws of a mixture of t laws that was fitted to the draws x, weighted by p / q: list(log_z, log_z_error,
# size: the effective number of them over their number, shift: their mean minus that of the draws, in sds, ratio: sd of
# the draws over theirs, shift_error, ratio_error, evaluations).
compare_draws <- function(density, x, groups, run, threads) {
  mixture <- fitted_mixture(x, groups)
  if (is.null(mixture)) return(list(evaluations = 0, log_z = NA_real_, log_z_error = NA_real_))
  n <- nrow(x)
  drawn <- student_draw(mixture, n, other_key(run$key, compare_label), threads)
  values <- density_values(density, drawn, threads, FALSE)
  log_r <- values$log_density - mixture_log_values(mixture, drawn, threads)
  top <- max(log_r)
  if (top == -Inf) return(list(evaluations = values$evaluations, log_z = NA_real_, log_z_error = NA_real_))
  r <- exp(log_r - top)
  weight <- r / sum(r)
  centre <- colMeans(x)
  spread <- sqrt(colMeans((x - across(centre, x))^2))
  off <- (drawn - across(centre, drawn)) / across(spread, drawn)
  shift <- colSums(weight * off)
  error <- sqrt(colSums(weight^2 * (off - across(shift, off))^2) + 1 / nrow(x))
  variance <- colSums(weight * off^2)
  variance_error <- sqrt(colSums(weight^2 * (off^2 - across(variance, off))^2) + 2 / nrow(x))
  list(log_z = top + log(mean(r)), log_z_error = sqrt(max(0, mean(r^2) / mean(r)^2 - 1) / n),
       size = weights_worth(log_r) / n, shift = shift, shift_error = error,
       ratio = 1 / sqrt(variance), ratio_error = variance_error / (2 * variance^1.5), evaluations = values$evaluations)
}

compare_df <- 6

# One component per group with draws enough.
fitted_mixture <- function(x, groups) {
  d <- ncol(x)
  laws <- lapply(split(seq_len(nrow(x)), groups), function(rows) {
    if (length(rows) < least_group(d)) return(NULL)
    own <- x[rows, , drop = FALSE]
    root <- cholesky(stats::cov(own) * 1.1)
    if (!is.null(root)) list(mean = colMeans(own), root = root, weight = length(rows))
  })
  laws <- Filter(Negate(is.null), laws)
  if (!length(laws)) return(NULL)
  weights <- vapply(laws, `[[`, 1, "weight")
  list(means = do.call(rbind, unname(lapply(laws, `[[`, "mean"))), roots = unname(lapply(laws, `[[`, "root")),
       weights = unname(weights / sum(weights)), df = rep(compare_df, length(laws)))
}
