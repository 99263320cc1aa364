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
#' @param threads,progress See [efs_forward()].
#' @param ... Not used.
#' @return New rows in the form of the table that [efs()] was given: a data frame
#'   or matrix with the same columns, on the original scale, integer columns as
#'   integers; columns of type double come back unrounded, whatever the number
#'   of decimals they were recorded to. The class comes back as the column it came from, as a column
#'   `group` where it was a vector beside a data frame, and as the attribute
#'   `"group"` of a matrix. The attribute `"seed"` is as in [stats::simulate()].
#' @examples
#' fit <- efs(iris, group = "Species")
#' table(simulate(fit, 30, seed = 1)$Species)
#' table(simulate(fit, c(setosa = 5, virginica = 10), seed = 1)$Species)
#' @export
simulate.efs <- function(object, nsim = 1, seed = NULL, bounds = object$control$bounds,
                         threads = NULL, progress = NULL, ...) {
  counts <- class_counts(object, nsim)
  bounds <- check_flag(bounds, "bounds")
  threads <- thread_count(threads)
  state <- start_stream(seed)
  if (!is.null(seed)) on.exit(assign(".Random.seed", state$before, envir = globalenv()))
  flows <- class_flows(object)
  latent <- lapply(names(counts), function(class) {
    flow <- flows[[class]]
    y <- draw_law(flow$law, counts[[class]], draw_key(), threads)
    back <- run_backward(flow$trajectory, y, object$control$backward, threads, progress)
    if (object$control$backward$method == "exact") warn_inexact(back, limit = 1e-3)
    from_flow(back$points, flow)
  })
  group <- if (is_grouped(object)) {
    factor(rep(names(counts), counts), levels = levels(object$table$group))
  }
  rows <- write_table(decode_points(object, do.call(rbind, latent)), object$table, group, bounds)
  attr(rows, "seed") <- state$seed
  rows
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
#'   decodes them.
#' @param group The class of each row of `newdata`, for a fit with groups; not
#'   needed where `newdata` has the column that was named in [efs()].
#' @param threads See [efs_forward()].
#' @param ... Not used.
#' @return For `"latent"` a matrix `[rows, d]` in the unit of the flow (each
#'   class has its own); for `"data"` rows in the form of the table.
#' @examples
#' fit <- efs(iris[1:4])
#' z <- predict(fit, iris[1:3, 1:4])
#' predict(fit, z, type = "data")
#' @export
predict.efs <- function(object, newdata, type = c("latent", "data"), group = NULL,
                        threads = NULL, ...) {
  type <- check_choice(type, c("latent", "data"), "type")
  threads <- thread_count(threads)
  flows <- class_flows(object)
  if (missing(newdata)) {
    if (type == "data") fail("`newdata` must give the latent points to carry back.")
    out <- matrix(0, sum(lengths(object$rows)), object$latent$dim)
    for (flow in flows) out[flow$rows, ] <- last_frame(flow$trajectory)
    return(out)
  }
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
