#' New rows from a fit of any table
#'
#' Draws new rows, also under conditions on their columns.
#'
#' @section Conditions:
#' `given` names columns and what they shall be:
#'
#' * one value;
#' * for numbers, dates and times also a range `c(from, to)`, both ends included, of which one may be infinite;
#' * for factors, words, `TRUE` and `FALSE` also a set of values;
#' * `NA` for a missing value, alone or beside others.
#'
#' A list holds for all new rows. A data frame has one row per new row, so that each new row has a condition of its own;
#' a data frame of one row holds for all new rows. A missing cell of a data frame asks for nothing. A data frame can
#' have list columns, whose cells are as in a list: a range, a set, `NA` for a missing value, `NULL` for nothing.
#'
#' The draws come from the law of the fit given the conditions. If the law is a mixture of Gaussians or t distributions
#' and there is no flow, they are exact up to the resampling of truncated draws. With [law_trees()] and no flow, each
#' draw is chosen among 2 to 1024 proposals, which are drawn coordinate after coordinate within the condition; in a
#' mixture of laws each part is treated in its own way. Other laws, and all laws with a flow, choose each draw among 64
#' to 1024 proposals from a Gaussian law within the condition. The number of proposals of a row grows until the variance
#' of its mean weight, relative to the squared mean, is at most 0.02.
#'
#' The attribute `"log_probability"` is the logarithm of the probability of the condition under the fit, with its
#' standard error as the attribute `"standard_error"`. Both are attributes of the new rows: one number per row of a
#' data frame of several rows, otherwise one number. A condition on a single value of a continuous column counts with
#' its density in normal scores. A condition with a probability below 1e-9 is an error.
#'
#' A condition on a column that is computed from one other column becomes a condition on the latter. This is so for a
#' value that a level implies, for a step at cuts, and for a multiple, logarithm, square, root, inverse or exponential.
#' For a column that is a sum of several, such as a total, a difference, or the larger column of `constraints`, rows are
#' drawn until they meet the condition. Not more than 200,000 draws are made for this in all. Where the first 20,000 of
#' them foretell that this is not enough, there is an error of class `particleflow_unsolved` at once. Such a condition
#' must be a range if the column has no unit in which values are recorded.
#'
#' @section Near given rows:
#' `near` gives rows of the table, and new rows are drawn near them. Let \eqn{q} be the law of the scores \eqn{z} (see
#' [synthesise()]), and \eqn{K} the coordinates of the values that are known in a row. First, the scores
#' \eqn{z_0}{z0} of the row are drawn from \eqn{q} given its known values; a value without a cell has one score only.
#' Then a new row is drawn with the density
#' \deqn{p(z) \propto q(z) \prod_{j \in K} \exp\{-(z_j - z_{0j})^2 / (2 s^2)\}, \qquad s^2 = \frac{t^2}{1 - t^2},}{p(z)
#' proportional to q(z) prod_(j in K) exp(-(z_j - z0_j)^2 / (2 s^2)), s^2 = t^2 / (1 - t^2),}
#' where \eqn{t} is `spread`. If scores were independent, a new score would be normal with mean \eqn{(1 - t^2) z_0}{(1 -
#' t^2) z0} and standard deviation \eqn{t}. With `spread = 0` the known values come back, and the others are drawn given
#' them. With `spread = 1` new rows do not depend on the row. Absent columns, missing values and computed columns of
#' `near` have no influence. Each draw is chosen among 64 to 1024 proposals, half from \eqn{q}, half from a Gaussian law
#' near the row, with weights.
#'
#' New rows near a real row say much about it. They are not anonymous, whatever `spread` is.
#'
#' @param object A fit from [synthesise()], or a fit of normal scores from [efs()].
#' @param nsim Number of new rows, as in [simulate()][simulate.efs]. If `given` or `near` has several rows, `nsim` is
#'   their number, and another number is an error.
#' @param seed As in [simulate()][simulate.efs].
#' @param given A list of conditions by column name, or a data frame with one row per new row. `NULL`: no condition.
#' @param near A data frame with one row, or with one row per new row. `NULL`: no row. If the fit has groups, their
#'   column must be there.
#' @param spread How far from `near` new rows are, a number from 0 (the row itself) to 1 (independent of it).
#' @param missing `FALSE` gives a value to each missing value: one drawn from the law of the row.
#' @param density_floor,threads,progress As in [simulate()][simulate.efs]. Draws under conditions have no floor.
#' @param to,format,rows_per_file Write the new rows into files of a folder, see [simulate_files].
#' @param ... Not used.
#' @return New rows in the form of the table.
#' @examples
#' fit <- synthesise(warpbreaks, quiet = TRUE)
#' simulate(fit, 5, seed = 1, given = list(tension = c("L", "M"), breaks = c(20, 30)))
#'
#' # one condition per row, and rows near the first row of the table
#' simulate(fit, seed = 1, given = data.frame(wool = c("A", "B", NA), breaks = c(20, NA, 30)))
#' simulate(fit, 5, seed = 1, near = warpbreaks[1, ], spread = 0.2)
#' @export
simulate.synthesis <- function(object, nsim = 1, seed = NULL, given = NULL, near = NULL, spread = 0.3, missing = TRUE,
                               density_floor = object$control$density_floor, threads = NULL, progress = NULL, to = NULL,
                               format = c("rds", "csv", "parquet"), rows_per_file = NULL, ...) {
  check_dots("simulate()", ...)
  check_fit(object)
  check_flag(missing, "missing")
  density_floor <- check_number(density_floor, "density_floor", lower = 0, upper = 0.5)
  spread <- check_number(spread, "spread", lower = 0, upper = 1)
  nsim <- asked_rows(if (base::missing(nsim)) NULL else nsim, given, near)
  threads <- threads_within(threads)
  bound <- !is.null(given) || !is.null(near)
  if (bound) nsim <- check_count(nsim, "nsim") else counts <- class_counts(object, nsim)
  files <- ask_files(to, format, rows_per_file, n_columns(object$table))
  check_table_memory(rows_at_once(round(sum(nsim)), files), "nsim", object$latent$dim + n_columns(object$table))
  condition <- if (!is.null(given)) read_given(given, object$table)
  rows <- if (!is.null(near)) read_near(near, object)
  if (!is.null(files)) {
    divide <- if (!bound && is_grouped(object)) function() whole_counts(counts)
    settings <- list(spread = spread, missing = missing, density_floor = density_floor)
    return(write_parts(files, object, nsim, seed, divide, settings, list(given = given, near = near), progress))
  }
  state <- stream_within(seed)
  drawn <- if (!is.null(given)) {
    given_draws(object, condition, nsim, threads)
  } else if (!is.null(near)) {
    near_draws(object, rows, nsim, spread, density_floor, threads)
  } else {
    free_draws(object, whole_counts(counts), density_floor, threads, progress)
  }
  bounds <- object$control$bounds && is.null(given)
  rows <- write_table(drawn$points, object$table, drawn$group, bounds, fill = !missing)
  rows <- mark_seed(rows, state)
  for (name in names(drawn$marks)) rows <- set_attribute(rows, name, drawn$marks[[name]])
  rows
}

