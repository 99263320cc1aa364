#' Latent positions of new points, or the data behind latent points
#'
#' `predict()` answers four questions about rows that the fit has not seen: where the flow carries them, which rows of
#' data belong to given latent points, how likely the rows are, and how far outward they lie among the others (ranks).
#'
#' @section Ranks:
#' In one dimension the distribution function \eqn{F} gives each value a rank that is uniform on (0, 1). In more
#' dimensions there is no order, but there is a way from the centre outward. The flow \eqn{T} of many particles (see
#' [efs()]) carries the law of the rows to a law \eqn{Q} that is round about its centre \eqn{c}. The *center-outward
#' rank* of a row \eqn{x} is the probability that \eqn{Q} has within the sphere through its image, and its *direction*
#' is the unit vector from the centre to the image: \deqn{r(x) = Q\{y : |y - c| \le |T(x) - c|\}, \quad u(x) =
#' \frac{T(x) - c}{|T(x) - c|}.}{r(x) = Q{y : |y - c| <= |T(x) - c|}, u(x) = (T(x) - c) / |T(x) - c|.} A rank of 0 is
#' the centre. The rows with rank at most \eqn{r} form a region of probability \eqn{r}; `plot()` with `type = "rank"`
#' draws its edge. In one dimension the rank is about \eqn{|2F(x) - 1|} and the direction the sign of \eqn{2F(x) - 1}.
#'
#' *What is exact*: for rows that follow the law that the particles follow, the rank tends to a uniform variable, the
#' direction to a uniform one, and both to independence, as the number of particles and the time of the flow grow. With
#' finitely many particles the regions have nearly these probabilities. This law is an estimate, so for new observations
#' they are as right as the law is. The ranks of the training rows are a little too small, because the law was
#' fitted to them.
#'
#' *How they differ from ranks by optimal transport* (Monge-Kantorovich or center-outward ranks, Chernozhukov et al.
#' 2017, Hallin et al. 2021): these take the one map to the ball that is the gradient of a convex function. It is
#' unique, hardly depends on a choice of method, and is monotone: \eqn{(T(x) - T(y))'(x - y) \ge 0}{(T(x) - T(y))'(x -
#' y) >= 0}. The map of a flow is a smooth one-to-one map to nearly the same law, but not the gradient of a convex
#' function, unless the law is round itself. It depends on the settings, and the two ranks of a row differ where the law
#' is far from round. Ranks by optimal transport have exactly the same distribution in each sample of `n` rows, whatever
#' the law. These ranks do not. [rank_test()] has an exact level by permutations instead. In return new rows have ranks,
#' and contours are smooth and inverted exactly.
#'
#' @param object A fit from [efs()].
#' @param newdata New rows with the columns of the table. Columns are matched by name if both tables have names, and
#'   otherwise by position. Unknown and missing names are an error. The column of the class may be among the columns.
#'   For `type = "data"`, give latent points instead of rows: a numeric matrix with one column per latent dimension, in
#'   the unit of the flow, as `type = "latent"` returns it. A data frame, or a matrix with names of columns of the
#'   table, is then an error. If `newdata` is missing and `type` is `"latent"`, the training rows are taken. `newdata`
#'   may have no rows.
#' @param type `"latent"` encodes `newdata` and carries the rows along with the stored flow; the rows do not act on the
#'   flow. `"data"` carries latent points back and decodes them. `"log_density"` gives the log-density of each row, see
#'   [logLik()][logLik.efs]. `"rank"` gives ranks and directions, see below. It needs a fit with particles that are not
#'   the rows, see [efs()], and takes the training rows if `newdata` is missing.
#' @param group For a fit with groups, the class of each row of `newdata`. It is not needed if `newdata` is a data
#'   frame with the column of the class, under the name that [simulate()][simulate.efs] gives it. A class that the fit
#'   does not know is an error.
#' @param threads See [efs_forward()].
#' @param ... Not used.
#' @return For `"latent"` a numeric matrix `[rows, d]` in the unit of the flow (each class has its own unit). For
#'   `"data"` rows in the form of the table; a warning says so if their estimated error exceeds 1e-3 of the radius of
#'   the data. For `"log_density"` one number per row, in nats, with the density in units of the columns. For `"rank"` a
#'   matrix `[rows, 1 + d]` with the columns `rank`, between 0 and 1, and `direction1` to `direction` d, the coordinates
#'   of a unit vector on the latent side. In a fit with groups, a rank is that within the class.
#' @references
#' Chernozhukov V, Galichon A, Hallin M, Henry M (2017). Monge-Kantorovich depth, quantiles, ranks and signs. Annals of
#' Statistics 45(1). \doi{10.1214/16-AOS1450}
#'
#' Hallin M, del Barrio E, Cuesta-Albertos J, Matran C (2021). Distribution and quantile functions, ranks and signs in
#' dimension d: a measure transportation approach. Annals of Statistics 49(2). \doi{10.1214/20-AOS1996}
#' @seealso [rank_test()] compares two samples by ranks.
#' @examples
#' fit <- efs(iris[1:4], calibrate = FALSE)
#' z <- predict(fit, iris[1:3, 1:4])
#' predict(fit, z, type = "data")
#'
#' \donttest{
#' many <- efs(iris[51:100, 3:4], particles = 500)
#' predict(many, iris[c(53, 60, 99), 3:4], type = "rank")
#' }
#' @export
predict.efs <- function(object, newdata, type = c("latent", "data", "log_density", "rank"), group = NULL,
                        threads = NULL, ...) {
  check_dots("predict()", ...)
  check_fit(object)
  type <- check_choice(type, c("latent", "data", "log_density", "rank"), "type")
  threads <- threads_within(threads)
  flows <- class_flows(object)
  if (missing(newdata)) {
    if (type == "data") fail("`newdata` must give the latent points to carry back.")
    if (type == "log_density") fail(
      "`newdata` must give the rows: the likelihood of the training rows says nothing about new ones."
    )
    check_not_stripped(flows, "give `newdata`")
    out <- matrix(0, sum(lengths(object$rows)), object$latent$dim)
    for (flow in flows) {
      out[flow$rows, ] <- if (is.null(flow$ends)) last_frame(flow$trajectory) else flow$ends
    }
    return(if (type == "rank") rank_points(flows, out, row_class(object)) else out)
  }
  if (type == "log_density") return(log_density_rows(object, newdata, group, flows, threads))
  if (type != "data") {
    points <- read_new_rows(newdata, object$table)
    label <- new_group(object, newdata, group, nrow(points))
    points <- encode_points(object$latent, points, label)
  } else {
    points <- check_latent_newdata(object, newdata)
    label <- new_group(object, newdata, group, nrow(points))
  }
  for (class in names(flows)) {
    rows <- which(label == class)
    flow <- flows[[class]]
    part <- points[rows, , drop = FALSE]
    points[rows, ] <- if (type != "data") {
      push_forward(flow$trajectory, to_flow(part, flow), threads)
    } else {
      back <- run_backward(flow$trajectory, part, object$control$backward, threads, FALSE)
      if (object$control$backward$backward == "exact") warn_inexact(back, limit = 1e-3)
      from_flow(back$points, flow)
    }
  }
  if (type == "latent") return(points)
  if (type == "rank") return(rank_points(flows, points, label))
  write_table(decode_points(object, points, label), object$table, if (is_grouped(object)) label)
}

