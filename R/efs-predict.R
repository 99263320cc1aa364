#' Latent positions of new points, or the data behind latent points
#'
#' @param object A fit from [efs()].
#' @param newdata New rows with the columns of the table: matched by name where both have names, otherwise by position.
#'   Unknown and missing names are an error; the column of the class may be there. For `type = "data"`
#'   latent points as `type = "latent"` gives them: a matrix of one column a
#'   latent dimension, in the unit of the flow. Missing: the training rows
#'   (for `"latent"`).
#' @param type `"latent"` encodes `newdata` and moves it along with the stored
#'   flow, without moving the flow; `"data"` carries latent points back and
#'   decodes them; `"log_density"` gives the log-density of each row, see
#'   [logLik()][logLik.efs].
#' @param group The class of each row of `newdata`, for a fit with groups; not
#'   needed where `newdata` has the column of the class, under the name that [simulate()][simulate.efs] gives it.
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
  check_dots("predict()", ...)
  check_fit(object)
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
  read <- encode_rows(newdata, fit$table)
  points <- read$points
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
  value <- value + latent_log_volume(fit, points) + read$margin
  if (error > 0) attr(value, "error") <- error
  value
}

#' The likelihood of a flow
#'
#' The exact log-density of rows under a fit: the change of variables through
#' the stored steps, \deqn{\log p(x) = \log q(y_k) + \sum_j \log\det(I - \gamma_j
#' J_j(y_{j-1})) + \log|\det A|,}{log p(x) = log q(y_k) + sum_j log det(I - gamma_j
#' J_j(y_(j-1))) + log|det A|,} where \eqn{y_k} is where the flow carries the
#' encoded row, \eqn{q} the latent law, \eqn{J_j} the Jacobian of the field and
#' \eqn{A} the linear part of the encoding, so that the density is in units of the
#' columns.
#'
#' Evaluate it on rows the fit has not seen: the training rows are where the
#' particles are, and their likelihood says little. It is a density as long as
#' every step is one-to-one, which an inverse-step bound below 1 stands for (see
#' [efs_forward()]). With groups, the density is that of the row within its class.
#' Columns that do not vary are left out; a class in which a column does not vary has no density. A latent map that keeps fewer
#' dimensions than columns ([latent_pca()]) gives the density of the row's
#' projection within its subspace, in the units of the columns there, and says so
#' in a message.
#'
#' Up to 128 latent dimensions the determinants are exact; beyond, the first
#' order of their logarithm is, and the next two come from random
#' probes, whose standard error (root mean square over the rows, in nats) is the
#' attribute `"error"`.
#'
#' @param object A fit from [efs()] or [smoothed_bootstrap()] whose law has a
#'   density (see [efs_augment()]).
#' @param newdata Rows with the columns of the table, not used in the fit; see [predict()][predict.efs].
#' @param group As in [predict()][predict.efs].
#' @param threads As in [efs_forward()].
#' @param ... Not used.
#' @return An object of class `logLik`: the sum of the log-densities, in nats, with
#'   attributes `nobs` and `df` (`NA`: nothing is counted as a parameter). The
#'   log-density of each row: `predict(object, newdata, type = "log_density")`.
#' @examples
#' set.seed(1)
#' rows <- sample(150, 120)
#' fit <- efs(iris[rows, 1:4], calibrate = FALSE)
#' logLik(fit, iris[-rows, 1:4])
#' mean(predict(fit, iris[-rows, 1:4], type = "log_density"))
#' @export
logLik.efs <- function(object, newdata, group = NULL, threads = NULL, ...) {
  if (missing(newdata)) {
    fail("`newdata` must be given: the likelihood of the training rows says nothing about new ones.")
  }
  each <- stats::predict(object, newdata, type = "log_density", group = group, threads = threads)
  structure(sum(each), nobs = length(each), df = NA_real_, class = "logLik")
}
