# A generator: a network that turns draws of a normal base law into points. distill() and pushforward() train one; what
# distinguishes them is the field that says where points should move.

# G(z) = centre + spread * (start * z + N(z)): N starts near 0, so that training starts from a normal law, with start = 1
# that with the moments of the goal. With bounds that is a logit, and values are between them. More base dimensions than
# columns: the first ones enter by themselves, the others through N.

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

# Base draws of one step or one block: a pure function of the key. In one dimension they are stratified, one in each of n
# intervals of equal probability, for training alone.
base_draws <- function(n, dim, key, stream, stratified = FALSE) {
  if (!stratified || dim > 1) return(draw_normal(n, dim, key, stream))
  matrix(stats::qnorm((seq_len(n) - draw_uniform(n, 1L, key, stream)[, 1]) / n))
}

# Points [n, d] over centre and spread.
generate <- function(z, parameters, network, frame) squash(raw_points(z, parameters, network, frame), frame$bounds)

raw_points <- function(z, parameters, network, frame) {
  out <- .Call(C_pf_network_forward, parameters, network$widths, network$smoothing, z, thread_count())
  shared <- seq_len(min(ncol(z), ncol(out)))
  out[, shared] <- out[, shared] + frame$start * z[, shared]
  pin <- frame$pin
  if (is.null(pin)) return(out)
  sweep(out, 2, raw_points(pin$z, parameters, network, frame["start"]) - unsquash(pin$x, frame$bounds))
}

# bounds: lower and upper ends [2, d] in units of the frame.
squash <- function(y, bounds) {
  if (is.null(bounds)) return(y)
  sweep(sweep(stats::plogis(y), 2, bounds[2, ] - bounds[1, ], "*"), 2, bounds[1, ], "+")
}

unsquash <- function(x, bounds) {
  if (is.null(bounds)) return(x)
  stats::qlogis(sweep(sweep(x, 2, bounds[1, ]), 2, bounds[2, ] - bounds[1, ], "/"))
}

# d squash / d y, from x = squash(y).
squash_slope <- function(x, bounds) {
  width <- bounds[2, ] - bounds[1, ]
  share <- sweep(sweep(x, 2, bounds[1, ]), 2, width, "/")
  sweep(share * (1 - share), 2, width, "*")
}

# ---- Training ------------------------------------------------------------------

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

# Streams of the random numbers: 0 starts the network, 1 checks, then three a step.
step_stream <- function(run, which) 3L * run$state$step + 1L + which

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

# ---- Fields: where points [n, d] should move, in units of the frame -------------

# gradient [n, d]: a point moves against it; state: what the field remembers.
field_gradient <- function(run, x) {
  field <- run$field
  switch(
    field$type,
    energy = list(gradient = energy_pull(x, some_rows(run, field$sample), run$control$threads)),
    mmd = list(gradient = mmd_pull(x, some_rows(run, field$sample), field$bandwidths, run$control$threads)),
    characteristic = list(gradient = characteristic_pull(x, field_frequencies(run), field)),
    sliced = list(gradient = sliced_pull(x, some_rows(run, field$sample), run$key, step_stream(run, 3L))),
    rule = rule_pull(run, x)
  )
}

# As many rows of the sample as there are points, different ones each step.
some_rows <- function(run, sample) {
  n <- run$control$batch
  if (nrow(sample) <= n) return(sample)
  u <- draw_uniform(n, 1L, run$key, step_stream(run, 2L))[, 1]
  sample[partial_permutation(nrow(sample), u), , drop = FALSE]
}

# Of n times the energy distance, by points; half of it.
energy_pull <- function(x, y, threads) {
  (kernel_force(x, y, "unit", least_distance, FALSE, threads) / nrow(y) -
     kernel_force(x, x, "unit", least_distance, TRUE, threads) / max(1, nrow(x) - 1))
}

# In units of the frame, where points have spread 1.
least_distance <- 1e-6

