# Settings of a flow chosen by held-out log-likelihood: the mean over rows left out of folds, each fold with a
# flow of its own. The option without a flow is always among the candidates.

# What is searched. `place`: the unit of the flow; epsilon = softening n^(-2/max(d,2)).
flow_grid <- function(n, d, fixed) {
  choose <- function(name, values) if (is.null(fixed[[name]])) values else fixed[[name]]
  s <- choose("s", c(0, if (d >= 3) 2, if (d >= 5) 4, -1))
  list(
    s = s, softening = if (is.null(fixed$epsilon)) c(16, 64, 4, 256) else NA_real_,
    time = choose("time", c(1, 0.5, 2)), n_steps = fixed$n_steps, epsilon = fixed$epsilon
  )
}

candidate_laws <- function(n, d, fixed) {
  if (length(fixed$law_settings)) {
    return(list(list(law = fixed$law, settings = fixed$law_settings, jitter = NULL)))
  }
  widths <- exp(seq(log(0.3), log(3.4), length.out = 9))
  near <- unique(pmin(c(10L, 20L, 40L), n - 1L))
  specs <- list(
    list(law = "local", settings = list(), jitter = widths),
    list(law = "global", settings = list(), jitter = exp(seq(log(0.03), log(2.5), length.out = 14)))
  )
  shapes <- expand.grid(k = near, shrinkage = c(0.03, 0.2), keep_moments = c(FALSE, TRUE))
  for (i in seq_len(nrow(shapes))) {
    specs <- c(specs, list(list(law = "local_covariance", settings = as.list(shapes[i, ]),
                                jitter = exp(seq(log(0.3), log(2.5), length.out = 7)))))
  }
  for (bandwidth in c(0.7, 1.4)) {
    specs <- c(specs, list(list(law = "copula", settings = list(bandwidth = bandwidth), jitter = NULL)))
  }
  for (g in intersect(c(1, 2, 4, 8, 12), seq_len(most_components(n, d)))) {
    specs <- c(specs, list(list(law = "mixture", settings = list(components = as.integer(g)), jitter = NULL)))
  }
  student <- rbind(
    expand.grid(components = intersect(c(1L, 2L, 3L, 5L, 8L, 12L), seq_len(n %/% 6)), df = Inf,
                prior = c(2, if (d > 5) 6, d + 2)),
    expand.grid(components = 1L, df = c(3, 6, 12), prior = 2),
    expand.grid(components = intersect(c(2L, 3L, 5L), seq_len(n %/% 6)), df = 5, prior = 2)
  )
  for (i in seq_len(nrow(student))) {
    specs <- c(specs, list(list(law = "student", settings = as.list(student[i, ]), jitter = NULL)))
  }
  # the same among normal scores, for skewed columns
  for (spec in Filter(worth_in_scores, specs)) {
    specs <- c(specs, list(list(law = "copula", settings = c(list(bandwidth = 0.7, base = spec$law), spec$settings),
                                jitter = spec$jitter)))
  }
  if (is.null(fixed$law)) return(specs)
  specs <- Filter(function(spec) spec$law == fixed$law, specs)
  if (length(specs)) specs else list(list(law = fixed$law, settings = list(), jitter = NULL))
}

worth_in_scores <- function(spec) {
  settings <- spec$settings
  heavy_or_several <- settings$components %in% c(2, 3, 5, 8) || identical(settings$df, 6)
  switch(spec$law, student = settings$prior == 2 && heavy_or_several,
         local_covariance = settings$k == 20 && settings$shrinkage < 0.1, FALSE)
}

# Laws that share a part of their work with others of the same points.
remembering_laws <- c("student", "mixture", "copula", "local_covariance")

