# The rule of wgf(): the values of the target p at the particles, and the velocity w(r) grad log r, r = p / q, that
# follows from them and from the kernel estimate q.

wgf_divergences <- c("kl", "reverse_kl", "jeffreys", "js", "pearson", "neyman", "hellinger", "alpha",
                     "log_variance_q", "log_variance_p")

# A rule is a list: density (flow-density.R), dim (the number of its coordinates), the divergence, alpha, the kernel,
# cap and floor.
wgf_rule <- function(density, control) {
  c(list(density = density, dim = density$dim), control[c("divergence", "alpha", "kernel", "cap", "floor")])
}

# The kernel estimate at the particles. It is an error if the exponents leave the range of doubles.
check_estimate <- function(estimate, bandwidth) {
  if (all(is.finite(estimate$log_density)) && all(is.finite(estimate$score))) return(estimate)
  stop_unsolved(paste("The particles lie so far from each other that a kernel estimate of bandwidth %s leaves the",
                      "range of numbers."), format(bandwidth, digits = 3))
}

# A bandwidth can be chosen only if squared distances between the particles stay within the range of doubles.
check_distances <- function(points) {
  spread <- column_spread(points)
  if (all(spread >= 1 / largest_length & spread <= largest_length)) return(invisible())
  stop_unsolved(paste("The particles have standard deviations of %s, whose squares leave the range of numbers: choose",
                      "other units, or another `start`."), some(format(spread, digits = 3)))
}

# ---- how stiff the target is -----------------------------------------------------------------------------

# How fast the score of the target changes: |change of the score| / |move| from `before` to here. The result is the 75
# per cent point over the particles. `otherwise` is the result if less than half of the particles moved.
target_stiffness <- function(before, values, points, otherwise) {
  moved <- sqrt(rowSums((points - before$points)^2))
  change <- sqrt(rowSums((values$gradient - before$values$gradient)^2))
  usable <- moved > 1e-12 * (1 + sqrt(rowSums(points^2)))
  if (mean(usable) < 0.5) return(otherwise)
  max(stats::quantile(change[usable] / moved[usable], 0.75, names = FALSE), 1e-300)
}

# The same at the start, where no step was taken yet: measured by a small move along the score.
first_stiffness <- function(rule, points, values, bandwidth, threads) {
  size <- sqrt(rowSums(values$gradient^2))
  ahead <- points + 1e-4 * bandwidth * values$gradient / pmax(size, 1e-300)
  target_stiffness(list(points = points, values = values), density_values(rule$density, ahead, threads), ahead, 1e-300)
}

# ---- one step --------------------------------------------------------------------------------------------

# If the length of a step is chosen, no particle moves further than this many root-mean-square lengths of the noise of
# the kernel.
most_relative_move <- 1

# One step of the points [n, d]: a list of the moved points, log_r [n], the record of the step, and whether the step
# diverged. step: its length, NULL: chosen.
# The core computes the volume of the kernel too, but in another order of operations.
move_points <- function(rule, points, values, estimate, bandwidth, stiffness, step) {
  scale2 <- kernel_variance(rule$kernel, rule$dim) * bandwidth^2
  log_own <- -log_kernel_volume(rule$kernel, bandwidth, rule$dim) - log(nrow(points))
  furthest <- if (is.null(step)) most_relative_move * sqrt(scale2 * rule$dim) else Inf
  plan <- c(rule[c("divergence", "alpha", "cap", "floor")],
            list(log_own = log_own, step = if (is.null(step)) 0 else step, share = 0.5,
                 scale2 = min(scale2, 1 / stiffness), furthest = furthest))
  .Call(C_pf_wgf_move, points, values$log_density, values$gradient, estimate$log_density, estimate$score, plan)
}

# One step from points that were not moved before. Points outside of the support move to the nearest one inside.
rule_step <- function(rule, points, bandwidth, threads) {
  values <- density_values(rule$density, points, threads)
  inside <- values$log_density > -Inf
  if (!all(inside)) {
    if (sum(inside) < 2) stop_unsolved("Nearly all points of the network lie outside of the support of the density.")
    kept <- points[inside, , drop = FALSE]
    moved <- rule_step(rule, kept, bandwidth, threads)
    points[inside, ] <- moved$points
    points[!inside, ] <- kept[neighbours(points[!inside, , drop = FALSE], kept, 1L)$index[, 1], ]
    moved$points <- points
    return(moved)
  }
  estimate <- check_estimate(kernel_estimate(NULL, points, rule$kernel, bandwidth, TRUE, threads), bandwidth)
  stiffness <- first_stiffness(rule, points, values, bandwidth, threads)
  move_points(rule, points, values, estimate, bandwidth, stiffness, NULL)
}

# The mean of log r under the law of the log-variance (q or p), from its values at the particles. 0 for other
# divergences.
# The core's sum has other last bits, because mean() adds in long double.
reference_mean <- function(rule, log_r) {
  switch(rule$divergence, log_variance_q = mean(log_r), log_variance_p = sum(exp(log_r) * log_r) / sum(exp(log_r)), 0)
}

# Matrix [n, 3] of w, f and the rate of growth g at each log r, without the bound `cap`: the columns "weight", "f" and
# "growth".
wgf_weights <- function(rule, log_r, mean = 0) {
  .Call(C_pf_wgf_weights, rule$divergence, rule$alpha, as.double(log_r), as.double(mean))
}
