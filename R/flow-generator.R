# A generator is a network that turns draws of a normal base law into points. distill() and pushforward() train
# one; what distinguishes them is the field that says where points should move (generator-fields.R).

new_generator_run <- function(what, call, dim, centre, spread, field, control, write = NULL) {
  base_dim <- if (is.null(control$base_dim)) dim else control$base_dim
  hidden <- if (is.null(control$hidden)) default_generator else control$hidden
  network <- list(widths = as.integer(c(base_dim, hidden, dim)), smoothing = control$smoothing)
  key <- draw_key()
  parameters <- .Call(C_pf_network_start, network$widths, key)
  last <- network$widths[length(network$widths) - 1]
  final <- seq(length(parameters) - dim * (last + 1L) + 1L, length(parameters))
  parameters[final] <- 0.1 * parameters[final]
  list(
    kind = "generator", what = what, call = call, network = network, field = field, control = control, write = write,
    frame = list(centre = centre, spread = spread, start = control$start, pin = control$pin, bounds = control$bounds), key = key,
    learner = cbind(parameters, 0, 0, deparse.level = 0), state = list(step = 0L, bandwidth = NULL),
    best = list(score = Inf, step = 0L, parameters = parameters), trace = list(), since = 0L,
    planned = control$n_steps, ended = 0L, elapsed = 0, version = as.character(utils::packageVersion("particleflow"))
  )
}

default_generator <- c(64L, 64L, 64L)

generator_control <- function(n_steps, batch, rate, hidden, smoothing, base_dim, check_every, patience, checkpoint, threads,
                              start = 1, pin = NULL, bounds = NULL) {
  list(
    n_steps = check_count(n_steps, "n_steps"), batch = check_count(batch, "batch", 2L),
    rate = check_number(rate, "rate", lower = 0, open_lower = TRUE),
    hidden = if (!is.null(hidden)) check_widths(hidden), smoothing = check_number(smoothing, "smoothing", lower = 0),
    base_dim = if (!is.null(base_dim)) check_count(base_dim, "base_dim", 1L),
    check_every = check_count(check_every, "check_every", 1L), patience = check_count(patience, "patience", 1L),
    checkpoint = check_path(checkpoint), threads = thread_count(threads),
    start = check_number(start, "start", lower = 0), pin = pin, bounds = bounds
  )
}

advance_generator <- function(run, progress) {
  began <- proc.time()[[3]]
  before <- run$elapsed
  saved <- began
  complete <- FALSE
  bar <- progress_bar("Generator", run$planned - run$state$step, progress)
  on.exit({
    bar$done()
    if (!complete && run$state$step > 0L) remember_run(run)
  })
  if (run$state$step == 0L) run <- check_generator(run)
  while (run$state$step < run$planned && run$ended == 0L) {
    run <- generator_step(run)
    run$elapsed <- before + proc.time()[[3]] - began
    if (run$state$step %% run$control$check_every == 0L || run$state$step == run$planned) run <- check_generator(run)
    bar$tick(1)
    if (!is.null(run$control$checkpoint) && proc.time()[[3]] - saved > checkpoint_seconds) {
      write_checkpoint(run)
      saved <- proc.time()[[3]]
    }
  }
  complete <- TRUE
  if (!is.null(run$control$checkpoint)) write_checkpoint(run)
  run
}

generator_step <- function(run) {
  step <- run$state$step
  n <- run$control$batch
  z <- base_draws(n, run$network$widths[1], run$key, step_stream(run, 1L), stratified = TRUE)
  x <- generate(z, run$learner[, 1], run$network, run$frame)
  pull <- field_gradient(run, x)
  gradient <- pull$gradient / n
  if (!is.null(run$frame$bounds)) gradient <- gradient * squash_slope(x, run$frame$bounds)
  if (!is.null(run$frame$pin)) {
    z <- rbind(z, run$frame$pin$z)
    gradient <- rbind(gradient, -colSums(gradient))
  }
  run$learner <- .Call(C_pf_network_update, run$learner, as.double(step), run$network$widths, run$network$smoothing, z,
                       gradient, run$control$rate * cosine_decay(step / max(1, run$control$n_steps)))
  run$state[names(pull$state)] <- pull$state
  run$state$step <- step + 1L
  run
}

# From 1 to 1/100.
cosine_decay <- function(t) 0.01 + 0.99 * 0.5 * (1 + cos(pi * min(t, 1)))

check_points_count <- 2000L

# The score on draws that are the same at every look; the best network so far is kept.
check_generator <- function(run) {
  z <- base_draws(check_points_count, run$network$widths[1], run$key, 1L, stratified = TRUE)
  score <- field_score(run, generate(z, run$learner[, 1], run$network, run$frame))
  run$trace <- c(run$trace, list(c(run$state$step, score)))
  if (score < run$best$score) {
    run$best <- list(score = score, step = run$state$step, parameters = run$learner[, 1])
    run$since <- 0L
  } else {
    run$since <- run$since + 1L
    if (run$since >= run$control$patience) run$ended <- 3L
  }
  run
}

finish_generator <- function(run) {
  status <- if (run$ended == 3L) "stopped early" else if (run$state$step < run$planned) "interrupted" else "all steps done"
  trace <- as.data.frame(do.call(rbind, run$trace))
  names(trace) <- c("step", "score")
  structure(
    list(
      call = run$call, what = run$what, network = c(run$network, list(parameters = run$best$parameters)), frame = run$frame,
      noise = if (run$field$type == "rule") list(kernel = run$field$rule$kernel, bandwidth = run$state$bandwidth),
      trace = trace, control = run$control, write = run$write,
      diagnostics = data.frame(
        dim = length(run$frame$centre), base_dim = run$network$widths[1], parameters = length(run$best$parameters),
        steps = run$state$step, status = status, field = run$field$type, score = run$best$score, best_step = run$best$step
      ),
      elapsed = run$elapsed, version = run$version
    ),
    class = c(run$what, "generator", "particle_flow")
  )
}