# Log-densities [rows, columns] of `held` under each law fitted to `latent`, and what
# the columns are; `spec`: the number of the specification. A law that cannot be fitted is left out.
score_laws <- function(latent, held, s, specs, threads) {
  memo <- new.env(parent = emptyenv())
  parts <- lapply(seq_along(specs), function(number) {
    spec <- specs[[number]]
    value <- tryCatch({
      shared <- if (spec$law %in% remembering_laws) list(memo = memo)
      law <- do.call(paste0("law_", spec$law), c(list(points = latent, s = s), spec$settings, shared))
      if (is.null(spec$jitter)) law_density(law, held, threads) else law_density(law, held, threads, jitter = spec$jitter)
    }, error = function(e) NULL)
    if (is.null(value)) return(NULL)
    jitter <- if (is.null(spec$jitter)) NA_real_ else spec$jitter
    settings <- lapply(jitter, function(width) c(spec$settings, if (!is.na(width)) list(jitter = width)))
    list(value = value, law = rep(spec$law, ncol(value)), settings = settings, spec = rep(number, ncol(value)))
  })
  parts <- parts[!vapply(parts, is.null, NA)]
  list(value = do.call(cbind, lapply(parts, `[[`, "value")),
       law = unlist(lapply(parts, `[[`, "law")),
       settings = unlist(lapply(parts, `[[`, "settings"), recursive = FALSE),
       spec = unlist(lapply(parts, `[[`, "spec")))
}

# A column's name, the same in every fold.
column_key <- function(law, settings) {
  paste(law, vapply(settings, function(one) paste(names(one), one, collapse = " "), ""))
}

# The name of the specification that a column belongs to.
spec_key <- function(law, settings) column_key(law, list(settings[names(settings) != "jitter"]))

# Rows of z in folds; rows of one block stay together. The same for the same extents:
# nothing is drawn from R's generator.
make_folds <- function(n, blocks, folds) {
  if (is.null(blocks)) blocks <- seq_len(n)
  units <- match(blocks, unique(blocks))
  order <- order(draw_uniform(max(units), 1, c(7L, 7L))[, 1])
  rank <- integer(max(units))
  rank[order] <- seq_along(order)
  rank[units] %% min(folds, max(units)) + 1L
}

# Held-out log-densities of one candidate in one fold: the flow of the training rows,
# the held-out rows carried along. NULL: its steps are not one-to-one.
score_candidate <- function(z, train, candidate, specs, setting) {
  place <- tryCatch(place_rows(z[train, , drop = FALSE], candidate$place, setting$by_column), error = function(e) NULL)
  if (is.null(place)) return(NULL)
  points <- to_flow(z[train, , drop = FALSE], place)
  held <- to_flow(z[!train, , drop = FALSE], place)
  volume <- flow_log_volume(place)
  if (candidate$flow) {
    traj <- suppressWarnings(tryCatch(run_candidate(points, candidate, setting), error = function(e) NULL))
    if (is.null(traj) || any(traj$diagnostics$bound >= 1, na.rm = TRUE)) return(NULL)
    carried <- carry_forward(traj, held, setting$threads)
    points <- last_frame(traj)
    held <- carried$points
    volume <- volume + carried$log_det
  }
  scores <- score_laws(unname(points), unname(held), candidate$s, specs, setting$threads)
  if (is.null(scores$value)) return(NULL)
  scores$value <- scores$value + volume
  colnames(scores$value) <- column_key(scores$law, scores$settings)
  scores
}

candidate_epsilon <- function(candidate, n, d) {
  if (is.na(candidate$softening)) candidate$epsilon else candidate$softening * n^(-2 / max(d, 2))
}

run_candidate <- function(points, candidate, setting) {
  arguments <- list(points, s = candidate$s, epsilon = candidate_epsilon(candidate, nrow(points), ncol(points)),
                    step = setting$step, max_bound = setting$max_bound, threads = setting$threads, progress = FALSE)
  if (!is.null(candidate$n_steps)) arguments$n_steps <- candidate$n_steps
  arguments["time"] <- list(candidate$time)
  do.call(forward_flow, arguments)
}

# Specifications that go on after the first fold: the best of each law, and all that are as far behind
# the best of all as its rows leave open.
still_in_race <- function(specs, scores) {
  means <- colMeans(scores$value)
  means[is.na(means)] <- -Inf
  each <- vapply(seq_along(specs), function(number) max(means[scores$spec == number], -Inf), 0)
  law <- vapply(specs, `[[`, "", "law")
  of_law <- each == stats::ave(each, law, FUN = max) & each > -Inf
  specs[of_law | each >= max(each) - 0.2 - 2 / sqrt(nrow(scores$value))]
}

