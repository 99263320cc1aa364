# The flow of one batch and label, and the part outside the latent space after it.

# The least number of reference rows of a group that is moved.
least_goal <- 4L # so that each random half has two rows

# moved: for each batch but the reference, and each label in it, its rows and its reference rows. left: the same for
# groups with too few rows, and the reason `why`. reference: the key of the reference.
match_groups <- function(table, reference) {
  batch <- table$batch$group
  label <- table$label$group
  single <- is.atomic(reference) && length(reference) == 1 && !is.na(reference)
  key <- if (single) match_label(reference, table$batch$label) else NA
  if (is.na(key)) {
    fail("`reference` must be one of the batches %s, not %s.", quoted(levels(batch)), describe(reference))
  }
  others <- setdiff(levels(batch), key)
  if (!length(others)) fail("`batch` has the reference \"%s\" only; there is nothing to move.", key)
  groups <- unlist(lapply(others, function(name) {
    own <- if (is.null(label)) NA_character_ else levels(droplevels(label[batch == name]))
    lapply(own, function(value) {
      within <- if (is.na(value)) TRUE else label == value
      list(batch = name, label = value, rows = which(batch == name & within), goal = which(batch == key & within))
    })
  }), recursive = FALSE)
  names(groups) <- group_titles(groups)
  groups <- lapply(groups, function(group) c(group, list(why = why_left(group, key))))
  set_aside(list(moved = groups, left = list(), reference = key))
}

# Batch and label as a title. They stand in quotes if two titles would otherwise be the same.
group_titles <- function(groups) {
  batch <- vapply(groups, `[[`, "", "batch")
  label <- vapply(groups, `[[`, "", "label")
  if (all(is.na(label))) return(batch)
  title <- paste(batch, label, sep = ": ")
  if (anyDuplicated(title)) make.unique(sprintf("\"%s\": \"%s\"", batch, label)) else title
}

# Why a group cannot be moved, as words. NULL if it can be moved.
why_left <- function(group, reference) {
  rows <- function(n) sprintf("%d sample%s", n, if (n == 1) "" else "s")
  if (length(group$goal) < least_goal) sprintf("%s in the reference \"%s\"", rows(length(group$goal)), reference)
}

# Groups with a reason `why` are left as they are, and a warning names them.
set_aside <- function(groups) {
  has_reason <- !vapply(groups$moved, function(group) is.null(group$why), NA)
  if (!any(has_reason)) return(groups)
  left <- groups$moved[has_reason]
  said <- some(sprintf("\"%s\" (%s)", names(left), vapply(left, `[[`, "", "why")))
  if (all(has_reason)) {
    fail("No batch can be moved: %s. At least %d samples are needed in the reference.", said, least_goal)
  }
  warning(sprintf("Left as it is, because at least %d samples are needed in the reference that differ: %s.", least_goal,
                  said), call. = FALSE)
  groups$left <- c(groups$left, left)
  groups$moved <- groups$moved[!has_reason]
  groups
}

# Groups whose reference rows z are all equal are left as well, because there is no law to which rows could move.
set_flat_aside <- function(groups, z) {
  groups$moved <- lapply(groups$moved, function(group) {
    goal <- z[group$goal, , drop = FALSE]
    flat <- !(latent_unit(goal) > 1e-8 * sqrt(mean(goal^2)))
    group["why"] <- list(if (flat) sprintf("the %d rows of the reference are all equal", nrow(goal)))
    group
  })
  set_aside(groups)
}

# The root-mean-square distance of the rows of goal [m, d] from their mean, divided by sqrt(d).
latent_unit <- function(goal) sqrt(mean(sweep(goal, 2, colMeans(goal))^2))

# The largest number of rows of each side in a comparison.
most_compared <- 400L

