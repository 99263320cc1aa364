#' Random samples and permutations, or new rows from a fit
#'
#' An S3 generic. Its default is exactly [base::sample()], so attaching this package changes no random stream. For a
#' fit, `sample()` is another name of [simulate()][simulate.efs].
#'
#' @param x A vector to choose from or a positive number, as in [base::sample()]; or a fit from [efs()].
#' @param size Number of items to choose, or number of rows to generate.
#' @param replace,prob As in [base::sample()]. Not used for a fit.
#' @param ... For a fit: arguments of [simulate()][simulate.efs].
#' @return The value of [base::sample()]. For a fit: `size` new rows, see [simulate()][simulate.efs].
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
