# The flow of each class of a fit.

# The rule of thumb, where nothing is calibrated: `control` with its gaps filled.
rule_of_thumb <- function(control) {
  if (is.null(control$s)) control$s <- 0
  if (is.null(control$time) && is.null(control$n_steps)) control$time <- 1
  if (is.null(control$law)) control$law <- "local"
  control
}

# What is left to choose can be chosen by likelihood.
can_calibrate <- function(control, z) {
  n <- nrow(z)
  d <- ncol(z)
  if (any(apply(z, 2, function(column) all(column == column[1])))) return(FALSE)
  open <- is.null(control$s) || is.null(control$epsilon) || is.null(control$law) ||
    (is.null(control$time) && is.null(control$n_steps))
  scored <- is.null(control$law) || control$law %in% density_laws()
  control$calibrate && open && scored && n >= max(20L, control$min_rows) && d <= most_exact_dims
}

# The flow of one class, from its latent rows.
make_flow <- function(z, blocks, control, by_column, label, threads, progress) {
  n <- nrow(z)
  dim <- ncol(z)
  place <- if (isFALSE(control$scale)) "as_is" else if (isTRUE(control$scale)) "scaled" else "whitened"
  reason <- no_flow_reason(n, dim, control$min_rows)
  found <- NULL
  if (can_calibrate(control, z)) {
    setting <- list(by_column = by_column, step = control$step, max_bound = min(control$max_bound, 0.9),
                    min_rows = control$min_rows, threads = threads)
    bar <- progress_bar("Calibrating", 20, progress)
    found <- calibrate_flow(z, control, blocks, setting, bar$tick)
    bar$done()
  }
  if (!is.null(found)) {
    chosen <- found$candidate
    place <- chosen$place
    control$law <- found$law
    control$law_settings <- found$law_settings
    control$s <- chosen$s
    if (chosen$flow) {
      control$epsilon <- candidate_epsilon(chosen, n, dim)
      control["time"] <- list(chosen$time)
    } else if (!nzchar(reason)) {
      control["n_steps"] <- list(NULL)
      control$time <- 0
    }
  }
  control <- rule_of_thumb(control)
  placed <- place_rows(z, place, by_column)
  points <- to_flow(z, placed)
  epsilon <- if (is.null(control$epsilon)) 16 * n^(-2 / max(dim, 2)) else control$epsilon
  arguments <- list(points, s = control$s, epsilon = epsilon, step = control$step, max_bound = control$max_bound,
                    keep = control$keep, given = !is.null(control$n_steps), threads = threads, progress = progress)
  arguments["time"] <- list(control$time)
  if (!is.null(control$n_steps)) arguments$n_steps <- control$n_steps
  if (nzchar(reason)) arguments[c("n_steps", "time")] <- list(0L, NULL)
  trajectory <- do.call(forward_flow, arguments)
  law <- do.call(fit_law, c(list(control$law, trajectory), control$law_settings))
  k <- n_steps(trajectory)
  list(
    trajectory = trajectory, centre = placed$centre, scale = placed$scale, turn = placed$turn, law = law,
    calibration = found[setdiff(names(found), c("candidate", "held_out"))], held_out = found$held_out,
    diagnostics = data.frame(
      group = if (is.null(label)) NA_character_ else label,
      n = n, dim = dim, place = place, s = trajectory$s, epsilon = trajectory$epsilon, steps = k,
      time = trajectory$times[k + 1],
      largest_bound = summary(trajectory)$largest_bound,
      inverse_growth = inverse_growth(trajectory),
      law = format(law),
      log_density = if (is.null(found)) NA_real_ else found$log_density,
      gain = if (is.null(found)) NA_real_ else found$gain,
      gain_se = if (is.null(found)) NA_real_ else found$gain_se,
      note = reason
    )
  )
}

no_flow_reason <- function(n, dim, min_rows) {
  if (n < min_rows) {
    sprintf("%d rows are too few for a flow", n)
  } else if (n <= dim + 1) {
    sprintf("%d rows in %d dimensions would end in a rigid figure", n, dim)
  } else {
    ""
  }
}

# One (trajectory, centre, scale, law, rows) per class, whether grouped or not.
class_flows <- function(fit) {
  trajectories <- if (inherits(fit$trajectory, "particle_trajectory")) list(fit$trajectory) else fit$trajectory
  flows <- Map(function(flow, trajectory, rows) c(flow, list(trajectory = trajectory, rows = rows)),
               fit$flows, trajectories, fit$rows)
  stats::setNames(flows, names(fit$rows))
}

is_grouped <- function(fit) !is.null(fit$table$group)

# rbind of one data frame per class, with the class in front where there are
# classes.
over_classes <- function(fit, make) {
  flows <- class_flows(fit)
  parts <- lapply(names(flows), function(class) {
    part <- make(flows[[class]])
    if (is_grouped(fit)) {
      part <- cbind(data.frame(group = factor(rep(class, nrow(part)), levels = names(flows))), part)
    }
    part
  })
  do.call(rbind, parts)
}

# The class of each training row.
row_class <- function(fit) {
  class <- rep(names(fit$rows), lengths(fit$rows))
  class[unlist(fit$rows)] <- class
  factor(class, levels = names(fit$rows))
}

new_group <- function(fit, newdata, group, n) {
  if (!is_grouped(fit)) return(factor(rep("all", n)))
  column <- fit$table$group_column
  if (is.null(group) && !is.null(column) && is.data.frame(newdata)) group <- newdata[[column]]
  if (is.null(group)) fail("The fit has groups: `group` must give the class of each row of `newdata`.")
  if (length(group) != n) fail("`group` must have one entry for each of the %d rows of `newdata`, not %d.", n, length(group))
  classes <- names(fit$rows)
  unknown <- setdiff(as.character(group), classes)
  if (length(unknown)) fail("`group` has the class \"%s\", which the fit does not know.", unknown[1])
  factor(as.character(group), levels = classes)
}
