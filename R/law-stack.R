#' The law "stack": a mixture of other laws
#'
#' A draw comes from one of several laws, which is chosen at random with given weights. The search of [efs()] makes
#' such a mixture if held-out rows have a higher mean log-density under it than under the best single law, by more than
#' one standard error of the paired difference.
#'
#' @param parts The laws, each with a density: a list of laws such as `law_student(df = 3)`, of names, or of `list(law
#'   = , settings = )`.
#' @param weights The weights, one number of at least 0 per law, not all 0. They are divided by their sum. By default
#'   all are equal.
#' @return An object of class `law_kind`, see [laws].
#' @references Wolpert DH (1992). Stacked generalization. Neural Networks 5. \doi{10.1016/S0893-6080(05)80023-1}
#' @examples
#' both <- law_stack(list(law_local(jitter = 0.5), law_student(df = 5)), weights = c(1, 3))
#' efs(iris[51:100, 3:4], law = both, time = 0)
#' @family latent laws
#' @export
law_stack <- structure(function(parts, weights = rep(1, length(parts))) {
  settings <- given_settings()
  if (!missing(parts)) check_stack(stack_kinds(parts), weights)
  new_law_kind("stack", stack_fit, stack_draw, stack_density, settings = settings, components = stack_components)
}, class = "law_constructor")

# The laws of `parts` as kinds.
stack_kinds <- function(parts) {
  if (!is.list(parts) || inherits(parts, "law_kind") || length(parts) == 0) {
    fail("`parts` of the law \"stack\" must be a list of laws, each %s, not %s.",
         "a law, a name or list(law = , settings = )", describe(parts))
  }
  others <- setdiff(law_names(), "stack")
  lapply(parts, function(part) {
    whole <- inherits(part, "law_kind") || is.character(part)
    if (whole) as_law(part, choices = others) else as_law(part$law, as.list(part$settings), choices = others)
  })
}

check_stack <- function(kinds, weights) {
  good <- is.numeric(weights) && length(weights) == length(kinds) && all(is.finite(weights)) && all(weights >= 0) &&
    sum(weights) > 0
  if (!good) {
    fail("`weights` of the law \"stack\" must be %d numbers of at least 0, not %s.", length(kinds), describe(weights))
  }
  lacking <- vapply(kinds, function(kind) is.null(kind$density), NA)
  if (any(lacking)) {
    fail("Every law of a \"stack\" must have a density, but \"%s\" has none.", kinds[[which(lacking)[1]]]$name)
  }
}

stack_fit <- function(points, s, parts, weights = rep(1, length(parts)), gone = NULL) {
  laws <- lapply(stack_kinds(parts), fit_law, points = points, s = s, gone = gone)
  if (!all(vapply(laws, has_density, NA))) fail("Every law of a \"stack\" must have a density.")
  list(laws = laws, weights = weights / sum(weights))
}

#' @export
format.law_stack <- function(x, ...) {
  check_dots("format()", ...)
  weights <- tapply(x$weights, vapply(x$laws, `[[`, "", "name"), sum)
  weights <- sort(weights, decreasing = TRUE)
  sprintf("mixture (%s)", paste(sprintf("%.0f %% %s", 100 * weights, names(weights)), collapse = ", "))
}

stack_density <- function(law, points, threads, self = FALSE) {
  each <- vapply(law$laws, function(part) law_density(part, points, threads, self = self)[, 1], numeric(nrow(points)))
  matrix(log_mean_exp(matrix(each, nrow(points)), law$weights))
}

stack_draw <- function(law, n, key, threads) {
  part <- pick_weighted(draw_uniform(n, 1, key, stream = 3L)[, 1], law$weights)
  points <- NULL
  for (k in seq_along(law$laws)) {
    drawn <- draw_law(law$laws[[k]], n, key, threads)
    if (is.null(points)) points <- drawn else points[part == k, ] <- drawn[part == k, ]
  }
  points
}

stack_components <- function(law) {
  parts <- lapply(law$laws, law_components)
  if (!any(vapply(parts, is.null, NA))) list(weights = law$weights, parts = parts)
}
