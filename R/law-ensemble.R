#' The law "ensemble": random combinations of all particles
#'
#' The centre of the particles plus a combination of their deviations from it, with normal weights:
#' \deqn{c + \sum_a e_a (x_a - c) / \sqrt{n - 1}, \qquad e_a \sim N(0, 1).}{c + sum_a e_a (x_a - c) / sqrt(n - 1), e_a
#' ~ N(0, 1).}
#' This is the Gaussian law with the mean and the sample covariance of the particles, without shrinkage. Its draws lie
#' in the subspace that the particles span, so that it suits fewer particles than dimensions. It has no density there.
#' Of more than 2000 particles, and more than twice the number of dimensions, the law knows a sample, see [laws].
#'
#' @section Balanced draws:
#' With fewer particles than dimensions, the error of the centre of the particles is large over all dimensions together.
#' The centre of independent draws has an error of the same size in addition. So a set of independent draws is farther
#' from the true law than a second sample of real rows is: with n particles, n draws and n other real rows, each
#' difference between the centres of draws and other rows has the variance 3/n instead of 2/n in units of the variance
#' of a row. The same holds for covariances. `balanced = TRUE` takes this additional error away. The draws come in
#' batches of n, one draw per particle. The weights of a batch are a random rotation \eqn{Q}, uniform among all
#' rotations that keep the centre:
#' \deqn{c + \sum_a Q_{ia} (x_a - c), \qquad i = 1, \dots, n.}{c + sum_a Q_ia (x_a - c), i = 1, .., n.}
#' Of two particles a batch has 10 draws, because a rotation of these two would be a copy of them. A batch has the
#' centre and the sample covariance of the particles exactly (of `borrowed` covariance only the centre). Its first m
#' rows are like m rows drawn without replacement. Rows of different batches are independent; those of one batch are
#' not. So standard errors that are computed from such draws as if they were independent say nothing about other
#' studies, and groups that are drawn one by one differ as those of the particles do, without error of sampling. A study
#' of power needs `balanced = FALSE`. A batch takes time that grows with the cube of n, about six seconds for 2000
#' particles, also if only one row of it is wanted.
#'
#' With several `clusters` the law is a mixture: Ward's hierarchy on the leading 10 coordinates puts the particles into
#' clusters, and each cluster has its own centre and covariance and the share of its particles. Its covariance is
#' \eqn{(1 - b) S_k + b S_{others}}{(1 - b) S_k + b S_others} with
#' \eqn{b = \mathrm{prior} / (\mathrm{prior} + n_k - 1)}{b = prior / (prior + n_k - 1)}, where
#' \eqn{S_{others}}{S_others} is the covariance within the other clusters. A balanced batch has as many draws of each
#' cluster as it has particles.
#'
#' A class of few rows estimates its covariance badly. With `borrowed` above 0 the covariance is
#' \deqn{(1 - b) S + b S_{others},}{(1 - b) S + b S_others,}
#' where \eqn{b} is `borrowed`, \eqn{S} the covariance of the particles, and \eqn{S_{others}}{S_others} that of the rows
#' of `others` about zero. A fit with [latent_genes()] gives the deviations of all rows from the means of their classes.
#' A fit with [latent_genes()] or [latent_counts()] and without classes chooses the number of clusters, 1 to 10 with at
#' least 5 samples each, and the prior by the likelihood of left-out samples on the leading coordinates.
#'
#' @param borrowed Share of the covariance that comes from `others`, a number from 0 to 1.
#' @param others A list of one matrix `[m, d]`: deviations from which the covariance is borrowed. `NULL`: there are
#'   none.
#' @param balanced `TRUE`: draws come in balanced batches, see the section on them; `FALSE`: they are independent.
#' @param clusters Number of clusters, a whole number of at least 1.
#' @param prior The number of particles that the covariance of the other clusters counts for, a number of at least 0.
#'   Only used with several clusters.
#' @inherit law_local_covariance return
#' @examples
#' x <- matrix(rnorm(10 * 40), 10)
#' fit <- efs(x, law = law_ensemble(), latent = "none", time = 0)
#' dim(simulate(fit, 100, seed = 1))
#' @family latent laws
#' @export
law_ensemble <- structure(function(borrowed = 0, others = NULL, balanced = TRUE, clusters = 1, prior = 5) {
  settings <- given_settings()
  check_number(borrowed, "borrowed", lower = 0, upper = 1)
  if (!is.null(others) && !holds_one_matrix(others)) {
    fail("`others` must be a list of one matrix of finite numbers with at least one row, not %s.", describe(others))
  }
  if (borrowed > 0 && is.null(others)) fail("`borrowed` is %s, so `others` must be given.", format(borrowed))
  check_flag(balanced, "balanced")
  check_count(clusters, "clusters", 1L)
  check_number(prior, "prior", lower = 0)
  if (clusters > 1 && borrowed > 0) fail("`borrowed` must be 0 with several clusters, which borrow from each other.")
  new_law_kind("ensemble", ensemble_fit, ensemble_draw, settings = settings, most_rows = ensemble_rows)
}, class = "law_constructor")