mmd_pull <- function(x, y, bandwidths, threads) {
  total <- 0
  for (h in bandwidths) {
    total <- total + (kernel_force(x, y, "gaussian", h, FALSE, threads) / nrow(y) -
                        kernel_force(x, x, "gaussian", h, TRUE, threads) / max(1, nrow(x) - 1)) / h^2
  }
  total
}

kernel_force <- function(query, source, kernel, width, self, threads) {
  .Call(C_pf_kernel_force, query, source, 0L, nrow(query), self, kernel, width, threads)
}

# Frequencies [K, d] of this step, with those of the goal's characteristic function.
field_frequencies <- function(run) {
  field <- run$field
  if (!is.null(field$frequencies)) return(field$frequencies)
  k <- field$count
  t <- draw_normal(k, ncol(field$sample), run$key, step_stream(run, 2L)) *
    field$scales[1 + floor(draw_uniform(k, 1L, run$key, step_stream(run, 3L))[, 1] * length(field$scales))]
  c(list(t = t), empirical_characteristic(field$sample, t))
}

# Columns: real and imaginary parts at t [K, d].
empirical_characteristic <- function(x, t) {
  phase <- tcrossprod(x, t)
  list(re = colMeans(cos(phase)), im = colMeans(sin(phase)))
}

# d/dx_i of sum_k |a_k|^2 n / 2, a_k = mean e^{i t_k x} - goal.
characteristic_pull <- function(x, at, field) {
  phase <- tcrossprod(x, at$t)
  cosine <- cos(phase)
  sine <- sin(phase)
  re <- colMeans(cosine) - at$re
  im <- colMeans(sine) - at$im
  (sweep(cosine, 2, im, "*") - sweep(sine, 2, re, "*")) %*% at$t
}

# Directions of one step.
slices <- 16L

# Along random lines each point is paired with the sample's point of the same rank, and moves to it.
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

# A step of wgf() from here, with the points themselves as particles.
rule_pull <- function(run, x) {
  rule <- run$field$rule
  points <- from_frame(run$frame, x)
  threads <- run$control$threads
  bandwidth <- run$state$bandwidth
  if (is.null(bandwidth)) {
    bandwidth <- likely_bandwidth(points, rule$kernel, threads)
  } else if (run$state$step %% bandwidth_every == 0) {
    tried <- bandwidth * bandwidth_ratio^(-1:1)
    bandwidth <- tried[which.max(vapply(tried, function(h) leave_one_out(points, rule$kernel, h, threads), 0))]
  }
  moved <- rule_step(rule, points, bandwidth, threads)
  list(gradient = sweep(points - moved$points, 2, run$frame$spread, "/"), state = list(bandwidth = bandwidth))
}

rule_step <- function(rule, points, bandwidth, threads) {
  values <- rule_values(rule, points, threads)
  here <- list(rule = rule, control = list(step = NULL),
               state = list(points = points, bandwidth = bandwidth, values = values,
                            stiffness = first_stiffness(rule, points, values, bandwidth, threads)))
  move_wgf(here, kernel_estimate(NULL, points, rule$kernel, bandwidth, TRUE, threads))
}

# What is watched: lower is better.
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
      bandwidth <- if (is.null(run$state$bandwidth)) likely_bandwidth(points, field$rule$kernel, run$control$threads) else run$state$bandwidth
      rule_step(field$rule, points, bandwidth, run$control$threads)$record[2]
    },
    kernel_score(x, field$check, score_kernel("riesz"), FALSE, run$control$threads)
  )
}

from_frame <- function(frame, x) unscale_columns(x, frame$centre, frame$spread)
to_frame <- function(frame, x) unscale_columns(x, frame$centre, frame$spread, inverse = TRUE)

# ---- Methods -------------------------------------------------------------------