# Moves z [n, d] towards goal [m, d], both in latent units. The flow works in units in which the mean squared distance
# of the goal from its mean is d.
move_group <- function(z, goal, control, threads, tick) {
  unit <- latent_unit(goal)
  start <- z / unit
  end <- goal / unit
  bar <- halves_distance(limit_spaced(end, most_compared), threads)
  first <- compare_points(start, end, bar, 0L, 0, threads)
  if (nrow(z) == 1) {
    tick(control$n_steps)
    return(list(moved = z, unit = unit, halves = bar * unit, status = "one sample", steps = 0L, trace = first))
  }
  run <- start_run(start, end, control)
  trace <- list(first)
  status <- stop_reason(trace[[1]], control, first = TRUE)
  while (is.null(status)) {
    before <- run
    run$planned <- min(run$state$step + control$check, control$n_steps)
    run <- go_on(run, FALSE, remember = FALSE)
    tick(run$state$step - before$state$step)
    points <- run$latent$decode(run$state$particles)
    now <- compare_points(points, end, bar, run$state$step, run$control$step, threads)
    status <- if (run$ended == "diverged") "diverged" else stop_reason(now, control)
    if (identical(status, "novelty")) run <- before else trace[[length(trace) + 1]] <- now
  }
  tick(control$n_steps - run$state$step)
  fit <- finish(run)
  moved <- if (run$state$step == 0L) start else unname(as.matrix(predict(fit)))
  list(moved = moved * unit, unit = unit, halves = bar * unit, status = status, steps = run$state$step,
       trace = do.call(rbind, trace), fit = fit)
}

# A run of gpa() before its first step.
start_run <- function(start, end, control) {
  settings <- list(start, end, n_steps = 0, latent = "none", scale = FALSE, every = max(1L, control$n_steps))
  run <- as_run(do.call(gpa, c(settings, control$flow)))
  run$control$n_steps <- control$n_steps
  run$every <- gpa_every(run$control, nrow(start), run$plan)
  run
}

# One comparison after `step` steps of size `size`: `ratio`, the distance to the goal divided by the distance between
# halves of the goal, and novelty.
compare_points <- function(points, end, bar, step, size, threads) {
  distance <- bare_distance(limit_spaced(points, most_compared), limit_spaced(end, most_compared), threads)
  data.frame(step = step, time = step * size, ratio = distance / bar,
             novelty = compare_novelty(points, end, NULL, threads = threads)$ratio)
}

# Why the flow stops, or NULL. A first comparison below the floor ends the flow as well, because novelty can only fall.
stop_reason <- function(now, control, first = FALSE) {
  if (control$target > 0 && now$ratio <= control$target) return("distance")
  if (control$floor > 0 && !is.na(now$novelty) && now$novelty < control$floor) {
    return(if (first) "novelty at the start" else "novelty")
  }
  if (now$step >= control$n_steps) "all steps done"
}

# The rows at z [n, k] in latent space, decoded, plus the residual of `points` [n, p] that control$residual asks for.
put_residual <- function(z, points, latent, control, flow) {
  decoded <- unname(latent$decode(z))
  if (control$residual == "drop") return(decoded)
  if (control$residual == "adjust") points <- apply_adjustment(points, flow$adjustment)
  decoded + unname(points - unname(latent$decode(latent$encode(points))))
}

# c(moved, reference): the root-mean-square length of the residuals of the moved and of the reference rows, in z-scored
# units.
outside_rms <- function(outside, points, groups, control) {
  spread <- if (control$scale) column_spread(points) else rep(1, ncol(points))
  length <- rowSums(shift_columns(outside, numeric(ncol(outside)), spread)^2)
  rms <- function(what) sqrt(mean(length[unique(unlist(lapply(groups, `[[`, what)))]))
  c(moved = rms("rows"), reference = rms("goal"))
}

# Adjusted rows z [n, d] carried through the flow of one batch and label, which they do not change.
carry_group <- function(flow, z, progress) {
  if (flow$steps == 0L) return(z)
  unname(as.matrix(predict(flow$fit, z / flow$unit, progress = progress))) * flow$unit
}
