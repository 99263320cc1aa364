#' The settings printed in the paper
#'
#' The arguments of [efs()] for the three experiments of Table 1 of the paper, for replication. With these arguments
#' the new rows are nearly copies of the training rows, because the softening is far below the spacing of the rows. On
#' the way back every particle therefore attracts the points near it. The distance of the median new row from its
#' nearest training row is about 1 to 15 % of that of a fresh observation. The range is wide because the paper does not
#' state the scale of its data.
#'
#' @param experiment `"gmm"` (Gaussian mixture in the plane, 400 rows), `"swissroll"` (in the plane, 500 rows) or
#'   `"mnist"` (15 dimensions of an autoencoder, 15,000 rows).
#' @return A named list of arguments for [efs()].
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Table 1. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' x <- rbind(matrix(rnorm(100, -2), ncol = 2), matrix(rnorm(100, 2), ncol = 2))
#' fit <- do.call(efs, c(list(x), efs_paper("gmm")))
#' novelty(simulate(fit, 100, seed = 1), x)
#' @export
efs_paper <- function(experiment = c("gmm", "swissroll", "mnist")) {
  experiment <- check_choice(experiment, c("gmm", "swissroll", "mnist"), "experiment")
  printed <- switch(
    experiment,
    gmm = list(s = 1, step = 0.1, n_steps = 31, beta = 0.1),
    swissroll = list(s = 0, step = 0.05, n_steps = 120, beta = 0.1),
    mnist = list(s = 13, step = 0.05, n_steps = 120, beta = 0.01)
  )
  c(printed, list(
    epsilon = 0.001, n_inner = 300, max_bound = Inf, law = "sphere", backward = "paper",
    latent = "none", scale = FALSE, min_rows = 2
  ))
}
