#' A path between two rows
#'
#' Draws a straight line between the latent positions of two training rows and carries it back to the data. If the flow
#' has spread the rows evenly, the path follows the bends of the data. It does so best after a flow of many particles
#' (see [efs()]), because the rows are then spread over a ball, so that the line crosses few empty places.
#'
#' @param object A fit from [efs()], without `strip = TRUE`.
#' @param from,to Row numbers of the training table. In a fit with groups both rows must be of the same class.
#' @param n Number of points, both ends included, a whole number of at least 2.
#' @param ... Passed to methods.
#' @param threads See [efs_forward()].
#' @return `n` rows in the form of the table, from row `from` to row `to`. The attribute `"latent"` is the `[n, d]`
#'   matrix of the points of the line on the latent side, in the unit of the flow.
#' @references
#' Daneshmand H, Soleymani A (2025), Figures 2 and 5.
#' \doi{10.48550/arXiv.2507.08239}
#' @examples
#' fit <- efs(iris, group = "Species", calibrate = FALSE)
#' interpolate(fit, from = 3, to = 40, n = 5)
#' @export
interpolate <- function(object, ...) UseMethod("interpolate")

#' @rdname interpolate
#' @export
interpolate.efs <- function(object, from, to, n = 20, threads = NULL, ...) {
  check_dots("interpolate()", ...)
  check_not_stripped(class_flows(object), "a path joins two of them")
  total <- sum(lengths(object$rows))
  from <- check_row(from, "from", total)
  to <- check_row(to, "to", total)
  n <- check_rows(n, "n", object$latent$dim + n_columns(object$table), 2L)
  class <- vapply(c(from, to), function(row) {
    names(object$rows)[vapply(object$rows, function(rows) row %in% rows, NA)]
  }, "")
  if (class[1] != class[2]) {
    fail(paste("Rows %d and %d belong to different classes (\"%s\", \"%s\"), which have flows of their own; choose two",
               "rows of one class."),
         from, to, class[1], class[2])
  }
  latent <- predict(object, type = "latent")
  t <- seq(0, 1, length.out = n)
  line <- (1 - t) %o% latent[from, ] + t %o% latent[to, ]
  path <- predict(object, line, type = "data", group = if (is_grouped(object)) rep(class[1], n),
                  threads = threads)
  set_attribute(path, "latent", line)
}

check_row <- function(row, what, total) {
  row <- check_count(row, what, 1L)
  if (row > total) fail("`%s` is row %d, but the fit has %d rows.", what, row, total)
  row
}
