#' The law "ensemble": random combinations of all particles
#'
#' The centre of the particles plus a combination of their deviations from it, with normal weights:
#' \deqn{c + \sum_a e_a (x_a - c) / \sqrt{n - 1}, \qquad e_a \sim N(0, 1).}{c + sum_a e_a (x_a - c) / sqrt(n - 1), e_a
#' ~ N(0, 1).}
#' This is the Gaussian law with the mean and the sample covariance of the particles, without shrinkage. Its draws lie
#' in the subspace that the particles span, so that it suits fewer particles than dimensions. It has no density there.
#'
#' @section Balanced draws:
#' With fewer particles than dimensions, the error of the centre of the particles is large over all dimensions
#' together. The centre of independent draws has an error of the same size in addition. So a set of independent draws
#' is farther from the true law than a second sample of real rows is: with n particles, n draws and n other real rows,
#' each difference between the centres of draws and other rows has the variance 3/n instead of 2/n, and the same holds
#' for covariances. `balanced = TRUE` takes this additional error away. The draws come in batches of n, one draw per
#' particle. The weights of a batch are a random rotation \eqn{Q}, uniform among all rotations that keep the centre:
#' \deqn{c + \sum_a Q_{ia} (x_a - c), \qquad i = 1, \dots, n.}{c + sum_a Q_ia (x_a - c), i = 1, .., n.}
#' Of two particles a batch has 10 draws, because a rotation of these two would be a copy of them.
#' A batch has the centre and the sample covariance of the particles exactly. Its first m rows are like m rows drawn
#' without replacement. Rows of different batches are independent; those of one batch are not. So standard errors that
#' are computed from such draws as if they were independent say nothing about other studies, and groups that are drawn
#' one by one differ as those of the particles do, without error of sampling. A study of power needs
#' `balanced = FALSE`. Of the borrowed part of the covariance only the centre is balanced.
#'
#' A class of few rows estimates its covariance badly. With `borrowed` above 0 the covariance is
#' \deqn{(1 - b) S + b S_{others},}{(1 - b) S + b S_others,}
#' where \eqn{b} is `borrowed`, \eqn{S} the covariance of the particles, and \eqn{S_{others}}{S_others} that of the rows
#' of `others` about zero. A fit with [latent_genes()] gives the deviations of all rows from the means of their classes.
#'
#' @param borrowed Share of the covariance that comes from `others`, a number from 0 to 1.
#' @param others A list of one matrix `[m, d]`: deviations from which the covariance is borrowed. `NULL`: there are
#'   none.
#' @param balanced `TRUE`: draws come in balanced batches, see the section on them; `FALSE`: they are independent.
#' @inherit law_local_covariance return
#' @examples
#' x <- matrix(rnorm(10 * 40), 10)
#' fit <- efs(x, law = law_ensemble(), latent = "none", time = 0)
#' dim(simulate(fit, 100, seed = 1))
#' @family latent laws
#' @export
law_ensemble <- structure(function(borrowed = 0, others = NULL, balanced = TRUE) {
  settings <- given_settings()
  check_number(borrowed, "borrowed", lower = 0, upper = 1)
  if (!is.null(others) && !(is.list(others) && length(others) == 1 && is.matrix(others[[1]]))) {
    fail("`others` must be a list of one matrix, not %s.", describe(others))
  }
  if (borrowed > 0 && is.null(others)) fail("`borrowed` is %s, so `others` must be given.", format(borrowed))
  check_flag(balanced, "balanced")
  new_law_kind("ensemble", ensemble_fit, ensemble_draw, settings = settings)
}, class = "law_constructor")

# own [n, d], others [k, d]: rows whose combinations with normal weights of variance 1 have the covariance of the law.
ensemble_fit <- function(points, borrowed = 0, others = NULL, balanced = TRUE) {
  n <- nrow(points)
  if (n < 2) return(NULL)
  if (borrowed > 0 && ncol(others[[1]]) != ncol(points)) {
    fail("`others` must have %d columns, as the particles, not %d.", ncol(points), ncol(others[[1]]))
  }
  points <- unname(points)
  centre <- colMeans(points)
  list(centre = centre, own = sqrt((1 - borrowed) / (n - 1)) * sweep(points, 2, centre),
       others = if (borrowed > 0) unname(sqrt(borrowed / nrow(others[[1]])) * others[[1]]), balanced = balanced)
}

batch_of_two <- 10L

# Row i depends on (key, i) and, if balanced, on the other rows of its batch, whatever n is.
ensemble_draw <- function(law, n, key, threads) {
  particles <- nrow(law$own)
  size <- if (!law$balanced) max(n, 1) else if (particles > 2) particles else batch_of_two
  columns <- particles - law$balanced
  noise <- draw_normal(size * ceiling(n / size), columns + NROW(law$others), key)
  draws <- matrix(0, nrow(noise), ncol(law$own))
  for (batch in seq_len(nrow(noise) %/% size)) {
    rows <- (batch - 1) * size + seq_len(size)
    weights <- noise[rows, seq_len(columns), drop = FALSE]
    rest <- noise[rows, columns + seq_len(NROW(law$others)), drop = FALSE]
    if (law$balanced) {
      weights <- centred_rotation(weights)
      rest <- sweep(rest, 2, colMeans(rest)) * sqrt(size / (size - 1))
    }
    draws[rows, ] <- weights %*% law$own
    if (ncol(rest)) draws[rows, ] <- draws[rows, , drop = FALSE] + rest %*% law$others
  }
  draws[seq_len(n), , drop = FALSE] + rep(law$centre, each = n)
}

# Weights [N, n] with the mean 0 and the covariance of n particles about their mean: from noise [N, n - 1], which is
# normal. Its orthonormal columns are uniform if the signs are those of the triangle, whatever signs the decomposition
# chooses.
centred_rotation <- function(noise) {
  rows <- nrow(noise)
  parts <- qr(sweep(noise, 2, colMeans(noise)))
  columns <- qr.Q(parts) * rep(sign(diag(as.matrix(qr.R(parts)))), each = rows)
  sqrt(rows - 1) * tcrossprod(columns, centred_basis(ncol(noise) + 1))
}

# [n, n - 1]: an orthonormal basis of the vectors with the sum 0.
centred_basis <- function(n) {
  contrasts <- unname(stats::contr.helmert(n))
  contrasts * rep(1 / sqrt(colSums(contrasts^2)), each = n)
}
