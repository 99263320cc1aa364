#' Generative particle algorithm
#'
#' @export
gpa <- function(source, target, divergence = c("kl", "alpha", "reverse_kl", "js"), alpha = 2, lipschitz = 1,
                step = 0.2, n_steps = 500, solver = c("euler", "heun"),
                hidden = NULL, smoothing = 0, normalisation = c("spectral", "frobenius"),
                updates = 5, rate = 0.001, batch = NULL,
                tolerance = 0, kinetic_tolerance = 0, patience = 10,
                latent = NULL, scale = TRUE, n_source = NULL,
                keep = NULL, every = NULL, checkpoint = NULL, threads = NULL, progress = NULL) {
  began <- proc.time()[[3]]
  control <- gpa_control(divergence, alpha, lipschitz, step, n_steps, solver, hidden, smoothing, normalisation,
                         updates, rate, batch, tolerance, kinetic_tolerance, patience, scale, keep, every, checkpoint)
  threads <- thread_count(threads)
  tables <- read_pair(source, target, n_source)
  latent <- choose_pooled_latent(latent, control$scale, tables$pooled)$fit(tables$pooled)
  start <- unname(latent$encode(tables$source))
  goal <- unname(latent$encode(tables$target))
  plan <- gpa_plan(control, ncol(start))
  every <- gpa_every(control, nrow(start), plan)
  key <- draw_key()
  run <- list(
    call = match.call(), source = if (is.function(source)) source, table = tables$template, latent = latent,
    control = control, plan = plan, every = every, start = start, target = goal,
    state = new_gpa_state(start, plan, control, key),
    planned = control$n_steps, history = list(), ended = 0L, elapsed = proc.time()[[3]] - began,
    version = as.character(utils::packageVersion("particleflow"))
  )
  finish_gpa(advance_gpa(run, progress))
}

gpa_control <- function(divergence, alpha, lipschitz, step, n_steps, solver, hidden, smoothing, normalisation,
                        updates, rate, batch, tolerance, kinetic_tolerance, patience, scale, keep, every, checkpoint) {
  divergence <- check_choice(divergence, divergence_names, "divergence")
  alpha <- check_number(alpha, "alpha", lower = 1, open_lower = TRUE)
  if (!is.null(hidden)) hidden <- check_widths(hidden)
  list(
    divergence = divergence, alpha = if (divergence == "alpha") alpha else NA_real_,
    lipschitz = check_number(lipschitz, "lipschitz", lower = 0, open_lower = TRUE, finite = FALSE),
    step = check_number(step, "step", lower = 0, open_lower = TRUE),
    n_steps = check_count(n_steps, "n_steps"),
    solver = check_choice(solver, c("euler", "heun"), "solver"),
    hidden = hidden,
    smoothing = check_number(smoothing, "smoothing", lower = 0),
    normalisation = check_choice(normalisation, c("spectral", "frobenius"), "normalisation"),
    updates = check_count(updates, "updates", 1L),
    rate = check_number(rate, "rate", lower = 0, open_lower = TRUE),
    batch = if (!is.null(batch)) check_count(batch, "batch", 1L),
    tolerance = check_number(tolerance, "tolerance", lower = 0),
    kinetic_tolerance = check_number(kinetic_tolerance, "kinetic_tolerance", lower = 0),
    patience = check_count(patience, "patience", 1L),
    scale = check_flag(scale, "scale"),
    keep = if (!is.null(keep)) check_count(keep, "keep", 1L),
    every = if (!is.null(every)) check_count(every, "every", 1L),
    checkpoint = check_path(checkpoint)
  )
}

divergence_names <- c("kl", "alpha", "reverse_kl", "js")

check_widths <- function(hidden) {
  good <- is.numeric(hidden) && length(hidden) >= 1 && !anyNA(hidden) && all(hidden == round(hidden)) &&
    all(hidden >= 1 & hidden <= 1e4)
  if (!good) fail("`hidden` must be the widths of the hidden layers, whole numbers from 1 to 10000, not %s.", describe(hidden))
  as.integer(hidden)
}

