# The flow of each class of a fit.

# What the search chose for one class. NULL: there was no search.
search_class <- function(z, blocks, control, by_column, threads, progress) {
  if (!can_calibrate(control, z)) return(NULL)
  setting <- search_setting(by_column, control$step, control$max_bound, control$min_rows,
                            if (control$keep == "file") "all" else control$keep, threads, control$cells,
                            isTRUE(control$brief), control$gaps, search_limit(control$seconds))
  bar <- progress_bar("Calibrating", 20, progress)
  on.exit(bar$done())
  calibrate_flow(z, control, blocks, setting, bar$tick, function(chosen, stack) {
    laws <- if (is.null(stack)) chosen$reference[best_column(chosen)] else lapply(stack$settings$parts, `[[`, "law")
    trees <- "trees" %in% vapply(laws, law_name, "")
    foretell_class(nrow(z), ncol(z), control, chosen$candidate, !is.null(stack), threads, trees)
  })
}

# `control` with the settings that the search found.
with_choice <- function(control, found, n, d, reason) {
  # laws of scores without a flow are in the unit of the scores, because they may know the cells
  still <- nzchar(reason) || no_flow_asked(control)
  control$place <- if (isTRUE(control$scores) && still) "as_is" else unit_of_scale(control$scale)
  if (is.null(found)) return(control)
  chosen <- found$candidate
  control$place <- chosen$place
  control$laws <- asked_laws(found$law, found$law_settings)
  control$s <- chosen$s
  if (chosen$flow) {
    control$epsilon <- candidate_epsilon(chosen, n, d)
    control["time"] <- list(chosen$time)
  } else if (!nzchar(reason)) {
    control["n_steps"] <- list(NULL)
    control$time <- 0
  }
  control
}

# The flow of one class, from its latent rows. control$laws are the laws asked for, as kinds; NULL: all searched laws.
make_flow <- function(z, blocks, control, by_column, label, threads, progress) {
  n <- nrow(z)
  dim <- ncol(z)
  reason <- no_flow_reason(n, dim, control$min_rows)
  count <- if (nzchar(reason)) 0L else particle_count(control, z)
  asked <- control
  # with particles, what is searched is the law of the rows
  if (count > 0) control[c("s", "epsilon", "time", "n_steps")] <- list(0, NULL, 0, NULL)
  found <- search_class(z, blocks, control, by_column, threads, progress)
  control <- rule_of_thumb(with_choice(control, found, n, dim, reason), n, dim)
  repeated <- sum(duplicated(first_equal(z)))
  z <- fill_gaps(z, control$gaps, gap_key, threads)
  placed <- place_rows(z, control$place, by_column)
  trajectory <- flow_of_class(to_flow(z, placed), control, reason, threads, progress)
  kind <- control$laws[[1]]
  law <- fit_law(kind, last_frame(trajectory), trajectory$s,
                 gone = if (n_steps(trajectory) == 0) control$gaps$gone)
  flow <- list(
    trajectory = trajectory, centre = placed$centre, scale = placed$scale, turn = placed$turn, law = law,
    kind = list(law = law_reference(kind), settings = kind$settings),
    calibration = new_calibration(found), held_out = held_out_densities(found, control$cells), repeated = repeated
  )
  if (count > 0) {
    asked$place <- control$place
    flow <- with_particles(flow, z, count, asked, by_column, threads, progress)
  }
  if (control$density_floor > 0) flow$floor <- floor_densities(flow, control$backward, threads)
  flow$diagnostics <- flow_diagnostics(flow, control$place, label, n, found, reason)
  if (isTRUE(control$strip)) strip_flow(flow) else flow
}

# The held-out log-densities of the latent rows. NULL: they are not known, because the search integrated over cells.
held_out_densities <- function(found, cells) if (is.null(cells)) found$held_out

# What a fit tells about a search. NULL: there was no search.
new_calibration <- function(found) {
  if (is.null(found)) return(NULL)
  structure(found[setdiff(names(found), c("candidate", "held_out"))], class = "efs_calibration")
}

flow_of_class <- function(points, control, reason, threads, progress) {
  arguments <- list(s = control$s, epsilon = control$epsilon, step = control$step, max_bound = control$max_bound,
                    keep = control$keep, given = !is.null(control$n_steps), threads = threads, progress = progress,
                    field = control$field, file = control$file)
  arguments["time"] <- list(control$time)
  if (!is.null(control$n_steps)) arguments$n_steps <- control$n_steps
  if (nzchar(reason)) arguments[c("n_steps", "time")] <- list(0L, NULL)
  do.call(forward_flow, c(list(quote(points)), arguments))
}

# One row: the settings of the flow, how well it can be undone, the scores of the search, and what the flow adds.
flow_diagnostics <- function(flow, place, label, n, found, reason) {
  trajectory <- flow$trajectory
  k <- n_steps(trajectory)
  cost <- flow$cost
  gain <- if (!is.null(cost)) -cost$cost else if (is.null(found)) NA_real_ else found$gain
  data.frame(
    group = if (is.null(label)) NA_character_ else label,
    n = n, particles = nrow(trajectory$frames), dim = ncol(trajectory$frames),
    place = if (!is.null(cost) && place == "as_is") "scaled" else place,
    s = trajectory$s, epsilon = trajectory$epsilon, steps = k,
    time = trajectory$times[k + 1],
    largest_bound = summary(trajectory)$largest_bound,
    inverse_growth = inverse_growth(trajectory),
    law = format(if (is.null(cost)) flow$law else flow$source$law),
    log_density = if (is.null(found)) NA_real_ else found$log_density + if (is.null(cost)) 0 else gain,
    gain = gain,
    gain_se = if (!is.null(cost)) cost$se else if (is.null(found)) NA_real_ else found$gain_se,
    bent = if (is.null(cost)) bent_share(frame(trajectory, 1L), last_frame(trajectory)) else cost$bent,
    note = reason
  )
}

# One list (trajectory, centre, scale, law, rows) per class, also for a fit without groups.
class_flows <- function(fit) {
  trajectories <- if (inherits(fit$trajectory, "particle_trajectory")) list(fit$trajectory) else fit$trajectory
  flows <- Map(function(flow, trajectory, rows) c(flow, list(trajectory = trajectory, rows = rows)),
               fit$flows, trajectories, fit$rows)
  stats::setNames(flows, names(fit$rows))
}

is_grouped <- function(fit) !is.null(fit$table$group)

# rbind() of one data frame per class. If there are groups, the first column is the class.
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

# The class of each row of `newdata`: from `group`, or from the column that the table had.
new_group <- function(fit, newdata, group, n) {
  if (!is_grouped(fit)) return(factor(rep("all", n)))
  label <- fit$table$group
  if (is.null(group) && is.data.frame(newdata)) group <- label_column(newdata, label)
  if (is.null(group)) fail("The fit has groups: `group` must give the class of each row of `newdata`.")
  if (length(group) != n) {
    fail("`group` must have one entry for each of the %d rows of `newdata`, not %d.", n, length(group))
  }
  keys <- match_label(group, label)
  unknown <- unique(label_text(group[is.na(keys)]))
  if (length(unknown)) {
    fail("`group` has the class%s %s, which the fit does not know.", if (length(unknown) > 1) "es" else "",
         quoted(unknown))
  }
  factor(keys, levels = label$keys)
}
