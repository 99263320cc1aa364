#' New rows from a fit
#'
#' Draws from the latent law of each flow and carries the draws back to the
#' data.
#'
#' @param object A fit from [efs()].
#' @param nsim Number of new rows. With groups either the total, shared out
#'   as in the data, or a named vector of counts for some of the classes. The class of an empty string is called
#'   `(empty)`.
#' @param seed `NULL` goes on with R's current stream; a whole number is given to
#'   [set.seed()] first, and the stream is restored afterwards.
#' @param bounds Overrides the argument of [efs()].
#' @param log_density `TRUE` gives the log-density of each new row (see
#'   [logLik()][logLik.efs]) as the attribute `"log_density"`.
#' @param density_floor Draws less likely than this quantile of the training rows (as held out in the calibration,
#'   or without one each evaluated without its own particle) are drawn again, and their share is the attribute
#'   `"dropped"`; 0 keeps all. The fit holds what the quantile and the share kept are taken from. A draw's own
#'   log-density accounts for the share kept; that of [logLik()][logLik.efs] is of the law without a floor.
#' @param threads,progress See [efs_forward()].
#' @param ... Not used.
#' @return New rows in the form of the table that [efs()] was given: a matrix, data frame, tibble or data.table with the
#'   same columns in the same order, under the same names, on the original scale. Integer columns come back as integers,
#'   numbers with a unit in their unit; columns of type double come back unrounded, whatever the number of decimals they
#'   were recorded to. A tibble comes back without groups, a sparse or delayed matrix as a plain matrix, a `DataFrame`
#'   as a data frame. The class of each row comes back with its R class and values: as the column it came from, as a
#'   column `group` (`group.1` where the table has a column `group`) where it was a vector beside a data frame, and as the
#'   attribute `"group"` of a matrix. The attribute `"seed"` is as in [stats::simulate()].
#'   Columns of integers are rounded after the density was taken.
#' @examples
#' fit <- efs(iris, group = "Species", calibrate = FALSE)
#' table(simulate(fit, 30, seed = 1)$Species)
#' table(simulate(fit, c(setosa = 5, virginica = 10), seed = 1)$Species)
#' @export
simulate.efs <- function(object, nsim = 1, seed = NULL, bounds = object$control$bounds, log_density = FALSE,
                         density_floor = object$control$density_floor, threads = NULL, progress = NULL, ...) {
  check_dots("simulate()", ...)
  check_fit(object)
  counts <- class_counts(object, nsim)
  bounds <- check_flag(bounds, "bounds")
  log_density <- check_flag(log_density, "log_density")
  if (log_density && bounds) fail("`log_density` is not that of rows reflected at `bounds`; give one of the two.")
  density_floor <- check_number(density_floor, "density_floor", lower = 0, upper = 0.5)
  threads <- threads_within(threads)
  state <- stream_within(seed)
  flows <- class_flows(object)
  if (log_density) for (flow in flows) check_density(flow$law)
  drawn <- lapply(names(counts), function(class) {
    draw_rows(flows[[class]], counts[[class]], draw_key(), object$control$backward, density_floor, log_density,
              threads, progress)
  })
  latent <- lapply(drawn, `[[`, "points")
  group <- if (is_grouped(object)) {
    factor(rep(names(counts), counts), levels = names(object$rows))
  }
  points <- decode_points(object, do.call(rbind, latent))
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

# So often is a draw below the floor repeated: where half of all draws are below, one of 1e15 stays.
most_attempts <- 50L

# `n` latent rows of one class. Draws less likely than the `density_floor` quantile
# of the training rows are drawn again: attempt t of row i depends on (key + t, i)
# only, so the first rows do not depend on how many are drawn.
draw_rows <- function(flow, n, key, control, density_floor, log_density, threads, progress) {
  floor <- flow_floor(flow, density_floor, control, threads)
  points <- latent <- matrix(0, n, ncol(flow$trajectory$frames))
  density <- numeric(n)
  lacking <- seq_len(n)
  tried <- dropped <- 0
  for (attempt in seq_len(most_attempts)) {
    if (length(lacking) == 0) break
    y <- draw_law(flow$law, n, key + c(0L, attempt - 1L), threads)[lacking, , drop = FALSE]
    back <- run_backward(flow$trajectory, y, control, threads, progress,
                         log_det = log_density || !is.null(floor))
    if (control$method == "exact") warn_inexact(back, limit = 1e-3)
    points[lacking, ] <- back$points
    latent[lacking, ] <- y
    if (is.null(back$log_det)) break
    density[lacking] <- law_density(flow$law, y, threads)[, 1] + back$log_det
    tried <- tried + length(lacking)
    if (is.null(floor)) break
    lacking <- lacking[!(density[lacking] >= floor$level)]
    dropped <- dropped + length(lacking)
  }
  kept <- if (is.null(floor)) 1 else floor$kept
  list(points = from_flow(points, flow), latent = from_flow(latent, flow),
       log_density = density + flow_log_volume(flow) - log(kept),
       dropped = if (is.null(floor)) NA_real_ else dropped / max(tried, 1))
}

# How many rows of which class, as a named vector.
class_counts <- function(fit, nsim) {
  if (length(nsim) > 1 || !is.null(names(nsim))) return(named_counts(fit, nsim))
  nsim <- check_count(nsim, "nsim")
  share <- lengths(fit$rows) / sum(lengths(fit$rows)) * nsim
  counts <- floor(share)
  short <- nsim - sum(counts)
  first <- order(counts - share)[seq_len(short)]
  counts[first] <- counts[first] + 1
  counts
}

named_counts <- function(fit, nsim) {
  if (!is_grouped(fit)) fail("`nsim` must be one number: the fit has no groups.")
  label <- fit$table$group
  keys <- if (!is.null(names(nsim))) match_label(names(nsim), label)
  unknown <- names(nsim)[is.na(keys)]
  if (is.null(keys) || length(unknown)) {
    fail("`nsim` must be one number or counts named by classes (%s)%s.", some(label$keys),
         if (length(unknown)) sprintf("; \"%s\" is none", unknown[1]) else "")
  }
  if (anyDuplicated(keys)) fail("`nsim` names the class \"%s\" twice.", keys[anyDuplicated(keys)])
  stats::setNames(vapply(nsim, check_count, 0L, what = "nsim"), keys)
}