check_path <- function(checkpoint) {
  if (is.null(checkpoint)) return(NULL)
  if (!is.character(checkpoint) || length(checkpoint) != 1 || is.na(checkpoint) || !dir.exists(dirname(checkpoint))) {
    fail("`checkpoint` must be the path of a file in a directory that exists, not %s.", describe(checkpoint))
  }
  normalizePath(checkpoint, mustWork = FALSE)
}

# ---- The tables --------------------------------------------------------------

# Source and target with the same columns: those that vary in either, as matrices,
# pooled too, and the template by which rows are given back.
read_pair <- function(source, target, n_source) {
  target_points <- check_points(target, "target", min_rows = 2L, grouped = FALSE)
  if (is.function(source)) {
    n_source <- if (is.null(n_source)) nrow(target_points) else check_count(n_source, "n_source", 2L)
    form <- target
    source <- draw_source(source, n_source, target_points)
  } else {
    if (!is.null(n_source)) fail("`n_source` belongs to a `source` that is a function.")
    form <- source
    source <- check_like(source, "source", target_points, min_rows = 2L)
  }
  pooled <- rbind(unname(source), unname(target_points))
  colnames(pooled) <- colnames(target_points)
  range <- apply(pooled, 2, range)
  varying <- range[2, ] > range[1, ]
  if (!any(varying)) fail("`source` and `target` have no column that varies; there is nothing to move.")
  rows <- seq_len(nrow(source))
  pooled_varying <- pooled[, varying, drop = FALSE]
  list(
    source = pooled_varying[rows, , drop = FALSE], target = pooled_varying[-rows, , drop = FALSE], pooled = pooled_varying,
    template = list(
      frame = if (is.data.frame(form)) form[0, , drop = FALSE], names = colnames(target_points),
      constant = ifelse(varying, NA_real_, range[1, ]), integer = rep(FALSE, ncol(pooled)), range = range,
      group_column = NULL, group = NULL
    )
  )
}

# n rows of a source that is a function, with the columns of the target.
draw_source <- function(source, n, like) {
  rows <- source(n)
  if (!(is.matrix(rows) || is.data.frame(rows)) || nrow(rows) != n) {
    fail("`source` must be a function that returns %d rows for n = %d, not %s.", n, n, describe(rows))
  }
  check_like(rows, "source(n)", like, min_rows = 0L)
}

# latent on pooled rows; the flow runs in z-scored units with `scale`.
choose_pooled_latent <- function(latent, scale, pooled) {
  if (is.null(latent)) {
    latent <- if (ncol(pooled) <= 50) latent_map() else latent_pca(min(50L, nrow(pooled) - 1L))
  } else if (identical(latent, "none")) {
    latent <- latent_map()
  } else if (!inherits(latent, "latent_map") || is.null(latent$fit)) {
    fail("`latent` must be a latent map such as latent_pca(10), or \"none\", not %s.", describe(latent))
  }
  if (scale) standardised_first(latent) else latent
}

# ---- The run -----------------------------------------------------------------

# The hidden layers of the reference experiments.
default_hidden <- function(dim) rep(if (dim <= 10) 32L else if (dim <= 100) 64L else 128L, 3)

# What the core needs to know: widths and the settings in the order of glue_network.c.
gpa_plan <- function(control, dim) {
  hidden <- if (is.null(control$hidden)) default_hidden(dim) else control$hidden
  list(
    widths = as.integer(c(dim, hidden, 1L)),
    settings = as.double(c(
      control$smoothing, match(control$divergence, divergence_names) - 1,
      if (is.na(control$alpha)) 2 else control$alpha, control$lipschitz,
      control$normalisation == "frobenius", control$rate, 0.9, 0.999, 1e-8,
      control$solver == "heun", control$step, control$updates
    ))
  )
}

plan_parameters <- function(plan) {
  out <- plan$widths[-1]
  sum(as.double(out) * (plan$widths[-length(plan$widths)] + 1))
}

# Bytes that kept networks, and kept frames, may take where nothing else is asked for.
most_kept_bytes <- 2^28

