#' New rows from a fit
#'
#' Draws from the latent law of each flow and carries the draws back to the
#' data.
#'
#' @param object A fit from [efs()].
#' @param nsim Number of new rows. With groups either the total, shared out
#'   as in the data, or a named vector of counts for some of the classes.
#' @param seed `NULL` goes on with R's current stream; a whole number is given to
#'   [set.seed()] first, and the stream is restored afterwards.
#' @param bounds Overrides the argument of [efs()].
#' @param log_density `TRUE` gives the log-density of each new row (see
#'   [logLik()][logLik.efs]) as the attribute `"log_density"`.
#' @param density_floor Draws less likely than this quantile of the training rows
#'   (as held out in the calibration, or without one each evaluated without its own
#'   particle) are drawn again, and their share is
#'   the attribute `"dropped"`; 0 keeps all. A draw's own log-density accounts for
#'   the share kept; that of [logLik()][logLik.efs] is of the law without a floor.
#' @param threads,progress See [efs_forward()].
#' @param ... Not used.
#' @return New rows in the form of the table that [efs()] was given: a data frame
#'   or matrix with the same columns, on the original scale, integer columns as
#'   integers; columns of type double come back unrounded, whatever the number
#'   of decimals they were recorded to. The class comes back as the column it came from, as a column
#'   `group` where it was a vector beside a data frame, and as the attribute
#'   `"group"` of a matrix. The attribute `"seed"` is as in [stats::simulate()].
#'   Columns of integers are rounded after the density was taken.
#' @examples
#' fit <- efs(iris, group = "Species", calibrate = FALSE)
#' table(simulate(fit, 30, seed = 1)$Species)
#' table(simulate(fit, c(setosa = 5, virginica = 10), seed = 1)$Species)
#' @export
simulate.efs <- function(object, nsim = 1, seed = NULL, bounds = object$control$bounds, log_density = FALSE,
                         density_floor = object$control$density_floor, threads = NULL, progress = NULL, ...) {
  counts <- class_counts(object, nsim)
  bounds <- check_flag(bounds, "bounds")
  log_density <- check_flag(log_density, "log_density")
  if (log_density && bounds) fail("`log_density` is not that of rows reflected at `bounds`; give one of the two.")
  density_floor <- check_number(density_floor, "density_floor", lower = 0, upper = 0.5)
  threads <- threads_within(threads)
  state <- start_stream(seed)
  if (!is.null(seed)) on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  flows <- class_flows(object)
  if (log_density) for (flow in flows) check_density(flow$law)
  drawn <- lapply(names(counts), function(class) {
    draw_rows(flows[[class]], counts[[class]], draw_key(), object$control$backward, density_floor, log_density,
              threads, progress)
  })
  latent <- lapply(drawn, `[[`, "points")
  group <- if (is_grouped(object)) {
    factor(rep(names(counts), counts), levels = levels(object$table$group))
  }
  points <- decode_points(object, do.call(rbind, latent))
  rows <- write_table(points, object$table, group, bounds)
  attr(rows, "seed") <- state$seed
  if (log_density) {
    each <- unlist(lapply(drawn, `[[`, "log_density"))
    attr(rows, "log_density") <- if (nrow(points)) each + latent_log_volume(object, points) else numeric()
  }
  shares <- vapply(drawn, `[[`, 0, "dropped")
  if (any(!is.na(shares))) attr(rows, "dropped") <- stats::setNames(shares, if (is_grouped(object)) names(counts))
  rows
}

# `n` latent rows of one class. Draws less likely than the `density_floor` quantile
# of the training rows are drawn again: attempt t of row i depends on (key + t, i)
# only, so the first rows do not depend on how many are drawn.
most_attempts <- 50L

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

