#' Latent laws
#'
#' A latent law says where new points start. It is fitted to the last frame of a flow or, without a flow, to the latent
#' rows themselves. New points are drawn from it, and [efs_backward()] carries them to the data.
#'
#' @section The laws:
#' \describe{
#'   \item{[law_local()]}{a particle plus round noise. Density, searched.}
#'   \item{[law_global()]}{a particle plus noise shaped like all particles. Density, searched.}
#'   \item{[law_local_covariance()]}{a particle plus noise shaped like its neighbours. Density, searched.}
#'   \item{[law_copula()]}{normal scores of each coordinate, and a law of these scores. Density, searched.}
#'   \item{[law_mixture()]}{a mixture of Gaussians. Density, searched.}
#'   \item{[law_student()]}{a mixture of t distributions. Density, searched.}
#'   \item{[law_trees()]}{a forest of conditional densities, coordinate by coordinate. Density.}
#'   \item{[law_stack()]}{a mixture of other laws. Density; the search makes it.}
#'   \item{[law_equilibrium()]}{the law that the flow approaches. Density, unless it lies on a sphere.}
#'   \item{[law_radial()]}{a uniform direction and the radii of the points. Density; the law of flows of many
#'     particles.}
#'   \item{[law_ball()]}{uniform in the ball that encloses all particles. Density.}
#'   \item{[law_sphere()]}{uniform on a sphere: Algorithm 1 of the paper. No density.}
#'   \item{[law_interpolate()]}{a point between two particles. No density.}
#'   \item{[law_ensemble()]}{a random combination of all particles. No density.}
#'   \item{[law_neighbour()]}{a point between a particle and one of its neighbours. No density.}
#' }
#'
#' "Density" means that the log-likelihood of rows can be computed ([logLik()][logLik.efs]). "Searched" means that
#' [efs()] and [efs_tune()] try the law without being asked, with several settings. [law_kind()] makes a law of your
#' own.
#'
#' @section Many rows:
#' The work or the memory of some laws grows with the square of the number of particles, or by many times their size. If
#' there are more particles than these, such a law is fitted to a random sample of so many of them:
#' \itemize{
#'   \item [law_local()], [law_global()], [law_local_covariance()] and [law_neighbour()]: 50,000, and 20,000 in up to
#'     three dimensions. In more than 31 dimensions [law_local_covariance()] takes fewer, down to 20,000, because it
#'     stores a covariance for each.
#'   \item [law_trees()], [law_mixture()] and [law_student()]: 100,000.
#'   \item [law_ensemble()]: 2000, or twice the number of dimensions if this is more.
#' }
#' The other laws, those of [law_kind()] among them, are fitted to all particles. The sample depends on the numbers of
#' particles alone, so that the same particles give the same law. `print()` and `summary()` of a fit say which laws know
#' a sample only. On four families of 5 columns, the log-likelihood of fresh rows under [law_trees()] was between 0.13
#' nats per row lower and 0.003 higher with a fifth of these rows; `bench/scale/README.md` in the source has more.
#'
#' @section How to ask for a law:
#' The argument `law` of [efs()], [efs_tune()] and [efs_augment()] is a name, such as `"student"`, or a law, such as
#' `law_student(df = 3)`. Settings that you give are fixed, and no others are tried. If you give no setting of a law,
#' [efs()] and [efs_tune()] choose all of them. Both also take a list of names and laws, and search only these.
#'
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Algorithm 1. \doi{10.48550/arXiv.2507.08239}
#' @examples
#' law_student(df = 3)
#' efs(iris[51:100, 3:4], law = law_student(df = 3), time = 0)
#' @name laws
NULL

# A fitted law: a list of class c("law_x", "latent_law") with `name` and what its fit function returned. A law that
# is not ours has its kind and the number of columns as attributes.
# gone [n, d]: NULL, or which coordinates of the points were not known, but drawn.
fit_law <- function(kind, points, s, memo = NULL, gone = NULL) {
  ours <- kind$ours
  n <- nrow(points)
  some <- sample_of_rows(n, most_rows_of(kind, ncol(points)))
  if (!is.null(some)) {
    points <- points[some, , drop = FALSE]
    if (!is.null(gone)) gone <- gone[some, , drop = FALSE]
    memo <- memo_part(memo, paste("sample", length(some)))
  }
  offered <- accepted(kind$fit, list(s = s, memo = if (ours) memo else memo_part(memo, kind$name)))
  if (ours && "gone" %in% names(formals(kind$fit))) offered["gone"] <- list(gone)
  # symbols, so that an error shows the call without the data
  fit <- kind$fit
  call <- as.call(c(quote(fit), quote(points), lapply(c(offered, kind$settings), function(value) call("quote", value))))
  fitted <- if (ours) eval(call) else on_own_stream(eval(call))
  if (is.null(fitted)) {
    stop_unfit("The law \"%s\" cannot be fitted to %d rows in %d dimensions.", kind$name, nrow(points), ncol(points))
  }
  if (!is.list(fitted)) fail("`fit` of the law \"%s\" must return a list or NULL, not %s.", kind$name, describe(fitted))
  law <- structure(c(list(name = kind$name), fitted), class = c(paste0("law_", kind$name), "latent_law"))
  attr(law, "settings") <- kind$settings
  if (!is.null(some)) attr(law, "sample") <- c(rows = length(some), of = n)
  if (ours) law else structure(law, kind = law_reference(kind), columns = ncol(points))
}