# nsim, which is by default the number of rows of the data frame of conditions.
asked_rows <- function(nsim, given, near) {
  if (!is.null(given) && !is.null(near)) fail("`given` and `near` cannot be used together; leave one of them out.")
  what <- if (is.null(near)) "given" else "near"
  asked <- if (is.null(near)) given else near
  own <- if (is.data.frame(asked)) nrow(asked) else 1L
  if (is.null(nsim)) return(max(own, 1L))
  if (own > 1 && !identical(as.double(nsim), as.double(own))) {
    fail("`nsim` must be the number of rows of `%s`, which is %d, or be left out, not %s; repeat rows of `%s` instead.",
         what, own, describe(nsim), what)
  }
  nsim
}

free_draws <- function(fit, counts, density_floor, threads, progress) {
  flows <- class_flows(fit)
  parts <- lapply(names(counts), function(class) {
    draw_rows(flows[[class]], counts[[class]], draw_key(), fit$control$backward, density_floor, FALSE, threads,
              progress)$points
  })
  list(points = do.call(rbind, parts), group = row_groups(fit, rep(names(counts), counts)))
}

# The classes have the proportions that they have given the condition. One row is drawn even if none is wanted, because
# it tells the probability of the condition.
given_draws <- function(fit, condition, nsim, threads) {
  if (condition$rows == 1) condition$of <- rep(1L, max(nsim, 1L))
  found <- draw_given(fit, condition, threads)
  warn_far(condition, fit$table, sum(lengths(fit$rows)))
  of <- if (condition$rows == 1) 1L else condition$of
  list(points = found$points[seq_len(nsim), , drop = FALSE], group = row_groups(fit, found$class[seq_len(nsim)]),
       marks = list(log_probability = found$log_probability[of], standard_error = found$standard_error[of]))
}
