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
  best <- vapply(still, best_mean, 0)
  first_without <- vapply(still, function(scores) max(colMeans(scores$value[folds == 1L, , drop = FALSE])), 0)
  least <- if (forced) -Inf else max(first_without, -Inf) + if (brief) hopeless_flow else -near_no_flow
  places <- grid$places
  place <- places[1]
  if (is.null(places)) {
    places <- vapply(still, function(scores) scores$candidate$place, "")
    place <- if (length(still)) places[which.max(best)] else "scaled"
  }
  rivals <- rival_specs(specs, still)
  quick <- if (brief) Filter(function(spec) spec$law != "trees", rivals)
  first <- look_for_flows(places, place, grid, least, brief, function(candidate) {
    tick()
    best_mean(score_folds(z, folds, candidate, utils::head(if (length(quick)) quick else rivals, laws_at_first), setting, 1L))
  })
  means <- vapply(first, `[[`, 0, "mean")
  better <- is.finite(means) & means >= least
  if (brief && !any(better)) return(structure(list(), first_gain = max(means) - max(first_without)))
  near <- max(sum(better), any(is.finite(means)))
  kept <- order(means, decreasing = TRUE)[seq_len(min(2, near))]
  full <- lapply(first[kept], function(one) {
    tick()
    score_folds(z, folds, one$candidate, rivals, setting)
  })
  full[!vapply(full, is.null, NA)]
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
