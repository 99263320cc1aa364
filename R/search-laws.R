# Scores of laws on rows that they were not fitted to, fold by fold.

# Log-densities [rows, columns] of `held` under each candidate fitted to `latent`. Of each column: `law`, its name;
# `reference`, see law_reference(); `settings`; `spec`, the number of the candidate; and `key`, the name of the
# candidate. A law that cannot be fitted is left out. `late`: the limit came before all were fitted; there is at least
# one. `staged`: settings that promise little are left out, see is_past_peak().
score_laws <- function(latent, held, s, specs, threads, gone = NULL, limit = NULL, staged = FALSE) {
  memo <- new.env(parent = emptyenv())
  parts <- vector("list", length(specs))
  for (number in if (is.null(limit)) seq_along(specs) else by_promise(specs)) {
    late <- any(lengths(parts) > 0) && is_late(limit)
    if (late) break
    if (staged && is_past_peak(number, specs, parts)) next
    part <- score_law(specs[[number]], latent, held, s, memo, threads, gone)
    if (!is.null(part)) parts[[number]] <- c(part, list(spec = rep(number, length(part$law))))
  }
  parts <- parts[lengths(parts) > 0]
  joined <- function(name) unlist(lapply(parts, `[[`, name), recursive = FALSE)
  list(value = do.call(cbind, lapply(parts, `[[`, "value")), law = joined("law"), reference = joined("reference"),
       settings = joined("settings"), spec = joined("spec"), key = joined("key"), late = late)
}

# Whether the likelihood of a mixture of t distributions has fallen with each of the last two numbers of components, all
# other settings being equal. More components are then not tried. Candidates come in the order of these numbers.
is_past_peak <- function(number, specs, parts) {
  spec <- specs[[number]]
  if (spec$law != "student") return(FALSE)
  others <- function(one) one$settings[names(one$settings) != "components"]
  alike <- Filter(function(k) specs[[k]]$law == "student" && identical(others(specs[[k]]), others(spec)),
                  seq_len(number - 1L))
  last <- utils::tail(alike, 3)
  if (length(last) < 3) return(FALSE)
  # one that was itself left out was past the peak
  means <- vapply(parts[last], function(part) if (is.null(part)) -Inf else mean(part$value), 0)
  means[3] <= means[2] && means[2] < means[1]
}

score_law <- function(spec, latent, held, s, memo, threads, gone) {
  law <- unless_unfit(fit_law(spec$kind, latent, s, memo, gone))
  if (is.null(law) || !has_density(law, spec$kind)) return(NULL)
  value <- do.call(law_density, c(list(law, held, threads), spec$sweep))
  settings <- list(spec$settings)
  if (!is.null(spec$sweep)) {
    settings <- lapply(spec$sweep[[1]], function(one) c(spec$settings, stats::setNames(list(one), names(spec$sweep))))
  }
  columns <- length(settings)
  # the names of the columns are the same in every fold
  swept <- if (!is.null(spec$sweep)) paste(names(spec$sweep), spec$sweep[[1]])
  colnames(value) <- paste0(spec$key, if (length(spec$settings) && length(swept)) " ", swept)
  list(value = value, law = rep(spec$law, columns), reference = rep(list(law_reference(spec$kind)), columns),
       settings = settings, key = rep(spec$key, columns))
}

# The fold of each row of z. The rows of one block have the same fold. The folds depend only on the arguments, because
# R's generator is not used.
make_folds <- function(n, blocks, folds) {
  if (is.null(blocks)) blocks <- seq_len(n)
  units <- match(blocks, unique(blocks))
  order <- order(draw_uniform(max(units), 1, search_keys$folds)[, 1])
  rank <- integer(max(units))
  rank[order] <- seq_along(order)
  rank[units] %% min(folds, max(units)) + 1L
}

# The keys of the random numbers of a search. They are the same in every search, and no two are equal.
search_keys <- list(folds = c(7L, 7L), thinning = c(8L, 8L), draws = c(5L, 5L))