#' Generators: networks from a normal law to points
#'
#' What [distill()] and [pushforward()] return. `simulate()` is one pass through the network for all rows; `predict()` maps given
#' base points; `plot()` shows draws, the scores during training or, in one dimension, the map.
#'
#' A generator is a plain list of numbers: [saveRDS()] and [readRDS()] keep it whole. It holds no training rows, but what
#' it learnt from them.
#'
#' @param object,x A generator.
#' @param nsim Number of rows.
#' @param seed `NULL` goes on with R's current stream; a whole number is given to [set.seed()] first, and the stream
#'   is restored afterwards.
#' @param newdata Matrix of base points, a column a base dimension.
#' @param type `"points"`: draws; `"trace"`: scores during training; `"map"`: the map on `[-3, 3]`, for one base
#'   dimension.
#' @param n Number of draws for `"points"`.
#' @param data For `"points"`, a matrix shown in grey below the draws.
#' @param col Colours; `NULL`: a palette that colour-blind people can tell apart.
#' @param row.names,optional Ignored.
#' @param ... For plots as in [plot.particle_trajectory()]; otherwise not used.
#' @return `simulate()`, `sample()`: rows, with the attribute `"seed"` of [stats::simulate()]; in the form of the table where the
#'   generator was distilled from a fit to one. `predict()`: a matrix. `tidy()`: the scores (`step`, `score`); `glance()`: one row;
#'   `summary()` a list. `as.data.frame()`: as `tidy()`.
#' @examples
#' set.seed(1)
#' fit <- pushforward(matrix(rexp(500)), n_steps = 100)
#' simulate(fit, 3, seed = 1)
#' predict(fit, matrix(c(-1, 0, 1)))
#' plot(fit, type = "map")
#' @name generator
NULL

# Rows in one pass: what fits the nearest caches.
generator_block <- 8192L

#' @rdname generator
#' @export
simulate.generator <- function(object, nsim = 1, seed = NULL, ...) {
  nsim <- check_count(nsim, "nsim")
  state <- start_stream(seed)
  if (!is.null(seed)) on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  key <- draw_key()
  starts <- seq(0, by = generator_block, length.out = ceiling(nsim / generator_block))
  out <- matrix(0, nsim, length(object$frame$centre))
  for (block in seq_along(starts)) {
    count <- min(generator_block, nsim - starts[block])
    rows <- starts[block] + seq_len(count)
    out[rows, ] <- map_points(object, draw_normal(count, object$diagnostics$base_dim, key, 3L * block))
    if (!is.null(object$noise)) {
      noise <- draw_kernel(object$noise$kernel, count, ncol(out), key, 3L * block + 1L)
      out[rows, ] <- out[rows, , drop = FALSE] + object$noise$bandwidth * noise
    }
  }
  out <- write_points(object, out)
  attr(out, "seed") <- state$seed
  out
}

map_points <- function(object, z) {
  from_frame(object$frame, generate(z, object$network$parameters, object$network, object$frame))
}

write_points <- function(object, points) {
  if (is.null(object$write$table)) {
    colnames(points) <- object$write$columns
    return(points)
  }
  write_table(points, object$write$table)
}

#' @rdname generator
#' @export
predict.generator <- function(object, newdata, ...) {
  z <- unname(check_points(newdata, "newdata", min_rows = 0L, dim = object$diagnostics$base_dim))
  if (nrow(z) == 0) return(matrix(0, 0, length(object$frame$centre)))
  write_points(object, map_points(object, z))
}

#' @rdname generator
#' @export
format.generator <- function(x, ...) {
  run <- x$diagnostics
  c(
    sprintf("<%s> a generator: %d normal number%s to %d column%s, network %s", x$what, run$base_dim, if (run$base_dim == 1) "" else "s",
            run$dim, if (run$dim == 1) "" else "s", paste(x$network$widths, collapse = "-")),
    sprintf("trained by %s: %s after %d steps, score %s at step %d",
            c(energy = "the energy distance", mmd = "maximum mean discrepancy", characteristic = "characteristic functions",
              sliced = "pairs along random lines", rule = "its own moved points")[[run$field]],
            run$status, run$steps, format(run$score, digits = 3), run$best_step),
    if (!is.null(x$noise)) sprintf("draws carry noise of the %s kernel, bandwidth %s", x$noise$kernel, format(x$noise$bandwidth, digits = 3))
  )
}

