# The flow of temper(): particles of several populations go from a start law q0 to the density p along
# q0^(1 - t) p^t (an adaptive sequential Monte Carlo sampler).

# n is raised to a multiple of the populations, with at least least_population in each.
least_population <- 20L

temper_control <- function(n, populations, checkpoint) {
  populations <- check_count(populations, "populations", 1L)
  if (populations > 100) fail("`populations` must be at most 100, not %d.", populations)
  each <- max(ceiling(check_count(n, "n", 1L) / populations), least_population)
  list(n = as.integer(each * populations), populations = populations, checkpoint = check_path(checkpoint))
}

# The rounds of the mode searches, and the number of searches.
search_rounds <- 100L
searches <- 100L

# Stages are so long that the effective sample size falls to this share.
stage_share <- 0.8

# The most rounds of moves in one stage, rounds at t = 1 before draws are kept, passes, and stages in a pass.
stage_rounds <- 6L
most_settle_rounds <- 30L
most_passes <- 3L
most_stages <- 80L

# Particles have forgotten where they stood below this correlation: within a stage, and at t = 1.
stage_memory <- 0.5
settled_memory <- 0.1

# The least and the most rounds that are kept at the end. They end when the draws are worth so many independent ones per
# particle.
least_rounds <- 8L
most_rounds <- 40L
wanted_worth <- 4

# A start law is good enough if the shape of the tail of p / q0 is below this.
good_tail <- 0.5

# A run takes at most so many steps: a stage, or a round of moves.
most_temper_steps <- 1000L

new_temper_run <- function(density, start, control, threads, call) {
  n <- control$n
  population <- rep(seq_len(control$populations), each = n / control$populations)
  half <- if (control$populations == 1) rep(1:2, length.out = n) else (population - 1L) %% 2L + 1L
  state <- list(step = 0L, time = 0, phase = "search", pass = 1L, t = 0, evaluations = no_evaluations, steps = c(1, 1),
                jump_use = 1)
  new_run("temper", "Steps", c(control, time = 1), state, most_temper_steps, most = most_temper_steps, call = call,
          density = density, from = start, key = draw_key(), population = population, half = half, threads = threads)
}

temper_columns <- c("phase", "pass", "exponent", "worth", "rounds", "walked", "jumped", "memory", "log_z",
                    "log_density", "evaluations")

#' @export
advance.temper_run <- function(run, most) {
  block <- list()
  for (i in seq_len(most)) {
    made <- tryCatch(temper_step(run), error = function(e) stop(temper_error(close_temper(run, block), e)))
    run <- made$run
    block[[i]] <- made$entry
    run$state$step <- run$state$step + 1L
    if (nzchar(run$ended)) break
  }
  close_temper(run, block)
}

close_temper <- function(run, block) {
  part <- function(name, bind) do.call(bind, lapply(block, `[[`, name))
  if (!length(block)) return(run)
  add_history(run, list(records = part("record", cbind), log_z = part("log_z", cbind), draws = part("draws", rbind),
                        slopes = part("slopes", rbind), ratios = part("ratios", rbind)), run$state)
}

# An error of class temper_error that keeps the classes of the first error.
temper_error <- function(run, error) {
  own <- grep("^particleflow_", class(error), value = TRUE)
  message <- sprintf("%s (After step %d, at exponent %s of the density.)", conditionMessage(error), run$state$step,
                     format(run$state$t, digits = 3))
  structure(class = unique(c("temper_error", own, "particleflow_error", "error", "condition")),
            list(message = message, call = NULL))
}

# One step: the search of modes, a stage, or a round of moves at t = 1. list(run, entry)
temper_step <- function(run) {
  switch(run$state$phase, search = search_step(run), temper = stage_step(run), settle = settle_step(run),
         sample = sample_step(run))
}

temper_phases <- c("search", "temper", "settle", "sample")

temper_entry <- function(run, phase, ..., log_z = NULL) {
  state <- run$state
  record <- stats::setNames(rep(NA_real_, length(temper_columns)), temper_columns)
  known <- c(phase = match(phase, temper_phases), pass = state$pass, exponent = state$t,
             log_density = mean(state$cloud$log_density), evaluations = state$evaluations[["all"]], ...)
  record[names(known)] <- known
  list(record = record, log_z = if (is.null(log_z)) numeric(run$control$populations) else log_z)
}

# ---- the search and the start ----------------------------------------------------------------------------

search_step <- function(run) {
  d <- run$density$dim
  wide <- wide_law(run$from, d)
  key <- move_key(run, 0L, 0L)
  own <- if (is.null(run$from)) wide$means else run$from[spaced_rows(nrow(run$from), searches %/% 2L), , drop = FALSE]
  starts <- rbind(own, student_draw(wide, searches - nrow(own), key, run$threads))
  modes <- find_modes(run$density, starts, search_rounds, run$threads, check = TRUE)
  run$modes <- modes[c("points", "log_density", "roots", "count", "edge", "lost")]
  run$state$evaluations <- run$state$evaluations + modes$evaluations
  run <- begin_pass(run, tempered_start(modes, wide_around(wide, modes)))
  list(run = run, entry = temper_entry(run, "search"))
}

