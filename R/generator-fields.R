# Fields: where the points of a generator should move. Points are in units of the frame: (x - centre) / spread.

# list(gradient [n, d], state). A point moves against its gradient. state: values that the field needs in the next step.
field_gradient <- function(run, x) {
  field <- run$field
  switch(
    field$type,
    energy = list(gradient = energy_pull(x, some_rows(run, field$sample), run$control$threads)),
    mmd = list(gradient = mmd_pull(x, some_rows(run, field$sample), field$bandwidths, run$control$threads)),
    characteristic = list(gradient = characteristic_pull(x, field_frequencies(run))),
    sliced = list(gradient = sliced_pull(x, some_rows(run, field$sample), run$key, step_stream(run, 3L))),
    rule = rule_pull(run, x)
  )
}

# As many rows of the sample as there are points, drawn anew in each step without replacement. All rows if there are not
# more.
some_rows <- function(run, sample) {
  n <- run$control$batch
  if (nrow(sample) <= n) return(sample)
  u <- draw_uniform(n, 1L, run$key, step_stream(run, 2L))[, 1]
  sample[partial_permutation(nrow(sample), u), , drop = FALSE]
}

# [n, d]: half the gradient of n times the energy distance, by the points.
energy_pull <- function(x, y, threads) {
  (kernel_force(x, y, "unit", least_distance, FALSE, threads) / nrow(y) -
     kernel_force(x, x, "unit", least_distance, TRUE, threads) / max(1, nrow(x) - 1))
}

# h of the force z / sqrt(|z|^2 + h^2), in units of the frame, where columns have standard deviation 1.
least_distance <- 1e-6

mmd_pull <- function(x, y, bandwidths, threads) {
  total <- 0
  for (h in bandwidths) {
    total <- total + (kernel_force(x, y, "gaussian", h, FALSE, threads) / nrow(y) -
                        kernel_force(x, x, "gaussian", h, TRUE, threads) / max(1, nrow(x) - 1)) / h^2
  }
  total
}

# list(t, re, im): the frequencies t [K, d] of this step, and the characteristic function of the sample there.
field_frequencies <- function(run) {
  field <- run$field
  if (!is.null(field$frequencies)) return(field$frequencies)
  k <- field$count
  t <- draw_normal(k, ncol(field$sample), run$key, step_stream(run, 2L)) *
    field$scales[1 + floor(draw_uniform(k, 1L, run$key, step_stream(run, 3L))[, 1] * length(field$scales))]
  c(list(t = t), empirical_characteristic(field$sample, t))
}

# list(re [K], im [K]): real and imaginary part of the empirical characteristic function at t [K, d].
empirical_characteristic <- function(x, t) .Call(C_pf_characteristic, x, t, thread_count())

# [n, d]: the gradient by x_i of (n / 2) sum_k |a_k|^2, where a_k = mean_i e^{i t_k x_i} - (that of the sample).
characteristic_pull <- function(x, at) {
  here <- empirical_characteristic(x, at$t)
  .Call(C_pf_characteristic_pull, x, at$t, here$re - at$re, here$im - at$im, thread_count())
}

# The number of directions in one step; at least the number of columns.
slices <- 16L

# On each of some random lines, a point is paired with the sample point of the same rank and moves to it. The mean over
# the lines.
sliced_pull <- function(x, y, key, stream) {
  d <- ncol(x)
  directions <- draw_normal(max(slices, d), d, key, stream)
  directions <- directions / sqrt(rowSums(directions^2))
  total <- 0
  along <- tcrossprod(x, directions)
  goal <- tcrossprod(y, directions)
  at <- (seq_len(nrow(x)) - 0.5) / nrow(x) * nrow(y)
  for (k in seq_len(nrow(directions))) {
    sorted <- sort(goal[, k])[pmin(floor(at) + 1, nrow(y))]
    total <- total + outer(along[, k] - sorted[rank(along[, k], ties.method = "first")], directions[k, ])
  }
  total * d / nrow(directions)
}

# One step of wgf(), with the points themselves as particles.
rule_pull <- function(run, x) {
  rule <- run$field$rule
  points <- from_frame(run$frame, x)
  threads <- run$control$threads
  bandwidth <- run$state$bandwidth
  if (is.null(bandwidth)) {
    check_distances(points)
    bandwidth <- likely_bandwidth(points, rule$kernel, threads)
  } else if (run$state$step %% bandwidth_every == 0) {
    tried <- bandwidth * bandwidth_ratio^(-1:1)
    bandwidth <- tried[which.max(vapply(tried, function(h) leave_one_out(points, rule$kernel, h, threads), 0))]
  }
  moved <- rule_step(rule, points, bandwidth, threads)
  list(gradient = sweep(points - moved$points, 2, run$frame$spread, "/"), state = list(bandwidth = bandwidth))
}

# The score of the network at its points x [n, d]. Lower is better.
field_score <- function(run, x) {
  field <- run$field
  switch(
    field$type,
    characteristic = {
      at <- if (is.null(field$frequencies)) field$check else field$frequencies
      here <- empirical_characteristic(x, at$t)
      mean((here$re - at$re)^2 + (here$im - at$im)^2)
    },
    mmd = {
      one <- function(h) kernel_score(x, field$check, score_kernel("gaussian", h), FALSE, run$control$threads)
      mean(vapply(field$bandwidths, one, 0))
    },
    rule = {
      points <- from_frame(run$frame, x)
      bandwidth <- run$state$bandwidth
      if (is.null(bandwidth)) bandwidth <- likely_bandwidth(points, field$rule$kernel, run$control$threads)
      rule_step(field$rule, points, bandwidth, run$control$threads)$record$divergence
    },
    kernel_score(x, field$check, score_kernel("riesz"), FALSE, run$control$threads)
  )
}
