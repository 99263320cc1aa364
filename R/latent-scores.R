# The latent map of a table whose columns are read as normal scores.

#' @rdname latent_map
#' @param columns,id,constraints,combine As in [synthesise()].
#' @export
latent_scores <- function(columns = list(), id = NULL, constraints = NULL, combine = NULL) {
  structure(
    list(name = "scores", columns = columns, id = id, constraints = constraints, combine = combine),
    class = c("latent_scores", "latent_map")
  )
}

# The scores as they are.
latent_of_scores <- function() {
  new_latent("scores", function(x) {
    new_fitted_latent("as_is", "scores", ncol(x), description = "normal scores of the columns", volume = TRUE)
  })
}