# The wide law: around the user's points, or with standard deviation 3 on the free scale around one point or 0.
wide_law <- function(from, d) {
  if (is.null(from)) from <- matrix(0, 1, d)
  if (nrow(from) == 1) return(list(weights = 1, means = from, roots = list(diag(3, d)), df = 30))
  unit <- points_unit(from)
  list(weights = 1, means = matrix(unit$centre, 1), roots = list(2 * unit$root), df = 5)
}

# Half of the wide law lies where the user's lies, half around all modes: three times as wide as they are together.
wide_around <- function(wide, modes) {
  m <- length(modes$roots)
  if (m == 0) return(wide)
  centre <- colMeans(modes$points)
  within <- Reduce(`+`, lapply(modes$roots, crossprod)) / m
  between <- crossprod(sweep(modes$points, 2, centre)) / m
  list(weights = c(0.5, 0.5), means = rbind(wide$means, centre, deparse.level = 0),
       roots = c(wide$roots, list(3 * definite_root(within + between))), df = c(wide$df, 3))
}

# Particles that are drawn from `start`, at t = 0.
begin_pass <- function(run, start) {
  state <- run$state
  points <- student_draw(start, run$control$n, move_key(run, 1L, 0L), run$threads)
  made <- cloud_at(run$density, points, start, 0, run$threads)
  state$evaluations <- state$evaluations + made$evaluations
  state$start <- start
  state$cloud <- made$cloud
  state$t <- 0
  state$phase <- "temper"
  state$laws <- NULL
  state$stages <- 0L
  run$state <- state
  run
}

# ---- a stage ---------------------------------------------------------------------------------------------

stage_step <- function(run) {
  state <- run$state
  lean <- state$cloud$log_density - state$cloud$log_start
  if (!any(lean > -Inf)) {
    stop_unsolved("None of the %d particles that were drawn lies where the density is above 0: give a `start`.",
                  run$control$n)
  }
  state$stages <- state$stages + 1L
  if (state$stages > most_stages) {
    run$ended <- "stages used up"
    return(list(run = run, entry = temper_entry(run, "temper")))
  }
  t <- next_exponent(lean, state$t)
  log_weights <- weights_of_stage(lean, t - state$t)
  log_z <- vapply(split(log_weights, run$population), log_mean, 0)
  worth <- weights_worth(log_weights)
  state$t <- t
  key <- move_key(run, 2L, 0L)
  parts <- if (t < 1) cloud_parts else cloud_parts[1:3]
  state$cloud <- cloud_rows(state$cloud[parts], resampled_rows(log_weights, run$population, key))
  run$state <- state
  run <- learn_metric(run)
  moved <- move_until_forgotten(run, stage_rounds, stage_memory)
  run <- moved$run
  if (t == 1) {
    run$state$phase <- "settle"
    run$state$base <- run$state$cloud$points
    run$state$rounds <- 0L
    run$state$still <- integer(run$control$n)
    run$state$outside <- 0
  }
  run$state$time <- temper_share(run)
  list(run = run, entry = temper_entry(run, "temper", worth = worth, rounds = moved$rounds, walked = moved$walked,
                                       jumped = moved$jumped, memory = moved$memory, log_z = log_z))
}

weights_of_stage <- function(lean, rise) ifelse(lean == -Inf, -Inf, rise * lean)

log_mean <- function(log_weights) {
  top <- max(log_weights)
  if (top == -Inf) return(-Inf)
  top + log(mean(exp(log_weights - top)))
}

# The largest exponent up to 1 at which the effective sample size is at least stage_share of the particles with p > 0.
next_exponent <- function(lean, t) {
  enough <- stage_share * sum(lean > -Inf)
  worth <- function(next_t) weights_worth(weights_of_stage(lean, next_t - t))
  if (worth(1) >= enough) return(1)
  low <- 0
  high <- 1 - t
  # on a logarithmic scale at first, because the first stage may be very short
  small <- high
  while (small > 1e-300 && worth(t + small) < enough) small <- small / 8
  low <- small
  high <- min(8 * small, 1 - t)
  for (i in seq_len(30)) {
    middle <- (low + high) / 2
    if (worth(t + middle) >= enough) low <- middle else high <- middle
  }
  t + low
}

# Systematic resampling within each population.
resampled_rows <- function(log_weights, population, key) {
  u <- draw_uniform(max(population), 1L, key)[, 1]
  unlist(lapply(split(seq_along(log_weights), population), function(rows) {
    top <- max(log_weights[rows])
    if (top == -Inf) fail_population()
    w <- exp(log_weights[rows] - top)
    rep(rows, systematic_counts(w / sum(w) * length(rows), u[population[rows[1]]]))
  }), use.names = FALSE)
}

fail_population <- function() {
  stop_unsolved("No particle of a population lies where the density is above 0: give a `start`, or more particles `n`.")
}

