# The flow of wgf(): particles [n, d] follow the rule (flow-wgf-rule.R). With birth and death, some particles die and
# are born again elsewhere.

# ---- settings --------------------------------------------------------------------------------------------

wgf_control <- function(divergence, alpha, kernel, bandwidth, step, n_steps, cap, floor, birth_death, every,
                        checkpoint = NULL, method = "plain", polish = 0) {
  method <- check_choice(method, wgf_methods, "method")
  if (is.null(n_steps)) n_steps <- wgf_steps[[method]]
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
    every = if (!is.null(every)) check_count(every, "every", 1L), checkpoint = check_path(checkpoint),
    method = method, polish = if (method == "plain") 0L else check_count(polish, "polish")
  )
}

wgf_methods <- c("whitened", "plain")

# Modes of a target are counted up to this number.
most_modes <- 100L

# Steps if the user gives none.
wgf_steps <- list(whitened = 100L, plain = 500L)

check_bandwidths <- function(bandwidth) {
  good <- is.numeric(bandwidth) && length(bandwidth) %in% 1:2 && all(is.finite(bandwidth)) && all(bandwidth > 0)
  if (!good) {
    fail("`bandwidth` must be one positive number, or two to anneal between, not %s.", describe(bandwidth))
  }
  if (any(bandwidth < 1 / largest_length | bandwidth > largest_length)) {
    fail("`bandwidth` must lie between %s and %s, whose squares are numbers, not be %s.", format(1 / largest_length),
         format(largest_length), some(format(bandwidth)))
  }
  as.double(bandwidth)
}

# Checks `start` and `n` before anything is drawn or computed. Returns the number of particles.
check_start <- function(start, n, rule) {
  if (is.numeric(start) && length(start) == 1 && is.null(dim(start))) {
    check_number(start, "start", lower = 0, open_lower = TRUE)
  } else if (!is.null(start) && !is.function(start)) {
    return(nrow(check_points(start, "start", min_rows = 2L, dim = rule$density$size)))
  }
  check_rows(n, "n", rule$density$size, lower = 2L)
}

# The points [n, d] where the particles start.
wgf_start <- function(start, rule, n) {
  points <- start_points(start, rule, n)
  if (all(points == rep(points[1, ], each = n))) {
    fail("`start` must have rows that differ, because particles at one point stay together, but all %d rows are equal.",
         n)
  }
  points
}

start_points <- function(start, rule, n) {
  if (is.function(start)) {
    points <- start(n)
    if (!is.matrix(points) || nrow(points) != n) {
      fail("`start` must be a function that returns a matrix of %d rows for n = %d, not %s.", n, n, describe(points))
    }
    return(check_points(points, "start(n)", dim = rule$density$size))
  }
  if (!is.null(start) && (length(start) > 1 || !is.null(dim(start)))) return(check_points(start, "start"))
  z <- draw_normal(n, rule$dim, draw_key())
  if (!is.null(start)) return(z * start)
  if (is.null(rule$density$target)) return(z)
  unscale_columns(z, rule$density$target$centre, rule$density$target$spread)
}

# ---- modes -----------------------------------------------------------------------------------------------

# How mass is counted: list(centres [m, d]) by the nearest centre, list(target) by components, or NULL: not at all.
wgf_modes <- function(modes, rule) {
  if (!is.null(modes)) return(list(centres = unname(check_points(modes, "modes", dim = rule$density$size))))
  count <- NROW(rule$density$target$means) # 0 if the target is not a mixture
  if (count >= 2 && count <= most_modes) list(target = rule$density$target)
}

# A particle is outside of all components if a draw of its component lies as far from the mean with at most this
# probability.
outside_share <- 1e-4

# [modes + 1]: the share of the points in each mode, and the share outside of all modes.
mode_masses <- function(modes, points, threads) {
  n <- nrow(points)
  if (!is.null(modes$centres)) {
    near <- .Call(C_pf_neighbours, points, modes$centres, 0L, n, FALSE, 1L, threads)$index[, 1]
    return(c(tabulate(near, nrow(modes$centres)) / n, 0))
  }
  target <- modes$target
  lengths <- .Call(C_pf_gaussian_lengths, points, target$means, target$factors, threads)
  likeliest <- max.col(rep(target$constants, each = n) - 0.5 * lengths, "first")
  far <- lengths[cbind(seq_len(n), likeliest)] > stats::qchisq(outside_share, ncol(points), lower.tail = FALSE)
  c(tabulate(likeliest[!far], ncol(lengths)) / n, mean(far))
}