# The level below which draws are dropped, in the unit of the flow, and the share of
# draws that is kept, from 1000 of them under a fixed key. A law is too fond of the rows
# that it was fitted to, so the rows' held-out densities are taken where there are some. NULL: nothing is dropped,
# for the floor is 0 or there is no density that could be trusted.
flow_floor <- function(flow, density_floor, control, threads) {
  trusted <- has_density(flow$law) && all(flow$scale > 0) && control$method == "exact" &&
    all(flow$trajectory$diagnostics$bound < 1, na.rm = TRUE) &&
    ncol(flow$trajectory$frames) <= most_exact_dims
  if (density_floor == 0 || !trusted) return(NULL)
  frames <- flow$trajectory
  own <- if (length(flow$held_out)) {
    flow$held_out - flow_log_volume(flow)
  } else {
    carried <- carry_forward(frames, NULL, threads)
    law_density(flow$law, carried$points, threads, self = TRUE)[, 1] + carried$log_det
  }
  level <- stats::quantile(own, density_floor, names = FALSE)
  y <- draw_law(flow$law, 1000L, c(0L, 0L), threads)
  back <- run_backward(frames, y, control, threads, FALSE, log_det = TRUE)
  kept <- mean(law_density(flow$law, y, threads)[, 1] + back$log_det >= level)
  list(level = level, kept = max(kept, 1e-3))
}

decode_points <- function(fit, latent) {
  if (nrow(latent) == 0) return(matrix(0, 0, sum(is.na(fit$table$constant))))
  points <- fit$latent$decode(latent)
  if (!is.numeric(points) || nrow(points) != nrow(latent)) {
    fail("`decode` of the latent map must return a numeric matrix with %d rows, not %s.",
         nrow(latent), describe(points))
  }
  points
}

# How many rows of which class, as a named vector.
class_counts <- function(fit, nsim) {
  classes <- names(fit$rows)
  if (length(nsim) > 1 || !is.null(names(nsim))) {
    if (!is_grouped(fit)) fail("`nsim` must be one number: the fit has no groups.")
    unknown <- setdiff(names(nsim), classes)
    if (is.null(names(nsim)) || length(unknown)) {
      fail("`nsim` must be one number or counts named by classes (%s)%s.", some(classes),
           if (length(unknown)) sprintf("; \"%s\" is none", unknown[1]) else "")
    }
    if (anyDuplicated(names(nsim))) fail("`nsim` names the class \"%s\" twice.", names(nsim)[anyDuplicated(names(nsim))])
    return(vapply(nsim, check_count, 0L, what = "nsim"))
  }
  nsim <- check_count(nsim, "nsim")
  share <- lengths(fit$rows) / sum(lengths(fit$rows)) * nsim
  counts <- floor(share)
  short <- nsim - sum(counts)
  first <- order(counts - share)[seq_len(short)]
  counts[first] <- counts[first] + 1
  counts
}

# The contract of stats::simulate(): the state before, and what the attribute
# "seed" says.
start_stream <- function(seed) {
  if (!exists(".Random.seed", envir = globalenv(), inherits = FALSE)) stats::runif(1)
  before <- get(".Random.seed", envir = globalenv())
  if (is.null(seed)) return(list(before = before, seed = before))
  set.seed(seed)
  list(before = before, seed = structure(seed, kind = as.list(RNGkind())))
}