# A search uses at most this many rows, so that it takes about a second for a few columns. They are enough to choose
# the settings of a law.
most_search_rows <- 1200L

# Up to this many rows there are five folds. With more rows three folds give training sets that are nearly as large,
# and take less work.
rows_of_five_folds <- 400L

# The folds whose rows are held out in turn. With `brief` they are two of three, and with cells three of five if these
# have enough rows. Each law is then fitted to as many rows as with all folds, but fewer rows tell the weights. On
# families without cells of 200 rows, three of five folds lost 0.02 nats per row in the mean.
folds_to_score <- function(folds, setting) {
  n <- length(folds)
  few <- isTRUE(setting$brief) && (n > rows_of_five_folds || (!is.null(setting$cells) && n >= rows_of_few_folds))
  seq_len(if (few) ceiling(0.6 * max(folds)) else max(folds))
}

rows_of_few_folds <- 150L

# At most `most` of n rows, at random.
thinned_rows <- function(n, most) {
  if (n <= most) return(seq_len(n))
  sort(order(draw_uniform(n, 1, search_keys$thinning)[, 1])[seq_len(most)])
}

# The rows to search (at most most_search_rows), their folds, and the number of rows of the smallest training set.
search_rows <- function(z, blocks) {
  some <- thinned_rows(nrow(z), most_search_rows)
  z <- z[some, , drop = FALSE]
  blocks <- blocks[some]
  folds <- make_folds(nrow(z), blocks, if (nrow(z) <= rows_of_five_folds) 5L else 3L)
  if (max(folds) < 2) {
    fail("`blocks`%s puts all rows of a class into one block; at least two are needed to calibrate.",
         if (any(first_equal(z) < seq_len(nrow(z)))) ", with equal rows joined," else "")
  }
  list(z = z, rows = some, folds = folds, n_train = nrow(z) - max(tabulate(folds)))
}

# Blocks in which equal rows are together: two blocks that share a row become one block. Without equal rows: `blocks`.
join_repeats <- function(z, blocks) {
  first <- first_equal(z)
  if (!anyDuplicated(first)) return(blocks)
  if (is.null(blocks)) return(first)
  joined <- match(blocks, unique(blocks))
  repeat {
    before <- joined
    joined <- stats::ave(joined, first, FUN = min)
    joined <- stats::ave(joined, before, FUN = min)
    if (identical(joined, before)) return(joined)
  }
}

check_blocks <- function(blocks, n) {
  if (is.null(blocks)) return(NULL)
  if (!is.atomic(blocks) || length(blocks) != n || anyNA(blocks)) {
    named <- is.character(blocks) && length(blocks) == 1
    fail("`blocks` must have one entry for each of the %d rows, without NA, not be %s%s.", n, describe(blocks),
         if (named) "; a column is given by its values, such as x$subject, and not by its name" else "")
  }
  blocks
}

# With two rows, each has a nearest neighbour, but its spread is not known.
least_training_rows <- 3L

# Held-out log-densities of one candidate in one fold. The flow is that of the training rows, and the held-out rows are
# carried along. NULL: the training rows are all equal or fewer than three, or the steps of the flow are not one-to-one
# or leave the range of numbers.
score_candidate <- function(z, train, candidate, specs, setting) {
  if (sum(train) < least_training_rows || all(first_equal(z[train, , drop = FALSE]) == 1L)) return(NULL)
  place <- unless_unfit(place_rows(z[train, , drop = FALSE], candidate$place, setting$by_column))
  if (is.null(place)) return(NULL)
  points <- to_flow(z[train, , drop = FALSE], place)
  held <- to_flow(held_points(z, !train, setting$cells), place)
  volume <- flow_log_volume(place)
  if (candidate$flow) {
    traj <- try_flow(points, candidate, setting)
    if (is.null(traj)) return(NULL)
    carried <- carry_forward(traj, held, setting$threads)
    if (!all(is.finite(carried$points))) return(NULL)
    points <- last_frame(traj)
    held <- carried$points
    volume <- volume + carried$log_det
  }
  scores <- score_laws(unname(points), unname(held), candidate$s, specs, setting$threads,
                       if (!candidate$flow) pick_gaps(setting$gaps, train)$gone, setting$limit, isTRUE(setting$staged))
  if (is.null(scores$value)) return(NULL)
  scores$value <- integrate_cells(scores$value + volume, !train, setting$cells)
  scores
}