# The metric of each half and the mixture it jumps to are learnt from the other half.
learn_metric <- function(run) {
  state <- run$state
  laws <- state$laws
  state$laws <- lapply(1:2, function(h) {
    points <- state$cloud$points[run$half == 3L - h, , drop = FALSE]
    unit <- points_unit(points)
    if (is.null(laws)) choose_mixture(points, unit) else refit_mixture(points, laws[[h]], unit, run$threads)
  })
  state$units <- lapply(state$laws, within_unit)
  run$state <- state
  run
}

move_until_forgotten <- function(run, most, memory) {
  base <- run$state$cloud$points
  whole <- points_unit(base)
  walked <- jumped <- numeric()
  for (round in seq_len(most)) {
    made <- move_round(run, run$state$cloud, run$state$t, 10L + round)
    run <- made$run
    run$state$cloud <- made$cloud
    walked[round] <- made$walked
    jumped[round] <- made$jumped
    left <- remembrance(base, run$state$cloud$points, whole)
    if (left < memory) break
  }
  list(run = run, rounds = round, walked = mean(walked), jumped = mean(jumped, na.rm = TRUE), memory = left)
}

# ---- at t = 1 --------------------------------------------------------------------------------------------

# still: for how many rounds each particle has stood where it stands. outside: the largest share of Langevin proposals
# that were outside of the support.
after_round <- function(made) {
  run <- made$run
  run$state$cloud <- made$cloud
  run$state$rounds <- run$state$rounds + 1L
  run$state$still <- ifelse(made$moved, 0L, run$state$still + 1L)
  run$state$outside <- max(run$state$outside, made$outside)
  run
}

settle_step <- function(run) {
  state <- run$state
  if (state$rounds %% 5L == 0L) run <- learn_metric_anew(run)
  made <- move_round(run, run$state$cloud, 1, state$rounds)
  run <- after_round(made)
  left <- remembrance(state$base, made$cloud$points, points_unit(state$base))
  run$state$memory <- left
  entry <- temper_entry(run, "settle", rounds = 1, walked = made$walked, jumped = made$jumped, memory = left)
  if (left < settled_memory || run$state$rounds >= most_settle_rounds) run <- end_pass(run)
  run$state$time <- temper_share(run)
  list(run = run, entry = entry)
}

# A mixture fitted to all particles starts the next pass, unless p / q has a light tail under it, or the passes are used
# up. Then draws are kept.
end_pass <- function(run) {
  state <- run$state
  law <- choose_mixture(state$cloud$points, points_unit(state$cloud$points))
  points <- student_draw(law, run$control$n, move_key(run, 3L, 0L), run$threads)
  values <- density_values(run$density, points, run$threads, gradient = FALSE)
  state$evaluations <- state$evaluations + values$evaluations
  ratio <- values$log_density - mixture_log_values(law, points, run$threads)
  tail <- smooth_weights(ratio)$k
  run$state <- state
  run$tails <- c(run$tails, tail)
  if (!isTRUE(tail < good_tail) && state$pass < most_passes) {
    run$state$pass <- state$pass + 1L
    return(begin_pass(run, law))
  }
  run <- learn_metric_anew(run)
  run$state$phase <- "sample"
  run$state$rounds <- 0L
  run$state$worth <- 0
  run
}

learn_metric_anew <- function(run) {
  run$state$laws <- NULL
  learn_metric(run)
}

# A round whose particles are kept.
sample_step <- function(run) {
  before <- run$state$cloud$points
  made <- move_round(run, run$state$cloud, 1, run$state$rounds)
  run <- after_round(made)
  state <- run$state
  left <- min(max(remembrance(before, made$cloud$points, points_unit(before)), 0), 0.999)
  state$worth <- state$worth + (1 - left) / (1 + left)
  run$state <- state
  run$state$time <- temper_share(run)
  enough <- state$rounds >= least_rounds && state$worth >= wanted_worth
  if (is.null(state$further) && (enough || state$rounds >= most_rounds)) run$ended <- "all draws made"
  entry <- temper_entry(run, "sample", rounds = 1, walked = made$walked, jumped = made$jumped, memory = left,
                        worth = state$worth)
  entry$draws <- cbind(state$cloud$points, state$cloud$log_density)
  entry$slopes <- state$cloud$gradient
  entry$ratios <- if (!is.null(made$ratios)) cbind(run$population, made$ratios)
  list(run = run, entry = entry)
}

# The share of the work that is done, as a guess.
temper_share <- function(run) {
  state <- run$state
  if (state$phase == "sample") return(0.6 + 0.4 * min(1, max(state$rounds / most_rounds, state$worth / wanted_worth)))
  0.5 * state$t^0.1 + if (state$phase == "settle") 0.1 * state$rounds / most_settle_rounds else 0
}

# Further steps are further rounds of moves.
#' @export
reopen.temper_run <- function(run) {
  run$ended <- ""
  run$planned <- run$state$step
  run$state$further <- TRUE
  run
}

# bytes: of the draws that are kept. seconds: unknown, because the density is the user's.
#' @export
foretell.temper_run <- function(run) {
  c(bytes = 8 * as.numeric(run$control$n) * (run$density$dim + 4) * most_rounds, seconds = 0)
}
