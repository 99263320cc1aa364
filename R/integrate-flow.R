# The flow of one batch and label, what is adjusted before it, and what becomes of the rest.

least_moved <- 2L

least_goal <- 4L # halves of two rows

# A list: for each batch but the reference, and each label in it, its rows and the reference rows.
match_groups <- function(batch, reference, label) {
  if (!is.atomic(reference) || length(reference) != 1 || is.na(reference) || !as.character(reference) %in% levels(batch)) {
    fail("`reference` must be one of the batches %s, not %s.", quoted(levels(batch)), describe(reference))
  }
  reference <- as.character(reference)
  others <- setdiff(levels(batch), reference)
  if (!length(others)) fail("`batch` has the reference \"%s\" only; there is nothing to move.", reference)
  groups <- list()
  for (name in others) {
    own <- if (is.null(label)) NA_character_ else levels(droplevels(label[batch == name]))
    for (value in own) {
      within <- if (is.na(value)) TRUE else label == value
      rows <- which(batch == name & within)
      goal <- which(batch == reference & within)
      what <- if (is.na(value)) "" else sprintf(" of label \"%s\"", value)
      if (!length(goal)) {
        fail("Label \"%s\" of batch \"%s\" is missing from the reference \"%s\": there is nothing to move its rows to.",
             value, name, reference)
      }
      if (length(goal) < least_goal) {
        fail("The reference \"%s\" has %d row%s%s; at least %d are needed.", reference, length(goal),
             if (length(goal) == 1) "" else "s", what, least_goal)
      }
      if (length(rows) < least_moved) {
        fail("Batch \"%s\" has %d row%s; at least %d are needed.", name, length(rows), what, least_moved)
      }
      key <- if (is.na(value)) name else paste(name, value, sep = ": ")
      groups[[key]] <- list(batch = name, label = value, rows = rows, goal = goal)
    }
  }
  groups
}

# Rows that take part in the comparisons on the way.
most_compared <- 400L

# z [n, d] is moved towards goal [m, d], both in latent units. In the flow the mean squared
# distance of the goal from its mean is d.
move_group <- function(z, goal, label, control, threads, tick) {
  unit <- sqrt(mean(sweep(goal, 2, colMeans(goal))^2))
  if (!(unit > 1e-8 * sqrt(mean(goal^2)))) {
    fail("The %d rows of the reference%s are all equal; there is no law to move other rows to.", nrow(goal),
         if (is.na(label)) "" else sprintf(" of label \"%s\"", label))
  }
  start <- z / unit
  end <- goal / unit
  bar <- halves_distance(limit_spaced(end, most_compared), threads)
  run <- start_run(start, end, control)
  trace <- list(compare_run(run, start, end, bar, control, threads))
  status <- stop_reason(trace[[1]], control, first = TRUE)
  while (is.null(status)) {
    before <- run
    run$planned <- min(run$state$step + control$check, control$n_steps)
    run <- go_on(run, FALSE, remember = FALSE)
    tick(run$state$step - before$state$step)
    now <- compare_run(run, start, end, bar, control, threads)
    status <- if (run$ended == "diverged") "diverged" else stop_reason(now, control)
    if (identical(status, "novelty")) run <- before else trace[[length(trace) + 1]] <- now
  }
  tick(control$n_steps - run$state$step)
  fit <- finish(run)
  moved <- if (run$state$step == 0L) start else unname(as.matrix(predict(fit)))
  list(moved = moved * unit, unit = unit, halves = bar * unit, status = status, steps = run$state$step,
       trace = do.call(rbind, trace), fit = fit)
}

# A run of gpa() of which no step is taken yet.
start_run <- function(start, end, control) {
  settings <- list(start, end, n_steps = 0, latent = "none", scale = FALSE, every = max(1L, control$n_steps))
  run <- as_run(do.call(gpa, c(settings, control$flow)))
  run$control$n_steps <- control$n_steps
  run$every <- gpa_every(run$control, nrow(start), run$plan)
  run
}

# What is known on the way: `ratio` of the distance to that between halves, and novelty.
compare_run <- function(run, start, end, bar, control, threads) {
  points <- if (run$state$step == 0L) start else run$latent$decode(run$state$particles)
  distance <- quiet_distance(limit_spaced(points, most_compared), limit_spaced(end, most_compared), threads)
  data.frame(step = run$state$step, time = run$state$step * run$control$step, ratio = distance / bar,
             novelty = compare_novelty(points, end, NULL, threads = threads)$ratio)
}

# NULL to go on. A first comparison below the floor ends the flow as well: it can only go lower.
stop_reason <- function(now, control, first = FALSE) {
  if (control$target > 0 && now$ratio <= control$target) return("distance")
  if (control$floor > 0 && !is.na(now$novelty) && now$novelty < control$floor) return(if (first) "novelty at the start" else "novelty")
  if (now$step >= control$n_steps) "all steps done"
}

# Column by column (x - from) * ratio + to. With the log of a standard deviation of n rows off by
# (digamma(m) - log m) / 2 on average and of variance trigamma(m) / 4, m = (n - 1) / 2 (normal rows), the logs of
# the ratios are shrunk towards their mean as normal ones of that variance would be.
adjust_to <- function(own, goal, how) {
  p <- ncol(own)
  if (how == "none") return(list(from = numeric(p), ratio = rep(1, p), to = numeric(p)))
  list(from = colMeans(own), ratio = if (how == "mean") rep(1, p) else spread_ratio(own, goal), to = colMeans(goal))
}

spread_ratio <- function(own, goal) {
  half <- c(nrow(own), nrow(goal)) / 2 - 0.5
  off <- (digamma(half) - log(half)) / 2
  noise <- sum(trigamma(half)) / 4
  log_own <- log(apply(own, 2, stats::sd)) - off[1]
  log_goal <- log(apply(goal, 2, stats::sd)) - off[2]
  raw <- log_goal - log_own
  known <- is.finite(raw) # neither is constant
  ratio <- rep(1, ncol(own))
  if (!any(known)) return(ratio)
  middle <- mean(raw[known])
  between <- if (sum(known) > 1) max(0, stats::var(raw[known]) - noise) else 0
  ratio[known] <- exp(middle + between / (between + noise) * (raw[known] - middle))
  ratio
}

apply_adjustment <- function(points, adjustment) {
  sweep(sweep(sweep(points, 2, adjustment$from), 2, adjustment$ratio, "*"), 2, adjustment$to, "+")
}

# Rows moved to z in latent space, with what was outside it.
put_residual <- function(z, points, latent, control, flow) {
  decoded <- unname(latent$decode(z))
  if (control$residual == "drop") return(decoded)
  if (control$residual == "adjust") points <- apply_adjustment(points, flow$adjustment)
  decoded + unname(points - unname(latent$decode(latent$encode(points))))
}

# Root-mean-square length of the residuals, in z-scored units: of the moved and of the reference rows.
outside_rms <- function(outside, points, groups, control) {
  spread <- if (control$scale) column_spread(points) else rep(1, ncol(points))
  length <- rowSums(sweep(outside, 2, spread, "/")^2)
  rms <- function(what) sqrt(mean(length[unique(unlist(lapply(groups, `[[`, what)))]))
  c(moved = rms("rows"), reference = rms("goal"))
}

# Passive rows z [n, d], adjusted, through the flow of one batch and label.
carry_group <- function(flow, z, progress) {
  if (flow$steps == 0L) return(z)
  unname(as.matrix(predict(flow$fit, z / flow$unit, progress = progress))) * flow$unit
}
