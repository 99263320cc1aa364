# The training of latent_autoencoder(). A step is one pass over the training rows.

# x [n, p]: the rows. The run holds them in units of the frame: `points` [p, training rows], for updates, and `held`
# [held-out rows, p].
new_autoencoder_run <- function(x, control, key) {
  x <- unname(x)
  held <- held_out_rows(nrow(x), control$held_out, key)
  frame <- autoencoder_frame(x[-held, , drop = FALSE], control)
  points <- to_frame(frame, x[-held, , drop = FALSE])
  parts <- autoencoder_components(points, control$dim)
  net <- autoencoder_network(points, parts, control, key)
  if (is.null(control$batch)) control$batch <- as.integer(min(128, max(16, round(nrow(points) / 10))))
  run <- new_run(
    "autoencoder", "Autoencoder", control, NULL, control$n_steps, net = net["widths"], frame = frame, key = key,
    points = t(points), held = to_frame(frame, x[held, , drop = FALSE]), decay = control$n_steps
  )
  # the first networks are the principal components
  score <- autoencoder_score(run, net$parameters, run$held)
  run$state <- list(step = 0L, updates = 0, learner = new_learner(net$parameters), trace = score, since = 0L,
                    best = list(score = score, step = 0L, parameters = net$parameters))
  run
}

held_out_rows <- function(n, share, key) {
  if (n < 3) fail("latent_autoencoder() needs at least 3 rows, not %d.", n)
  sort(order(draw_uniform(n, 1L, key, 1L))[seq_len(max(1, round(share * n)))])
}

# Means and units of the columns, and the bounds [p, 2] in these units.
autoencoder_frame <- function(x, control) {
  spread <- column_spread(x)
  if (!control$scale) spread <- rep(root_mean_square(column_deviations(x)), ncol(x))
  if (!all(spread > 0)) fail("latent_autoencoder() needs rows that differ, but all training rows are equal.")
  frame <- list(centre = colMeans(x), spread = spread)
  ends <- control$bounds
  if (is.null(ends)) return(frame)
  if (min(x) < ends[1] || max(x) > ends[2]) {
    fail("The values must lie within `bounds` = c(%s, %s), but they lie between %s and %s.", format(ends[1]),
         format(ends[2]), format(min(x)), format(max(x)))
  }
  c(frame, list(bounds = t(to_frame(frame, matrix(ends, 2, ncol(x))))))
}

# Squares of the values may leave the range of numbers.
root_mean_square <- function(values) {
  largest <- max(values)
  if (largest > 0) largest * sqrt(mean((values / largest)^2)) else 0
}

autoencoder_components <- function(points, dim) {
  most <- min(nrow(points) - 1L, ncol(points))
  if (dim > most) {
    fail("`dim` is %d, but %d training rows of %d columns have at most %d components.", dim, nrow(points),
         ncol(points), most)
  }
  parts <- leading_components(points, dim)
  kept <- seq_len(min(dim, ncol(parts$loadings)))
  list(loadings = parts$loadings[, kept, drop = FALSE], unit = sqrt(mean(parts$variance[kept])))
}

# Widths and first parameters of both networks. Latent rows have mean square 1 per dimension at the start.
autoencoder_network <- function(points, parts, control, key) {
  into <- as.integer(c(ncol(points), control$hidden, ncol(parts$loadings)))
  widths <- list(encoder = into, decoder = rev(into))
  check_memory(8 * copies_of_parameters * 2 * plan_parameters(list(widths = into)),
               sprintf("An autoencoder of widths %s", paste(into, collapse = "-")), "give narrower `hidden` layers")
  list(widths = widths, parameters = c(
    linear_network(widths$encoder, t(parts$loadings) / parts$unit, key),
    linear_network(widths$decoder, parts$loadings * parts$unit, other_key(key, 1L))
  ))
}

# Parameters of a network that is the linear map `a` [out, in] of rank r at the start. The first 2 r units of each
# hidden layer carry the parts of a, once with each sign, because a rectifier lets only positive values pass. The other
# units start at random, with weights 0 to the outputs.
linear_network <- function(widths, a, key) {
  parameters <- .Call(C_pf_network_start, widths, key)
  depth <- length(widths) - 1L
  outer <- nrow(a) > ncol(a) # a = out %*% into
  r <- min(dim(a))
  into <- if (outer) diag(r) else a
  out <- if (outer) a else diag(r)
  ends <- cumsum(widths[-1] * (widths[-length(widths)] + 1))
  for (l in seq_len(depth)) {
    at <- c(0, ends)[l] + seq_len(widths[l + 1] * widths[l])
    w <- matrix(parameters[at], widths[l + 1], widths[l])
    if (l == 1) {
      w[seq_len(2 * r), ] <- rbind(into, -into)
    } else if (l == depth) {
      w[] <- 0
      w[, seq_len(2 * r)] <- cbind(out, -out)
    } else {
      w[seq_len(2 * r), ] <- 0
      w[seq_len(2 * r), seq_len(2 * r)] <- diag(2 * r)
    }
    parameters[at] <- w
  }
  parameters
}

