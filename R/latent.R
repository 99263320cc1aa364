#' Latent maps
#'
#' A latent map takes the rows of a table to points, the *latent rows*, and takes points back to rows of the table.
#' [efs()] and other functions work with the latent rows. Columns that do not vary are left out: the map does not see
#' them, and new rows have their constant values.
#'
#' `latent_standardise()` brings every column to mean 0 and variance 1.
#'
#' `latent_pca()` takes principal components. The latent rows are the scores of the first `rank` components. What the
#' other components describe is lost: new rows do not vary in these directions. With `rank = n - 1` nothing is lost, and
#' with `scale = FALSE` distances between rows then stay the same. `print()` shows the relative reconstruction error,
#' which is the part that is lost. The time depends on the smaller side of the table: 500 rows of 50,000 columns take
#' seconds. Up to 100 components of a large table are computed by block
#' Lanczos iterations, to full precision, and Ctrl-C stops them within a second. More components of a large table are
#' one call of LAPACK, which Ctrl-C cannot stop.
#'
#' `latent_genes()` is for tables with more columns than rows, such as expression tables of samples x genes. Each column
#' becomes normal scores, and the latent rows are **all** principal components of the scores, so that no correlation is
#' cut off. A score comes back to a value by the smoothed quantile function of its column: a local linear fit of the
#' sorted values on their normal scores, with the bandwidth \eqn{1.25\,n^{-1/5}}{1.25 n^(-1/5)} in units of the score.
#' It keeps the mean and the variance of the column, and its heaps. If no value of the table is negative, no new value
#' is. With `group`, the columns become scores of the deviations from the means of the classes. The mean of a class is
#' shrunk to the mean of all rows by the factor \eqn{\max(0, 1 - 1/F)}{max(0, 1 - 1/F)}, where \eqn{F} is the ratio of
#' the mean squares between and within classes. A new row has the variance within classes plus the variance of the
#' estimated mean. The latent law is [law_ensemble()] unless another one is given. Memory and time grow linearly with
#' the number of columns: the algebra is that of rows times rows. `efs()` takes this map by default if the table has
#' more than 50 columns of numbers, and at least as many columns as rows, and if the law and the settings of the flow
#' are left open. There is no flow then, because \eqn{n} rows in \eqn{n - 1} dimensions would end in a regular simplex.
#'
#' `latent_counts()` is for tables of counts with more columns than rows. The library size of a row is the sum of its
#' counts, and its logarithm is a coordinate of its own. The count of a gene is negative binomial given the library size
#' \eqn{s}, with mean \eqn{s r}{s r} and variance \eqn{s r + \phi (s r)^2}{s r + phi (s r)^2}. The rate \eqn{r} is the
#' share of the gene in all counts of the class. The dispersion \eqn{\phi}{phi} is the one which expects the share of
#' zeros within classes, where at least 5 % of the counts are 0, and otherwise that of the moments.
#' The count becomes the score \eqn{\Phi^{-1}(F(x - 1) + U P(x))}{Phi^(-1)(F(x - 1) + U P(x))}, with \eqn{U}
#' uniform. The scores then go through `latent_genes()`, whose smoothed margins mend what the negative binomial law
#' misses. A gene that is zero in a class stays zero in this class. Back from scores to counts, the size \eqn{s} is the
#' one at which the counts add up to the library size of the row.
#'
#' [latent_autoencoder()], with a help page of its own, trains two networks. It follows a curved surface, where
#' `latent_pca()` has a plane.
#'
#' `latent_map()` takes a pair of functions of your own. Without arguments it leaves the table as it is. The functions
#' may use R's random numbers. They then have a stream of their own, which is always the same, and the user's stream
#' does not move.
#'
#' `latent_scores()` is for [efs()] only. The columns become normal scores, as in [synthesise()]; its arguments say how
#' they are read. Other functions refuse it.
#'
#' @param rank Number of components, a whole number of at least 1, at most `n - 1` and at most the number of columns
#'   that vary; otherwise the fit stops with an error. `NULL` takes as many components as explain 95 % of the variance,
#'   but at most 50.
#' @param scale `TRUE` first divides the columns by their standard deviations.
#' @param encode Function of a numeric matrix `[n, p]` that returns a finite numeric matrix `[n, d]`. Each row must
#'   depend only on the same row of the argument.
#' @param decode Function that takes a matrix `[m, d]` back to a finite numeric matrix `[m, p]`.
#' @param log_det Function of a numeric matrix `[n, p]` that returns \eqn{\log|\det|}{log|det|} of the derivative of
#'   `encode` at each row. With it, [densities][logLik.efs] can be given in the unit of the data. `NULL`: it is not
#'   known. Log-densities of rows are then an error, and the held-out log-likelihoods of a fit are those of the latent
#'   rows.
#' @return An object of class `latent_map`, for the argument `latent` of [efs()], [gpa()] and other functions. The
#'   field `latent` of a fit is the fitted map. It is a list of numbers (and, for `latent_map()`, of your functions).
#'   Its function `$encode(x)` takes a numeric matrix `[n, p]` of the columns that vary to `[n, d]`. Its function
#'   `$decode(z)` takes latent rows back.
#' @examples
#' efs(iris[1:4], latent = latent_pca(2), calibrate = FALSE)
#'
#' # positive columns stay positive
#' fit <- efs(iris[1:4], latent = latent_map(log, exp), calibrate = FALSE)
#' range(simulate(fit, 100, seed = 1))
#' @name latent_map
NULL

