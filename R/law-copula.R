#' The law "copula": normal scores of each coordinate, and a law of these scores
#'
#' A monotone map turns each coordinate into normal scores. The scores have a normal law with their correlations, or
#' another law (`base`). The law suits skewed columns. With `base = "normal"` it suits data without clusters, with
#' another base also clusters and curved shapes.
#'
#' The map is \eqn{\Phi^{-1}(F(x))}{Phi^(-1)(F(x))}. In the middle, F is the kernel estimate of the distribution
#' function. Each tail is a generalised Pareto distribution: it begins at the outer 5 % of the values, or at the outer
#' ten values if these are more, but at most at the outer quarter. The map is linear between at most about 260 knots.
#'
#' A search tries the bandwidths 0.7 and 1.4 with a normal base. With the bandwidth 0.7 it also tries those candidates
#' of other laws that are marked for it (see `in_scores` of [law_kind()]).
#'
#' @param bandwidth Bandwidth of the kernel estimate, as a multiple of the rule of thumb [stats::bw.nrd0()]; a number
#'   above 0.
#' @param base Law of the scores: `"normal"`, `"student"`, `"local_covariance"`, or a law with a density, such as
#'   `law_student(df = 3)`.
#' @param ... Settings of `base`.
#' @return An object of class `law_kind`, see [laws].
#' @references
#' Hosking JRM, Wallis JR (1987). Parameter and quantile estimation for the generalized Pareto
#' distribution. Technometrics 29. \doi{10.2307/1269343} (the tails)
#' @examples
#' law_copula(base = law_student(df = 3))
#' efs(iris[51:100, 3:4], law = law_copula(bandwidth = 0.7), time = 0)
#' @family latent laws
#' @export
law_copula <- structure(function(bandwidth = 1, base = "normal", ...) {
  settings <- given_settings()
  check_number(bandwidth, "bandwidth", lower = 0, open_lower = TRUE)
  check_copula_base(base, list(...))
  if (inherits(base, "law_constructor")) settings$base <- base()
  new_law_kind("copula", copula_fit, copula_draw, copula_density, copula_candidates, settings, spherical = FALSE,
               searched = 4, upon = copula_upon, components = copula_components)
}, class = "law_constructor")

copula_candidates <- function(n, d) list(list(bandwidth = 0.7), list(bandwidth = 1.4))

# The bandwidth of the maps if another law is fitted to the scores. It is the smaller one, because that law smooths,
# too.
bandwidth_of_scores <- 0.7

# Candidates of other laws, fitted to the normal scores, for skewed columns.
copula_upon <- function(candidates) {
  worth <- Filter(function(one) {
    in_scores <- one$kind$in_scores
    isTRUE(if (is.function(in_scores)) on_own_stream(in_scores(one$settings)) else in_scores)
  }, candidates)
  lapply(worth, function(one) {
    base <- list(bandwidth = bandwidth_of_scores, base = law_reference(one$kind))
    new_candidate(law_copula(), c(base, one$settings), one$sweep)
  })
}

check_copula_base <- function(base, settings) {
  check_settings(settings, "...")
  if (identical(base, "normal")) {
    if (length(settings)) fail("The law \"copula\" with `base` = \"normal\" has no further setting than `bandwidth`.")
    return(invisible())
  }
  kind <- as_law(base, settings, "base", choices = c("normal", laws_in_scores()))
  if (is.null(kind$density)) fail("The law \"%s\" has no density and cannot be the `base` of a copula.", kind$name)
}

# The law of the scores as a kind. NULL: normal.
copula_base <- function(base, settings) {
  if (identical(base, "normal")) return(NULL)
  kind <- if (is.character(base)) our_law(base) else base
  kind$settings[names(settings)] <- settings
  kind
}

laws_in_scores <- function() {
  names(Filter(function(kind) is.function(kind$in_scores) || kind$in_scores, searched_laws()))
}

copula_fit <- function(points, s, bandwidth = 1, base = "normal", ..., memo = NULL) {
  kind <- copula_base(base, list(...))
  normal <- remembered(memo, paste("copula", bandwidth), normal_scores(points, bandwidth))
  maps <- normal$maps
  scores <- normal$scores
  if (!is.null(kind)) return(list(maps = maps, base = fit_law(kind, scores, s, normal$memo), bandwidth = bandwidth))
  correlation <- stats::cor(scores)
  # correlations are shrunk towards 0 by the relative noise of an entry, which also keeps the matrix definite
  shrink <- min(1, (ncol(points) + 1) / nrow(points))
  correlation <- (1 - shrink) * correlation + shrink * diag(ncol(points))
  root <- cholesky(correlation)
  if (is.null(root)) return(NULL)
  list(maps = maps, root = root, bandwidth = bandwidth)
}

#' @export
format.law_copula <- function(x, ...) {
  check_dots("format()", ...)
  if (is.null(x$base)) return(NextMethod())
  sprintf("copula (bandwidth = %s) of %s", format(x$bandwidth, digits = 3), format(x$base))
}

copula_density <- function(law, points, threads, self = FALSE, ...) {
  slopes <- vapply(seq_along(law$maps), function(column) {
    log(piecewise(law$maps[[column]]$x, law$maps[[column]]$z, points[, column])$slope)
  }, numeric(nrow(points)))
  slopes <- rowSums(matrix(slopes, nrow(points)))
  scores <- to_normal(law$maps, points)
  if (!is.null(law$base)) return(law_density(law$base, scores, threads, self = self, ...) + slopes)
  z <- backsolve(law$root, t(scores), transpose = TRUE)
  value <- -ncol(points) / 2 * log(2 * pi) - sum(log(diag(law$root))) - colSums(z^2) / 2
  matrix(value + slopes)
}

copula_draw <- function(law, n, key, threads) {
  z <- if (is.null(law$base)) {
    draw_normal(n, length(law$maps), key, stream = 1L) %*% law$root
  } else {
    draw_law(law$base, n, key, threads)
  }
  for (column in seq_along(law$maps)) {
    z[, column] <- piecewise(law$maps[[column]]$z, law$maps[[column]]$x, z[, column])$value
  }
  z
}

# `memo`: the cache that candidates for the law of these scores share.
normal_scores <- function(points, bandwidth) {
  maps <- lapply(seq_len(ncol(points)), function(column) normalising_map(points[, column], bandwidth))
  list(maps = maps, scores = to_normal(maps, unname(points)), memo = new.env(parent = emptyenv()))
}

to_normal <- function(maps, points) {
  for (column in seq_along(maps)) {
    points[, column] <- piecewise(maps[[column]]$x, maps[[column]]$z, points[, column])$value
  }
  points
}

copula_components <- function(law) {
  base <- if (is.null(law$base)) {
    pack_components(1, matrix(0, length(law$maps), 1), packed_roots(list(law$root)))
  } else {
    law_components(law$base)
  }
  if (!is.null(base)) list(maps = law$maps, base = base)
}