# The trained map, or that of other parameters.
autoencoder_map <- function(run, parameters) {
  first <- seq_len(plan_parameters(list(widths = run$net$widths$encoder)))
  list(widths = run$net$widths, frame = run$frame,
       parameters = list(encoder = parameters[first], decoder = parameters[-first]))
}

network_outputs <- function(parameters, widths, x) {
  .Call(C_pf_network_forward, parameters, widths, 0, unname(x), thread_count())
}

# bounds: NULL or [p, 2], in the unit of y [n, p].
cut_columns <- function(y, bounds) {
  if (is.null(bounds)) return(y)
  each <- function(ends) rep(ends, each = nrow(y))
  y[] <- pmin(pmax(y, each(bounds[, 1])), each(bounds[, 2]))
  y
}

# The relative error of the rows u [n, p], which are in units of the frame. NA if numbers leave their range.
autoencoder_score <- function(run, parameters, u) {
  map <- autoencoder_map(run, parameters)
  z <- network_outputs(map$parameters$encoder, map$widths$encoder, u)
  if (!all(is.finite(z))) return(NA)
  back <- cut_columns(network_outputs(map$parameters$decoder, map$widths$decoder, z), run$frame$bounds)
  sqrt(sum((back - u)^2) / sum(u^2))
}

#' @export
advance.autoencoder_run <- function(run, most) {
  taken <- 0
  while (taken < most && run$state$since < run$control$patience) {
    run$state <- autoencoder_step(run)
    taken <- taken + 1
  }
  if (run$state$since >= run$control$patience) run$ended <- "stopped early"
  run
}

# The state after one more pass. Further steps do not change over which steps the rate falls.
autoencoder_step <- function(run) {
  state <- run$state
  n <- ncol(run$points)
  order <- order(draw_uniform(n, 1L, run$key, state$step + 2L))
  learner <- .Call(C_pf_autoencoder_epoch, state$learner, state$updates, run$net$widths$encoder,
                   run$net$widths$decoder, run$frame$bounds, run$points, order, run$control$batch,
                   run$control$rate * cosine_decay(state$step / max(1, run$decay)), run$control$threads)
  score <- if (is.null(learner)) NA else autoencoder_score(run, learner[, 1], run$held)
  if (!is.finite(score)) {
    stop_unsolved("The weights of the autoencoder left the range of numbers in step %d: take a smaller `rate`.",
                  state$step + 1L)
  }
  state$learner <- learner
  state$step <- state$step + 1L
  state$updates <- state$updates + ceiling(n / run$control$batch)
  state$trace <- c(state$trace, score)
  better <- score < state$best$score
  if (better) state$best <- list(score = score, step = state$step, parameters = learner[, 1])
  state$since <- if (better) 0L else state$since + 1L
  state
}

#' @export
finish.autoencoder_run <- function(run) {
  state <- run$state
  map <- autoencoder_map(run, state$best$parameters)
  dim <- map$widths$decoder[1]
  held <- c(autoencoder = state$best$score, components = state$trace[1])
  all <- rbind(t(run$points), run$held)
  do.call(new_fitted_latent, c(list("autoencoder", "autoencoder", dim), map, list(
    bounds = run$control$bounds, held_out = held, trace = data.frame(step = seq_along(state$trace) - 1L,
                                                                     score = state$trace),
    status = run_status(run), elapsed = run$elapsed, version = run$version,
    description = sprintf("autoencoder %s of %s columns", paste(map$widths$encoder, collapse = "-"),
                          if (run$control$scale) "standardised" else "centred"),
    reconstruction = autoencoder_score(run, state$best$parameters, all)
  )))
}

#' @export
as_run.latent_autoencoder <- function(object) {
  refuse_training("an autoencoder")
}

# The count of passes without a smaller error starts at 0 again.
#' @export
reopen.autoencoder_run <- function(run) {
  run$state$since <- 0L
  NextMethod()
}

# seconds: of the products of the updates, which go once forwards and twice backwards through both networks.
#' @export
foretell.autoencoder_run <- function(run) {
  steps <- as.numeric(run$planned)
  c(bytes = 8 * steps, seconds = 6 * steps * nrow(run$state$learner) * ncol(run$points) / most_products_per_second)
}