# The columns of one candidate that all of these folds have, stacked.
score_folds <- function(z, folds, candidate, specs, setting, which_folds = sort(unique(folds))) {
  parts <- list()
  for (k in which_folds) {
    part <- score_candidate(z, folds != k, candidate, specs, setting)
    if (is.null(part)) return(NULL)
    if (length(parts) == 0) specs <- still_in_race(specs, part)
    parts <- c(parts, list(part))
  }
  shared <- Reduce(intersect, lapply(parts, function(part) colnames(part$value)))
  if (length(shared) == 0) return(NULL)
  value <- do.call(rbind, lapply(parts, function(part) part$value[, shared, drop = FALSE]))
  value[is.na(value)] <- -Inf
  rows <- unlist(lapply(which_folds, function(k) which(folds == k)))
  at <- match(shared, colnames(parts[[1]]$value))
  list(value = value[order(rows), , drop = FALSE], law = parts[[1]]$law[at], settings = parts[[1]]$settings[at],
       candidate = candidate)
}

best_column <- function(scores) which.max(colMeans(scores$value))

best_mean <- function(scores) if (is.null(scores)) -Inf else max(colMeans(scores$value))

no_flow_candidate <- function(place) {
  list(place = place, flow = FALSE, s = 0, softening = NA_real_, epsilon = 1, time = 0, n_steps = NULL)
}

# A flow must beat none by this many standard errors of the paired difference: it is
# the best of several, so one would be passed by chance alone.
worth_a_flow <- 2

# A second flow whose best law is further than this behind no flow in the first fold, in nats, is not tried in the others.
near_no_flow <- 0.05

# The search ends where no time and no softening comes as near as this to no flow, in nats, in the first fold.
hopeless_flow <- 0.02

# Of the laws only so many, the best without a flow, are tried while flows are looked for.
laws_at_first <- 3L

# Laws further than this from the best without a flow, in nats, are not tried with one.
rivals_within <- 0.5

# More rows than this are thinned before the search.
most_search_rows <- 1200L

# The rows to search, thinned, their folds, and the rows of the smallest training set.
search_rows <- function(z, blocks) {
  if (nrow(z) > most_search_rows) {
    some <- sort(order(draw_uniform(nrow(z), 1, c(8L, 8L))[, 1])[seq_len(most_search_rows)])
    z <- z[some, , drop = FALSE]
    blocks <- blocks[some]
  }
  folds <- make_folds(nrow(z), blocks, if (nrow(z) <= 400) 5L else 3L)
  if (max(folds) < 2) fail("`blocks` puts all rows of a class into one block; at least two are needed to calibrate.")
  list(z = z, folds = folds, n_train = nrow(z) - max(tabulate(folds)))
}