# The rows that are held out. With cells: all draws within the cells of these rows, one draw of all rows after
# the other.
held_points <- function(z, rows, cells) {
  if (is.null(cells)) return(z[rows, , drop = FALSE])
  do.call(rbind, lapply(cells, function(draw) draw$z[rows, , drop = FALSE]))
}

# Log-densities of the rows from those of their draws [draws * rows, columns]: the integral over the cells.
integrate_cells <- function(value, rows, cells) {
  if (is.null(cells)) return(value)
  value <- value - unlist(lapply(cells, function(draw) draw$log[rows]))
  shares <- rep(1 / length(cells), length(cells))
  each <- lapply(seq_len(ncol(value)), function(column) log_mean_exp(matrix(value[, column], sum(rows)), shares))
  matrix(unlist(each), sum(rows), ncol(value), dimnames = dimnames(value))
}

# After the first fold these candidates go on: the best of each law, and all whose mean is below that of the best
# candidate by at most this many nats plus two standard errors. The standard error is that of a mean of terms with
# standard deviation 1. With `paired`, a candidate must also be no worse than the best of its law by more than two
# standard errors of the paired difference, because a search with many draws of each row has less time for each law.
race_margin <- 0.2

still_in_race <- function(specs, scores, paired = FALSE, brief = FALSE) {
  means <- colMeans(scores$value)
  means[is.na(means)] <- -Inf
  columns <- vapply(seq_along(specs), function(number) {
    own <- which(scores$spec == number)
    if (length(own)) own[which.max(means[own])] else NA_integer_
  }, 0L)
  each <- ifelse(is.na(columns), -Inf, means[columns])
  law <- vapply(specs, `[[`, "", "law")
  of_law <- each == stats::ave(each, law, FUN = max) & each > -Inf
  close <- each >= max(each) - race_margin - 2 / sqrt(nrow(scores$value))
  if (brief) of_law <- of_law & needed(scores$value, columns, of_law, law)
  if (paired) close[close] <- !beaten(scores$value, columns, of_law, law)[close]
  specs[of_law | close]
}

# With `brief`, a law that is far behind the best one goes on only if a mixture of all laws gives it this much.
least_needed <- 0.02
needed_steps <- 200L # few enough that a law which might be needed has kept some weight

# Which candidates belong to laws that the mixture of the best candidates of all laws needs.
needed <- function(value, columns, of_law, law) {
  best <- which(of_law & is.finite(colMeans(value)[columns]))
  if (length(best) < 2) return(rep(TRUE, length(columns)))
  weights <- mixture_weights(value[, columns[best], drop = FALSE], needed_steps)
  law %in% law[best[weights >= least_needed]]
}

# Which columns are below the best column of their law by more than two standard errors of the paired difference.
beaten <- function(value, columns, of_law, law) {
  vapply(seq_along(columns), function(number) {
    best <- which(of_law & law == law[number])[1]
    if (is.na(columns[number]) || is.na(best)) return(TRUE)
    behind <- value[, columns[best]] - value[, columns[number]]
    isTRUE(mean(behind) > 2 * stats::sd(behind) / sqrt(length(behind)))
  }, NA)
}