# ---- the run ---------------------------------------------------------------------------------------------

# points [n, d]: where the particles start. annealed: the number of steps over which two bandwidths are annealed, which
# further steps do not change.
new_wgf_run <- function(points, rule, control, modes, threads, call, key = draw_key(), placed = NULL) {
  every <- if (is.null(control$every)) max(1L, ceiling(control$n_steps / 100)) else control$every
  columns <- if (is.null(rule$density$names)) colnames(points) else rule$density$names
  points <- unname(points)
  state <- list(step = 0L, points = points, time = 0, evaluations = sum_evaluations(placed$evaluations))
  new_run("wgf", "Particles", control, state, control$n_steps, call = call, rule = rule, modes = modes, key = key,
          columns = columns, start = points, every = every, threads = threads,
          annealed = if (length(control$bandwidth) == 2) control$n_steps / 2, searches = placed$searches,
          mixture = placed$mixture, groups = placed$groups)
}

# What is known of one step.
wgf_columns <- c("time", "gamma", "bandwidth", "divergence", "log_z", "kinetic_energy", "largest_move", "log_r_5",
                 "log_r_50", "log_r_95", "capped", "births")

#' @export
advance.wgf_run <- function(run, most) {
  block <- list()
  for (i in seq_len(most)) {
    seen <- look_wgf(run, block)
    if (seen$moved$diverged) {
      run$ended <- "diverged"
      break
    }
    following <- next_bandwidth(run, seen)
    exchange <- birth_death(run, seen)
    births <- length(exchange$dead) / nrow(seen$moved$points)
    kept <- if (run$state$step %% run$every == 0) seen$points
    block[[i]] <- list(record = wgf_entry(run, seen, births), masses = seen$masses, frame = kept)
    run$state <- after_step(run$state, seen, exchange, following)
  }
  close_block(run, block)
}

# The run with one more entry of its history, made of the entries of the steps of a block.
close_block <- function(run, block) {
  part <- function(name) Filter(Negate(is.null), lapply(block, `[[`, name))
  frames <- part("frame")
  entry <- list(records = do.call(cbind, part("record")), masses = do.call(rbind, part("masses")),
                frames = do.call(cbind, lapply(frames, as.vector)))
  add_history(run, entry, run$state)
}

# All that the step from here depends on: the values of the target, its stiffness, the bandwidth, the estimate. Also the
# moved points. If the target fails, this ends in one error, which holds the fit of all steps before. `block`: those of
# these steps that are not in the history yet.
look_wgf <- function(run, block = list()) {
  state <- run$state
  known <- tryCatch(values_here(run), error = function(e) stop(wgf_error(close_block(run, block), e)))
  moved <- move_points(run$rule, known$points, known$values, known$estimate, known$bandwidth, known$stiffness,
                       run$control$step)
  c(known, list(moved = moved, masses = if (!is.null(run$modes)) run_masses(run, known$points)))
}

# The masses of the modes at points in the coordinates of the run.
run_masses <- function(run, points) {
  mode_masses(run$modes, unname(to_user(run$rule$density, points)), run$threads)
}

# This function calls the functions of the user, which may throw any error.
values_here <- function(run) {
  state <- run$state
  values <- density_values(run$rule$density, state$points, run$threads)
  evaluations <- values$evaluations
  if (state$step == 0L) {
    if (is.null(run$searches)) { # the searches have looked already
      verified <- verify_density(run$rule$density, state$points, values, run$threads)
      evaluations <- evaluations + count_evaluations(verified)
    }
    if (is.null(run$control$step)) evaluations <- evaluations + values$evaluations # first_stiffness() looks once more
  }
  inside <- if (run$rule$density$strict) list(points = state$points, values = values) else stay_inside(state, values)
  values <- inside$values
  state$points <- inside$points
  stiffness <- if (!is.null(run$control$step)) {
    1
  } else if (is.null(state$before)) {
    first_stiffness(run$rule, state$points, values, wgf_bandwidth(run), run$threads)
  } else {
    target_stiffness(state$before, values, state$points, state$stiffness)
  }
  bandwidth <- wgf_bandwidth(run)
  estimate <- kernel_estimate(NULL, state$points, run$rule$kernel, bandwidth, TRUE, run$threads)
  list(values = values, stiffness = stiffness, bandwidth = bandwidth, estimate = check_estimate(estimate, bandwidth),
       points = inside$points, evaluations = evaluations)
}