# A map that is not fitted yet. fit(x), for a numeric matrix [n, p], returns a fitted map.
new_latent <- function(name, fit) {
  structure(list(name = name, fit = fit), class = "latent_map")
}

# A fitted map of kind `kind` is a list of numbers (`...`), never a closure over the rows. It has methods for the three
# generics below. `reconstruction`: the relative error of decode(encode(x)) over the rows it was fitted to. `volume`:
# TRUE if the map has a method for latent_volume().
new_fitted_latent <- function(kind, name, dim, ..., description, explained = NULL, reconstruction = 0,
                              volume = FALSE) {
  structure(
    list(name = name, dim = dim, ..., description = description, explained = explained,
         reconstruction_error = reconstruction, volume = volume),
    class = c(paste0("latent_", kind), "fitted_latent_map", "latent_map")
  )
}

# [n, p] -> [n, dim].
latent_encode <- function(map, x, ...) UseMethod("latent_encode")

# [m, dim] -> [m, p].
latent_decode <- function(map, z, ...) UseMethod("latent_decode")

# [n, p] -> log|det| of the encoding at each row, or one number if it is the same everywhere.
latent_volume <- function(map, x) UseMethod("latent_volume")

# map$encode(x), map$decode(z) and map$log_volume(x). The last is NULL if the volume is not known.
#' @export
`$.fitted_latent_map` <- function(x, name) {
  switch(
    name,
    encode = function(rows, ...) latent_encode(x, rows, ...),
    decode = function(points, ...) latent_decode(x, points, ...),
    log_volume = if (.subset2(x, "volume")) function(rows) latent_volume(x, rows),
    .subset2(x, name)
  )
}

#' @rdname latent_map
#' @export
latent_standardise <- function() {
  new_latent("standardise", function(x) {
    new_fitted_latent("columns", "standardise", ncol(x), centre = colMeans(x), spread = column_spread(x),
                      description = "standardised columns", volume = TRUE)
  })
}

# Columns moved to their medians, in their own units.
latent_centre <- function() {
  new_latent("centre", function(x) {
    new_fitted_latent("columns", "centre", ncol(x), centre = apply(x, 2, stats::median), spread = NULL,
                      description = "centred columns", volume = TRUE)
  })
}

#' @export
latent_encode.latent_columns <- function(map, x, ...) {
  shift_columns(x, map$centre, map$spread)
}

#' @export
latent_decode.latent_columns <- function(map, z, ...) {
  unscale_columns(z, map$centre, map$spread)
}

#' @export
latent_volume.latent_columns <- function(map, x) if (is.null(map$spread)) 0 else -sum(log(map$spread))

# x * spread + centre by columns, what shift_columns() undoes. spread: NULL stands for 1.
unscale_columns <- function(x, centre, spread = NULL) {
  each <- function(values) rep(unname(values), each = nrow(x)) # faster than sweep(), which transposes twice
  over_columns(x, function(part, at) {
    if (is.null(spread)) part + each(centre[at]) else part * each(spread[at]) + each(centre[at])
  })
}

#' @rdname latent_map
#' @export
latent_map <- function(encode = identity, decode = identity, log_det = NULL) {
  check_hook(encode, "encode", "x")
  check_hook(decode, "decode", "z")
  if (!is.null(log_det)) check_hook(log_det, "log_det", "x")
  if (identical(encode, identity) && identical(decode, identity)) return(latent_as_is())
  new_latent("map", own_map_fitter(encode, decode, log_det))
}