# The scores of one candidate on several folds, stacked: the columns that all of these folds have. `rows`: which rows of
# z these are. After the limit the first fold alone counts, or those that were whole before.
score_folds <- function(z, folds, candidate, specs, setting, which_folds = sort(unique(folds))) {
  began <- seconds_now()
  first <- score_fold(which_folds[1], z, folds, candidate, specs, setting, staged = isTRUE(setting$brief))
  if (is.null(first)) return(NULL)
  if (first$late) leave_out(setting$limit, "laws")
  specs <- still_in_race(specs, first, !is.null(setting$cells), isTRUE(setting$brief))
  others <- which_folds[-1]
  parts <- if (is.null(setting$limit) && seconds_now() - began >= least_fold_seconds) {
    shard_map(others, score_fold, z, folds, candidate, specs, setting)
  } else {
    score_in_turn(others, z, folds, candidate, specs, setting)
  }
  parts <- c(list(first), parts)
  if (any(vapply(parts, is.null, NA))) return(NULL)
  if (length(parts) < length(which_folds)) leave_out(setting$limit, "folds")
  join_folds(parts, folds, which_folds[seq_along(parts)], candidate)
}

# Folds are handed to daemons if the first one took this long; otherwise it would not pay.
least_fold_seconds <- 0.5

score_fold <- function(k, z, folds, candidate, specs, setting, staged = FALSE) {
  filled <- if (is.null(setting$fills)) z else setting$fills(k)
  setting$staged <- staged
  setting$threads <- thread_count()
  score_candidate(filled, folds != k, candidate, specs, setting)
}

# The folds until the limit. The list ends with NULL if a fold has no score.
score_in_turn <- function(which_folds, z, folds, candidate, specs, setting) {
  parts <- list()
  for (k in which_folds) {
    if (is_late(setting$limit)) break
    part <- score_fold(k, z, folds, candidate, specs, setting)
    if (is.null(part)) return(c(parts, list(NULL)))
    if (part$late) break # some candidates lack this fold
    parts <- c(parts, list(part))
  }
  parts
}

join_folds <- function(parts, folds, which_folds, candidate) {
  shared <- Reduce(intersect, lapply(parts, function(part) colnames(part$value)))
  if (length(shared) == 0) return(NULL)
  value <- do.call(rbind, lapply(parts, function(part) part$value[, shared, drop = FALSE]))
  value[is.na(value)] <- -Inf
  rows <- unlist(lapply(which_folds, function(k) which(folds == k)))
  first <- parts[[1]]
  at <- match(shared, colnames(first$value))
  list(value = value[order(rows), , drop = FALSE], law = first$law[at], reference = first$reference[at],
       settings = first$settings[at], key = first$key[at], candidate = candidate, rows = sort(rows))
}

best_column <- function(scores) which.max(colMeans(scores$value))

best_mean <- function(scores) if (is.null(scores)) -Inf else max(colMeans(scores$value))

# Without a flow, a law may be worse than the best law by this many nats per row. A law that is worse is not tried with
# a flow, because no flow has made up for so much.
rivals_within <- 0.5

# Of each law the settings that are best without a flow (with all values of the setting that it sweeps), the best law
# first. Laws that are much worse are left out.
rival_specs <- function(specs, still) {
  if (length(still) == 0) return(specs)
  means <- unlist(lapply(still, function(scores) colMeans(scores$value)))
  law <- unlist(lapply(still, `[[`, "law"))
  keys <- unlist(lapply(still, `[[`, "key"))
  spec_keys <- vapply(specs, `[[`, "", "key")
  kept <- lapply(unique(law[order(means, decreasing = TRUE)]), function(name) {
    rows <- which(law == name)
    if (!(max(means[rows]) >= max(means) - rivals_within)) return(NULL)
    specs[match(keys[rows[which.max(means[rows])]], spec_keys)]
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
    law = unname(scores$law[rows]), settings = vapply(scores$settings[rows], format_settings, ""),
    log_density = unname(means[rows]),
    se = unname(apply(scores$value[, rows, drop = FALSE], 2, stats::sd)) / sqrt(nrow(scores$value)),
    row.names = NULL
  )
}