# z [n, d]: latent rows of one class. fixed: the settings the user gave (NULL: open).
# Returns the settings chosen and what the search saw.
calibrate_flow <- function(z, fixed, blocks, setting, tick = function() NULL) {
  d <- ncol(z)
  all_rows <- z
  all_blocks <- blocks
  searched <- search_rows(z, blocks)
  z <- searched$z
  n <- nrow(z)
  folds <- searched$folds
  n_train <- searched$n_train
  specs <- candidate_laws(n_train, d, fixed)
  places <- if (isFALSE(fixed$scale)) {
    "as_is"
  } else if (identical(fixed$scale, "whiten")) {
    "whitened"
  } else {
    c("scaled", if (n_train >= 3 * (d + 1) && d > 1) "whitened")
  }

  still <- lapply(places, function(place) {
    tick()
    # whitening changes the laws that know a sphere
    spherical <- function(spec) spec$law %in% c("local", "local_covariance", "student")
    some <- if (length(places) > 1 && place == "whitened") Filter(spherical, specs) else specs
    if (length(some)) score_folds(z, folds, no_flow_candidate(place), some, setting)
  })
  still <- still[!vapply(still, is.null, NA)]
  seen <- lapply(still, describe_scores)
  forced <- !is.null(fixed$n_steps) || !is.null(fixed$time)
  without <- if (length(still)) still[[which.max(vapply(still, best_mean, 0))]]
  chosen <- if (!forced || identical(fixed$time, 0) || identical(fixed$n_steps, 0L)) without
  flows <- list()
  wants_flow <- !identical(fixed$time, 0) && !identical(fixed$n_steps, 0L) && n_train > d + 1 && n_train >= setting$min_rows / 2
  if (wants_flow) {
    flows <- search_flows(z, folds, still, specs, flow_grid(n_train, d, fixed), forced, setting, tick)
    seen <- c(seen, lapply(flows, describe_scores))
  }
  gain <- c(NA_real_, NA_real_)
  if (length(flows)) {
    each <- lapply(flows, best_rows)
    best <- which.max(vapply(each, mean, 0))
    with <- flows[[best]]
    if (is.null(without)) {
      chosen <- with
    } else {
      difference <- each[[best]] - best_rows(without)
      gain <- c(mean(difference), stats::sd(difference) / sqrt(length(difference)))
      if (forced || isTRUE(gain[1] > worth_a_flow * gain[2])) chosen <- with
    }
  }
  if (is.null(chosen)) return(NULL)
  stack <- stack_columns(chosen)
  if (n < nrow(all_rows) && !is.null(stack)) {
    tick()
    chosen <- score_again(all_rows, all_blocks, chosen, stack$settings$parts, specs, setting)
    stack <- stack_columns(chosen)
  }
  column <- best_column(chosen)
  each <- chosen$value[, column]
  law <- chosen$law[column]
  law_settings <- chosen$settings[[column]]
  if (!is.null(stack)) {
    described <- transform(describe_scores(chosen)[1, ], law = "stack", settings = "", log_density = mean(stack$each),
                           se = stats::sd(stack$each) / sqrt(length(stack$each)))
    seen <- c(seen, list(described))
    law <- "stack"
    law_settings <- stack$settings
    each <- stack$each
  }
  list(
    candidate = chosen$candidate, law = law, law_settings = law_settings,
    log_density = mean(each), log_density_se = stats::sd(each) / sqrt(length(each)),
    gain = gain[1], gain_se = gain[2], folds = max(folds), rows = n, held_out = each,
    seen = do.call(rbind, seen)
  )
}

# A mixture of the laws of one candidate, where it beats the best of them by a standard
# error of the paired difference.
stack_columns <- function(scores) {
  if (length(unique(scores$law)) < 2) return(NULL)
  means <- colMeans(scores$value)
  some <- order(means, decreasing = TRUE)
  # of each law its best settings, and the best 25 columns of all
  first <- match(unique(scores$law), scores$law[some])
  some <- unique(some[c(seq_len(min(25, length(some))), first)])
  some <- some[is.finite(means[some])]
  if (length(some) < 2) return(NULL)
  weights <- stacking_weights(scores$value[, some, drop = FALSE])
  each <- log_mean_exp(scores$value[, some, drop = FALSE], weights)
  gain <- each - scores$value[, best_column(scores)]
  if (!isTRUE(mean(gain) > stats::sd(gain) / sqrt(length(gain)))) return(NULL)
  used <- some[weights > 0]
  parts <- lapply(used, function(column) list(law = scores$law[column], settings = scores$settings[[column]]))
  list(each = each, settings = list(parts = parts, weights = weights[weights > 0]))
}

# With more rows some laws gain more than others, so a stack that was chosen on thinned rows is weighed again on all
# but some: its `parts` and the best settings of each law, with all their widths.
score_again <- function(z, blocks, chosen, parts, specs, setting) {
  folds <- make_folds(nrow(z), blocks, max(5L, ceiling(nrow(z) / most_search_rows)))
  keys <- vapply(parts, function(part) spec_key(part$law, part$settings), "")
  of_stack <- Filter(function(spec) spec_key(spec$law, spec$settings) %in% keys, specs)
  scores <- score_candidate(z, folds != 1L, chosen$candidate, unique(c(of_stack, rival_specs(specs, list(chosen)))), setting)
  if (is.null(scores)) return(chosen)
  scores$value[is.na(scores$value)] <- -Inf
  scores$candidate <- chosen$candidate
  scores
}

# Held-out log-densities of the rows under the stack, or the best law alone.
best_rows <- function(scores) {
  stack <- stack_columns(scores)
  if (is.null(stack)) scores$value[, best_column(scores)] else stack$each
}