law_kind_of <- function(law) if (is.null(attr(law, "kind"))) our_law(law$name) else attr(law, "kind")

# [n, d] draws. They depend only on the law and the key, and row i does not depend on n.
draw_law <- function(law, n, key, threads) {
  kind <- law_kind_of(law)
  if (kind$ours) return(kind$draw(law, n, key, threads))
  if ("key" %in% names(formals(kind$draw))) {
    return(check_draws(on_own_stream(kind$draw(law, n, key = key), key_seeds(key, 1L)), n, law))
  }
  seeds <- key_seeds(key, max(1, ceiling(n / rows_a_stream)))
  parts <- lapply(seeds, function(seed) {
    check_draws(on_own_stream(kind$draw(law, rows_a_stream), seed), rows_a_stream, law)
  })
  do.call(rbind, parts)[seq_len(n), , drop = FALSE]
}

# A law that uses R's generator draws this many rows at a time, each time from a stream of its own.
rows_a_stream <- 100L

check_draws <- function(points, n, law) {
  wanted <- as.integer(c(n, attr(law, "columns")))
  if (!is.matrix(points) || !is.numeric(points) || !identical(dim(points), wanted)) {
    fail("`draw` of the law \"%s\" must return a numeric matrix of %d x %d, not %s.", law$name, wanted[1], wanted[2],
         describe(points))
  }
  if (!all(is.finite(points))) fail("`draw` of the law \"%s\" returned NA, NaN or infinite values.", law$name)
  storage.mode(points) <- "double"
  unname(points)
}

# Log-densities: a matrix of one column, or of one column per value of the setting in `...` that the law sweeps.
# `self`: the points are those that the law was fitted to. If each point has its own part in the law, this part is left
# out.
law_density <- function(law, points, threads, self = FALSE, ...) {
  kind <- law_kind_of(law)
  density <- kind$density
  if (kind$ours) {
    if (!self) return(density(law, points, threads, FALSE, ...))
    return(density_of_own(law, nrow(points), function(rows, own) {
      density(law, points[rows, , drop = FALSE], threads, own, ...)
    }))
  }
  knows_self <- "self" %in% names(formals(density))
  force(points)
  value <- on_own_stream(if (knows_self) density(law, points, self = self, ...) else density(law, points, ...))
  wanted <- c(nrow(points), max(1L, length(c(...))))
  if (!is.numeric(value) || length(value) != prod(wanted)) {
    fail("`density` of the law \"%s\" must return %d numbers, one per row%s, not %s.", law$name, wanted[1],
         if (wanted[2] > 1) sprintf(", in each of %d columns", wanted[2]) else "", describe(value))
  }
  if (anyNA(value)) {
    fail("`density` of the law \"%s\" returned NA or NaN; where the density is 0 its logarithm is -Inf.", law$name)
  }
  if (any(value == Inf)) {
    fail("`density` of the law \"%s\" returned Inf for %d of %d rows; a log-density must be finite or -Inf.", law$name,
         sum(rowSums(matrix(value == Inf, wanted[1])) > 0), wanted[1])
  }
  matrix(as.double(value), wanted[1])
}

has_density <- function(law, kind = law_kind_of(law)) !is.null(kind$density) && kind$dense(law)

check_density <- function(law) {
  if (has_density(law)) return(invisible())
  fail("The law \"%s\" has no density; fit with %s for `log_density`.", law$name,
       paste0('"', sort(names(searched_laws())), '"', collapse = ", "))
}

# The settings that a law was fitted with: those given, and the defaults of the others if they are constants.
used_settings <- function(law) {
  given <- attr(law, "settings")
  defaults <- formals(law_kind_of(law)$fit)
  defaults <- defaults[!names(defaults) %in% not_settings]
  constant <- vapply(defaults, function(value) is.atomic(value) && !is.null(value), NA)
  all <- c(given, as.list(defaults[constant & !names(defaults) %in% names(given)]))
  all <- all[order(match(names(all), names(defaults)))]
  all[!vapply(all, is.null, NA)]
}

# Single numbers that the fit found. A setting that was used as it was given is not among them, nor is the weight of a
# single component, which is 1.
fitted_numbers <- function(law, settings = used_settings(law)) {
  single <- Filter(function(value) (is.numeric(value) || is.logical(value)) && length(value) == 1, c(unclass(law)))
  single$weights <- NULL
  same <- vapply(names(single), function(name) isTRUE(all.equal(settings[[name]], single[[name]])), NA)
  single[!same]
}

#' @export
format.latent_law <- function(x, ...) {
  check_dots("format()", ...)
  law_words(x$name, used_settings(x))
}

#' @export
print.latent_law <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("<latent_law> ", format(x), "\n", sep = "")
  fitted <- fitted_numbers(x)
  if (length(fitted)) cat("fitted: ", format_settings(fitted), "\n", sep = "")
  said <- law_sample_words(x)
  if (!is.null(said)) cat(said, "\n", sep = "")
  invisible(x)
}
