# A mixture of multivariate t by EM with a conjugate prior: `prior` pseudo-rows of a
# sphere as wide as the component, so that a component needs fewer rows than dimensions.
# `df = Inf`: Gaussian components, whose predictive law is a t with as many degrees of
# freedom as the component has rows, pseudo-rows included.
law_student <- function(points, s, components = 1L, df = Inf, prior = ncol(points) + 2, memo = NULL) {
  components <- min(check_count(components, "components", 1L), nrow(points))
  if (!identical(df, Inf)) df <- check_number(df, "df", lower = 0, open_lower = TRUE)
  prior <- check_number(prior, "prior", lower = 0, open_lower = TRUE)
  fit <- fit_student(unname(points), ward_classes(points, components, memo), components, df, prior)
  if (is.null(fit)) {
    fail("The EM algorithm found no mixture of %d t distributions for %d rows in %d dimensions; take fewer `components`.",
         components, nrow(points), ncol(points))
  }
  widen <- sqrt(1 + 1 / pmax(fit$rows, 1))
  new_law("student", components = components, weights = fit$rows / nrow(points), means = fit$means,
          roots = Map(function(root, factor) factor * root, fit$roots, widen),
          df = if (is.finite(df)) rep(df, components) else fit$rows + prior, prior = prior)
}

# `rows`: the expected number of rows of each component. NULL: the algorithm broke down.
fit_student <- function(points, class, components, df, prior, most_steps = 80L) {
  n <- nrow(points)
  d <- ncol(points)
  share <- outer(class, seq_len(components), "==") + 0
  fit <- list(share = share, pull = share, log_likelihood = -Inf)
  steps <- max(1, min(most_steps, floor(1e9 / (n * components * (d + 4)^2)))) # of a call, so that it can be interrupted
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

#' @export
law_density.law_student <- function(law, points, threads, self = FALSE, ...) {
  each <- t_log_density(squared_lengths(points, law$means, law$roots, threads), law$roots, law$df, ncol(points))
  matrix(log_mean_exp(each, law$weights))
}

#' @export
draw_law.law_student <- function(law, n, key, threads) {
  u <- draw_uniform(n, 2, key)
  from <- pick_weighted(u[, 1], law$weights)
  noise <- draw_normal(n, ncol(law$means), key, stream = 1L)
  component_rows(noise * sqrt(law$df[from] / stats::qchisq(u[, 2], law$df[from])), from, law)
}
