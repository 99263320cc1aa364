#' Search the settings of a flow
#'
#' A flow has four settings: its unit, exponent, softening and time (see [efs()]). `efs_tune()` tries every combination
#' of them. With each combination it fits every latent law that was asked for to a part of the rows. The score is the
#' held-out log-likelihood, which is the mean log-density of the rows that were left out. [efs()] looks only at a part
#' of these combinations.
#'
#' For each combination, `efs_tune()` also draws rows from its best law. It reports whether these rows are new
#' ([novelty()]) and how close they are to held-out rows ([energy_distance()], in the unit of the latent rows). Both
#' come from the first fold, with as many draws as there are held-out rows.
#'
#' The folds are those of [efs()], in which equal rows are in one fold. At most 1200 rows are searched. The laws are
#' scored one by one, and no mixture of them ([law_stack()]) is made. A setting of a law that is far behind in the
#' first fold is not scored in the others. A combination is left out, and counted, if one of its steps cannot be undone
#' or if particles leave the range of numbers.
#'
#' @param x,latent,blocks,step,max_bound,threads,progress As in [efs()], which reads the table in the same way: columns
#'   can be of every kind. The table is one class of at least 20 rows, in at most 128 latent dimensions. With
#'   `progress = NULL` a script prints one message after 5 seconds that foretells the time, if more than a minute is
#'   left.
#' @param s Exponents to try, numbers above -2 and below the latent dimension. `NULL`: those of [efs()].
#' @param softening Softenings to try, numbers above 0, in units of \eqn{n^{-2/d}} (with \eqn{d} = 2 in one dimension).
#' @param time Total times to try, numbers of at least 0. 0, which is the option without a flow, is always among them.
#' @param law The latent laws to try, each with a density: a name, a law such as `law_student(df = 3)`, or a list of
#'   names and laws. `NULL`: all that [laws] calls searched, and for normal scores those of [synthesise()].
#' @return An object of class `efs_tune`. It is a list with `call`, `table`, `best` (a list of arguments for [efs()]),
#'   `skipped` (the number of combinations that were left out), `folds`, `rows` (the number of rows searched) and
#'   `elapsed` (seconds). `table` is a data frame with one row per combination and law, best first: `place` (the unit:
#'   `"scaled"`, `"whitened"`, or for normal scores without a flow `"as_is"`), `flow` (`FALSE`: the option without a
#'   flow), `s`, `softening`, `time`, `law`, `settings`, `log_density` (the held-out log-likelihood in nats per row) and
#'   its standard error `se`. The density is
#'   in the unit of the columns of `x`, as in the `diagnostics` of a fit. The field `calibration` of a fit gives it in
#'   the unit of the latent rows. The two differ by a constant. For normal scores it is the log-likelihood of
#'   [synthesise()], with four draws per row.
#'   `novelty` and `energy_distance` are given in the row of the best law of a combination, and are `NA` in the others.
#'   `plot()` draws log-density, novelty and energy distance over the grid.
#' @examples
#' search <- efs_tune(iris[1:50, 1:2], s = 0, softening = 16, time = 1, law = "local")
#' search
#' fit <- do.call(efs, c(list(iris[1:50, 1:2]), search$best))
#' @export
efs_tune <- function(x, latent = NULL, s = NULL, softening = c(1, 4, 16, 64, 256), time = c(0.5, 1, 2), law = NULL,
                     blocks = NULL, step = 0.1, max_bound = 0.5, threads = NULL, progress = NULL) {
  began <- proc.time()[[3]]
  x <- plain_table(x, "x", mixed = TRUE)
  table <- read_for_flow(x, NULL, latent)
  blocks <- check_blocks(blocks, nrow(table$points))
  if (nrow(table$points) < least_search_rows) {
    fail("`x` has %d rows; at least %d are needed for a search.", nrow(table$points), least_search_rows)
  }
  laws <- if (!is.null(law)) check_scored(asked_laws(law, choices = sort(names(searched_laws()))))
  grid <- check_tune_grid(s, softening, time)
  step <- check_number(step, "step", lower = 0, open_lower = TRUE)
  max_bound <- check_number(max_bound, "max_bound", lower = 0, open_lower = TRUE, finite = FALSE)
  if (!is.null(progress)) check_flag(progress, "progress")
  threads <- threads_within(threads)
  rows <- latent_of_table(table, x, latent)
  z <- rows$z
  d <- ncol(z)
  if (d > most_exact_dims) fail("The search needs at most %d latent dimensions, not %d.", most_exact_dims, d)
  if (is.null(grid$s)) grid$s <- flow_grid(nrow(z), d, list())$s else for (one in grid$s) check_potential(one, 0, d)
  searched <- search_rows(z, join_repeats(z, blocks))
  laws <- rows$laws(laws)
  specs <- law_candidates(searched$n_train, d, laws)
  setting <- search_setting(rows$by_column, step, max_bound, least_search_rows, "all", threads,
                            draws_of_cells(pick_cells(rows$cells, searched$rows)),
                            gaps = pick_gaps(rows$gaps, searched$rows))
  setting$fills <- fill_folds(searched$z, searched$folds, setting$gaps, threads)
  candidates <- tune_candidates(grid, searched$n_train, d, setting, rows$scores)
  bar <- progress_bar("Searching", length(candidates), progress)
  on.exit(bar$done(), add = TRUE)
  tick <- telling_tick(bar$tick, length(candidates), progress, "efs_tune()")
  scored <- lapply(candidates, function(candidate) {
    some <- if (rows$scores && candidate$flow) lapply(specs, without_edges) else specs
    one <- tune_one(candidate, searched, some, setting, nrow(z))
    tick()
    one
  })
  found <- tune_result(scored, rows$volume)
  structure(
    list(call = record_call(match.call(), "efs_tune"), table = found$table, best = found$best, skipped = found$skipped,
         folds = max(searched$folds), rows = nrow(searched$z), elapsed = proc.time()[[3]] - began),
    class = "efs_tune"
  )
}

