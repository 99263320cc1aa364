#' particleflow: new samples from a table by moving points
#'
#' Makes new samples that resemble the rows of a numeric table. Estimation-free
#' sampling, [efs()], carries the rows to a known equilibrium law by gradient
#' descent of a repulsive-attractive energy, draws a fresh latent point there,
#' and carries it back through the exact inverse of every step. There is no
#' model to fit and no training; the result is a pure function of the rows, the
#' settings and the seed.
#'
#' Start with [efs()] and [simulate()][simulate.efs]; [efs_forward()],
#' [efs_augment()] and [efs_backward()] are the three steps by hand;
#' [novelty()] tells new rows from copies, [energy_distance()] and its relatives
#' say how close they are, [energy_test()] whether the distance may be chance.
#'
#' [gpa()] carries the rows of one table to the law of another, by the gradient flow of a divergence whose potential is
#' a small network trained on the way.
#'
#' @section A word before you share anything:
#' A fit contains the training rows, and new rows are close to them. Nothing in
#' this package makes data anonymous.
#'
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation. \doi{10.48550/arXiv.2507.08239}
#'
#' Gu H, Birmpa P, Pantazis Y, Rey-Bellet L, Katsoulakis MA (2024). Lipschitz-regularized gradient flows and
#' generative particle algorithms for high-dimensional scarce data. SIAM Journal on Mathematics of Data Science 6(4). \doi{10.1137/23M1587841}
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
