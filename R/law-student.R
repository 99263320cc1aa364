#' The law "student": a mixture of t distributions
#'
#' Multivariate t distributions, fitted by the EM algorithm with a conjugate prior. The prior counts as `prior` rows
#' from a round distribution of the component's size, so that a component may have fewer rows than there are
#' dimensions. The law suits clusters, small tables and, with a small `df`, heavy tails. Of more than 100,000 particles
#' it knows a sample, see [laws].
#'
#' With `df = Inf` the components are Gaussian, and the law is their posterior predictive distribution. This is a
#' mixture of t distributions. The degrees of freedom of each are the number of rows of its component plus `prior`.
#'
#' A search tries these settings, but only with at least six rows per component:
#'
#' * 1, 2, 3, 5, 8 and 12 components with `df = Inf` and a prior of 2, of \eqn{d + 2} and, for \eqn{d > 5}, of 6;
#' * one component with `df` of 3, 6 and 12 and a prior of 2;
#' * 2, 3 and 5 components with `df = 5` and a prior of 2.
#'
#' @param components Number of components, a whole number of at least 1. It is lowered to
#'   the number of rows. Above 500 the law cannot be fitted.
#' @param df Degrees of freedom, a number above 0, or `Inf`.
#' @param prior Weight of the prior, in rows, a number above 0. `NULL`: \eqn{d + 2}.
#' @return An object of class `law_kind`, see [laws].
#' @examples
#' law_student(df = 3)
#' efs(iris[51:100, 3:4], law = law_student(components = 2), time = 0)
#' @family latent laws
#' @export
law_student <- structure(function(components = 1, df = Inf, prior = NULL) {
  settings <- given_settings()
  check_count(components, "components", 1L)
  if (!identical(df, Inf)) check_number(df, "df", lower = 0, open_lower = TRUE)
  if (!is.null(prior)) check_number(prior, "prior", lower = 0, open_lower = TRUE)
  new_law_kind("student", student_fit, student_draw, student_density, student_candidates, settings,
               in_scores = student_in_scores, searched = 6, components = student_components, most_rows = mixture_rows)
}, class = "law_constructor")

student_candidates <- function(n, d) {
  # at least six rows per component
  some <- function(components) intersect(components, seq_len(n %/% 6))
  grid <- rbind(
    expand.grid(components = some(c(1L, 2L, 3L, 5L, 8L, 12L)), df = Inf, prior = c(2, if (d > 5) 6, d + 2)),
    expand.grid(components = 1L, df = c(3, 6, 12), prior = 2),
    expand.grid(components = some(c(2L, 3L, 5L)), df = 5, prior = 2)
  )
  lapply(seq_len(nrow(grid)), function(i) as.list(grid[i, ]))
}

# The settings with the weakest prior that describe what normal scores cannot: several components, or heavy tails.
student_in_scores <- function(settings) {
  settings$prior == 2 && (settings$components %in% c(2, 3, 5, 8) || settings$df == 6)
}

student_fit <- function(points, components = 1, df = Inf, prior = NULL, memo = NULL) {
  components <- min(as.integer(components), nrow(points))
  check_memory(4 * 8 * as.double(nrow(points)) * components,
               sprintf("%d components of %d rows", components, nrow(points)), "give fewer `components`")
  if (is.null(prior)) prior <- ncol(points) + 2
  fit <- fit_student(unname(points), ward_classes(points, components, memo), components, df, prior)
  if (is.null(fit)) {
    stop_unfit("The EM algorithm found no mixture of %d t distributions for %d rows in %d dimensions; %s.",
               components, nrow(points), ncol(points), "take fewer `components`")
  }
  widen <- sqrt(1 + 1 / pmax(fit$rows, 1))
  list(components = components, weights = fit$rows / nrow(points), means = fit$means,
       roots = Map(function(root, factor) factor * root, fit$roots, widen),
       df = if (is.finite(df)) rep(as.double(df), components) else fit$rows + prior, prior = as.double(prior))
}

# `rows`: the expected number of rows of each component. NULL: the algorithm failed.
fit_student <- function(points, class, components, df, prior, most_steps = 80L) {
  n <- nrow(points)
  d <- ncol(points)
  share <- outer(class, seq_len(components), "==") + 0
  fit <- list(share = share, pull = share, log_likelihood = -Inf)
  steps <- max(1, min(most_steps, floor(1e9 / (n * components * (d + 4)^2)))) # per call, so that R can be interrupted
  made <- 0
  repeat {
    fit <- .Call(C_pf_t_mixture_fit, points, fit$share, fit$pull, as.double(df), as.double(prior), fit$log_likelihood,
                 as.integer(min(steps, most_steps - made)), 1e-3 * sqrt(n), thread_count())
    if (is.nan(fit$log_likelihood)) return(NULL)
    made <- made + fit$steps
    if (fit$steps < steps || made >= most_steps) break
  }
  list(rows = fit$rows, means = fit$means, roots = lapply(seq_len(components), function(g) matrix(fit$roots[, g], d)))
}

student_density <- function(law, points, threads, self = FALSE) {
  each <- t_log_density(squared_lengths(points, law$means, law$roots, threads), law$roots, law$df, ncol(points))
  matrix(log_mean_exp(each, law$weights))
}

student_draw <- function(law, n, key, threads) {
  u <- draw_uniform(n, 2, key)
  from <- pick_weighted(u[, 1], law$weights)
  noise <- draw_normal(n, ncol(law$means), key, stream = 1L)
  component_rows(noise * sqrt(law$df[from] / stats::qchisq(u[, 2], law$df[from])), from, law)
}

student_components <- function(law) pack_components(law$weights, t(law$means), packed_roots(law$roots), law$df)
