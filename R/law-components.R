# The components of fitted laws. Laws that are mixtures of Gaussians or t, such mixtures in normal scores, and stacks of
# these have one of these structures:
#   list(weights [K], means [d, K], roots [d (d+1) / 2, K or 1], df [K], shared)   a mixture; see pack_components()
#   list(maps, base)       increasing maps of each coordinate (see law_copula()), and the structure of the scores
#   list(weights, parts)   a stack of structures

# The structure of a fitted law. NULL: it is none of these.
law_components <- function(law) {
  kind <- law_kind_of(law)
  if (is.null(kind$components)) return(NULL)
  components <- kind$components(law)
  if (kind$ours || is.null(components)) components else check_components(components, law)
}

# A mixture of K Gaussians (df Inf) or multivariate t. Column k of `roots` is the lower triangle L by rows, LL' the
# covariance of the Gaussian, or the scale of the t. With one column all components share it.
pack_components <- function(weights, means, roots, df = rep(Inf, length(weights))) {
  list(weights = as.double(weights), means = means, roots = roots, df = as.double(df), shared = ncol(roots) == 1)
}

# What the core reads of a mixture.
mixture_members <- c("weights", "means", "roots", "df")

# One column per upper Cholesky factor: its transpose, by rows.
packed_roots <- function(roots) {
  do.call(cbind, lapply(roots, function(root) root[upper.tri(root, diag = TRUE)]))
}

check_components <- function(components, law) {
  means <- components$means
  good <- is.list(components) && all(vapply(components[mixture_members], is.numeric, NA)) && is.matrix(means) &&
    nrow(means) == attr(law, "columns") && ncol(means) >= 1 && is.matrix(components$roots) &&
    nrow(components$roots) == nrow(means) * (nrow(means) + 1) / 2 && ncol(components$roots) %in% c(1, ncol(means)) &&
    all(lengths(components[c("weights", "df")]) == ncol(means)) &&
    all(is.finite(unlist(components[c("weights", "means", "roots")]))) && all(components$weights >= 0) &&
    sum(components$weights) > 0 && isTRUE(all(components$df > 0))
  if (!good) {
    fail("`components` of the law \"%s\" must return NULL or a list of `weights`, `means`, `roots` and `df`, not %s.",
         law$name, describe(components))
  }
  storage.mode(means) <- "double"
  roots <- components$roots
  storage.mode(roots) <- "double"
  pack_components(components$weights / sum(components$weights), means, roots, components$df)
}
