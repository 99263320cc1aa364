#' New rows from a fit
#'
#' Draws points from the latent law of each flow (see [laws]), and carries them back to the columns of the table by the
#' inverse of the flow ([efs_backward()]).
#'
#' @section The density floor:
#' A draw that is much less likely than the rows of the table is replaced by a new one. This is so if its log-density is
#' below the `density_floor` quantile of the log-densities of the training rows. At most 50 draws are made for one row,
#' and the last one is kept. The log-densities of the training rows are those that the search found for held-out rows.
#' Without a search, each training row is evaluated without its own particle, if it has one. With particles that are not
#' the rows (see [efs()]), the held-out log-densities are those of the law without the flow. The attribute `"dropped"`
#' is the share of draws that were dropped. The log-density that `log_density = TRUE` gives is that of the law with the
#' floor. [logLik()][logLik.efs] gives the log-density of the law without a floor. There is no floor if the flow has no
#' density that could be trusted: if the law has no density, a standardised column does not vary within the class, a
#' step is not surely one-to-one, the inverse is that of the paper, or there are more than 128 latent dimensions.
#'
#' @section How rows are divided among classes:
#' If `nsim` is one number, the share of a class is `nsim` times its proportion among the rows of the data. Such a share
#' need not be a whole number. The class gets the whole number just below or just above it. Which of the two it is, is
#' random and depends on the seed, so that the expected number of rows of each class is its share. For example, with
#' `nsim = 1` each class has its proportion in the data as the probability of being drawn. If all shares are whole
#' numbers, nothing is random in the division. The rows are returned class by class.
#'
#' @param object A fit from [efs()].
#' @param nsim Number of new rows, a whole number of at least 0. With groups it is either the total, which is divided
#'   among the classes in the proportions of the data (see below), or a named vector of counts for some of the classes.
#'   The class of an empty string is called `(empty)`.
#' @param seed `NULL` continues R's current random stream. A whole number is given to [set.seed()] first, and the
#'   stream is restored afterwards.
#' @param bounds Overrides the argument of [efs()].
#' @param log_density `TRUE` gives the log-density of each new row (see [logLik()][logLik.efs]) as the attribute
#'   `"log_density"`, in nats. It cannot be combined with `bounds`.
#' @param density_floor Draws less likely than this quantile of the training rows are drawn again, see below. A number
#'   between 0 and 0.5; 0 keeps all draws.
#' @param threads,progress See [efs_forward()].
#' @param to,format,rows_per_file Write the new rows into files of a folder, see [simulate_files].
#' @param ... Not used.
#' @return New rows in the form of the table that [efs()] was given: a matrix, data frame, tibble or data.table with
#'   the same columns, in the same order, under the same names and on the original scale. The attribute `"seed"` is as
#'   in [stats::simulate()].
#'
#'   * Integer columns are integers again. They are rounded after the density was taken.
#'   * Numbers with a unit keep their unit. A column that is an array of one dimension comes back as a plain vector.
#'   * Columns of type double are not rounded, even if the data were recorded with few decimals.
#'   * A tibble has no groups. A sparse or delayed matrix becomes a plain matrix, a `DataFrame` a data frame.
#'   * The class of each row has its R class and values. It is the column that it came from. If it was a vector beside
#'     a data frame, it is a column `group` (`group.1` if the table has a column `group`). For a matrix it is the
#'     attribute `"group"`.
#' @examples
#' fit <- efs(iris, group = "Species", calibrate = FALSE)
#' table(simulate(fit, 30, seed = 1)$Species)
#' table(simulate(fit, c(setosa = 5, virginica = 10), seed = 1)$Species)
#' @export
simulate.efs <- function(object, nsim = 1, seed = NULL, bounds = object$control$bounds, log_density = FALSE,
                         density_floor = object$control$density_floor, threads = NULL, progress = NULL, to = NULL,
                         format = c("rds", "csv", "parquet"), rows_per_file = NULL, ...) {
  check_dots("simulate()", ...)
  check_fit(object)
  counts <- class_counts(object, nsim)
  files <- ask_files(to, format, rows_per_file, n_columns(object$table))
  check_table_memory(rows_at_once(round(sum(counts)), files), "nsim", object$latent$dim + n_columns(object$table))
  bounds <- check_flag(bounds, "bounds")
  log_density <- check_flag(log_density, "log_density")
  if (log_density && bounds) fail("`log_density` is not that of rows reflected at `bounds`; give one of the two.")
  density_floor <- check_number(density_floor, "density_floor", lower = 0, upper = 0.5)
  threads <- threads_within(threads)
  if (!is.null(files)) {
    settings <- list(bounds = bounds, log_density = log_density, density_floor = density_floor)
    return(write_parts(files, object, nsim, seed, if (is_grouped(object)) function() whole_counts(counts), settings,
                       progress = progress))
  }
  state <- stream_within(seed)
  flows <- class_flows(object)
  if (log_density) for (flow in flows) check_density(flow$law)
  keys <- lapply(counts, function(count) draw_key())
  counts <- whole_counts(counts)
  drawn <- lapply(names(counts), function(class) {
    draw_rows(flows[[class]], counts[[class]], keys[[class]], object$control$backward, density_floor, log_density,
              threads, progress)
  })
  latent <- lapply(drawn, `[[`, "points")
  group <- if (is_grouped(object)) {
    factor(rep(names(counts), counts), levels = names(object$rows))
  }
  points <- decode_points(object, do.call(rbind, latent), group)
  rows <- write_table(points, object$table, group, bounds)
  rows <- mark_seed(rows, state)
  if (log_density) {
    each <- unlist(lapply(drawn, `[[`, "log_density"))
    if (nrow(points)) each <- each + latent_log_volume(object, points) + point_margin(points, object$table)
    rows <- set_attribute(rows, "log_density", if (nrow(points)) each else numeric())
  }
  shares <- vapply(drawn, `[[`, 0, "dropped")
  if (any(!is.na(shares))) {
    rows <- set_attribute(rows, "dropped", stats::setNames(shares, if (is_grouped(object)) names(counts)))
  }
  rows
}