#' Latent positions of new points, or the data behind latent points
#'
#' @param object A fit from [efs()].
#' @param newdata New rows with the columns of the table; for `type = "data"`
#'   latent points as `type = "latent"` gives them: a matrix of one column a
#'   latent dimension, in the unit of the flow. Missing: the training rows
#'   (for `"latent"`).
#' @param type `"latent"` encodes `newdata` and moves it along with the stored
#'   flow, without moving the flow; `"data"` carries latent points back and
#'   decodes them; `"log_density"` gives the log-density of each row, see
#'   [logLik()][logLik.efs].
#' @param group The class of each row of `newdata`, for a fit with groups; not
#'   needed where `newdata` has the column that was named in [efs()].
#' @param threads See [efs_forward()].
#' @param ... Not used.
#' @return For `"latent"` a matrix `[rows, d]` in the unit of the flow (each
#'   class has its own); for `"data"` rows in the form of the table; for
#'   `"log_density"` a number a row, in nats and in units of the columns.
#' @examples
#' fit <- efs(iris[1:4], calibrate = FALSE)
#' z <- predict(fit, iris[1:3, 1:4])
#' predict(fit, z, type = "data")
#' @export
predict.efs <- function(object, newdata, type = c("latent", "data", "log_density"), group = NULL,
                        threads = NULL, ...) {
  type <- check_choice(type, c("latent", "data", "log_density"), "type")
  threads <- threads_within(threads)
  flows <- class_flows(object)
  if (missing(newdata)) {
    if (type == "data") fail("`newdata` must give the latent points to carry back.")
    if (type == "log_density") fail("`newdata` must give the rows: the likelihood of the training rows says nothing about new ones.")
    out <- matrix(0, sum(lengths(object$rows)), object$latent$dim)
    for (flow in flows) out[flow$rows, ] <- last_frame(flow$trajectory)
    return(out)
  }
  if (type == "log_density") return(log_density_rows(object, newdata, group, flows, threads))
  if (type == "latent") {
    points <- read_new_rows(newdata, object$table)
    points <- if (nrow(points)) unname(object$latent$encode(points)) else matrix(0, 0, object$latent$dim)
  } else {
    points <- check_latent_points(newdata, object$latent$dim)
  }
  label <- new_group(object, newdata, group, nrow(points))
  for (class in names(flows)) {
    rows <- which(label == class)
    flow <- flows[[class]]
    part <- points[rows, , drop = FALSE]
    points[rows, ] <- if (type == "latent") {
      push_forward(flow$trajectory, to_flow(part, flow), threads)
    } else {
      back <- run_backward(flow$trajectory, part, object$control$backward, threads, FALSE)
      if (object$control$backward$method == "exact") warn_inexact(back, limit = 1e-3)
      from_flow(back$points, flow)
    }
  }
  if (type == "latent") return(points)
  write_table(decode_points(object, points), object$table, if (is_grouped(object)) label)
}

log_density_rows <- function(fit, newdata, group, flows, threads) {
  for (flow in flows) check_density(flow$law)
  points <- read_new_rows(newdata, fit$table)
  label <- new_group(fit, newdata, group, nrow(points))
  if (nrow(points) == 0) return(numeric())
  if (fit$latent$dim < ncol(points)) {
    message(sprintf("The density is that of the projection on %s.", fit$latent$description))
  }
  z <- unname(fit$latent$encode(points))
  value <- numeric(nrow(points))
  error <- 0
  for (class in names(flows)) {
    rows <- which(label == class)
    if (length(rows) == 0) next
    one <- flow_log_density(flows[[class]], z[rows, , drop = FALSE], threads)
    value[rows] <- one
    error <- max(error, attr(one, "error"))
  }
  if (anyNA(value)) {
    warning(sprintf("The flow is not one-to-one at %d of %d rows, so they have no density (NaN): lower `max_bound` or raise `epsilon`.",
                    sum(is.na(value)), length(value)), call. = FALSE)
  }
  value <- value + latent_log_volume(fit, points)
  if (error > 0) attr(value, "error") <- error
  value
}

new_group <- function(fit, newdata, group, n) {
  if (!is_grouped(fit)) return(factor(rep("all", n)))
  column <- fit$table$group_column
  if (is.null(group) && !is.null(column) && is.data.frame(newdata)) group <- newdata[[column]]
  if (is.null(group)) fail("The fit has groups: `group` must give the class of each row of `newdata`.")
  if (length(group) != n) fail("`group` must have one entry for each of the %d rows of `newdata`, not %d.", n, length(group))
  classes <- names(fit$rows)
  unknown <- setdiff(as.character(group), classes)
  if (length(unknown)) fail("`group` has the class \"%s\", which the fit does not know.", unknown[1])
  factor(as.character(group), levels = classes)
}