# Particles that a step has carried outside of the support stay where they stood before. At the start, where nobody
# stood before, they join others.
stay_inside <- function(state, values) {
  points <- state$points
  out <- which(values$log_density == -Inf)
  if (!length(out)) return(list(points = points, values = values))
  home <- state$home
  if (is.null(home)) {
    from <- rep_len(setdiff(seq_len(nrow(points)), out), length(out))
    home <- list(points = points, values = values)
    home$points[out, ] <- points[from, ]
    home$values$log_density[out] <- values$log_density[from]
    home$values$gradient[out, ] <- values$gradient[from, ]
  }
  points[out, ] <- home$points[out, ]
  values$log_density[out] <- home$values$log_density[out]
  values$gradient[out, ] <- home$values$gradient[out, ]
  list(points = points, values = values)
}

# An error of class wgf_error that keeps the classes of the first error and holds the last good state.
wgf_error <- function(run, error) {
  run$ended <- "target failed"
  message <- sprintf("%s (At step %d of %d; the condition's field `fit` holds the particles there.)",
                     conditionMessage(error), run$state$step, run$planned)
  own <- grep("^particleflow_", class(error), value = TRUE)
  structure(class = unique(c("wgf_error", own, "particleflow_error", "error", "condition")),
            list(message = message, call = NULL, fit = finish(run)))
}

after_step <- function(state, seen, exchange, following) {
  before <- home <- list(points = seen$points, values = seen$values)
  points <- seen$moved$points
  # a row that was born counts as not moved
  points[exchange$dead, ] <- before$points[exchange$dead, ] <- exchange$born
  list(step = state$step + 1L, points = points, time = state$time + seen$moved$record$gamma,
       evaluations = state$evaluations + seen$evaluations, bandwidth = following, stiffness = seen$stiffness,
       before = before, home = home)
}

# Numbers named by wgf_columns.
wgf_entry <- function(run, seen, births) {
  quantiles <- stats::quantile(seen$moved$log_r, c(0.05, 0.5, 0.95), names = FALSE)
  names(quantiles) <- c("log_r_5", "log_r_50", "log_r_95")
  c(time = run$state$time, bandwidth = seen$bandwidth, unlist(seen$moved$record), quantiles,
    births = births)[wgf_columns]
}

# The same of a state from which no step could be looked at.
unseen_entry <- function(run) {
  entry <- stats::setNames(rep(NA_real_, length(wgf_columns)), wgf_columns)
  entry[["time"]] <- run$state$time
  entry
}

# ---- the bandwidth ---------------------------------------------------------------------------------------

# The bandwidth is adapted every so many steps. Neighbouring bandwidths that are compared have this ratio.
bandwidth_every <- 5L

bandwidth_ratio <- 1.15

wgf_bandwidth <- function(run) {
  control <- run$control
  state <- run$state
  if (length(control$bandwidth) == 1) return(control$bandwidth)
  if (length(control$bandwidth) == 2) {
    share <- min(1, state$step / max(1, run$annealed))
    return(control$bandwidth[1]^(1 - share) * control$bandwidth[2]^share)
  }
  if (!is.null(state$bandwidth)) return(state$bandwidth)
  check_distances(state$points)
  likely_bandwidth(state$points, control$kernel, run$threads)
}

# The bandwidth of the next step, chosen with the estimate of this step.
next_bandwidth <- function(run, seen) {
  if (!is.null(run$control$bandwidth) || run$state$step %% bandwidth_every != 0) return(seen$bandwidth)
  likely_bandwidth(seen$points, run$control$kernel, run$threads, bandwidth_ratio, seen$bandwidth,
                   mean(seen$estimate$log_density))
}

# ---- birth and death -------------------------------------------------------------------------------------

