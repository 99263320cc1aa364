# A mixture of other laws: `parts`, each list(law, settings), with `weights`.
law_stack <- function(points, s, parts = NULL, weights = rep(1 / length(parts), length(parts))) {
  if (!is.list(parts) || length(parts) == 0) {
    fail("`parts` of the law \"stack\" must be a list of laws, each list(law = , settings = ), not %s.", describe(parts))
  }
  if (!is.numeric(weights) || length(weights) != length(parts) || anyNA(weights) || any(weights < 0) || sum(weights) <= 0) {
    fail("`weights` of the law \"stack\" must be %d numbers of at least 0.", length(parts))
  }
  laws <- lapply(parts, function(part) {
    name <- check_choice(part$law, setdiff(law_names(), "stack"), "law")
    do.call(paste0("law_", name), c(list(points = points, s = s), part$settings))
  })
  if (!all(vapply(laws, has_density, NA))) fail("Every law of a \"stack\" must have a density.")
  new_law("stack", laws = laws, weights = weights / sum(weights))
}

#' @export
format.law_stack <- function(x, ...) {
  weights <- tapply(x$weights, vapply(x$laws, `[[`, "", "name"), sum)
  weights <- sort(weights, decreasing = TRUE)
  sprintf("stack of %d (%s)", length(x$laws), paste(sprintf("%.2f %s", weights, names(weights)), collapse = ", "))
}

#' @export
law_density.law_stack <- function(law, points, threads, self = FALSE, ...) {
  each <- vapply(law$laws, function(part) law_density(part, points, threads, self = self)[, 1], numeric(nrow(points)))
  matrix(log_mean_exp(matrix(each, nrow(points)), law$weights))
}

#' @export
draw_law.law_stack <- function(law, n, key, threads) {
  part <- pick_weighted(draw_uniform(n, 1, key, stream = 3L)[, 1], law$weights)
  points <- NULL
  for (k in seq_along(law$laws)) {
    drawn <- draw_law(law$laws[[k]], n, key, threads)
    if (is.null(points)) points <- drawn else points[part == k, ] <- drawn[part == k, ]
  }
  points
}

# The weights of densities (columns of log-densities of held-out rows) with the highest
# mean log-likelihood, by EM; parts below `least` are dropped.
stacking_weights <- function(each, least = 0.05, most_parts = 4L) {
  density <- exp(each - apply(each, 1, max))
  weights <- rep(1 / ncol(each), ncol(each))
  fit <- function(weights, steps) {
    for (step in seq_len(steps)) weights <- weights * colMeans(density / drop(density %*% weights))
    weights
  }
  weights <- fit(weights, 200)
  kept <- order(weights, decreasing = TRUE)[seq_len(min(most_parts, ncol(each)))]
  kept <- kept[weights[kept] >= min(least, max(weights))]
  weights[-kept] <- 0
  fit(weights / sum(weights), 100)
}