# Every how many steps a network and a frame are kept.
gpa_every <- function(control, n, plan) {
  fitting <- function(bytes, most) max(1, ceiling(control$n_steps * bytes / most))
  keep <- if (is.null(control$keep)) fitting(8 * plan_parameters(plan), most_kept_bytes) else control$keep
  every <- control$every
  if (is.null(every)) every <- max(ceiling(control$n_steps / 100), fitting(8 * n * plan$widths[1], most_kept_bytes))
  as.integer(c(keep, every))
}

most_batch <- 4096L

new_gpa_state <- function(start, plan, control, key) {
  first <- .Call(C_pf_gpa_start, plan$widths, plan$settings, key)
  list(
    particles = start, learner = first$learner, directions = first$directions, updates = 0,
    stop = c(if (control$tolerance > 0) control$tolerance else -Inf,
             if (control$kinetic_tolerance > 0) control$kinetic_tolerance else -Inf, control$patience, 0, 0, 0),
    step = 0L, key = key
  )
}

# A run goes on until its steps are done or something ends it. What was done when it is
# interrupted is kept for resume().
advance_gpa <- function(run, progress) {
  began <- proc.time()[[3]]
  before <- run$elapsed
  saved <- began
  complete <- FALSE
  bar <- progress_bar("Particles", run$planned - run$state$step, progress)
  on.exit({
    bar$done()
    if (!complete) remember_run(run)
  })
  batch <- if (is.null(run$control$batch)) most_batch else run$control$batch
  count <- 1L
  while (run$state$step < run$planned && run$ended == 0L) {
    state <- run$state
    count <- min(count, run$planned - state$step)
    clock <- proc.time()[[3]]
    block <- .Call(C_pf_gpa_advance, state$particles, run$target, state$learner, state$directions, state$updates,
                   run$plan$widths, run$plan$settings, state$key, batch, state$step, as.integer(count), run$every,
                   state$stop)
    run <- add_block(run, block)
    now <- proc.time()[[3]]
    run$elapsed <- before + now - began
    bar$tick(block$done)
    count <- as.integer(max(1, min(1e5, count * min(4, block_seconds / max(now - clock, 0.001)))))
    if (!is.null(run$control$checkpoint) && now - saved > checkpoint_seconds) {
      write_checkpoint(run)
      saved <- now
    }
  }
  complete <- TRUE
  if (!is.null(run$control$checkpoint)) write_checkpoint(run)
  run
}

checkpoint_seconds <- 30

add_block <- function(run, block) {
  first <- run$state$step
  done <- block$done
  steps <- first + seq_len(done)
  nets <- sum((steps - 1L) %% run$every[1] == 0)
  frames <- steps[steps %% run$every[2] == 0]
  run$history[[length(run$history) + 1]] <- list(
    records = block$records[, seq_len(done), drop = FALSE],
    networks = block$networks[, seq_len(nets), drop = FALSE],
    frames = block$frames[, seq_along(frames), drop = FALSE], kept = frames
  )
  run$state[c("particles", "learner", "directions", "updates", "stop")] <-
    block[c("particles", "learner", "directions", "updates", "stop")]
  run$state$step <- first + done
  run$ended <- block$ended
  run
}

# ---- Interrupted, saved and resumed runs -------------------------------------

interrupted <- new.env(parent = emptyenv())

remember_run <- function(run) {
  interrupted$run <- run
  if (!is.null(run$control$checkpoint)) write_checkpoint(run)
  message(sprintf("Stopped after step %d of %d; resume() goes on from there.", run$state$step, run$planned))
}

write_checkpoint <- function(run) {
  path <- run$control$checkpoint
  partial <- paste0(path, ".part")
  saveRDS(run, partial, compress = FALSE)
  file.rename(partial, path)
}

