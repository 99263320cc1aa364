#' New rows from a fit of any table
#'
#' Draws new rows, also under conditions on their columns.
#'
#' @section Conditions:
#' `given` names columns and what they shall be:
#'
#' * one value;
#' * for numbers, dates and times also a range `c(from, to)`, both ends included;
#' * for factors, words, `TRUE` and `FALSE` also a set of values;
#' * `NA` for a missing value, alone or beside others.
#'
#' The draws come from the law of the fit given all these conditions. If the law is a mixture of Gaussians or t
#' distributions and there is no flow, they are exact up to the resampling of truncated draws. Otherwise each draw is
#' chosen from 64 proposals, with weights, which takes longer.
#'
#' The attribute `"log_probability"` is the logarithm of the probability of the condition under the fit, with its
#' standard error as the attribute `"standard_error"`. A condition on a single value of a continuous column counts with
#' its density in normal scores. A condition on a number that is computed from others is an error.
#'
#' @param object A fit from [synthesise()], or a fit of normal scores from [efs()].
#' @param nsim Number of new rows, as in [simulate()][simulate.efs].
#' @param seed As in [simulate()][simulate.efs].
#' @param given A list of conditions by column name, or a data frame of one row. `NULL`: no condition.
#' @param missing `FALSE` gives a value to each missing value: one drawn from the law of the row.
#' @param density_floor,threads,progress As in [simulate()][simulate.efs].
#' @param ... Not used.
#' @return New rows in the form of the table.
#' @examples
#' fit <- synthesise(warpbreaks, quiet = TRUE)
#' simulate(fit, 5, seed = 1, given = list(tension = c("L", "M"), breaks = c(20, 30)))
#' @export
simulate.synthesis <- function(object, nsim = 1, seed = NULL, given = NULL, missing = TRUE,
                               density_floor = object$control$density_floor, threads = NULL, progress = NULL, ...) {
  check_dots("simulate()", ...)
  check_fit(object)
  check_flag(missing, "missing")
  density_floor <- check_number(density_floor, "density_floor", lower = 0, upper = 0.5)
  threads <- threads_within(threads)
  if (is.null(given)) {
    counts <- class_counts(object, nsim)
    check_table_memory(round(sum(counts)), "nsim", object$latent$dim + n_columns(object$table))
    state <- stream_within(seed)
    drawn <- free_draws(object, counts, density_floor, threads, progress)
  } else {
    nsim <- check_count(nsim, "nsim")
    check_table_memory(nsim, "nsim", object$latent$dim + n_columns(object$table))
    condition <- read_given(given, object$table)
    state <- stream_within(seed)
    # one draw even if none is wanted, because it tells the probability of the condition
    drawn <- given_draws(object, condition, max(nsim, 1L), threads)
    drawn$points <- drawn$points[seq_len(nsim), , drop = FALSE]
    drawn$group <- drawn$group[seq_len(nsim)]
  }
  bounds <- object$control$bounds && is.null(given)
  rows <- write_table(drawn$points, object$table, drawn$group, bounds, fill = !missing)
  rows <- mark_seed(rows, state)
  for (name in names(drawn$marks)) rows <- set_attribute(rows, name, drawn$marks[[name]])
  rows
}

free_draws <- function(fit, counts, density_floor, threads, progress) {
  flows <- class_flows(fit)
  parts <- lapply(names(counts), function(class) {
    draw_rows(flows[[class]], counts[[class]], draw_key(), fit$control$backward, density_floor, FALSE, threads,
              progress)$points
  })
  list(points = do.call(rbind, parts), group = row_groups(fit, counts))
}

row_groups <- function(fit, counts) {
  if (is_grouped(fit)) factor(rep(names(counts), counts), levels = names(fit$rows))
}

# The classes in the proportions that they have given the condition.
given_draws <- function(fit, condition, n, threads) {
  flows <- class_flows(fit)
  if (!is.null(condition$group)) flows <- flows[condition$group]
  key <- draw_key()
  share <- lengths(fit$rows)[names(flows)] / sum(lengths(fit$rows))
  first <- lapply(seq_along(flows), function(k) {
    draw_in_boxes(flows[[k]], condition$boxes, if (length(flows) == 1) n else 1L, fit$correlation,
                  other_key(key, 0L, 2L * k), threads)
  })
  logs <- log(share) + vapply(first, `[[`, 0, "log_probability")
  total <- max(logs) + log(sum(exp(logs - max(logs))))
  errors <- vapply(first, `[[`, 0, "standard_error")
  marks <- list(log_probability = total, standard_error = sqrt(sum((exp(logs - total) * errors)^2)))
  if (length(flows) == 1) {
    counts <- stats::setNames(n, names(flows))
    return(list(points = first[[1]]$points, group = row_groups(fit, counts), marks = marks))
  }
  class <- pick_weighted(draw_uniform(n, 1, key, stream = 9L)[, 1], exp(logs - total))
  counts <- stats::setNames(tabulate(class, length(flows)), names(flows))
  parts <- lapply(seq_along(flows), function(k) {
    if (counts[k]) draw_in_boxes(flows[[k]], condition$boxes, counts[[k]], fit$correlation,
                                 other_key(key, 0L, 2L * k + 1L), threads)$points
  })
  list(points = do.call(rbind, parts), group = row_groups(fit, counts), marks = marks)
}
