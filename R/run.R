# A run of gpa() is a plain list: what the core needs to go on, and what it left behind so far.

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

#' Go on with a run of particles
#'
#' Takes the steps that are left of a run of [gpa()] or [wgf()], or of the training of a [generator], or more of them. A run in two
#' parts gives what it would have given in one, to the last bit on one BLAS.
#'
#' @param object A fit from [gpa()] or [wgf()], or the path of a checkpoint that [gpa()], [distill()] or [pushforward()] wrote. Missing: the run that was last
#'   stopped by Ctrl-C or an error in this session.
#' @param n_steps Number of further steps; `NULL`: those left of what was planned. 0 gives the fit of what was
#'   done so far.
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @return A fit as from [gpa()] or [wgf()], or a [generator], of all steps together.
#' @examples
#' set.seed(1)
#' fit <- gpa(function(n) matrix(rnorm(2 * n), n), matrix(rexp(100), 50), n_steps = 20)
#' fit <- resume(fit, 20)
#' fit$diagnostics$steps
#' @export
resume <- function(object, n_steps = NULL, progress = NULL) {
  if (missing(object)) {
    if (is.null(interrupted$run)) fail("There is no interrupted run to go on with; give a fit or the path of a checkpoint.")
    run <- interrupted$run
  } else if (is.character(object) && length(object) == 1 && !is.na(object)) {
    if (!file.exists(object)) fail("`object` is \"%s\", but there is no such file.", object)
    run <- readRDS(object)
    if (!is.list(run) || is.null(run$state)) fail("`object` is \"%s\", which is not a checkpoint.", object)
  } else if (inherits(object, "gpa")) {
    run <- run_of_fit(object)
  } else if (inherits(object, "wgf")) {
    run <- run_of_wgf(object)
  } else {
    fail("`object` must be a fit from gpa() or wgf(), or the path of a checkpoint, not %s.", describe(object))
  }
  if (!is.null(n_steps)) run$planned <- run$state$step + check_count(n_steps, "n_steps")
  if (run$ended == 1L) fail("The run diverged at step %d and would do so again; start anew with other settings.", run$state$step)
  run$ended <- 0L
  if (identical(run$kind, "wgf")) {
    fit <- finish_wgf(advance_wgf(run, progress))
    if (missing(object)) interrupted$run <- NULL
    return(fit)
  }
  if (identical(run$kind, "generator")) {
    run$since <- 0L
    fit <- finish_generator(advance_generator(run, progress))
    if (missing(object)) interrupted$run <- NULL
    return(fit)
  }
  run$state$stop[4:5] <- 0 # steps in a row below a tolerance
  fit <- finish_gpa(advance_gpa(run, progress))
  if (missing(object)) interrupted$run <- NULL
  fit
}
