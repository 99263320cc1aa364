# The steps of wgf(): the rule that gives a velocity, birth and death, and the run.

wgf_divergences <- c("kl", "reverse_kl", "jeffreys", "js", "pearson", "neyman", "hellinger", "alpha",
                     "log_variance_q", "log_variance_p")

# target, or log_density and gradient; the divergence and the kernel.
wgf_rule <- function(log_density, gradient, dim, start, control) {
  is_target <- inherits(log_density, "wgf_target")
  if (!is_target && !is.function(log_density)) {
    fail("`log_density` must be a function of a matrix or a target such as target_mixture(), not %s.", describe(log_density))
  }
  if (is_target && !is.null(gradient)) fail("`gradient` belongs to a `log_density` that is a function.")
  if (!is.null(gradient) && !is.function(gradient)) fail("`gradient` must be a function of a matrix, not %s.", describe(gradient))
  given <- if (is_target) log_density$dim else if (is.matrix(start)) ncol(start)
  if (is.null(dim)) dim <- given
  if (is.null(dim)) fail("`dim` must give the number of columns of the points.")
  dim <- check_count(dim, "dim", 1L)
  if (!is.null(given) && dim != given) fail("`dim` is %d, but %s %d.", dim, if (is_target) "the target has" else "the columns of `start` are", given)
  c(list(target = if (is_target) log_density, log_density = if (!is_target) log_density, gradient = gradient, dim = dim),
    control[c("divergence", "alpha", "kernel", "cap", "floor")])
}