#' Go on with a run
#'
#' @export
resume <- function(object, n_steps = NULL, progress = NULL) {
  if (missing(object)) {
    if (is.null(interrupted$run)) fail("There is no interrupted run to go on with; give a fit or the path of a checkpoint.")
    run <- interrupted$run
  } else if (is.character(object) && length(object) == 1 && !is.na(object)) {
    if (!file.exists(object)) fail("`object` is \"%s\", but there is no such file.", object)
    run <- readRDS(object)
    if (!is.list(run) || is.null(run$state)) fail("`object` is \"%s\", which is not a checkpoint of gpa().", object)
  } else if (inherits(object, "gpa")) {
    run <- object$run
  } else {
    fail("`object` must be a fit from gpa() or the path of a checkpoint, not %s.", describe(object))
  }
  if (!is.null(n_steps)) run$planned <- run$state$step + check_count(n_steps, "n_steps")
  if (run$ended == 1L) fail("The run diverged at step %d and would do so again; start anew with other settings.", run$state$step)
  run$ended <- 0L
  run$state$stop[4:5] <- 0 # steps in a row below a tolerance
  fit <- finish_gpa(advance_gpa(run, progress))
  if (missing(object)) interrupted$run <- NULL
  fit
}

# ---- The fit -----------------------------------------------------------------

gpa_endings <- c("all steps done", "diverged", "divergence below tolerance", "kinetic energy below tolerance")

finish_gpa <- function(run) {
  trajectory <- gpa_trajectory(run)
  status <- if (run$ended == 0L && run$state$step < run$planned) "interrupted" else gpa_endings[run$ended + 1L]
  if (run$ended == 1L) {
    warning(sprintf("The run diverged at step %d (numbers out of range); the fit is the state before that step. Lower `lipschitz`, `step` or `rate`, or try divergence = \"alpha\".",
                    run$state$step + 1L), call. = FALSE)
  }
  last <- trajectory$diagnostics[nrow(trajectory$diagnostics), ]
  structure(
    list(
      call = run$call, trajectory = trajectory, latent = run$latent, control = run$control,
      diagnostics = data.frame(
        n = nrow(run$start), n_target = nrow(run$target), dim = ncol(run$start), steps = run$state$step,
        time = last$time, status = status, divergence = last$divergence, kinetic_energy = last$kinetic_energy,
        updates = run$state$updates, parameters = nrow(run$state$learner), networks = ncol(trajectory$networks)
      ),
      elapsed = run$elapsed,
      particles = write_table(run$latent$decode(run$state$particles), run$table),
      source = run$source, target = run$target, table = run$table, run = run, version = run$version
    ),
    class = c("gpa", "particle_flow")
  )
}

# Diagnostics: the dual before each step; after the last one that of the last network.
gpa_trajectory <- function(run) {
  k <- run$state$step
  pick <- function(what) do.call(cbind, c(list(NULL), lapply(run$history, `[[`, what)))
  records <- pick("records")
  networks <- pick("networks")
  if (is.null(networks)) networks <- matrix(0, nrow(run$state$learner), 0)
  last <- if (k > 0) {
    .Call(C_pf_gpa_measure, run$state$particles, run$target, run$state$learner[, 1], run$plan$widths, run$plan$settings)
  } else {
    c(NA_real_, NA_real_)
  }
  diagnostics <- data.frame(
    step = 0:k, time = run$control$step * (0:k), gamma = c(rep(run$control$step, k), NA),
    divergence = c(records[1, ], last[1]), kinetic_energy = c(records[2, ], last[2]),
    largest_move = c(records[3, ], NA)
  )
  kept <- c(0L, unlist(lapply(run$history, `[[`, "kept")))
  frames <- c(run$start, pick("frames"))
  if (kept[length(kept)] != k) {
    kept <- c(kept, k)
    frames <- c(frames, run$state$particles)
  }
  stored <- list(frames = array(frames, c(dim(run$start), length(kept))), kept = as.integer(kept))
  new_trajectory(stored, diagnostics, list(networks = networks, plan = c(run$plan, every = run$every[1])))
}

# Passive points moved by steps from + 1 .. from + count.
carry_steps <- function(traj, points, from, count) {
  .Call(C_pf_gpa_carry, points, traj$networks, traj$plan$widths, traj$plan$settings, traj$plan$every,
        as.integer(from), as.integer(count))
}