# What is searched: z [n, d], the latent rows; `volume`, what is added to their log-density, on average; and for normal
# scores (`scores`) their cells and gaps. laws(asked): the laws that are searched.
latent_of_table <- function(table, x, latent) {
  if (isTRUE(table$template$scores)) {
    gone <- is.na(table$points)
    table <- settle_table(table, x)
    return(list(z = unname(table$points), scores = TRUE, gaps = missing_scores(gone, table),
                cells = search_cells(table, score_correlation(table$points)),
                laws = function(asked) with_edges(if (is.null(asked)) usual_laws() else asked, table),
                by_column = FALSE, volume = mean(table$margin)))
  }
  latent <- choose_latent(latent, table, least_search_rows)
  latent <- latent$fit(table$points)
  volume <- mean(class_volumes(latent, table$points, list(seq_len(nrow(table$points))))) + mean(table$margin)
  list(z = check_spread(unname(latent$encode(table$points))), scores = FALSE, volume = volume, laws = identity,
       by_column = latent$name == "standardise")
}

check_tune_grid <- function(s, softening, time) {
  check_all <- function(values, what, ...) {
    if (!is.numeric(values) || length(values) == 0) fail("`%s` must be numbers, not %s.", what, describe(values))
    vapply(values, check_number, 0, what = what, ...)
  }
  list(
    s = if (!is.null(s)) check_all(s, "s"),
    softening = check_all(softening, "softening", lower = 0, open_lower = TRUE),
    time = setdiff(check_all(time, "time", lower = 0), 0)
  )
}

check_scored <- function(kinds) {
  lacking <- vapply(kinds, function(kind) is.null(kind$density), NA)
  if (any(lacking)) {
    fail("The law \"%s\" has no density, so that a search cannot score it.", kinds[[which(lacking)[1]]]$name)
  }
  kinds
}

# Every combination. The options without a flow come first, one per unit. Normal scores have their own unit then.
tune_candidates <- function(grid, n_train, d, setting, scores) {
  places <- units_to_try(TRUE, n_train, d)
  still <- lapply(if (scores) "as_is" else places, no_flow_candidate)
  if (!room_for_flow(n_train, d, setting$min_rows)) return(still)
  all <- expand.grid(time = grid$time, softening = grid$softening, s = grid$s, place = places, stringsAsFactors = FALSE)
  c(still, lapply(seq_len(nrow(all)), function(i) {
    new_flow_candidate(all$place[i], all$s[i], all$softening[i], all$time[i])
  }))
}

# The rows of the table for one combination, and the arguments that give it; `n`: rows of the whole table.
tune_one <- function(candidate, searched, specs, setting, n) {
  scores <- score_folds(searched$z, searched$folds, candidate, specs, setting)
  if (is.null(scores)) return(list(row = NULL, best = NULL))
  list(row = cbind(describe_scores(scores), look_at_draws(searched$z, searched$folds == 1, scores, setting)),
       best = best_of(scores, n, ncol(searched$z)))
}

tune_result <- function(scored, volume) {
  rows <- lapply(scored, `[[`, "row")
  found <- do.call(rbind, rows)
  if (is.null(found)) stop_unfit("No law could be fitted to the rows.")
  found$log_density <- found$log_density + volume
  means <- vapply(rows, function(row) if (is.null(row)) -Inf else max(row$log_density), 0)
  list(table = found[order(found$log_density, decreasing = TRUE), ], best = scored[[which.max(means)]]$best,
       skipped = sum(vapply(rows, is.null, NA)))
}

# The arguments of efs() that give a candidate with its best law.
best_of <- function(scores, n, d) {
  column <- best_column(scores)
  candidate <- scores$candidate
  c(
    list(time = candidate$time, law = scores$reference[[column]], law_settings = scores$settings[[column]],
         scale = scale_of_unit(candidate$place)),
    if (candidate$flow) list(s = candidate$s, epsilon = candidate_epsilon(candidate, n, d))
  )
}

# The draws are compared, not kept, so this tolerance is enough.
tune_tolerance <- 1e-10

