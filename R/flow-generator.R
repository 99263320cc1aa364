# A generator is a network that turns draws of a normal base law into points. distill() and pushforward() train one.
# They differ in the field that says where points should move (generator-fields.R).

default_generator <- c(64L, 64L, 64L)

# what: "distill" or "pushforward". place: list(centre, spread, base). centre and spread [dim] are the units of the
# field. base is the mixture of the base points in these units (NULL: they are normal). field: what field_gradient() and
# field_score() need. write: list(table) or list(columns), the form in which draws come back.
new_generator_run <- function(what, call, place, field, control, write) {
  network <- generator_network(control, length(place$centre))
  key <- draw_key()
  parameters <- small_outputs(.Call(C_pf_network_start, network$widths, key), network$widths)
  state <- list(step = 0L, learner = new_learner(parameters), bandwidth = NULL,
                best = list(score = Inf, step = 0L, parameters = parameters), trace = list(), since = 0L)
  new_run("generator", "Generator", control, state, control$n_steps, what = what, call = call, network = network,
          field = field, write = write, key = key, decay = control$n_steps,
          frame = c(place, list(start = control$start, pin = control$pin, bounds = control$bounds)))
}

generator_network <- function(control, dim) {
  base_dim <- if (is.null(control$base_dim)) dim else control$base_dim
  hidden <- if (is.null(control$hidden)) default_generator else control$hidden
  list(widths = as.integer(c(base_dim, hidden, dim)), smoothing = control$smoothing)
}

# Stops before a training whose network or whose steps need too much memory. `field` is that of the run, of which only
# the type and the frequencies matter here.
check_generator_size <- function(control, dim, field) {
  network <- generator_network(control, dim)
  check_network(network, "give narrower `hidden` layers or a smaller `base_dim`")
  frequencies <- if (is.null(field$frequencies)) field$count else nrow(field$frequencies$t)
  # the columns of a table that the field makes in a step, with one row per point
  made <- switch(field$type, characteristic = frequencies, sliced = max(slices, dim), 0)
  check_table_memory(control$batch, "batch", network$widths[1] + dim + made)
}

# The parameters of a network and the moments of their derivatives, which updates change together.
new_learner <- function(parameters) cbind(parameters = parameters, first_moment = 0, second_moment = 0)

# The weights of the last layer start at a tenth of their usual size, so that the map starts near the identity.
small_outputs <- function(parameters, widths) {
  layer <- widths[length(widths)] * (widths[length(widths) - 1] + 1L)
  last <- seq(length(parameters) - layer + 1L, length(parameters))
  parameters[last] <- 0.1 * parameters[last]
  parameters
}

