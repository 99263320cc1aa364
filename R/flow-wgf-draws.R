# Draws of a whitened run of wgf(), and what they tell about its quality. The draws are those of the kernel estimate
# after Langevin moves; without moves they are those of the kernel estimate.

# Streams of other keys than that of the steps.
polish_label <- 7L
draw_label <- 8L
compare_label <- 9L

# n draws [n, dim] of the kernel estimate, inside of the support: list(points, values, parent, evaluations). A draw outside
# is replaced by its particle.
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

# All of it for a run at its end: list(draws [n, dim] in free coordinates, metric, moves, stein, comparison, ...).
polished_draws <- function(run, bandwidth) {
  density <- run$rule$density
  threads <- run$threads
  points <- run$state$points
  n <- nrow(points)
  drawn <- inside_draws(density, points, run$rule$kernel, bandwidth, n, other_key(run$key, draw_label), threads)
  kernel_log_r <- drawn$values$log_density -
    kernel_estimate(drawn$points, points, run$rule$kernel, bandwidth, FALSE, threads)$log_density
  kernel_log_r[drawn$outside] <- -Inf
  single <- sum(run$searches$share > 0) <= 1 && is.null(run$modes)
  metric <- polish_metric(drawn$points, single)
  inner <- whiten_density(density, metric$centre, metric$root)
  from <- coordinates_of_inner(inner, drawn$points)
  at <- list(log_density = drawn$values$log_density + inner$whitening$own_volume,
             gradient = tcrossprod(drawn$values$gradient, metric$root))
  moved <- langevin_moves(inner, from, at, run$control$polish, first_size(ncol(points)), TRUE,
                          other_key(run$key, polish_label), threads)
  free <- free_of(inner, moved$points)
  gradient <- t(backsolve(inner$whitening$root, t(moved$values$gradient)))
  compared <- compare_draws(inner, moved$points, run, threads)
  list(
    free = free, density = inner, log_density = moved$values$log_density - inner$whitening$log_volume,
    moves = moved[c("size", "acceptance", "outside")], stuck = mean(!moved$moved),
    kept = kept_correlation(from, moved$points), stein = stein_check(free, gradient), kernel_log_r = kernel_log_r,
    outside = length(drawn$outside) / n, comparison = compared,
    evaluations = drawn$evaluations + moved$evaluations + compared$evaluations
  )
}

# How much of where the chains stood before the moves is left: the largest correlation over coordinates.
kept_correlation <- function(before, after) {
  before <- before - across(colMeans(before), before)
  after <- after - across(colMeans(after), after)
  size <- sqrt(colSums(before^2) * colSums(after^2))
  max(ifelse(size > 0, colSums(before * after) / size, 1))
}

# Independent draws of a mixture of t laws that was fitted to the draws x, weighted by p / q: list(log_z, log_z_error,
# size: the effective number of them over their number, shift: their mean minus that of the draws, in sds, shift_error,
# log_r, evaluations).
compare_draws <- function(density, x, run, threads) {
  n <- nrow(x)
  mixture <- fitted_mixture(x, run$searches$share, density, run)
  if (is.null(mixture)) return(list(evaluations = 0))
  drawn <- draw_t_mixture(mixture, n, other_key(run$key, compare_label), 0L)
  values <- density_values(density, drawn$points, threads, FALSE)
  log_r <- values$log_density - t_mixture_log_density(mixture, drawn$points, threads)
  top <- max(log_r)
  if (top == -Inf) return(list(evaluations = values$evaluations, size = 0))
  r <- exp(log_r - top)
  weight <- r / sum(r)
  centre <- colMeans(x)
  spread <- sqrt(colMeans((x - across(centre, x))^2))
  off <- (drawn$points - across(centre, drawn$points)) / across(spread, drawn$points)
  shift <- colSums(weight * off)
  error <- sqrt(colSums(weight^2 * (off - across(shift, off))^2) + 1 / n)
  list(log_z = top + log(mean(r)), log_z_error = sqrt(max(0, mean(r^2) / mean(r)^2 - 1) / n),
       size = 1 / sum(weight^2) / n, shift = shift, shift_error = error, evaluations = values$evaluations)
}

# c(log Z, its standard error): by the draws of the kernel estimate or those of the fitted mixture, whichever weights are
# more even.
better_log_z <- function(found) {
  share <- weight_share(found$kernel_log_r)
  n <- length(found$kernel_log_r)
  by_mixture <- c(found$comparison$log_z, found$comparison$log_z_error)
  if (is.null(by_mixture) || share > found$comparison$size) {
    top <- max(found$kernel_log_r)
    return(c(top + log(mean(exp(found$kernel_log_r - top))), sqrt((1 / share - 1) / n)))
  }
  by_mixture
}

# Effective number over number of weights exp(log_r).
weight_share <- function(log_r) {
  top <- max(log_r)
  if (!is.finite(top)) return(0)
  r <- exp(log_r - top)
  sum(r)^2 / sum(r^2) / length(r)
}

compare_df <- 6

# One component per mode with draws enough, otherwise one for all.
fitted_mixture <- function(x, share, density, run) {
  d <- ncol(x)
  class <- rep(1L, nrow(x))
  if (sum(share > 0) > 1) {
    means <- coordinates_of_inner(density, run$mixture$means)
    roots <- lapply(run$mixture$roots, function(root) root %*% backsolve(density$whitening$own_root, diag(d)))
    each <- t_mixture_parts(list(means = means, roots = roots, df = run$mixture$df), x, run$threads)
    each <- each + rep(log(run$mixture$weights), each = nrow(x))
    class <- max.col(each, "first")
  }
  count <- tabulate(class)
  groups <- which(count >= 5 * d + 5)
  if (!length(groups)) return(NULL)
  laws <- lapply(groups, function(g) {
    own <- x[class == g, , drop = FALSE]
    list(mean = colMeans(own), root = cholesky(stats::cov(own) * 1.1))
  })
  fine <- !vapply(laws, function(law) is.null(law$root), NA)
  if (!any(fine)) return(NULL)
  weights <- count[groups[fine]]
  list(means = do.call(rbind, lapply(laws[fine], `[[`, "mean")), roots = lapply(laws[fine], `[[`, "root"),
       weights = weights / sum(weights), df = rep(compare_df, sum(fine)))
}
