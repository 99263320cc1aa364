# Settings of a flow chosen by held-out log-likelihood: the mean over rows that are left out in folds. Each fold has
# its own flow. The option without a flow is always among the candidates.

# A flow must be better than the option without a flow by this many standard errors of the paired difference, because
# the best of several candidates exceeds one standard error by chance alone.
worth_a_flow <- 2

# z [n, d]: latent rows of one class. fixed: the settings that the user gave (NULL: open), and `laws`, the laws asked
# for; `scores`: z are normal scores; `always`: there is a flow if one can be undone, whatever it adds.
# known(scores, stack) is called as soon as the choice from the searched rows is known.
# Returns the settings chosen and the scores of all candidates. NULL: neither a law nor a flow could be fitted.
calibrate_flow <- function(z, fixed, blocks, setting, tick = function() NULL, known = function(scores, stack) NULL) {
  d <- ncol(z)
  blocks <- join_repeats(z, blocks)
  searched <- search_rows(z, blocks)
  all_cells <- setting$cells
  setting$cells <- draws_of_cells(pick_cells(all_cells, searched$rows))
  all_gaps <- setting$gaps
  setting$gaps <- pick_gaps(all_gaps, searched$rows)
  setting$fills <- fill_folds(searched$z, searched$folds, setting$gaps, setting$threads)
  specs <- law_candidates(searched$n_train, d, fixed$laws)
  units <- units_to_try(fixed$scale, searched$n_train, d)
  scores <- isTRUE(fixed$scores)
  still <- score_without_flow(searched, if (scores) "as_is" else units, specs, setting, tick)
  asked <- !is.null(fixed$n_steps) || !is.null(fixed$time)
  forced <- asked || isTRUE(fixed$always)
  # the end of a flow has no missing scores that a law could leave out
  none_asked <- no_flow_asked(fixed) || (!is.null(setting$gaps) && !forced)
  moved <- if (scores) lapply(specs, without_edges) else specs
  flows <- if (!none_asked && room_for_flow(searched$n_train, d, setting$min_rows)) {
    grid <- flow_grid(searched$n_train, d, fixed)
    if (scores) grid$places <- units
    if (!forced && is_late(setting$limit)) {
      leave_out(setting$limit, "flows")
    } else {
      search_flows(searched$z, searched$folds, still, moved, grid, forced, setting, tick)
    }
  }
  choice <- choose_flow(still, flows, none_asked, forced)
  if (is.null(choice$scores) && !asked) choice <- choose_flow(still, NULL, TRUE, FALSE)
  if (is.null(choice$scores)) return(NULL)
  stack <- stack_columns(choice$scores)
  known(choice$scores, stack)
  if (nrow(searched$z) < nrow(z) && !is.null(stack) && is_late(setting$limit)) {
    leave_out(setting$limit, "weights")
  } else if (nrow(searched$z) < nrow(z) && !is.null(stack)) {
    tick()
    setting$cells <- all_cells
    setting$gaps <- all_gaps
    used <- if (choice$scores$candidate$flow) moved else specs
    choice$scores <- score_again(z, blocks, choice$scores, stack, used, setting)
    stack <- stack_columns(choice$scores)
  }
  seen <- lapply(c(still, flows), describe_scores)
  describe_choice(choice, stack, seen, searched, left_out(setting$limit))
}

# A candidate for the end of a flow of normal scores, where the cells of the scores are cells no more.
without_edges <- function(spec) {
  spec$settings$edges <- NULL
  spec$kind$settings <- spec$settings
  spec
}

no_flow_asked <- function(control) identical(control$time, 0) || identical(control$n_steps, 0L)

# The scores without a flow, one for each unit.
score_without_flow <- function(searched, units, specs, setting, tick) {
  still <- lapply(seq_along(units), function(at) {
    unit <- units[at]
    tick()
    if (at > 1 && is_late(setting$limit)) return(leave_out(setting$limit, "units"))
    # whitening changes only laws that depend on a round shape
    again <- length(units) > 1 && unit == "whitened"
    some <- if (again) Filter(function(spec) spec$kind$spherical, specs) else specs
    if (length(some)) {
      score_folds(searched$z, searched$folds, no_flow_candidate(unit), some, setting,
                  folds_to_score(searched$folds, setting))
    }
  })
  still[!vapply(still, is.null, NA)]
}

# `scores`: those of the flow if it is better by enough, and otherwise those of the option without a flow. `gain`: what
# the best flow adds to the option without a flow, in nats per row, and its standard error. `forced`: the user asked
# for a flow, or for the option without a flow (`none_asked`).
choose_flow <- function(still, flows, none_asked, forced) {
  without <- if (length(still)) still[[which.max(vapply(still, best_mean, 0))]]
  chosen <- if (!forced || none_asked) without
  first_gain <- attr(flows, "first_gain")
  gain <- c(if (is.null(first_gain)) NA_real_ else first_gain, NA_real_)
  if (length(flows) == 0) return(list(scores = chosen, gain = gain))
  each <- lapply(flows, best_rows)
  best <- which.max(vapply(each, mean, 0))
  if (is.null(without)) return(list(scores = flows[[best]], gain = gain))
  shared <- intersect(flows[[best]]$rows, without$rows) # after a limit, one of them may lack folds
  difference <- each[[best]][match(shared, flows[[best]]$rows)] - best_rows(without)[match(shared, without$rows)]
  gain <- c(mean(difference), stats::sd(difference) / sqrt(length(difference)))
  if (forced || isTRUE(gain[1] > worth_a_flow * gain[2])) chosen <- flows[[best]]
  list(scores = chosen, gain = gain)
}

describe_choice <- function(choice, stack, seen, searched, left_out) {
  scores <- choice$scores
  column <- best_column(scores)
  each <- scores$value[, column]
  law <- scores$reference[[column]]
  law_settings <- scores$settings[[column]]
  if (!is.null(stack)) {
    described <- transform(describe_scores(scores)[1, ], law = "stack", settings = "", log_density = mean(stack$each),
                           se = stats::sd(stack$each) / sqrt(length(stack$each)))
    seen <- c(seen, list(described))
    law <- "stack"
    law_settings <- stack$settings
    each <- stack$each
  }
  list(
    candidate = scores$candidate, law = law, law_settings = law_settings,
    log_density = mean(each), log_density_se = stats::sd(each) / sqrt(length(each)),
    gain = choice$gain[1], gain_se = choice$gain[2], folds = length(unique(searched$folds[scores$rows])),
    rows = length(scores$rows),
    held_out = each, seen = do.call(rbind, seen), left_out = left_out
  )
}
