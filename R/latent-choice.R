# The latent map of a fit where the user leaves it open, and a map fitted to pooled rows.

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

choose_latent <- function(latent, table, min_rows) {
  if (is.null(latent)) {
    if (ncol(table$points) <= 20) return(latent_standardise())
    sizes <- tabulate(table$group)
    # a flow needs two rows more than dimensions
    smallest <- min(sizes[sizes >= min_rows], nrow(table$points))
    return(pca_latent(NULL, scale = TRUE, most = max(1, smallest - 2)))
  }
  if (identical(latent, "none")) return(latent_map())
  if (!inherits(latent, "latent_map") || is.null(latent$fit)) {
    fail("`latent` must be a latent map such as latent_pca(10), or \"none\", not %s.", describe(latent))
  }
  latent
}

# latent on pooled rows; the flow runs in z-scored units with `scale`.
choose_pooled_latent <- function(latent, scale, pooled) {
  if (is.null(latent)) {
    latent <- if (ncol(pooled) <= 50) latent_map() else latent_pca(min(50L, nrow(pooled) - 1L))
  } else if (identical(latent, "none")) {
    latent <- latent_map()
  } else if (!inherits(latent, "latent_map") || is.null(latent$fit)) {
    fail("`latent` must be a latent map such as latent_pca(10), or \"none\", not %s.", describe(latent))
  }
  pooled_first(latent, scale)
}
