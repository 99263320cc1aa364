# The rule of wgf(): the values of the target p at the particles, and the velocity w(r) grad log r, r = p / q, that
# follows from them and from the kernel estimate q.

wgf_divergences <- c("kl", "reverse_kl", "jeffreys", "js", "pearson", "neyman", "hellinger", "alpha",
                     "log_variance_q", "log_variance_p")

# A rule is a list: target, or log_density and gradient; dim; the divergence, alpha, the kernel, cap and floor.
wgf_rule <- function(log_density, gradient, dim, start, control) {
  is_target <- inherits(log_density, "wgf_target")
  if (!is_target && !is.function(log_density)) {
    fail("`log_density` must be a function of a matrix or a target such as target_mixture(), not %s.",
         describe(log_density))
  }
  if (is_target && !is.null(gradient)) fail("`gradient` belongs to a `log_density` that is a function.")
  if (!is.null(gradient) && !is.function(gradient)) {
    fail("`gradient` must be a function of a matrix, not %s.", describe(gradient))
  }
  given <- if (is_target) log_density$dim else if (is.matrix(start)) ncol(start)
  if (is.null(dim)) dim <- given
  if (is.null(dim)) fail("`dim` must give the number of columns of the points.")
  dim <- check_count(dim, "dim", 1L)
  if (!is.null(given) && dim != given) {
    fail("`dim` is %d, but %s %d.", dim, if (is_target) "the target has" else "the columns of `start` are", given)
  }
  c(list(target = if (is_target) log_density, log_density = if (!is_target) log_density, gradient = gradient,
         dim = dim),
    control[c("divergence", "alpha", "kernel", "cap", "floor")])
}

# ---- the target at the particles -------------------------------------------------------------------------

# list(log_density [n], gradient [n, d]) of p at the points [n, d]. Values that cannot be used are an error.
rule_values <- function(rule, points, threads) {
  if (!is.null(rule$target)) return(check_target_values(target_field(rule$target, points, threads), largest_length))
  value <- check_log_density(on_own_stream(rule$log_density(points)), nrow(points))
  gradient <- if (is.null(rule$gradient)) {
    on_own_stream(difference_gradient(rule$log_density, points))
  } else {
    check_gradient(on_own_stream(rule$gradient(points)), points)
  }
  list(log_density = value, gradient = gradient)
}

check_log_density <- function(value, n) {
  if (!is.numeric(value) || length(value) != n) {
    fail("`log_density` must return one number for each of the %d rows, but it returned %s.", n, describe(value))
  }
  bad <- !is.finite(value)
  if (any(bad)) {
    fail("`log_density` must return finite numbers, but it returned %s for %d of %d rows (the first is row %d).",
         format(value[bad][1]), sum(bad), n, which(bad)[1])
  }
  as.double(value)
}

check_gradient <- function(value, points) {
  if (is.numeric(value) && ncol(points) == 1 && length(value) == nrow(points)) value <- matrix(value)
  if (!is.numeric(value) || !identical(dim(value), dim(points))) {
    fail("`gradient` must return a matrix of %d x %d, but it returned %s.", nrow(points), ncol(points), describe(value))
  }
  bad <- which(rowSums(!is.finite(value)) > 0)
  if (length(bad)) {
    fail("`gradient` must return finite numbers, but %d of %d rows are not (the first is row %d).", length(bad),
         nrow(value), bad[1])
  }
  value <- unname(value)
  storage.mode(value) <- "double"
  value
}

# Central differences [n, d]. Their step is `size` times eps^(1/3) max(1, |x|), which is best in double precision for
# size = 1.
difference_gradient <- function(log_density, points, size = 1) {
  out <- points
  n <- nrow(points)
  for (column in seq_len(ncol(points))) {
    h <- size * .Machine$double.eps^(1 / 3) * pmax(1, abs(points[, column]))
    above <- below <- points
    above[, column] <- points[, column] + h
    below[, column] <- points[, column] - h
    rise <- check_log_density(log_density(above), n) - check_log_density(log_density(below), n)
    out[, column] <- rise / (above[, column] - below[, column])
  }
  bad <- which(rowSums(!is.finite(out)) > 0)
  if (length(bad)) {
    stop_unsolved(paste("Differences of `log_density` leave the range of numbers at %d of %d rows (the first is row",
                        "%d): give `gradient`, or bring the log-density to a smaller scale."), length(bad), n, bad[1])
  }
  out
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

# Checked before the first step: log_density treats each row by itself, and gradient agrees with differences.
check_rule <- function(rule, points, values) {
  if (!is.null(rule$target)) return(invisible())
  rows <- spaced_rows(nrow(points), 5L)
  few <- points[rows, , drop = FALSE]
  again <- check_log_density(on_own_stream(rule$log_density(few)), nrow(few))
  if (max(abs(again - values$log_density[rows])) > 1e-8 * max(1, abs(again))) {
    fail("`log_density` must treat each row by itself, but its value at a row depends on the other rows.")
  }
  by_differences <- on_own_stream(difference_gradient(rule$log_density, few, if (is.null(rule$gradient)) 8 else 1))
  if (is.null(rule$gradient)) warn_rounding(again, by_differences)
  compare_gradients(rule, rows, values$gradient[rows, , drop = FALSE], by_differences)
}

# For a log-density of size |v|, differences over a step h have a rounding error of about eps |v| / h.
warn_rounding <- function(values, by_differences) {
  off <- max(abs(values)) * .Machine$double.eps^(2 / 3)
  if (off <= 0.1 * max(abs(by_differences)) || off < 1e-3) return(invisible())
  warning(sprintf(paste("`log_density` is as large as %.1e, so that its differences are lost in rounding: give",
                        "`gradient`, or take a constant off."), max(abs(values))), call. = FALSE)
}

compare_gradients <- function(rule, rows, given, by_differences) {
  off <- sqrt(rowSums((by_differences - given)^2))
  size <- sqrt(rowSums(by_differences^2))
  bad <- off > 0.01 * size + 1e-4 * max(size) + 1e-8
  if (!any(bad)) return(invisible())
  if (is.null(rule$gradient)) {
    warning(paste("Differences of `log_density` depend on their step, so the gradient is not reliable: is it smooth?",
                  "Give `gradient`."), call. = FALSE)
    return(invisible())
  }
  first <- seq_len(min(3, ncol(given)))
  shown <- function(gradient) paste(format(gradient[bad, , drop = FALSE][1, first], digits = 3), collapse = ", ")
  fail("`gradient` does not agree with differences of `log_density`: at row %d it is %s, by differences %s.",
       rows[bad][1], shown(given), shown(by_differences))
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
  target_stiffness(list(points = points, values = values), rule_values(rule, ahead, threads), ahead, 1e-300)
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

# One step from points that were not moved before.
rule_step <- function(rule, points, bandwidth, threads) {
  values <- rule_values(rule, points, threads)
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