# The latent points that `type = "data"` carries back. Rows of the table are an error, because they are easily given
# instead.
check_latent_newdata <- function(fit, newdata) {
  if (is.data.frame(newdata) || any(colnames(newdata) %in% c(fit$table$names, fit$table$group$name))) {
    fail("`newdata` must be a numeric matrix of latent points for `type = \"data\"`, as %s, not rows of the table.",
         "`type = \"latent\"` returns them")
  }
  check_latent_points(newdata, "newdata", NULL, fit$latent$dim)
}

log_density_rows <- function(fit, newdata, group, flows, threads) {
  for (flow in flows) check_density(flow$law)
  read <- encode_rows(newdata, fit$table)
  points <- read$points
  label <- new_group(fit, newdata, group, nrow(points))
  if (nrow(points) == 0) return(numeric())
  volume <- latent_log_volume(fit, points)
  if (fit$latent$dim < ncol(points)) {
    message(sprintf("The density is that of the projection on %s.", fit$latent$description))
  }
  value <- class_log_density(flows, unname(fit$latent$encode(points)), label, threads)
  error <- attr(value, "error")
  value <- as.vector(value)
  value <- value + volume + read$margin
  if (error > 0) attr(value, "error") <- error
  value
}

# The log-densities of latent rows z, each under the flow of its class.
class_log_density <- function(flows, z, label, threads) {
  value <- numeric(nrow(z))
  error <- 0
  for (class in names(flows)) {
    rows <- which(label == class)
    if (length(rows) == 0) next
    one <- flow_log_density(flows[[class]], z[rows, , drop = FALSE], threads)
    value[rows] <- one
    error <- max(error, attr(one, "error"))
  }
  if (anyNA(value)) {
    warning(sprintf(paste("The flow is not one-to-one at %d of %d rows, so they have no density (NaN): lower",
                          "`max_bound` or raise `epsilon`."), sum(is.na(value)), length(value)), call. = FALSE)
  }
  structure(value, error = error)
}

