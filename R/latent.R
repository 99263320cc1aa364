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
    spread <- apply(x, 2, stats::sd)
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
latent_pca <- function(rank = NULL, scale = FALSE) {
  if (!is.null(rank)) rank <- check_count(rank, "rank", 1L)
  pca_latent(rank, check_flag(scale, "scale"))
}

# most: no more components than this where the rank is left open.
pca_latent <- function(rank, scale, most = 50) {
  largest <- min(most, 50)
  new_latent("pca", function(x) {
    centre <- colMeans(x)
    spread <- if (scale) apply(x, 2, stats::sd) else rep(1, ncol(x))
    centred <- unscale_columns(x, centre, spread, inverse = TRUE)
    most <- min(nrow(x) - 1L, ncol(x))
    if (!is.null(rank) && rank > most) {
      fail("`rank` is %d, but %d rows of %d varying columns have at most %d components.",
           rank, nrow(x), ncol(x), most)
    }
    parts <- principal_components(centred, most)
    share <- cumsum(parts$variance) / parts$total
    if (is.null(rank)) rank <- as.integer(min(which(share >= 0.95)[1], largest, length(share), na.rm = TRUE))
    rank <- min(rank, ncol(parts$loadings))
    loadings <- parts$loadings[, seq_len(rank), drop = FALSE]
    new_fitted_latent(
      "pca", rank,
      encode = function(x) unscale_columns(x, centre, spread, inverse = TRUE) %*% loadings,
      decode = function(z) unscale_columns(tcrossprod(z, loadings), centre, spread),
      description = sprintf("%d principal component%s of %s columns, %.1f %% of the variance", rank,
                            if (rank == 1) "" else "s", if (scale) "standardised" else "centred",
                            100 * share[rank]),
      explained = share[seq_len(rank)],
      # the columns of spread * loadings span the subspace
      log_volume = function(x) -0.5 * as.numeric(determinant(crossprod(spread * loadings))$modulus),
      reconstruction = sqrt(max(0, 1 - share[rank]))
    )
  })
}

# Orthonormal loadings [p, r], most varying first, and variances, from a centred
# matrix. Wide tables go through the [n, n] matrix of inner products, whose
# loadings are made orthonormal again because squaring costs half the digits.
principal_components <- function(centred, most) {
  n <- nrow(centred)
  if (ncol(centred) <= n) {
    parts <- svd(centred, nu = 0, nv = most)
    loadings <- parts$v
    values <- parts$d[seq_len(most)]
  } else {
    inner <- eigen(tcrossprod(centred), symmetric = TRUE)
    kept <- seq_len(most)
    kept <- kept[inner$values[kept] > inner$values[1] * n * .Machine$double.eps]
    loadings <- crossprod(centred, inner$vectors[, kept, drop = FALSE])
    values <- sqrt(colSums(loadings^2))
    loadings <- sweep(loadings, 2, values, "/")
    overlap <- chol(crossprod(loadings))
    loadings <- t(backsolve(overlap, t(loadings), transpose = TRUE))
  }
  keep <- values > values[1] * 1e-10
  list(loadings = loadings[, keep, drop = FALSE], variance = values[keep]^2 / (n - 1),
       total = sum(centred^2) / (n - 1))
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

# Another map fitted to columns that were standardised, or only moved to their medians.
pooled_first <- function(latent, scale) {
  new_latent(latent$name, function(x) {
    outer <- if (scale) latent_standardise()$fit(x) else latent_centre()$fit(x)
    inner <- latent$fit(outer$encode(x))
    as_is <- inner$name == "map" && inner$dim == ncol(x)
    new_fitted_latent(
      inner$name, inner$dim,
      encode = function(x) inner$encode(outer$encode(x)),
      decode = function(z) outer$decode(inner$decode(z)),
      description = if (as_is) outer$description
                    else sub("centred columns", outer$description, inner$description, fixed = TRUE),
      explained = inner$explained, reconstruction = inner$reconstruction_error
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
