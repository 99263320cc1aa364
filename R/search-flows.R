# The flows that a search tries.

# The second-best flow is scored on all folds only if, on the first fold, it is at most this many nats per row worse
# than the option without a flow.
near_no_flow <- 0.05

# The search for a flow ends early if, on the first fold, every time and every softening is worse than the option
# without a flow by more than this many nats per row.
hopeless_flow <- 0.02

# While flows are compared, only this many laws are tried: the best ones without a flow.
laws_at_first <- 3L

# Scores of the most promising flows. On the first fold the search starts from the middle of the grid and changes one
# setting after the other. The best flow is then scored on all folds, and so is the second-best one if it is near the
# option without a flow.
# brief (in `setting`): the search goes on only if, on the first fold, the first flow is better than the option
# without a flow by `hopeless_flow`. The attribute "first_gain" is otherwise what it added on the first fold.
search_flows <- function(z, folds, still, specs, grid, forced, setting, tick) {
  brief <- !forced && isTRUE(setting$brief) && length(still) > 0
  least <- if (forced) -Inf else first_without(still, folds) + if (brief) hopeless_flow else -near_no_flow
  places <- flow_places(grid, still)
  rivals <- rival_specs(specs, still)
  if (brief) rivals <- without_forests(rivals)
  quick <- utils::head(rivals, laws_at_first)
  looked <- 0L
  first <- look_for_flows(places$all, places$first, grid, least, brief, function(candidate) {
    tick()
    if (looked > 0L && is_late(setting$limit)) return(-Inf)
    looked <<- looked + 1L
    best_mean(score_folds(z, folds, candidate, quick, setting, 1L))
  })
  means <- vapply(first, `[[`, 0, "mean")
  if (looked < length(first)) leave_out(setting$limit, "flows")
  better <- is.finite(means) & means >= least
  if (brief && !any(better)) return(structure(list(), first_gain = max(means) - first_without(still, folds)))
  near <- max(sum(better), any(is.finite(means)))
  kept <- order(means, decreasing = TRUE)[seq_len(min(2, near))]
  score_flows(lapply(first[kept], `[[`, "candidate"), z, folds, still, rivals, forced, setting, tick)
}

# Forests take most of the time, and would have to be grown for each flow. They are tried only if there is no other law.
without_forests <- function(specs) {
  others <- Filter(function(spec) spec$law != "trees", specs)
  if (length(others)) others else specs
}

# The best mean score on the first fold without a flow. -Inf: there is none.
first_without <- function(still, folds) {
  max(-Inf, vapply(still, function(scores) {
    max(colMeans(scores$value[folds[scores$rows] == 1L, , drop = FALSE]))
  }, 0))
}

# The units to try with a flow, and the one to begin with: the one that is best without a flow.
flow_places <- function(grid, still) {
  places <- grid$places
  if (!is.null(places)) return(list(all = places, first = places[1]))
  places <- vapply(still, function(scores) scores$candidate$place, "")
  list(all = places, first = if (length(still)) places[which.max(vapply(still, best_mean, 0))] else "scaled")
}

# The scores of some flows on the folds that are known without a flow. After the limit there are none but the first, if
# a flow was asked for.
score_flows <- function(candidates, z, folds, still, rivals, forced, setting, tick) {
  known <- if (length(still)) sort(unique(folds[still[[1]]$rows])) else sort(unique(folds))
  full <- list()
  for (candidate in candidates) {
    if (is_late(setting$limit) && (!forced || length(full))) {
      leave_out(setting$limit, "flows")
      break
    }
    tick()
    one <- score_folds(z, folds, candidate, rivals, setting, known)
    if (is.null(one)) next
    if (length(unique(folds[one$rows])) < length(known) && (!forced || length(full))) {
      leave_out(setting$limit, "flows")
      break
    }
    full <- c(full, list(one))
  }
  full
}

# The flows that were tried, each with the mean score that value() gives.
look_for_flows <- function(places, place, grid, least, brief, value) {
  make <- function(place, s, softening, time) {
    new_flow_candidate(place, s, softening, time, grid$epsilon, grid$n_steps)
  }
  first <- list()
  look <- function(candidates) {
    keys <- vapply(candidates, function(one) paste(unlist(one), collapse = " "), "")
    for (i in which(!duplicated(keys) & !keys %in% names(first))) {
      first[[keys[i]]] <<- list(candidate = candidates[[i]], mean = value(candidates[[i]]))
    }
    means <- vapply(first, `[[`, 0, "mean")
    first[[which.max(means)]]$candidate
  }
  if (brief) {
    look(list(make(place, grid$s[1], grid$softening[1], grid$time[[1]])))
    if (!(first[[1]]$mean >= least)) return(first)
  }
  at <- look(lapply(grid$time, function(time) make(place, grid$s[1], grid$softening[1], time)))
  at <- look(lapply(grid$softening, function(softening) make(place, at$s, softening, at$time)))
  if (max(vapply(first, `[[`, 0, "mean")) < least + near_no_flow - hopeless_flow) return(first)
  at <- look(lapply(grid$s, function(s) make(place, s, at$softening, at$time)))
  at <- look(lapply(grid$time, function(time) make(place, at$s, at$softening, time)))
  look(lapply(places, function(place) make(place, at$s, at$softening, at$time)))
  first
}
