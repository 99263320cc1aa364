# The latent map of a fit if the user leaves it open, and a map fitted to pooled rows.

# Another map, fitted to columns that were first standardised, or (without `scale`) moved to their medians.
pooled_first <- function(latent, scale) {
  force(scale)
  new_latent(latent$name, function(x) {
    outer <- (if (scale) latent_standardise() else latent_centre())$fit(x)
    inner <- latent$fit(latent_encode(outer, x))
    as_is <- inner$name == "map" && inner$dim == ncol(x)
    new_fitted_latent(
      "chain", inner$name, inner$dim, outer = outer, inner = inner,
      description = if (as_is) outer$description
                    else sub("centred columns", outer$description, inner$description, fixed = TRUE),
      explained = inner$explained, reconstruction = inner$reconstruction_error
    )
  })
}

#' @export
latent_encode.latent_chain <- function(map, x, ...) latent_encode(map$inner, latent_encode(map$outer, x))

#' @export
latent_decode.latent_chain <- function(map, z, ...) latent_decode(map$outer, latent_decode(map$inner, z))

choose_latent <- function(latent, table, min_rows) {
  if (!is.null(latent)) return(check_latent(latent))
  if (ncol(table$points) <= most_standardised) return(latent_standardise())
  sizes <- tabulate(table$group)
  # a flow needs at least two rows more than dimensions
  smallest <- min(sizes[sizes >= min_rows], nrow(table$points))
  pca_latent(NULL, scale = TRUE, most = max(1, smallest - 2))
}

# Whether a law in the unit of the columns could have no density: more columns than rows, and more than some tens.
is_wide <- function(table) ncol(table$points) > most_narrow && nrow(table$points) <= ncol(table$points)

most_narrow <- 50L

# The latent map of pooled rows. With `scale` the flow runs in standardised units.
choose_pooled_latent <- function(latent, scale, pooled) {
  latent <- if (!is.null(latent)) {
    check_latent(latent)
  } else if (ncol(pooled) <= 50) {
    latent_map()
  } else {
    latent_pca(min(50L, nrow(pooled) - 1L))
  }
  pooled_first(latent, scale)
}

check_latent <- function(latent) {
  if (identical(latent, "none")) return(latent_map())
  if (inherits(latent, "latent_scores")) {
    fail("`latent` cannot be latent_scores() here: only efs() and synthesise() read columns as normal scores.")
  }
  if (inherits(latent, "latent_autoencoder")) return(trained_before(latent))
  if (!inherits(latent, "latent_map") || is.null(latent$fit)) {
    fail("`latent` must be a latent map such as latent_pca(10), or \"none\", not %s.", describe(latent))
  }
  latent
}

# A map that was trained in an earlier fit, for tables with the same columns.
trained_before <- function(map) {
  force(map)
  new_latent(map$name, function(x) {
    p <- map$widths$encoder[1]
    if (ncol(x) != p) {
      fail("`latent` was trained on %d columns that vary, but this table has %d of them.", p, ncol(x))
    }
    map
  })
}