# log p [n] and its gradient [n, d] at the points, checked: errors name what is wrong.
rule_values <- function(rule, points, threads) {
  if (!is.null(rule$target)) return(target_field(rule$target, points, threads))
  value <- check_log_density(rule$log_density(points), nrow(points))
  gradient <- if (is.null(rule$gradient)) {
    difference_gradient(rule$log_density, points)
  } else {
    check_gradient(rule$gradient(points), points)
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
  if (length(bad)) fail("`gradient` must return finite numbers, but %d of %d rows are not (the first is row %d).", length(bad), nrow(value), bad[1])
  value <- unname(value)
  storage.mode(value) <- "double"
  value
}

# Central differences; `size` times the best step of double precision.
difference_gradient <- function(log_density, points, size = 1) {
  out <- points
  for (column in seq_len(ncol(points))) {
    h <- size * .Machine$double.eps^(1 / 3) * pmax(1, abs(points[, column]))
    above <- below <- points
    above[, column] <- points[, column] + h
    below[, column] <- points[, column] - h
    out[, column] <- (check_log_density(log_density(above), nrow(points)) - check_log_density(log_density(below), nrow(points))) /
      (above[, column] - below[, column])
  }
  out
}

# Before the first step: the functions work row by row, and the gradient is one.
check_rule <- function(rule, points, values) {
  if (!is.null(rule$target)) return(invisible())
  few <- points[spaced_rows(nrow(points), 5L), , drop = FALSE]
  rows <- spaced_rows(nrow(points), 5L)
  again <- check_log_density(rule$log_density(few), nrow(few))
  if (max(abs(again - values$log_density[rows])) > 1e-8 * max(1, abs(again))) {
    fail("`log_density` must treat each row by itself, but its value at a row depends on the other rows.")
  }
  coarse <- difference_gradient(rule$log_density, few, if (is.null(rule$gradient)) 8 else 1)
  given <- values$gradient[rows, , drop = FALSE]
  off <- sqrt(rowSums((coarse - given)^2))
  size <- sqrt(rowSums(coarse^2))
  bad <- off > 0.01 * size + 1e-4 * max(size) + 1e-8
  if (any(bad) && is.null(rule$gradient)) {
    warning("Differences of `log_density` depend on their step, so the gradient is not reliable: is it smooth? Give `gradient`.", call. = FALSE)
  } else if (any(bad)) {
    fail("`gradient` does not agree with differences of `log_density`: at row %d it is %s, by differences %s.", rows[bad][1],
         paste(format(utils::head(given[bad, ][1:min(3, ncol(given))]), digits = 3), collapse = ", "),
         paste(format(utils::head(coarse[bad, ][1:min(3, ncol(given))]), digits = 3), collapse = ", "))
  }
}

# Steps between looks at the likelihood, and the ratio of the bandwidths that are compared.
bandwidth_every <- 5L

bandwidth_ratio <- 1.15

wgf_bandwidth <- function(run) {
  control <- run$control
  state <- run$state
  if (length(control$bandwidth) == 1) return(control$bandwidth)
  if (length(control$bandwidth) == 2) {
    share <- min(1, state$step / max(1, control$n_steps / 2))
    return(control$bandwidth[1]^(1 - share) * control$bandwidth[2]^share)
  }
  if (is.null(state$bandwidth)) likely_bandwidth(state$points, control$kernel, run$threads) else state$bandwidth
}

# The bandwidth of the next step, from the estimate in this one.
next_bandwidth <- function(run, estimate) {
  h <- run$state$bandwidth
  if (!is.null(run$control$bandwidth) || run$state$step %% bandwidth_every != 0) return(h)
  likely_bandwidth(run$state$points, run$control$kernel, run$threads, bandwidth_ratio, h, mean(estimate$log_density))
}

most_modes <- 100L

# NULL, or how mass is counted: by components, or by nearest centres.
wgf_modes <- function(modes, rule) {
  if (!is.null(modes)) return(list(centres = unname(check_points(modes, "modes", dim = rule$dim))))
  target <- rule$target
  if (is.null(target) || is.null(target$means) || nrow(target$means) < 2 || nrow(target$means) > most_modes) return(NULL)
  list(target = target)
}

# Beyond this quantile of the distance from the mean a particle is outside of all components.
outside_share <- 1e-4

# Shares of the points by mode, and of those outside of all modes.
mode_masses <- function(modes, points, threads) {
  n <- nrow(points)
  if (!is.null(modes$centres)) {
    near <- .Call(C_pf_neighbours, points, modes$centres, 0L, n, FALSE, 1L, threads)$index[, 1]
    return(c(tabulate(near, nrow(modes$centres)) / n, 0))
  }
  target <- modes$target
  terms <- .Call(C_pf_target_components, points, target$means, target$factors, target$constants, threads)
  likeliest <- max.col(terms, "first")
  at <- cbind(seq_len(n), likeliest)
  far <- 2 * (target$constants[likeliest] - terms[at]) > stats::qchisq(outside_share, ncol(points), lower.tail = FALSE)
  c(tabulate(likeliest[!far], ncol(terms)) / n, mean(far))
}

# A record of one step: time and bandwidth, what C gives, quantiles of log r, births.
wgf_columns <- c("time", "bandwidth", "log_z", "divergence", "kinetic_energy", "gamma", "largest_move", "capped",
                 "log_r_5", "log_r_50", "log_r_95", "births")

most_relative_move <- 1

advance_wgf <- function(run, progress) {
  began <- proc.time()[[3]]
  before <- run$elapsed
  complete <- FALSE
  bar <- progress_bar("Particles", run$planned - run$state$step, progress)
  on.exit({
    bar$done()
    if (!complete && run$state$step > 0L) remember_run(run)
  })
  repeat {
    run$state <- utils::modifyList(run$state, guarded_values(run))
    run$state$bandwidth <- wgf_bandwidth(run)
    estimate <- kernel_estimate(NULL, run$state$points, run$rule$kernel, run$state$bandwidth, TRUE, run$threads)
    moved <- move_wgf(run, estimate)
    run$pending <- c(list(record = moved$record), wgf_row(run, moved))
    run$elapsed <- before + proc.time()[[3]] - began
    if (moved$diverged) run$ended <- 1L
    if (run$state$step >= run$planned || run$ended != 0L) break
    following <- next_bandwidth(run, estimate)
    exchange <- birth_death(run, moved)
    run$pending$births <- length(exchange$dead) / nrow(moved$points)
    run <- take_step(run, moved, exchange)
    run$state$bandwidth <- following
    bar$tick(1)
  }
  complete <- TRUE
  run
}

# The target at the particles, and how stiff it is there; an error keeps the state.
guarded_values <- function(run) {
  state <- run$state
  tryCatch({
    values <- rule_values(run$rule, state$points, run$threads)
    if (state$step == 0L) check_rule(run$rule, state$points, values)
    stiffness <- if (!is.null(run$control$step)) {
      1
    } else if (is.null(state$before)) {
      first_stiffness(run$rule, state$points, values, wgf_bandwidth(run), run$threads)
    } else {
      target_stiffness(state$before, values, state$points, state$stiffness)
    }
    list(values = values, stiffness = stiffness)
  }, error = function(e) stop(wgf_error(run, conditionMessage(e))))
}

# One error, with the last good state.
wgf_error <- function(run, message) {
  run["pending"] <- list(NULL)
  run$ended <- 2L
  fit <- finish_wgf(run)
  structure(
    class = c("wgf_error", "error", "condition"),
    list(message = sprintf("%s (At step %d of %d; the condition's field `fit` holds the particles there.)", message, run$state$step, run$planned),
         call = NULL, fit = fit)
  )
}

# How fast the score of the target changes, by the move from `before` to here: a quantile over the particles that lets a
# quarter of them be where it changes faster.
target_stiffness <- function(before, values, points, otherwise) {
  moved <- sqrt(rowSums((points - before$points)^2))
  change <- sqrt(rowSums((values$gradient - before$values$gradient)^2))
  usable <- moved > 1e-12 * (1 + sqrt(rowSums(points^2)))
  if (mean(usable) < 0.5) return(otherwise)
  max(stats::quantile(change[usable] / moved[usable], 0.75, names = FALSE), 1e-300)
}

# At the start, by a small move along the score.
first_stiffness <- function(rule, points, values, bandwidth, threads) {
  size <- sqrt(rowSums(values$gradient^2))
  ahead <- points + 1e-4 * bandwidth * values$gradient / pmax(size, 1e-300)
  target_stiffness(list(points = points, values = values), rule_values(rule, ahead, threads), ahead, 1e-300)
}

move_wgf <- function(run, estimate) {
  rule <- run$rule
  scale2 <- kernel_variance(rule$kernel, rule$dim) * run$state$bandwidth^2
  fixed <- !is.null(run$control$step)
  stable2 <- min(scale2, 1 / run$state$stiffness)
  log_own <- -log_kernel_volume(rule$kernel, run$state$bandwidth, rule$dim) - log(nrow(run$state$points))
  plan <- c(rule$cap, rule$floor, log_own, if (fixed) run$control$step else 0, 0.5, stable2,
            if (fixed) Inf else most_relative_move * sqrt(scale2 * rule$dim))
  .Call(C_pf_wgf_move, run$state$points, run$state$values$log_density, run$state$values$gradient, estimate$log_density,
        estimate$score, match(rule$divergence, wgf_divergences) - 1L, if (is.na(rule$alpha)) 0.5 else rule$alpha, as.double(plan))
}

rule_step <- function(rule, points, bandwidth, threads) {
  values <- rule_values(rule, points, threads)
  here <- list(rule = rule, control = list(step = NULL),
               state = list(points = points, bandwidth = bandwidth, values = values,
                            stiffness = first_stiffness(rule, points, values, bandwidth, threads)))
  move_wgf(here, kernel_estimate(NULL, points, rule$kernel, bandwidth, TRUE, threads))
}

# What is kept of the state before a step.
wgf_row <- function(run, moved) {
  list(quantiles = stats::quantile(moved$log_r, c(0.05, 0.5, 0.95), names = FALSE),
       masses = if (!is.null(run$modes)) mode_masses(run$modes, run$state$points, run$threads))
}

# Who dies and what is born instead after a step: list(dead, born [length(dead), d]).
birth_death <- function(run, moved) {
  none <- list(dead = integer(), born = moved$points[0L, , drop = FALSE])
  if (run$control$birth_death == 0) return(none)
  n <- nrow(moved$points)
  growth <- wgf_weights(run$rule, moved$log_r, reference_mean(run$rule, moved$log_r))[, 3]
  growth <- pmax(growth, -1e100) # far outside Neyman's leaves the range of numbers
  rate <- run$control$birth_death * moved$record[4] * (growth - mean(growth))
  offspring <- exp(pmin(pmax(rate, -log(2)), log(2)))
  stream <- 3L * run$state$step
  # in order of growth, so that as many die as should, within one
  by_growth <- order(offspring)
  children <- numeric(n)
  expected <- offspring[by_growth] / sum(offspring) * n
  children[by_growth] <- systematic_counts(expected, draw_uniform(1L, 1L, run$key, stream)[1])
  dead <- which(children == 0)
  if (!length(dead)) return(none)
  parents <- rep(seq_len(n), pmax(children - 1, 0))
  noise <- draw_kernel(run$rule$kernel, length(dead), ncol(moved$points), run$key, stream + 1L)
  list(dead = dead, born = moved$points[parents, , drop = FALSE] + run$state$bandwidth * noise)
}

take_step <- function(run, moved, exchange) {
  state <- run$state
  run$records <- c(run$records, list(wgf_column(run)))
  run$masses <- c(run$masses, list(run$pending$masses))
  if (state$step %% run$every == 0) {
    run$frames <- c(run$frames, list(state$points))
    run$kept <- c(run$kept, state$step)
  }
  run$state$before <- state[c("points", "values")]
  run$state$points <- moved$points
  # for the rows that were born this is no move
  run$state$points[exchange$dead, ] <- run$state$before$points[exchange$dead, ] <- exchange$born
  run$state$step <- state$step + 1L
  run$state$time <- state$time + moved$record[4]
  run["pending"] <- list(NULL)
  run
}

wgf_column <- function(run) {
  c(run$state$time, run$state$bandwidth, run$pending$record, run$pending$quantiles,
    if (is.null(run$pending$births)) NA_real_ else run$pending$births)
}

finish_wgf <- function(run) {
  k <- run$state$step
  last <- if (is.null(run$pending)) c(run$state$time, rep(NA_real_, 11)) else wgf_column(run)
  last[6] <- last[7] <- NA # no step was taken from here
  records <- do.call(cbind, c(run$records, list(last)))
  diagnostics <- data.frame(step = 0:k, t(unname(records)))
  names(diagnostics)[-1] <- wgf_columns
  diagnostics <- diagnostics[c("step", "time", "gamma", "bandwidth", "divergence", "log_z", "kinetic_energy", "largest_move",
                               "log_r_5", "log_r_50", "log_r_95", "capped", "births")]
  rownames(diagnostics) <- NULL
  frames <- c(run$frames, list(run$state$points))
  kept <- c(run$kept, k)
  stored <- list(frames = array(unlist(frames), c(dim(run$start), length(kept))), kept = as.integer(kept))
  if (!is.null(run$columns)) dimnames(stored$frames) <- list(NULL, run$columns, NULL)
  trajectory <- new_trajectory(stored, diagnostics, list(kernel = run$rule$kernel))
  masses <- if (!is.null(run$modes)) {
    end <- if (is.null(run$pending)) mode_masses(run$modes, run$state$points, run$threads) else run$pending$masses
    all <- do.call(rbind, c(run$masses, list(end)))
    dimnames(all) <- list(NULL, c(paste0("mode", seq_len(ncol(all) - 1)), "outside"))
    all
  }
  if (run$ended == 1L) {
    warning(sprintf("The run diverged at step %d (numbers out of range); the fit is the state before that step. Lower `step` or `cap`.", k + 1L), call. = FALSE)
  }
  status <- c("all steps done", "diverged", "target failed")[run$ended + 1L]
  if (run$ended == 0L && k < run$planned) status <- "interrupted"
  end <- diagnostics[k + 1L, ]
  particles <- run$state$points
  colnames(particles) <- run$columns
  structure(
    list(
      call = run$call, particles = particles, trajectory = trajectory, masses = masses, latent = NULL, control = run$control,
      diagnostics = data.frame(
        n = nrow(particles), dim = run$rule$dim, steps = k, time = end$time, status = status, divergence = end$divergence,
        kinetic_energy = end$kinetic_energy, bandwidth = if (is.null(run$state$bandwidth)) NA_real_ else run$state$bandwidth,
        log_z = end$log_z
      ),
      elapsed = run$elapsed, rule = run$rule, modes = run$modes,
      run = run[setdiff(names(run), c("records", "masses", "frames", "kept", "pending", "rule", "modes", "control"))], version = run$version
    ),
    class = c("wgf", "particle_flow")
  )
}

# The run behind a fit.
run_of_wgf <- function(fit) {
  run <- c(fit$run, list(rule = fit$rule, modes = fit$modes, control = fit$control))
  traj <- fit$trajectory
  k <- n_steps(traj)
  on_grid <- which(traj$kept < k & traj$kept %% run$every == 0)
  run$kept <- traj$kept[on_grid]
  run$frames <- lapply(on_grid, function(j) matrix(traj$frames[, , j], nrow(run$start)))
  table <- unname(as.matrix(traj$diagnostics[wgf_columns]))
  run$records <- lapply(seq_len(k), function(j) table[j, ])
  run$masses <- lapply(seq_len(if (is.null(fit$masses)) 0 else k), function(j) unname(fit$masses[j, ]))
  run
}

# The mean of log r under the reference of the log-variance, from its values at the particles.
reference_mean <- function(rule, log_r) {
  switch(rule$divergence, log_variance_q = mean(log_r), log_variance_p = sum(exp(log_r) * log_r) / sum(exp(log_r)), 0)
}

# Three columns: w, f and the rate of growth g at each log r, without cap.
wgf_weights <- function(rule, log_r, mean = 0) {
  .Call(C_pf_wgf_weights, match(rule$divergence, wgf_divergences) - 1L, if (is.na(rule$alpha)) 0.5 else rule$alpha,
        as.double(log_r), as.double(mean))
}

wgf_start <- function(start, rule, n) {
  d <- rule$dim
  if (is.null(start) || (is.numeric(start) && length(start) == 1 && is.null(dim(start)))) {
    z <- draw_normal(n, d, draw_key())
    if (!is.null(start)) return(z * check_number(start, "start", lower = 0, open_lower = TRUE))
    if (is.null(rule$target)) return(z)
    return(unscale_columns(z, rule$target$centre, rule$target$spread))
  }
  if (is.function(start)) {
    points <- start(n)
    if (!is.matrix(points) || nrow(points) != n) {
      fail("`start` must be a function that returns a matrix of %d rows for n = %d, not %s.", n, n, describe(points))
    }
    return(check_points(points, "start(n)", dim = d))
  }
  check_points(start, "start", min_rows = 2L, dim = d)
}

wgf_control <- function(divergence, alpha, kernel, bandwidth, step, n_steps, cap, floor, birth_death, every) {
  divergence <- check_choice(divergence, wgf_divergences, "divergence")
  alpha <- check_number(alpha, "alpha")
  if (alpha %in% c(0, 1)) fail("`alpha` must be neither 0 nor 1 (\"kl\" and \"reverse_kl\" are their limits).")
  list(
    divergence = divergence, alpha = if (divergence == "alpha") alpha else NA_real_,
    kernel = check_choice(kernel, c("gaussian", "laplace"), "kernel"),
    bandwidth = if (!is.null(bandwidth)) check_bandwidths(bandwidth),
    step = if (!is.null(step)) check_number(step, "step", lower = 0, open_lower = TRUE),
    n_steps = check_count(n_steps, "n_steps"), cap = check_number(cap, "cap", lower = 1, finite = FALSE),
    floor = check_number(floor, "floor", lower = 0),
    birth_death = if (!is.null(birth_death)) check_number(birth_death, "birth_death", lower = 0),
    every = if (!is.null(every)) check_count(every, "every", 1L)
  )
}

check_bandwidths <- function(bandwidth) {
  good <- is.numeric(bandwidth) && length(bandwidth) %in% 1:2 && all(is.finite(bandwidth)) && all(bandwidth > 0)
  if (!good) fail("`bandwidth` must be one positive number, or two to anneal between, not %s.", describe(bandwidth))
  as.double(bandwidth)
}