# A draw below the floor is repeated up to this many times. If half of all draws are below, one of 1e15 stays.
most_attempts <- 50L

# `n` latent rows of one class. Draws less likely than the `density_floor` quantile of the training rows are drawn
# again. Attempt t of row i depends only on (key + t, i), so the first rows do not depend on how many are drawn.
draw_rows <- function(flow, n, key, control, density_floor, log_density, threads, progress) {
  floor <- flow_floor(flow, density_floor, control, threads)
  foretell_draws(flow, n, key, threads, progress)
  points <- latent <- matrix(0, n, ncol(flow$trajectory$frames))
  density <- numeric(n)
  lacking <- seq_len(n)
  attempt <- tried <- dropped <- 0
  while (length(lacking) > 0 && attempt < most_attempts) {
    ahead <- attempts_ahead(flow, n, length(lacking), dropped / max(tried, 1), most_attempts - attempt)
    y <- do.call(rbind, lapply(attempt + seq_len(ahead) - 1L, function(past) {
      draw_law(flow$law, n, key + c(0L, as.integer(past)), threads)[lacking, , drop = FALSE]
    }))
    back <- run_backward(flow$trajectory, y, control, threads, progress,
                         log_det = log_density || !is.null(floor))
    if (control$backward == "exact") warn_inexact(back, limit = 1e-3)
    each <- if (!is.null(back$log_det)) law_density(flow$law, y, threads)[, 1] + back$log_det
    likely <- matrix(if (is.null(floor)) TRUE else each >= floor$level & !is.na(each), length(lacking), ahead)
    taken <- max.col(cbind(likely, TRUE), "first")
    of <- seq_along(lacking) + (pmin(taken, ahead) - 1) * length(lacking)
    points[lacking, ] <- back$points[of, , drop = FALSE]
    latent[lacking, ] <- y[of, , drop = FALSE]
    if (is.null(each)) break
    density[lacking] <- each[of]
    tried <- tried + sum(pmin(taken, ahead))
    dropped <- dropped + sum(taken - 1)
    lacking <- lacking[taken > ahead]
    attempt <- attempt + ahead
  }
  kept <- if (is.null(floor)) 1 else floor$kept
  list(points = from_flow(points, flow), latent = from_flow(latent, flow),
       log_density = density + flow_log_volume(flow) - log(kept),
       dropped = if (is.null(floor)) NA_real_ else dropped / max(tried, 1))
}

# How many attempts are made at once for the rows that lack one. An approximate field is made anew for each pass back
# through the flow, which costs more than a few rows. So there are as many as will be needed for all rows, if they are
# few. share: that of the draws that were dropped so far.
attempts_ahead <- function(flow, n, lacking, share, left) {
  if (lacking == n || stored_field(flow$trajectory)$kind == "exact") return(1)
  needed <- log(0.5 / lacking) / log(min(share, 0.99))
  max(1, min(ceiling(needed), floor(n / 8 / lacking), left))
}

# Many draws of a law: the time of few of them tells that of all. What a flow takes is foretold by its own loop.
foretell_draws <- function(flow, n, key, threads, progress) {
  if (n < least_draws_to_foretell || shows_progress(progress) || isFALSE(progress)) return(invisible())
  began <- seconds_now()
  draw_law(flow$law, draws_of_pilot, key, threads)
  seconds <- (seconds_now() - began) * n / draws_of_pilot
  # the draws, their copies, and the table that is written from them
  say_ahead("simulate()", seconds, copies_of_draws * 8 * as.double(n) * ncol(flow$trajectory$frames), n,
            ncol(flow$trajectory$frames), threads)
}

least_draws_to_foretell <- 50000
draws_of_pilot <- 2000L
copies_of_draws <- 20

# The number of rows of each class, as a named vector. One number is divided in the proportions of the data, and the
# parts may not be whole.
class_counts <- function(fit, nsim) {
  if (length(nsim) > 1 || !is.null(names(nsim))) return(named_counts(fit, nsim))
  sizes <- lengths(fit$rows)
  sizes * as.double(check_count(nsim, "nsim")) / sum(sizes)
}

# Whole numbers of rows. Each differs from its part by less than one and has it as its mean. A random number is drawn
# from R's stream only if a part is not whole.
whole_counts <- function(parts) {
  if (all(parts == floor(parts))) return(parts)
  stats::setNames(systematic_counts(parts, stats::runif(1)), names(parts))
}

named_counts <- function(fit, nsim) {
  if (!is_grouped(fit)) fail("`nsim` must be one number: the fit has no groups.")
  label <- fit$table$group
  keys <- if (!is.null(names(nsim))) match_label(names(nsim), label)
  unknown <- names(nsim)[is.na(keys)]
  if (!length(keys) || length(unknown)) {
    fail("`nsim` must be one number or counts named by classes (%s)%s.", some(label$keys),
         if (length(unknown)) sprintf("; \"%s\" is not one of them", unknown[1]) else "")
  }
  if (anyDuplicated(keys)) fail("`nsim` names the class \"%s\" twice.", keys[anyDuplicated(keys)])
  stats::setNames(vapply(nsim, check_count, 0L, what = "nsim"), keys)
}