#' @rdname generator
#' @export
print.generator <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname generator
#' @export
summary.generator <- function(object, ...) {
  structure(list(call = object$call, lines = format(object), trace = object$trace, elapsed = object$elapsed, version = object$version),
            class = "summary.generator")
}

#' @rdname generator
#' @export
print.summary.generator <- function(x, ...) {
  cat("Call: ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  cat(x$lines[-1], sep = "\n")
  at <- unique(round(seq(1, nrow(x$trace), length.out = 5)))
  print(x$trace[at, ], digits = 3, row.names = FALSE)
  cat(sprintf("%.2f seconds, particleflow %s\n", x$elapsed, x$version))
  invisible(x)
}

#' @rdname generator
#' @export
tidy.generator <- function(x, ...) x$trace

#' @rdname generator
#' @export
glance.generator <- function(x, ...) cbind(x$diagnostics, elapsed = x$elapsed)

#' @rdname generator
#' @export
as.data.frame.generator <- function(x, row.names = NULL, optional = FALSE, ...) x$trace

#' @rdname generator
#' @export
plot.generator <- function(x, type = c("points", "trace", "map"), n = 1000, data = NULL, col = NULL, ...) {
  draw_base(generator_picture(x, type, n, data, col), ...)
  invisible(x)
}

generator_picture <- function(x, type, n, data, col) {
  type <- check_choice(type, c("points", "trace", "map"), "type")
  check_belongs(type, "points", data = data)
  if (type == "points") return(draws_picture(x, n, data, col))
  if (type == "map") {
    if (x$diagnostics$base_dim != 1) fail("type = \"map\" is for one base dimension; this generator has %d.", x$diagnostics$base_dim)
    z <- seq(-3, 3, length.out = 241)
    values <- as.matrix(predict(x, matrix(z)))
    line_picture("map", z, values, "z", col)
  } else {
    line_picture("score", x$trace$step, as.matrix(x$trace$score), "step", col, log = all(x$trace$score > 0))
  }
}

# values [n, lines]
line_picture <- function(title, at, values, clock, col, log = FALSE) {
  group <- if (ncol(values) > 1) if (is.null(colnames(values))) paste0("x", seq_len(ncol(values))) else colnames(values)
  curves <- data.frame(panel = factor(title), time = rep(at, ncol(values)), value = c(values),
                       group = factor(if (is.null(group)) NA_character_ else rep(group, each = length(at)), levels = group), alone = FALSE)
  list(kind = "curves", curves = curves, log = stats::setNames(log, title), clock = clock, colours = picture_colours(group, col))
}

draws_picture <- function(x, n, data, col) {
  draws <- simulate(x, check_count(n, "n", 1L))
  points <- unname(check_points(draws, "draws"))
  goal <- if (!is.null(data)) unname(check_like(data, "data", check_points(draws, "draws")))
  kinds <- c("data", "draws")[c(!is.null(goal), TRUE)]
  group <- factor(rep(kinds, c(NROW(goal), nrow(points))[c(!is.null(goal), TRUE)]), levels = kinds)
  if (is.null(col)) col <- c("grey65", class_colours(1))[c(!is.null(goal), TRUE)]
  columns <- colnames(draws)
  if (is.null(columns)) columns <- paste0("x", seq_len(ncol(points)))
  all <- rbind(goal, points)
  view <- projection(all, columns)
  panels_picture(list(new_layer("draws", view$see(all), "rows", group)), list(view), group, col, shared = TRUE)
}
