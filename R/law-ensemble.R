#' The law "ensemble": random combinations of all particles
#'
#' The centre of the particles plus a combination of their deviations from it, with independent normal weights:
#' \deqn{c + \sum_a e_a (x_a - c) / \sqrt{n - 1}, \qquad e_a \sim N(0, 1).}{c + sum_a e_a (x_a - c) / sqrt(n - 1), e_a
#' ~ N(0, 1).}
#' This is the Gaussian law with the mean and the sample covariance of the particles, without shrinkage. Its draws lie
#' in the subspace that the particles span, so that it suits fewer particles than dimensions. It has no density there.
#'
#' A class of few rows estimates its covariance badly. With `borrowed` above 0 the covariance is
#' \deqn{(1 - b) S + b S_{others},}{(1 - b) S + b S_others,}
#' where \eqn{b} is `borrowed`, \eqn{S} the covariance of the particles, and \eqn{S_{others}}{S_others} that of the rows
#' of `others` about zero. A fit with [latent_genes()] gives the deviations of all rows from the means of their classes.
#'
#' @param borrowed Share of the covariance that comes from `others`, a number from 0 to 1.
#' @param others A list of one matrix `[m, d]`: deviations from which the covariance is borrowed. `NULL`: there are
#'   none.
#' @inherit law_local_covariance return
#' @examples
#' x <- matrix(rnorm(10 * 40), 10)
#' fit <- efs(x, law = law_ensemble(), latent = "none", time = 0)
#' dim(simulate(fit, 100, seed = 1))
#' @family latent laws
#' @export
law_ensemble <- structure(function(borrowed = 0, others = NULL) {
  settings <- given_settings()
  check_number(borrowed, "borrowed", lower = 0, upper = 1)
  if (!is.null(others) && !(is.list(others) && length(others) == 1 && is.matrix(others[[1]]))) {
    fail("`others` must be a list of one matrix, not %s.", describe(others))
  }
  if (borrowed > 0 && is.null(others)) fail("`borrowed` is %s, so `others` must be given.", format(borrowed))
  new_law_kind("ensemble", ensemble_fit, ensemble_draw, settings = settings)
}, class = "law_constructor")

# spread [k, d]: rows whose combinations with independent normal weights have the covariance of the law.
ensemble_fit <- function(points, borrowed = 0, others = NULL) {
  n <- nrow(points)
  if (n < 2) return(NULL)
  if (borrowed > 0 && ncol(others[[1]]) != ncol(points)) {
    fail("`others` must have %d columns, as the particles, not %d.", ncol(points), ncol(others[[1]]))
  }
  centre <- colMeans(points)
  spread <- sqrt((1 - borrowed) / (n - 1)) * sweep(points, 2, centre)
  if (borrowed > 0) spread <- rbind(spread, sqrt(borrowed / nrow(others[[1]])) * others[[1]])
  list(centre = unname(centre), spread = unname(spread))
}

ensemble_draw <- function(law, n, key, threads) {
  draws <- draw_normal(n, nrow(law$spread), key) %*% law$spread
  draws + rep(law$centre, each = n)
}