# Novelty of draws of the best law and their energy distance to the held-out rows, in the row of that law.
look_at_draws <- function(z, held, scores, setting) {
  candidate <- scores$candidate
  train <- z[!held, , drop = FALSE]
  place <- place_rows(train, candidate$place, setting$by_column)
  points <- to_flow(train, place)
  column <- best_column(scores)
  traj <- if (candidate$flow) suppressWarnings(run_candidate(points, candidate, setting))
  latent <- unname(if (candidate$flow) last_frame(traj) else points)
  law <- fit_law(as_law(scores$reference[[column]], scores$settings[[column]]), latent, candidate$s)
  draws <- draw_law(law, sum(held), search_keys$draws, setting$threads)
  if (candidate$flow) draws <- run_backward(traj, draws, efs_control(tolerance = tune_tolerance), setting$threads,
                                            FALSE)$points
  draws <- from_flow(draws, place)
  fresh <- z[held, , drop = FALSE]
  best <- unique(scores$law) == scores$law[column]
  near <- scaled_novelty(list(train = train, synthetic = draws, holdout = fresh), setting$threads)
  data.frame(
    novelty = ifelse(best, near$ratio, NA),
    energy_distance = ifelse(best, energy_distance(draws, fresh, threads = setting$threads), NA)
  )
}

#' @rdname efs_tune
#' @param ... Not used.
#' @export
print.efs_tune <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  flows <- unique(x$table[x$table$flow, c("place", "s", "softening", "time")])
  cat(sprintf("<efs_tune> %1$d flows and the option without a flow, %3$d rows in %2$d folds, %4$.0f seconds\n",
              nrow(flows), x$folds, x$rows, x$elapsed))
  if (x$skipped > 0) {
    cat(sprintf("%d combinations left out: their steps are not one-to-one, or particles leave the range of numbers\n",
                x$skipped))
  }
  none <- max(x$table$log_density[!x$table$flow])
  with <- max(-Inf, x$table$log_density[x$table$flow])
  cat("held-out log-likelihood, nats per row in the unit of the columns: ",
      sprintf("best without a flow %s, best with a flow %s\n", nats(none), nats(with)), sep = "")
  shown <- utils::head(x$table[!is.na(x$table$novelty), ], 8)
  print(shown, digits = 3, row.names = FALSE)
  invisible(x)
}

#' @rdname efs_tune
#' @export
plot.efs_tune <- function(x, ...) {
  check_dots("plot()", ...)
  rows <- x$table[!is.na(x$table$novelty), ]
  flows <- rows[rows$flow, ]
  still <- rows[!rows$flow, ]
  marks <- list(softening = sort(unique(flows$softening)), s = sort(unique(flows$s)))
  marks$colours <- grDevices::hcl.colors(max(length(marks$softening), 2), "Dark 3")[seq_along(marks$softening)]
  marks$shapes <- rep(c(16, 17, 15, 18, 8, 3), length.out = length(marks$s))
  entries <- data.frame(
    label = c(paste("softening", format(marks$softening, trim = TRUE)), paste("s =", format(marks$s, trim = TRUE)),
              "without a flow"),
    colour = c(marks$colours, rep("black", length(marks$s) + 1)),
    pch = c(rep(16, length(marks$softening)), marks$shapes, 1), line = FALSE
  )
  before <- graphics::par(c("mfrow", "mar", "oma", "mgp", "las", "bty", "cex"))
  on.exit(graphics::par(before)) # cex last: setting mfrow changes it
  graphics::par(mfrow = c(1, 3), mgp = c(2, 0.6, 0), las = 1, bty = "l")
  graphics::par(cex = 0.85)
  graphics::par(mar = c(3.2, 4.2, 3, 0.8), oma = c(legend_lines(entries) + 0.5, 0, 0, 0))
  for (panel in names(tune_panels)) draw_tune(panel, rows, flows, still[which.max(still$log_density), ], marks)
  draw_legend(entries)
  invisible(x)
}

tune_panels <- c(log_density = "held-out log-likelihood\n(nats per row)", novelty = "novelty\n(1: as fresh rows)",
                 energy_distance = "energy distance\nto held-out rows")

# One panel. `still`: the best row without a flow. `marks`: which colour a softening has, and which shape an s.
draw_tune <- function(panel, rows, flows, still, marks) {
  value <- rows[[panel]]
  # combinations far below the others are cut off, because they would leave no room for the others
  most <- max(value)
  low <- if (panel == "log_density") max(min(value), most - 3 * (most - stats::median(value)) - 0.1) else 0
  graphics::plot(range(c(0, rows$time)) + c(-0.1, 0.1), c(low, most), type = "n", xlab = "time of the flow", ylab = "",
                 xaxt = "n", main = tune_panels[[panel]], font.main = 1, cex.main = 1.1)
  graphics::axis(1, at = sort(unique(rows$time)))
  graphics::abline(h = still[[panel]], col = "grey60", lty = 2)
  shift <- 0.03 * (match(flows$place, c("scaled", "whitened")) - 1.5)
  graphics::points(flows$time + shift, flows[[panel]], col = marks$colours[match(flows$softening, marks$softening)],
                   pch = marks$shapes[match(flows$s, marks$s)])
  graphics::points(0, still[[panel]], pch = 1, cex = 1.4)
  if (panel == "novelty") graphics::abline(h = 1, col = "grey85")
}