# Flows worth a look, from the middle of the grid outwards along one setting after the
# other, in the first fold; the best in all folds, and the second where it comes near no flow.
search_flows <- function(z, folds, still, specs, grid, forced, setting, tick) {
  best <- vapply(still, best_mean, 0)
  first_without <- vapply(still, function(scores) max(colMeans(scores$value[folds == 1L, , drop = FALSE])), 0)
  least <- if (forced) -Inf else max(first_without, -Inf) - near_no_flow
  places <- vapply(still, function(scores) scores$candidate$place, "")
  place <- if (length(still)) places[which.max(best)] else "scaled"
  rivals <- rival_specs(specs, still)
  make <- function(place, s, softening, time) {
    list(place = place, flow = TRUE, s = s, softening = softening, epsilon = grid$epsilon,
         time = if (is.null(grid$n_steps)) time, n_steps = grid$n_steps)
  }
  first <- list()
  few <- utils::head(rivals, laws_at_first)
  look <- function(candidates) {
    keys <- vapply(candidates, function(one) paste(unlist(one), collapse = " "), "")
    for (i in which(!duplicated(keys) & !keys %in% names(first))) {
      tick()
      first[[keys[i]]] <<- list(candidate = candidates[[i]],
                                mean = best_mean(score_folds(z, folds, candidates[[i]], few, setting, 1L)))
    }
    means <- vapply(first, `[[`, 0, "mean")
    first[[which.max(means)]]$candidate
  }
  at <- look(lapply(grid$time, function(time) make(place, grid$s[1], grid$softening[1], time)))
  at <- look(lapply(grid$softening, function(softening) make(place, at$s, softening, at$time)))
  if (max(vapply(first, `[[`, 0, "mean")) >= least + near_no_flow - hopeless_flow) {
    at <- look(lapply(grid$s, function(s) make(place, s, at$softening, at$time)))
    at <- look(lapply(grid$time, function(time) make(place, at$s, at$softening, time)))
    at <- look(lapply(places, function(place) make(place, at$s, at$softening, at$time)))
  }
  means <- vapply(first, `[[`, 0, "mean")
  near <- max(sum(is.finite(means) & means >= least), any(is.finite(means)))
  kept <- order(means, decreasing = TRUE)[seq_len(min(2, near))]
  full <- lapply(first[kept], function(one) {
    tick()
    score_folds(z, folds, one$candidate, rivals, setting)
  })
  full[!vapply(full, is.null, NA)]
}

# Of each law the best settings without a flow (with all its widths), the best law first; laws far behind are left out.
rival_specs <- function(specs, still) {
  if (length(still) == 0) return(specs)
  means <- unlist(lapply(still, function(scores) colMeans(scores$value)))
  law <- unlist(lapply(still, `[[`, "law"))
  settings <- unlist(lapply(still, `[[`, "settings"), recursive = FALSE)
  kept <- lapply(unique(law[order(means, decreasing = TRUE)]), function(name) {
    rows <- which(law == name)
    if (!(max(means[rows]) >= max(means) - rivals_within)) return(NULL)
    wanted <- spec_key(name, settings[[rows[which.max(means[rows])]]])
    Filter(function(spec) spec_key(spec$law, spec$settings) == wanted, specs)[1]
  })
  unlist(kept, recursive = FALSE)
}

# One row per law of a candidate: its best settings and their mean.
describe_scores <- function(scores) {
  means <- colMeans(scores$value)
  candidate <- scores$candidate
  rows <- vapply(unique(scores$law), function(law) {
    of <- which(scores$law == law)
    of[which.max(means[of])]
  }, 0L)
  data.frame(
    place = candidate$place, flow = candidate$flow, s = if (candidate$flow) candidate$s else NA_real_,
    softening = if (candidate$flow) candidate$softening else NA_real_,
    time = if (is.null(candidate$time)) NA_real_ else candidate$time,
    law = unname(scores$law[rows]),
    settings = vapply(scores$settings[rows], function(one) {
      paste(names(one), vapply(one, format, "", digits = 3), sep = " = ", collapse = ", ")
    }, ""),
    log_density = unname(means[rows]),
    se = unname(apply(scores$value[, rows, drop = FALSE], 2, stats::sd)) / sqrt(nrow(scores$value)),
    row.names = NULL
  )
}

check_blocks <- function(blocks, n) {
  if (is.null(blocks)) return(NULL)
  if (!is.atomic(blocks) || length(blocks) != n || anyNA(blocks)) {
    fail("`blocks` must say for each of the %d rows which belong together, without NA, not %s.", n, describe(blocks))
  }
  blocks
}
