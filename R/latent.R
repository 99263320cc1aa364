#' Latent maps
#'
#' Where a flow runs: a table is encoded, the flow moves the encoded rows, and
#' new rows are decoded. Columns that do not vary are left out of the latent
#' space and put back as they were.
#'
#' `latent_standardise()` brings every column to mean 0 and variance 1.
#' `latent_pca()` takes principal components, by LAPACK on the smaller side of
#' the table, so that 500 rows of 50,000 columns take seconds and no matrix of
#' columns by columns is formed. With `rank = n - 1` nothing is lost (for
#' centred rows it is an isometry). What fewer components leave out is missing
#' from the new rows as well: the fit reports the share of variance explained
#' and the reconstruction error.
#' `latent_map()` takes any pair of functions, an autoencoder for instance;
#' without arguments it leaves the table as it is.
#'
#' @param rank Number of components: at most `n - 1` and at most the number of
#'   columns. `NULL` takes as many as explain 95 % of the variance, at most 50.
#' @param scale `TRUE` divides the columns by their standard deviation first.
#' @param encode Function of a numeric matrix `[n, p]` that returns a numeric
#'   matrix `[n, d]`, row by row.
#' @param decode Function that takes `[m, d]` back to `[m, p]`.
#' @param log_det Function of a numeric matrix `[n, p]` that returns
#'   \eqn{\log|\det|} of the derivative of `encode` at each row, for
#'   [densities][logLik.efs] in data units; `NULL` where none is wanted.
#' @return An object of class `latent_map`, for the argument `latent` of [gpa()] and
#'   [efs()].
#' @examples
#' efs(iris[1:4], latent = latent_pca(2), calibrate = FALSE)
#'
#' # positive columns stay positive
#' fit <- efs(iris[1:4], latent = latent_map(log, exp), calibrate = FALSE)
#' range(simulate(fit, 100, seed = 1))
#' @name latent_map
NULL

new_latent <- function(name, fit) {
  structure(list(name = name, fit = fit), class = "latent_map")
}

# A fitted map: encode [n, p] -> [n, dim], decode [m, dim] -> [m, p].
# log_volume [n, p] -> log|det| of the encoding at each row, one number where it is
# the same everywhere, NULL where it is not known.
new_fitted_latent <- function(name, dim, encode, decode, description, explained = NULL,
                              reconstruction = 0, log_volume = NULL) {
  structure(
    list(name = name, dim = dim, encode = encode, decode = decode, description = description,
         explained = explained, reconstruction_error = reconstruction, log_volume = log_volume),
    class = c("fitted_latent_map", "latent_map")
  )
}

#' @rdname latent_map
#' @export
latent_standardise <- function() {
  new_latent("standardise", function(x) {
    centre <- colMeans(x)
    spread <- column_spread(x)
    new_fitted_latent(
      "standardise", ncol(x),
      encode = function(x) unscale_columns(x, centre, spread, inverse = TRUE),
      decode = function(z) unscale_columns(z, centre, spread),
      description = "standardised columns",
      log_volume = function(x) -sum(log(spread))
    )
  })
}

# z * spread + centre by columns, or its inverse.
unscale_columns <- function(x, centre, spread, inverse = FALSE) {
  if (inverse) {
    sweep(sweep(x, 2, centre), 2, spread, "/")
  } else {
    sweep(sweep(x, 2, spread, "*"), 2, centre, "+")
  }
}

#' @rdname latent_map
#' @export
latent_map <- function(encode = identity, decode = identity, log_det = NULL) {
  if (!is.function(encode)) fail("`encode` must be a function, not %s.", describe(encode))
  if (!is.function(decode)) fail("`decode` must be a function, not %s.", describe(decode))
  if (!is.null(log_det) && !is.function(log_det)) fail("`log_det` must be a function, not %s.", describe(log_det))
  nothing <- identical(encode, identity) && identical(decode, identity)
  new_latent("map", function(x) {
    z <- check_encoded(encode(x), nrow(x))
    back <- decode(z)
    if (!is.numeric(back) || !identical(dim(back), dim(x))) {
      fail("`decode` must return a numeric matrix of %d x %d for the encoded rows, not %s.",
           nrow(x), ncol(x), describe(back))
    }
    error <- sqrt(sum((back - x)^2) / sum(sweep(x, 2, colMeans(x))^2))
    new_fitted_latent(
      "map", ncol(z),
      encode = function(x) check_encoded(encode(x), nrow(x)), decode = decode,
      description = if (nothing) "the columns as they are" else sprintf("a map of your own to %d dimensions", ncol(z)),
      reconstruction = error,
      log_volume = if (nothing) function(x) 0 else log_det
    )
  })
}

latent_centre <- function() {
  new_latent("centre", function(x) {
    centre <- apply(x, 2, stats::median)
    new_fitted_latent(
      "centre", ncol(x),
      encode = function(x) sweep(x, 2, centre), decode = function(z) sweep(z, 2, centre, "+"),
      description = "centred columns", log_volume = function(x) 0
    )
  })
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
  if (inherits(x, "fitted_latent_map")) {
    cat("<latent_map> ", x$description, sprintf("; relative reconstruction error %.2g\n", x$reconstruction_error), sep = "")
  } else {
    cat("<latent_map> ", x$name, ", not fitted yet\n", sep = "")
  }
  invisible(x)
}

# Mean log volume of the encoding over the rows of each class: from nats of latent
# rows to nats in data units. 0 where it is not known.
class_volumes <- function(latent, points, rows) {
  if (is.null(latent$log_volume)) return(0)
  vapply(rows, function(some) mean(latent$log_volume(points[some, , drop = FALSE])), 0, USE.NAMES = FALSE)
}

latent_log_volume <- function(fit, points) {
  if (is.null(fit$latent$log_volume)) {
    fail("The latent map gives no volume, so there is no density in data units: give latent_map() a `log_det`.")
  }
  value <- fit$latent$log_volume(points)
  if (!is.numeric(value) || !length(value) %in% c(1, nrow(points)) || anyNA(value)) {
    fail("`log_det` of the latent map must return one number a row, not %s.", describe(value))
  }
  value
}

decode_points <- function(fit, latent) {
  if (nrow(latent) == 0) return(matrix(0, 0, sum(is.na(fit$table$constant))))
  points <- fit$latent$decode(latent)
  if (!is.numeric(points) || nrow(points) != nrow(latent)) {
    fail("`decode` of the latent map must return a numeric matrix with %d rows, not %s.",
         nrow(latent), describe(points))
  }
  points
}

latent_columns <- function(dim) if (dim == 1) "latent" else paste("latent", seq_len(dim))