# The particles that die after a step, and the points that replace them: list(dead, born [length(dead), d]).
birth_death <- function(run, seen) {
  moved <- seen$moved
  none <- list(dead = integer(), born = moved$points[0L, , drop = FALSE])
  if (run$control$birth_death == 0) return(none)
  n <- nrow(moved$points)
  growth <- wgf_weights(run$rule, moved$log_r, reference_mean(run$rule, moved$log_r))[, "growth"]
  growth <- pmax(growth, -1e100) # far outside Neyman's leaves the range of numbers
  rate <- run$control$birth_death * moved$record$gamma * (growth - mean(growth))
  offspring <- exp(pmin(pmax(rate, -log(2)), log(2)))
  stream <- 3L * run$state$step
  # in order of growth, so that the number of deaths differs from its mean by at most one
  by_growth <- order(offspring)
  children <- numeric(n)
  expected <- offspring[by_growth] / sum(offspring) * n
  children[by_growth] <- systematic_counts(expected, draw_uniform(1L, 1L, run$key, stream)[1])
  dead <- which(children == 0)
  if (!length(dead)) return(none)
  parents <- rep(seq_len(n), pmax(children - 1, 0))
  noise <- draw_kernel(run$rule$kernel, length(dead), ncol(moved$points), run$key, stream + 1L)
  list(dead = dead, born = moved$points[parents, , drop = FALSE] + seen$bandwidth * noise)
}

# ---- the fit ---------------------------------------------------------------------------------------------

#' @export
finish.wgf_run <- function(run) {
  k <- run$state$step
  # a target that has failed is not called again
  seen <- if (run$ended != "target failed") look_wgf(run)
  diagnostics <- wgf_diagnostics(run, seen)
  masses <- wgf_masses(run, seen)
  if (run$ended == "diverged") {
    warning(sprintf(paste("The run diverged at step %d (numbers out of range); the fit is the state before that step.",
                          "Lower `step` or `cap`."), k + 1L), call. = FALSE)
  }
  end <- diagnostics[k + 1L, ]
  plain <- run$control$method == "plain"
  points <- if (is.null(seen)) run$state$points else seen$points
  particles <- to_user(run$rule$density, points)
  colnames(particles) <- run$columns
  bandwidth <- if (is.null(seen)) run$state$bandwidth else seen$bandwidth
  drawn <- if (!plain && !is.null(seen) && run$ended == "") {
    tryCatch(wgf_drawn(run, seen, bandwidth), error = function(e) stop(wgf_error(run, e)))
  }
  evaluations <- sum_evaluations(run$state$evaluations, seen$evaluations, drawn$evaluations)
  if (run$ended == "") warn_nan(evaluations)
  log_z <- if (is.null(drawn)) c(end$log_z, NA) else drawn$log_z
  seal(structure(
    c(list(
      call = run$call, particles = particles, trajectory = wgf_trajectory(run, diagnostics), masses = masses,
      latent = NULL, control = run$control,
      diagnostics = data.frame(
        n = nrow(particles), dim = run$rule$dim, steps = k, time = end$time, status = run_status(run),
        divergence = end$divergence, kinetic_energy = end$kinetic_energy,
        bandwidth = if (is.null(bandwidth)) NA_real_ else bandwidth, log_z = log_z[1], log_z_error = log_z[2],
        evaluations = evaluations[["all"]], points = evaluations[["points"]], nan_points = evaluations[["nan"]]
      ),
      elapsed = run$elapsed, rule = run$rule, modes = run$modes,
      run = c(run[setdiff(names(run), c("history", wgf_in_fit))],
              if (!plain) list(points = points, kept_frames = join_history(run, "frames"))),
      version = run$version
    ), drawn[c("draws", "log_density", "quality", "verdict", "polish")]),
    class = c("wgf", "particle_flow")
  ))
}

