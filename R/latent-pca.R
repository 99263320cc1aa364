#' @rdname latent_map
#' @export
latent_pca <- function(rank = NULL, scale = FALSE) {
  if (!is.null(rank)) rank <- check_count(rank, "rank", 1L)
  pca_latent(rank, check_flag(scale, "scale"))
}

# most: the largest number of components if the rank is left open.
pca_latent <- function(rank, scale, most = 50) {
  force(rank)
  force(scale)
  largest <- min(most, 50)
  new_latent("pca", function(x) fit_pca(x, rank, scale, largest))
}

# An open rank is the number of components that have this share of the variance.
enough_variance <- 0.95

fit_pca <- function(x, rank, scale, largest) {
  centre <- colMeans(x)
  spread <- if (scale) column_spread(x) else rep(1, ncol(x))
  centred <- shift_columns(x, centre, spread)
  most <- min(nrow(x) - 1L, ncol(x))
  if (!is.null(rank) && rank > most) {
    fail("`rank` is %d, but %d rows of %d varying columns have at most %d components.",
         rank, nrow(x), ncol(x), most)
  }
  parts <- leading_components(centred, if (is.null(rank)) min(most, largest) else rank,
                              if (is.null(rank)) enough_variance else Inf)
  share <- cumsum(parts$variance) / parts$total
  if (is.null(rank)) rank <- as.integer(min(which(share >= enough_variance)[1], largest, length(share), na.rm = TRUE))
  rank <- min(rank, ncol(parts$loadings))
  new_fitted_latent(
    "components", "pca", rank, centre = unname(centre), spread = if (scale) unname(spread),
    loadings = unname(parts$loadings[, seq_len(rank), drop = FALSE]), columns = colnames(x),
    description = sprintf("%d principal component%s of %s columns, %.1f %% of the variance", rank,
                          if (rank == 1) "" else "s", if (scale) "standardised" else "centred",
                          100 * share[rank]),
    explained = share[seq_len(rank)], reconstruction = sqrt(max(0, 1 - share[rank])), volume = TRUE
  )
}

pca_spread <- function(map) if (is.null(map$spread)) rep(1, length(map$centre)) else map$spread

#' @export
latent_encode.latent_components <- function(map, x, ...) {
  shift_columns(x, map$centre, pca_spread(map)) %*% map$loadings
}

#' @export
latent_decode.latent_components <- function(map, z, ...) {
  x <- unscale_columns(tcrossprod(z, map$loadings), map$centre, pca_spread(map))
  if (!is.null(map$columns)) colnames(x) <- map$columns
  x
}

# The columns of spread * loadings span the subspace.
#' @export
latent_volume.latent_components <- function(map, x) {
  -0.5 * as.numeric(determinant(crossprod(pca_spread(map) * map$loadings))$modulus)
}

# Orthonormal loadings [p, r], those of the largest variance first, and the variances, from a centred matrix. A table
# with more columns than rows goes through the [n, n] matrix of inner products.
principal_components <- function(centred, most) {
  if (ncol(centred) > nrow(centred)) {
    inner <- eigen(tcrossprod(centred), symmetric = TRUE)
    kept <- seq_len(most)
    return(components_of(centred, inner$values[kept], inner$vectors[, kept, drop = FALSE]))
  }
  parts <- svd(centred, nu = 0, nv = most)
  new_components(centred, parts$v, parts$d[seq_len(most)])
}

# The same. Of a large table only the leading `count`, or as many as have `share` of the variance.
leading_components <- function(centred, count, share = Inf) {
  inner <- if (uses_krylov(nrow(centred), ncol(centred), count)) leading_eigen(centred, count, share)
  if (is.null(inner)) return(principal_components(centred, min(nrow(centred) - 1L, ncol(centred))))
  components_of(centred, inner$values, inner$vectors)
}

# From eigenvalues and eigenvectors of the inner products of rows, or of columns if these are fewer. Eigenvalues that
# are zero but for rounding are left out. Loadings that come from rows are made orthonormal again, because squaring
# loses half of the digits.
components_of <- function(centred, values, vectors) {
  kept <- vectors[, values > values[1] * nrow(centred) * .Machine$double.eps, drop = FALSE]
  if (ncol(centred) <= nrow(centred)) return(new_components(centred, kept, sqrt(colSums((centred %*% kept)^2))))
  loadings <- by_columns(ncol(kept), 2 * length(centred), function(j) crossprod(centred, kept[, j]))
  values <- sqrt(colSums(loadings^2))
  loadings <- shift_columns(loadings, numeric(length(values)), values)
  overlap <- chol(crossprod(loadings))
  for (at in small_blocks(nrow(loadings), ncol(loadings))) {
    loadings[at, ] <- t(backsolve(overlap, t(loadings[at, , drop = FALSE]), transpose = TRUE))
  }
  new_components(centred, loadings, values)
}

new_components <- function(centred, loadings, values) {
  keep <- values > values[1] * 1e-10
  if (!all(keep)) loadings <- loadings[, keep, drop = FALSE]
  list(loadings = loadings, variance = values[keep]^2 / (nrow(centred) - 1),
       total = sum(centred^2) / (nrow(centred) - 1))
}
