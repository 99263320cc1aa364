# Mixtures of t laws beside tempered particles: where they start, where they jump to, and the density at the end.

# list(log_density [n], gradient [n, d]). The gradient of component k is -(nu + d) / (nu + length) C^-1 (x - m), and
# that of the mixture their mean with the probabilities of the components as weights.
mixture_values <- function(law, points, threads) {
  d <- ncol(points)
  lengths <- squared_lengths(points, law$means, law$roots, threads)
  each <- mixture_parts(law, points, threads, lengths)
  top <- each[cbind(seq_len(nrow(each)), max.col(each, "first"))]
  total <- top + log(rowSums(exp(each - top)))
  gradient <- matrix(0, nrow(points), d)
  for (k in seq_along(law$roots)) {
    share <- exp(each[, k] - total)
    rows <- which(share > 1e-12)
    away <- points[rows, , drop = FALSE] - rep(law$means[k, ], each = length(rows))
    pull <- share[rows] * (law$df[k] + d) / (law$df[k] + lengths[rows, k])
    gradient[rows, ] <- gradient[rows, , drop = FALSE] - pull * (away %*% chol2inv(law$roots[[k]]))
  }
  list(log_density = total, gradient = gradient)
}

# ---- where the particles start ---------------------------------------------------------------------------

# A share of the start law is wide, because a mode may have been missed and tails may be heavier than a mode shows.
wide_start_share <- 0.3

# modes: of find_modes(). wide: a mixture. The components at the modes are t laws with twice the covariance. Half of
# their mass is divided equally, half by the square root of the mass of the normal law that fits the mode, because this
# law may be far off.
tempered_start <- function(modes, wide) {
  modes <- list(points = rbind(modes$points, modes$ridge$points), roots = c(modes$roots, modes$ridge$roots),
                log_density = c(modes$log_density, modes$ridge$log_density))
  m <- length(modes$roots)
  if (m == 0) return(wide)
  mass <- mode_log_mass(modes) / 2
  mass <- exp(mass - max(mass))
  share <- 0.5 / m + 0.5 * mass / sum(mass)
  list(weights = c((1 - wide_start_share) * share, wide_start_share * wide$weights),
       means = rbind(modes$points, wide$means, deparse.level = 0),
       roots = c(lapply(modes$roots, `*`, sqrt(2)), wide$roots), df = c(rep(5, m), wide$df))
}

# ---- fitted to particles ---------------------------------------------------------------------------------

# Numbers of components and degrees of freedom that are compared.
mixture_sizes <- c(1L, 2L, 3L, 5L, 8L, 12L)
mixture_tails <- c(4, 12, 40)

# The mixture with the best BIC. It grows until two sizes in a row do not help.
choose_mixture <- function(points, unit) {
  z <- into_unit(points, unit)
  best <- NULL
  memo <- new.env(parent = emptyenv())
  for (size in mixture_sizes[mixture_sizes == 1 | mixture_sizes * 4 * (ncol(z) + 1) <= nrow(z)]) {
    classes <- if (size == 1) rep(1L, nrow(z)) else ward_classes(z, size, memo)
    tails <- if (is.null(best)) mixture_tails else best$tail
    fits <- Filter(Negate(is.null), lapply(tails, function(tail) fit_mixture_t(z, classes, size, tail)))
    if (!length(fits)) break
    fit <- fits[[which.max(vapply(fits, `[[`, 0, "score"))]]
    worse <- if (is.null(best) || fit$score > best$score) 0L else worse + 1L
    if (worse == 0L) best <- fit
    if (worse == 2L) break
  }
  if (is.null(best)) return(plain_mixture(points))
  out_of_unit(best, unit)
}

# From the classes that a mixture of the same size gives the points.
refit_mixture <- function(points, law, unit, threads) {
  classes <- likeliest_part(law, points, threads)
  fit <- fit_mixture_t(into_unit(points, unit), classes, length(law$weights), law$tail)
  if (is.null(fit)) plain_mixture(points) else out_of_unit(fit, unit)
}

# NULL if the algorithm fails.
fit_mixture_t <- function(z, classes, size, tail) {
  d <- ncol(z)
  fit <- fit_student(z, classes, size, tail, min(d + 2, 6), 30L)
  if (is.null(fit)) return(NULL)
  law <- list(weights = pmax(fit$rows, 1e-3) / sum(pmax(fit$rows, 1e-3)), means = fit$means, roots = fit$roots,
              df = rep(tail, size), tail = tail)
  value <- sum(mixture_log_values(law, z, thread_count()))
  if (!is.finite(value)) return(NULL)
  law$score <- value - log(nrow(z)) / 2 * size * (1 + d + d * (d + 1) / 2)
  law
}

# The mean covariance within the components, as a unit: the scale of the density where it has several modes.
within_unit <- function(law) {
  list(centre = colSums(law$weights * law$means), root = definite_root(pooled_covariance(law)))
}

# One t law with the mean and the covariance of the points.
plain_mixture <- function(points) {
  list(weights = 1, means = matrix(colMeans(points), 1), roots = list(points_unit(points)$root), df = 4, tail = 4)
}

# list(centre [d], root [d, d]): R'R = the covariance of the points, a little widened so that it is never singular.
points_unit <- function(points) {
  spread <- column_spread(points)
  covariance <- stats::cov(points) + diag(1e-8 * spread^2, ncol(points))
  list(centre = colMeans(points), root = definite_root(covariance))
}

into_unit <- function(points, unit) {
  t(backsolve(unit$root, t(points) - unit$centre, transpose = TRUE))
}

# z R + centre
from_unit <- function(z, unit) z %*% unit$root + rep(unit$centre, each = nrow(z))

out_of_unit <- function(law, unit) {
  law$means <- from_unit(law$means, unit)
  law$roots <- lapply(law$roots, `%*%`, unit$root)
  law
}