generator_control <- function(n_steps, batch, rate, hidden, smoothing, base_dim, check_every, patience, checkpoint,
                              threads, start = 1, pin = NULL, bounds = NULL) {
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

# The network is scored every check_every steps. Training ends when `patience` scores in a row were no improvement.
#' @export
advance.generator_run <- function(run, most) {
  if (!length(run$state$trace)) run$state <- score_generator(run)
  taken <- 0
  while (taken < most && run$state$since < run$control$patience) {
    run$state <- generator_step(run)
    if (run$state$step %% run$control$check_every == 0L) run$state <- score_generator(run)
    taken <- taken + 1
  }
  if (run$state$since >= run$control$patience) run$ended <- "stopped early"
  run
}

# The state after one update of the network. The field moves a batch of points of the network, and the update goes
# towards the moved points.
generator_step <- function(run) {
  state <- run$state
  n <- run$control$batch
  z <- base_draws(n, run$network, run$frame, run$key, step_stream(run, 1L), stratified = TRUE)
  x <- generate(z, state$learner[, "parameters"], run$network, run$frame)
  pull <- field_gradient(run, x)
  gradient <- pull$gradient / n
  if (!is.null(run$frame$bounds)) gradient <- gradient * squash_slope(x, run$frame$bounds)
  if (!is.null(run$frame$pin)) {
    z <- rbind(z, run$frame$pin$z)
    gradient <- rbind(gradient, -colSums(gradient))
  }
  # further steps do not change over which steps the rate falls
  rate <- run$control$rate * cosine_decay(state$step / max(1, run$decay))
  state$learner <- .Call(C_pf_network_update, state$learner, as.double(state$step), run$network$widths,
                         run$network$smoothing, z, gradient, rate, thread_count())
  state[names(pull$state)] <- pull$state
  state$step <- state$step + 1L
  state
}

# The factor of the learning rate, from 1 at t = 0 to 1/100 at t = 1.
cosine_decay <- function(t) 0.01 + 0.99 * 0.5 * (1 + cos(pi * min(t, 1)))

check_points_count <- 2000L

# The draws on which networks are scored, the same each time.
scored_draws <- function(run) base_draws(check_points_count, run$network, run$frame, run$key, 1L, stratified = TRUE)

# The state after a score of the network. It keeps the best network so far.
score_generator <- function(run) {
  state <- run$state
  score <- field_score(run, generate(scored_draws(run), state$learner[, "parameters"], run$network, run$frame))
  if (is.na(score)) {
    stop_unsolved("The points of the network left the range of numbers at step %d: take a smaller `rate`.", state$step)
  }
  state$trace <- c(state$trace, list(c(state$step, score)))
  if (score < state$best$score) {
    state$best <- list(score = score, step = state$step, parameters = state$learner[, "parameters"])
    state$since <- 0L
  } else {
    state$since <- state$since + 1L
  }
  state
}

# The last network is scored too. The run does not keep this score, so that it continues as if it had not ended here.
#' @export
finish.generator_run <- function(run) {
  state <- run$state
  scored <- length(state$trace) && state$trace[[length(state$trace)]][1] == state$step
  if (!scored) state <- score_generator(run)
  trace <- as.data.frame(do.call(rbind, state$trace))
  names(trace) <- c("step", "score")
  rule <- run$field$rule
  seal(structure(
    list(
      call = run$call, what = run$what, network = c(run$network, list(parameters = state$best$parameters)),
      frame = run$frame,
      noise = if (run$field$type == "rule") list(kernel = rule$kernel, bandwidth = noise_width(run, state)),
      trace = trace, control = run$control, write = run$write,
      diagnostics = data.frame(
        dim = length(run$frame$centre), base_dim = run$network$widths[1], parameters = length(state$best$parameters),
        steps = state$step, status = run_status(run), field = run$field$type, score = state$best$score,
        best_step = state$best$step
      ),
      elapsed = run$elapsed, version = run$version
    ),
    class = c(run$what, "generator", "particle_flow")
  ))
}

# The bandwidth of the last step; before the first step that of the points of the network.
noise_width <- function(run, state) {
  if (!is.null(state$bandwidth)) return(state$bandwidth)
  points <- generate(scored_draws(run), state$best$parameters, run$network, run$frame)
  likely_bandwidth(from_frame(run$frame, points), run$field$rule$kernel, run$control$threads)
}

#' @export
as_run.generator <- function(object) {
  refuse_training("a generator")
}

# The count of scores without improvement starts at 0 again.
#' @export
reopen.generator_run <- function(run) {
  run$state$since <- 0L
  NextMethod()
}

# bytes: of the scores. seconds: of the products of the updates, which go forwards and backwards through the network,
# and of one kernel value per pair of points, if the field has pairs.
#' @export
foretell.generator_run <- function(run) {
  steps <- as.numeric(run$planned)
  batch <- as.numeric(run$control$batch)
  pairs <- if (run$field$type %in% c("energy", "mmd", "rule")) batch * (batch - 1) / 2 else 0
  c(bytes = 80 * steps / run$control$check_every,
    seconds = steps * (6 * nrow(run$state$learner) * batch / most_products_per_second + pairs / most_pairs_per_second))
}
