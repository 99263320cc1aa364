#' Smoothed bootstrap
#'
#' A row drawn at random plus Gaussian noise: the plain alternative that a flow has
#' to beat. With `covariance = "global"` the noise has the shape of the covariance of all
#' rows (and the sum is drawn in towards the centre, so that mean and covariance stay
#' what they are in the data), with `"local"` that of each row's nearest neighbours, shrunk towards the
#' sphere. Bandwidth, and for `"local"` neighbours and shrinkage, are those of the
#' highest held-out log-likelihood, as in [efs()].
#'
#' It is the flow of no steps of [efs()], so that all methods of a fit work:
#' [simulate()][simulate.efs], [predict()][predict.efs], [logLik()][logLik.efs].
#'
#' @param x,group,latent,blocks,density_floor,threads,progress As in [efs()].
#' @param bandwidth `NULL`, or a number above 0: for `"global"` the standard deviation
#'   of the noise over that of the rows, for `"local"` over that of the
#'   neighbours (20, shrinkage 0.1).
#' @param covariance Shape of the noise.
#' @return A fit of class `c("smoothed_bootstrap", "efs", "particle_flow")`.
#' @references Silverman BW (1986). Density Estimation for Statistics and Data
#'   Analysis, section 6.4. Chapman and Hall.
#' @examples
#' fit <- smoothed_bootstrap(iris[1:4])
#' simulate(fit, 3, seed = 1)
#' @export
smoothed_bootstrap <- function(x, bandwidth = NULL, covariance = c("global", "local"), group = NULL, latent = NULL,
                               blocks = NULL, density_floor = 0, threads = NULL, progress = NULL) {
  covariance <- check_choice(covariance, c("global", "local"), "covariance")
  if (!is.null(bandwidth)) bandwidth <- check_number(bandwidth, "bandwidth", lower = 0, open_lower = TRUE)
  law <- if (covariance == "global") "global" else "local_covariance"
  fit <- efs.default(x, group = group, latent = latent, blocks = blocks, time = 0, s = -1, law = law,
                     law_settings = if (is.null(bandwidth)) list() else list(jitter = bandwidth),
                     density_floor = density_floor, threads = threads, progress = progress)
  fit$call <- record_call(match.call(), "smoothed_bootstrap")
  class(fit) <- c("smoothed_bootstrap", class(fit))
  fit
}
