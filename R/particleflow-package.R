#' particleflow: new samples from a table by moving points
#'
#' Makes new rows that resemble the rows of a table. [synthesise()] takes any table, with numbers, dates, factors and
#' missing values, and chooses a law by held-out likelihood. Estimation-free sampling, [efs()], carries particles
#' towards an equilibrium law by gradient descent of a repulsive-attractive energy, draws new latent points there, and
#' carries them back through the exact inverse of every step. No network is trained for this. The particles are the rows
#' or, in one to three dimensions, points that follow a law of the rows; a latent law is fitted where the flow ends. The
#' result depends only on the rows, the settings and the seed.
#'
#' Start with [synthesise()] and [simulate()][simulate.synthesis] for any table, or with [efs()] and
#' [simulate()][simulate.efs] for measurements. [predict()][predict.efs] of a flow of many particles gives
#' center-outward ranks, and [rank_test()] compares two samples by them. [efs_forward()], [efs_augment()] and
#' [efs_backward()] are the three steps of the method, one by one. [novelty()] distinguishes new rows from copies.
#' [energy_distance()] and related scores say how close new rows are to the data. [energy_test()] says whether the
#' distance may be due to chance.
#'
#' [gpa()] carries the rows of one table to the law of another, by the gradient flow of a divergence. A small network,
#' trained during the flow, estimates the potential of this divergence. [energy_flow()] does the same by sorting, for
#' large tables.
#'
#' @section Before you share anything:
#' A fit contains the training rows, and new rows are close to them. Nothing in this package makes data anonymous.
#'
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation. \doi{10.48550/arXiv.2507.08239}
#'
#' Gu H, Birmpa P, Pantazis Y, Rey-Bellet L, Katsoulakis MA (2024). Lipschitz-regularized gradient flows and generative
#' particle algorithms for high-dimensional scarce data. SIAM Journal on Mathematics of Data Science 6(4).
#' \doi{10.1137/23M1587841}
#'
#' @useDynLib particleflow, .registration = TRUE, .fixes = "C_"
#' @importFrom generics tidy glance
#' @importFrom stats simulate predict logLik
#' @keywords internal
"_PACKAGE"

#' @export
generics::tidy

#' @export
generics::glance