# What a whitened fit holds besides: the draws, and what they tell.
wgf_drawn <- function(run, seen, bandwidth) {
  run$state$points <- seen$points
  found <- polished_draws(run, bandwidth)
  draws <- to_user(found$density, coordinates_of(found$density, found$free))
  colnames(draws) <- run$columns
  likely <- if (length(run$control$bandwidth)) likely_bandwidth(seen$points, run$rule$kernel, run$threads)
  quality <- wgf_quality(run, found, bandwidth, likely)
  if (quality$bandwidth_over_likely < wgf_limits$bandwidth) {
    warning(sprintf(paste("The bandwidth %s is %.2f times the likely one at the end: particles then drive each other",
                          "too far out."), format(bandwidth, digits = 3), quality$bandwidth_over_likely), call. = FALSE)
  }
  list(draws = draws, log_density = found$log_density, quality = quality,
       verdict = wgf_verdict(run, quality, seen$masses),
       log_z = c(found$comparison$log_z, found$comparison$log_z_error),
       polish = list(density = found$density, size = found$moves$size), evaluations = found$evaluations)
}

# The parts of a run that its fit holds too.
wgf_in_fit <- c("call", "control", "elapsed", "rule", "modes", "version")

# Data frame with one row per step and one for the end, from which no step was taken.
wgf_diagnostics <- function(run, seen) {
  last <- if (is.null(seen)) unseen_entry(run) else wgf_entry(run, seen, NA_real_)
  last[c("gamma", "largest_move")] <- NA
  records <- cbind(join_history(run, "records"), last, deparse.level = 0)
  data.frame(step = 0:run$state$step, t(records))
}

# Matrix [k + 1, modes + 1], or NULL if no modes are known.
wgf_masses <- function(run, seen) {
  if (is.null(run$modes)) return(NULL)
  end <- if (is.null(seen)) run_masses(run, run$state$points) else seen$masses
  all <- rbind(join_history(run, "masses", rbind), end, deparse.level = 0)
  dimnames(all) <- list(NULL, c(paste0("mode", seq_len(ncol(all) - 1)), "outside"))
  all
}

wgf_trajectory <- function(run, diagnostics) {
  k <- run$state$step
  kept <- c(if (k > 0) seq(0L, k - 1L, by = as.integer(run$every)), k)
  frames <- cbind(join_history(run, "frames"), as.vector(run$state$points))
  if (run$control$method != "plain") {
    frames <- apply(frames, 2, function(frame) to_user(run$rule$density, matrix(frame, nrow(run$start))))
  }
  frames <- array(frames, c(nrow(run$start), run$rule$density$size, length(kept)))
  if (!is.null(run$columns)) dimnames(frames) <- list(NULL, run$columns, NULL)
  new_trajectory("wgf", "wgf", list(frames = frames, kept = as.integer(kept)), diagnostics,
                 list(kernel = run$rule$kernel))
}

#' @export
as_run.wgf <- function(object) {
  check_fit(object)
  traj <- object$trajectory
  run <- structure(c(object$run, object[intersect(wgf_in_fit, names(object))]), class = c("wgf_run", "particle_run"))
  k <- n_steps(traj)
  if (k == 0) {
    run[c("points", "kept_frames")] <- NULL
    return(run)
  }
  kept <- which(traj$kept < k & traj$kept %% run$every == 0)
  frames <- if (is.null(run$kept_frames)) matrix(traj$frames[, , kept], ncol = length(kept)) else run$kept_frames
  run[c("points", "kept_frames")] <- NULL
  steps <- seq_len(k)
  entry <- list(records = record_matrix(traj$diagnostics[steps, wgf_columns]),
                masses = if (!is.null(object$masses)) unname(object$masses[steps, , drop = FALSE]),
                frames = frames)
  run$history <- list(entry)
  run
}

# bytes: of records, masses and kept frames. seconds: the estimate needs one kernel value per pair in each step.
#' @export
foretell.wgf_run <- function(run) {
  steps <- as.numeric(run$planned)
  n <- nrow(run$start)
  modes <- if (is.null(run$modes)) 0 else if (is.null(run$modes$centres)) nrow(run$modes$target$means) else
    nrow(run$modes$centres)
  c(bytes = 8 * steps * (length(wgf_columns) + modes) + 8 * length(run$start) * (steps / run$every + 1),
    seconds = steps * n * (n - 1) / 2 / most_pairs_per_second)
}

# ---- its trajectory --------------------------------------------------------------------------------------

#' @export
describe_field.wgf_trajectory <- function(traj) sprintf("density of the particles: %s kernel", traj$kernel)
