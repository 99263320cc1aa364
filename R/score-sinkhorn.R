# Entropic optimal transport: the distance with a blur.
# Work of one .Call(), pairs times columns: 0.01 s, or 0.3 s if epsilon is so small that sums have to be computed
# again.
# It follows from the extents alone, so that the same steps are relaxed whatever else the machine is doing.
work_per_call <- 2e8

sinkhorn_steps <- function(x, y, state, epsilon, relaxation, n_steps, threads) {
  per_call <- work_per_call / (as.numeric(length(state$f)) * length(state$g) * (ncol(x) + 12))
  if (per_call < 0.5) return(long_steps(x, y, state, epsilon, relaxation, n_steps, threads))
  per_call <- max(1, min(20, floor(per_call)))
  while (n_steps > 0) {
    now <- min(per_call, n_steps)
    state <- .Call(C_pf_sinkhorn_steps, x, y, state$f, state$g, epsilon, relaxation, as.integer(now), threads)
    n_steps <- n_steps - now
  }
  state
}

# The same steps where one of them takes long: a few rows at a time, so that Ctrl-C is heard.
long_steps <- function(x, y, state, epsilon, relaxation, n_steps, threads) {
  mean_of <- function(values) Reduce(`+`, values) / length(values) # in the order of the core
  for (step in seq_len(n_steps)) {
    target <- soft_minima(x, if (is.null(y)) x else y, if (is.null(y)) state$f else state$g, epsilon, threads)
    state$error <- mean_of(abs(expm1((state$f - target) / epsilon)))
    if (is.null(y)) {
      state$value <- mean_of(state$f) + mean_of(target)
      state$f <- state$f + 0.5 * (target - state$f)
      next
    }
    state$f <- relaxed(state$f, target, relaxation)
    state$g <- relaxed(state$g, soft_minima(y, x, state$f, epsilon, threads), relaxation)
    state$value <- mean_of(state$f) + mean_of(state$g)
  }
  state
}

relaxed <- function(values, target, relaxation) {
  if (relaxation == 1) target else values + relaxation * (target - values)
}

# For each row of x the soft minimum of |x - y_j|^2 / 2 - g_j over the rows y_j,
#   -epsilon log(mean_j exp((g_j - |x - y_j|^2 / 2) / epsilon)),
# as the core computes it: with one more coordinate sqrt(2 (max g - g_j)) the sum is one of Gaussian kernels.
soft_minima <- function(x, y, g, epsilon, threads) {
  most <- max(g)
  query <- cbind(x, 0)
  source <- cbind(y, sqrt(2 * (most - g)))
  sums <- unlist(in_blocks(nrow(x), as.numeric(nrow(y)) * (ncol(source) + 4), function(from, count) {
    .Call(C_pf_kernel_sums, query, source, from, count, FALSE, "gaussian", sqrt(epsilon), threads)
  }))
  minima <- -most - epsilon * log(sums / nrow(y))
  lost <- which(sums <= 1e-280) # terms may have left the range of doubles; a step of the core has them right
  for (rows in split(lost, ceiling(seq_along(lost) / 64))) {
    step <- .Call(C_pf_sinkhorn_steps, x[rows, , drop = FALSE], y, numeric(length(rows)), g, epsilon, 1, 1L, threads)
    minima[rows] <- step$f
  }
  minima
}

# A cloud against itself: averaged steps from zero settle within a few dozen.
solve_self <- function(x, epsilon, tolerance, most, threads) {
  state <- list(f = numeric(nrow(x)), g = numeric(nrow(x)), error = Inf)
  iterations <- 0
  while (state$error > tolerance && iterations < most) {
    now <- min(5, most - iterations)
    state <- sinkhorn_steps(x, NULL, state, epsilon, 1, now, threads)
    iterations <- iterations + now
  }
  c(state, iterations = iterations)
}

relaxation_factor <- 1.8

# One centred cloud against another. The potentials of each against itself are
# the answer where the clouds are copies; where they are no good start, epsilon
# falls by halves from a bound on the largest cost, one step each.
solve_across <- function(x, y, start, epsilon, tolerance, most, threads) {
  state <- sinkhorn_steps(x, y, start, epsilon, 1, 2, threads)
  iterations <- 2
  if (!(state$error < 0.1)) {
    state[c("f", "g")] <- list(numeric(nrow(x)), numeric(nrow(y)))
    scale <- (sqrt(max(rowSums(x^2))) + sqrt(max(rowSums(y^2))))^2 / 2
    while (scale > epsilon && iterations < most) {
      state <- sinkhorn_steps(x, y, state, scale, 1, 1, threads)
      scale <- scale / 2
      iterations <- iterations + 1
    }
    state$error <- Inf
  }
  relaxation <- 1
  while (state$error > tolerance && iterations < most) {
    before <- state$error
    state <- sinkhorn_steps(x, y, state, epsilon, relaxation, 9, threads)
    state <- sinkhorn_steps(x, y, state, epsilon, 1, 1, threads) # its value is a bound
    iterations <- iterations + 10
    relaxation <- if (state$error < 0.2 && state$error < before) relaxation_factor else 1
  }
  c(state, iterations = iterations)
}

# The distance with its attributes, in the unit of the tables. The attribute "error" is the share of the mass in the
# wrong place.
blurred_distance <- function(tables, blur, tolerance, max_iterations, threads) {
  means <- lapply(tables, colMeans)
  x <- sweep(tables$x, 2, means$x)
  y <- sweep(tables$y, 2, means$y)
  epsilon <- blur^2
  # the bias to take away is wanted better than what it is taken from
  own_x <- solve_self(x, epsilon, tolerance / 10, max_iterations, threads)
  own_y <- solve_self(y, epsilon, tolerance / 10, max_iterations, threads)
  across <- solve_across(x, y, list(f = own_x$f, g = own_y$f), epsilon, tolerance, max_iterations, threads)
  error <- max(across$error, own_x$error, own_y$error)
  squared <- sum((means$x - means$y)^2) + 2 * max(0, across$value - (own_x$value + own_y$value) / 2)
  structure(sqrt(squared), blur = blur, iterations = as.integer(across$iterations), converged = error <= tolerance,
            error = error)
}

warn_unsettled <- function(result, tolerance, unit) {
  warning(sprintf(paste(
    "wasserstein2() has not converged in %d iterations: %.2g of the mass is in the wrong place, where `tolerance` is",
    "%.2g. Raise `blur` (%.3g) or `max_iterations`."
  ), attr(result, "iterations"), min(1, attr(result, "error")), tolerance, unit * attr(result, "blur")), call. = FALSE)
}
