#' Smoothed bootstrap
#'
#' Draws a row at random and adds Gaussian noise. This is the plain alternative, against which a flow has to show its
#' use. With `covariance = "global"` the noise has the shape of the covariance of all rows. The sum is shrunk towards
#' the centre, so that mean and covariance stay those of the data (see [law_global()]). With `covariance = "local"` the
#' noise has the shape of the covariance of each row's nearest neighbours, shrunk towards a round shape (see
#' [law_local_covariance()]). The bandwidth and, for `"local"`, the other settings of the law are those of the highest
#' held-out log-likelihood, as in [efs()]. A class of fewer than 20 rows is not searched. Its settings are the defaults
#' of the law.
#'
#' The fit is a fit of [efs()] without a flow, so all methods of such a fit work: [simulate()][simulate.efs],
#' [predict()][predict.efs], [logLik()][logLik.efs]. Errors are those of [efs()].
#'
#' @param x,group,latent,blocks,density_floor,threads,progress As in [efs()].
#' @param bandwidth `NULL`, or a number above 0. For `"global"` it is the standard deviation of the noise relative to
#'   that of the rows. For `"local"` it is relative to that of the 20 nearest neighbours, with shrinkage 0.1.
#' @param covariance Shape of the noise, `"global"` or `"local"`.
#' @return A fit of class `c("smoothed_bootstrap", "efs", "particle_flow")`, see [efs()].
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
