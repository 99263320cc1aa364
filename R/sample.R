#' Random samples and permutations, or new rows from a fit
#'
#' An S3 generic whose default is [base::sample()] exactly, so that attaching
#' this package changes no random stream. For a fit it is another name of
#' [simulate()][simulate.efs].
#'
#' @param x A vector to choose from or a positive number, as in
#'   [base::sample()]; or a fit from [efs()].
#' @param size Number of items to choose or of rows to generate.
#' @param replace,prob As in [base::sample()]; not used for a fit.
#' @param ... For a fit: arguments of [simulate()][simulate.efs].
#' @return As [base::sample()]; for a fit, new rows.
#' @examples
#' sample(5)
#' sample(efs(iris[1:4], calibrate = FALSE), 3)
#' @export
sample <- function(x, size, replace = FALSE, prob = NULL, ...) {
  UseMethod("sample")
}

#' @rdname sample
#' @export
sample.default <- function(x, size, replace = FALSE, prob = NULL, ...) {
  if (missing(size)) {
    base::sample(x, replace = replace, prob = prob, ...)
  } else {
    base::sample(x, size, replace = replace, prob = prob, ...)
  }
}

#' @rdname sample
#' @export
sample.particle_flow <- function(x, size = 1, replace = FALSE, prob = NULL, ...) {
  simulate(x, nsim = size, ...)
}