# The columns as they are.
latent_as_is <- function() {
  new_latent("map", function(x) {
    new_fitted_latent("as_is", "map", ncol(x), description = "the columns as they are", volume = TRUE)
  })
}

#' @export
latent_encode.latent_as_is <- function(map, x, ...) check_encoded(x, nrow(x))

#' @export
latent_decode.latent_as_is <- function(map, z, ...) z

#' @export
latent_volume.latent_as_is <- function(map, x) 0

# A pair of functions of the user, tested on the rows.
own_map_fitter <- function(encode, decode, log_det) {
  force(encode)
  force(decode)
  force(log_det)
  function(x) {
    force(x)
    z <- check_encoded(on_own_stream(encode(x)), nrow(x))
    back <- on_own_stream(decode(z))
    if (!is.numeric(back) || !identical(dim(back), dim(x))) {
      fail("`decode` must return a numeric matrix of %d x %d for the encoded rows, not %s.",
           nrow(x), ncol(x), describe(back))
    }
    if (!all(is.finite(back))) {
      fail("`decode` must return finite numbers, but %d of the %d decoded rows have others.",
           sum(rowSums(!is.finite(back)) > 0), nrow(back))
    }
    error <- sqrt(sum((back - x)^2) / sum(sweep(x, 2, colMeans(x))^2))
    new_fitted_latent("own", "map", ncol(z), own = list(encode = encode, decode = decode, log_det = log_det),
                      description = sprintf("a map of your own to %d dimensions", ncol(z)), reconstruction = error,
                      volume = !is.null(log_det))
  }
}

#' @export
latent_encode.latent_own <- function(map, x, ...) {
  force(x)
  check_encoded(on_own_stream(map$own$encode(x)), nrow(x))
}

#' @export
latent_decode.latent_own <- function(map, z, ...) {
  force(z)
  on_own_stream(map$own$decode(z))
}

#' @export
latent_volume.latent_own <- function(map, x) {
  force(x)
  on_own_stream(map$own$log_det(x))
}

check_encoded <- function(z, rows) {
  if (!is.matrix(z) || !is.numeric(z) || nrow(z) != rows || !all(is.finite(z))) {
    fail("`encode` must return a finite numeric matrix with %d rows, not %s.", rows, describe(z))
  }
  storage.mode(z) <- "double"
  unname(z)
}

#' @rdname latent_map
#' @param x A `latent_map`.
#' @param ... Not used.
#' @export
print.latent_map <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  if (inherits(x, "fitted_latent_map")) {
    cat("<latent_map> ", x$description, sprintf("; relative reconstruction error %.2g\n", x$reconstruction_error),
        sep = "")
  } else {
    cat("<latent_map> ", x$name, ", not fitted yet\n", sep = "")
  }
  invisible(x)
}

# Mean log volume of the encoding over the rows of each class. It turns nats of latent rows into nats in data units. 0
# if it is not known.
class_volumes <- function(latent, points, rows) {
  if (is.null(latent$log_volume)) return(0)
  vapply(rows, function(some) mean(latent$log_volume(points[some, , drop = FALSE])), 0, USE.NAMES = FALSE)
}

latent_log_volume <- function(fit, points) {
  if (is.null(fit$latent$log_volume)) {
    fail("The latent map gives no volume, so there is no density in data units: %s.",
         "take latent_pca() or give latent_map() a `log_det`")
  }
  value <- fit$latent$log_volume(points)
  if (!is.numeric(value) || !length(value) %in% c(1, nrow(points)) || anyNA(value)) {
    fail("`log_det` of the latent map must return one number per row, not %s.", describe(value))
  }
  value
}

# group: the class of each point, which some maps need. `...`: further arguments of the map.
decode_points <- function(fit, latent, group = NULL, ...) {
  if (nrow(latent) == 0) return(matrix(0, 0, sum(fit$table$dims)))
  by_group <- isTRUE(fit$latent$by_group)
  points <- if (by_group) latent_decode(fit$latent, latent, group, ...) else latent_decode(fit$latent, latent, ...)
  if (!is.numeric(points) || nrow(points) != nrow(latent)) {
    fail("`decode` of the latent map must return a numeric matrix with %d rows, not %s.",
         nrow(latent), describe(points))
  }
  if (!all_finite(points)) {
    bad <- which(rowSums(!is.finite(points)) > 0)
    fail("`decode` of the latent map must return finite numbers, but %d of %d rows have others (the first is row %d).",
         length(bad), nrow(points), bad[1])
  }
  points
}

latent_columns <- function(dim) if (dim == 1) "latent" else paste("latent", seq_len(dim))