#' The likelihood of a flow
#'
#' The exact log-density of rows under a fit. It comes from the change of variables through the stored steps,
#' \deqn{\log p(x) = \log q(y_k) + \sum_j \log\det(I - \gamma_j
#' J_j(y_{j-1})) + \log|\det A|.}{log p(x) = log q(y_k) + sum_j log det(I - gamma_j
#' J_j(y_(j-1))) + log|det A|.} Here \eqn{y_0} is the encoded row, \eqn{y_j} its position after step \eqn{j} of
#' \eqn{k}, \eqn{\gamma_j} the step size, \eqn{J_j} the Jacobian of the field, \eqn{q} the density of the latent law,
#' and \eqn{A} the derivative of the encoding. The density is therefore in units of the columns.
#'
#' Give rows that the fit has not seen. The training rows are where the particles are, so their likelihood says little.
#' The result is a density only if every step is one-to-one. An inverse-step bound below 1 indicates this (see
#' [efs_forward()]). In a fit with groups, it is the density of the row within its class.
#'
#' Columns that do not vary in the table are left out. If the columns are standardised and a column does not vary
#' within a class, this class has no density, and the function stops. A latent map that keeps fewer dimensions than
#' columns ([latent_pca()]) gives the density of the row's projection within its subspace, in the units of the columns
#' there. A message says so.
#'
#' The determinants are exact up to 128 latent dimensions. In more dimensions the logarithm of the determinant is a
#' series. Its first term is exact, and its next two terms are estimated from random probes. Their standard error (root
#' mean square over the rows, in nats) is the attribute `"error"`.
#'
#' @param object A fit from [efs()] or [smoothed_bootstrap()] whose law has a density (see [laws]).
#' @param newdata Rows with the columns of the table that were not used in the fit, see [predict()][predict.efs].
#' @param group As in [predict()][predict.efs].
#' @param threads As in [efs_forward()].
#' @param ... Not used.
#' @return An object of class `logLik`: the sum of the log-densities, in nats, with the attributes `nobs` (the number
#'   of rows) and `df` (`NA`, because the parameters are not counted). `predict(object, newdata, type = "log_density")`
#'   gives the log-density of each row.
#' @examples
#' set.seed(1)
#' rows <- sample(150, 120)
#' fit <- efs(iris[rows, 1:4], calibrate = FALSE)
#' logLik(fit, iris[-rows, 1:4])
#' mean(predict(fit, iris[-rows, 1:4], type = "log_density"))
#' @export
logLik.efs <- function(object, newdata, group = NULL, threads = NULL, ...) {
  check_dots("logLik()", ...)
  if (missing(newdata)) {
    fail("`newdata` must be given: the likelihood of the training rows says nothing about new ones.")
  }
  each <- stats::predict(object, newdata, type = "log_density", group = group, threads = threads)
  structure(sum(each), nobs = length(each), df = NA_real_, class = "logLik")
}