holds_one_matrix <- function(others) {
  if (!is.list(others) || length(others) != 1) return(FALSE)
  one <- others[[1]]
  is.matrix(one) && is.numeric(one) && nrow(one) > 0 && all(is.finite(one))
}

# A list of one part per cluster, see ensemble_part(), and the clusters of the particles.
ensemble_fit <- function(points, borrowed = 0, others = NULL, balanced = TRUE, clusters = 1, prior = 5) {
  n <- nrow(points)
  if (n < 2) return(NULL)
  if (borrowed > 0 && ncol(others[[1]]) != ncol(points)) {
    fail("`others` must have %d columns, as the particles, not %d.", ncol(points), ncol(others[[1]]))
  }
  points <- unname(points)
  if (clusters > n) stop_unfit("`clusters` must be at most %d for %d particles, not %d.", n, n, clusters)
  of <- ward_classes(leading_columns(points), clusters)
  rows <- split(seq_len(n), of)
  if (any(lengths(rows) < 2)) return(NULL)
  parts <- lapply(names(rows), function(k) {
    own <- points[rows[[k]], , drop = FALSE]
    if (length(rows) == 1) return(ensemble_part(own, borrowed, others[[1]]))
    ensemble_part(own, prior / (prior + nrow(own) - 1), other_deviations(points, rows, k))
  })
  list(parts = parts, of = of, balanced = balanced)
}

# Only the settings that matter: one cluster has no prior, and several borrow by their prior.
#' @export
format.law_ensemble <- function(x, ...) {
  check_dots("format()", ...)
  used <- used_settings(x)
  shown <- c("borrowed"[isTRUE(used$borrowed > 0)], if (isTRUE(used$clusters > 1)) c("clusters", "prior"),
             "balanced"[isFALSE(used$balanced)])
  law_words(x$name, used[shown])
}

# centre [d]; own [n, d], others [k, d]: rows whose combinations with normal weights of variance 1 have the covariance.
ensemble_part <- function(points, borrowed, others) {
  centre <- colMeans(points)
  list(centre = centre, own = sqrt((1 - borrowed) / (nrow(points) - 1)) * sweep(points, 2, centre),
       others = if (borrowed > 0) unname(sqrt(borrowed / nrow(others)) * others))
}

# The columns by which particles are put into clusters.
leading_columns <- function(points) points[, seq_len(min(ncol(points), most_leading)), drop = FALSE]

most_leading <- 10L

# The deviations of the rows of other classes from the means of their classes [m, d], times a factor that makes their
# mean square the pooled variance.
other_deviations <- function(z, rows, class) {
  others <- rows[names(rows) != class]
  parts <- lapply(others, function(at) sweep(z[at, , drop = FALSE], 2, colMeans(z[at, , drop = FALSE])))
  found <- do.call(rbind, parts)
  found * sqrt(nrow(found) / (nrow(found) - length(others)))
}

# The number of rows of a batch: as many as there are particles, but ten of two particles, see the help.
set_size <- function(particles) ifelse(particles > 2, particles, batch_of_two)

batch_of_two <- 10L

# Row i depends on (key, i) and, if balanced, on the other rows of its batch, whatever n is.
ensemble_draw <- function(law, n, key, threads) {
  particles <- length(law$of)
  size <- set_size(particles)
  batches <- ceiling(n / size)
  total <- if (law$balanced) size * batches else n
  places <- draw_uniform(total, 1L, other_key(key, 0L))[, 1]
  draws <- matrix(0, total, ncol(law$parts[[1]]$own))
  if (law$balanced) {
    # each batch has its rows in random order
    batch <- rep(seq_len(batches), each = size)
    of <- rep(rep_len(law$of, size), batches)[order(order(batch, places))]
  } else {
    of <- law$of[pick(places, particles)]
  }
  for (k in seq_along(law$parts)) {
    rows <- which(of == k)
    draws[rows, ] <- draw_part(law$parts[[k]], rows, if (law$balanced) batch[rows], total, other_key(key, k))
  }
  draws[seq_len(n), , drop = FALSE]
}

# Draws of one part [length(rows), d] for the rows `rows` of `total`. batch: the batch of each row; NULL: not balanced.
draw_part <- function(part, rows, batch, total, key) {
  columns <- nrow(part$own) - !is.null(batch)
  noise <- draw_normal(total, columns + NROW(part$others), key)[rows, , drop = FALSE]
  draws <- matrix(rep(part$centre, each = length(rows)), length(rows), length(part$centre))
  sets <- if (is.null(batch)) list(seq_along(rows)) else split(seq_along(rows), batch)
  for (set in sets) {
    weights <- noise[set, seq_len(columns), drop = FALSE]
    rest <- noise[set, columns + seq_len(NROW(part$others)), drop = FALSE]
    if (!is.null(batch)) {
      weights <- centred_rotation(weights)
      rest <- sweep(rest, 2, colMeans(rest)) * sqrt(length(set) / (length(set) - 1))
    }
    draws[set, ] <- draws[set, , drop = FALSE] + weights %*% part$own
    if (ncol(rest)) draws[set, ] <- draws[set, , drop = FALSE] + rest %*% part$others
  }
  draws
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
