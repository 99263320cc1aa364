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

# Classes of Ward's hierarchy on at most 500 rows, evenly spaced; the others join the
# nearest mean. Nothing is drawn.
ward_classes <- function(points, components, memo = NULL) {
  n <- nrow(points)
  if (components == 1) return(rep(1L, n))
  some <- unique(round(seq(1, n, length.out = min(n, 500))))
  tree <- remembered(memo, "tree", stats::hclust(stats::dist(points[some, , drop = FALSE]), "ward.D2"))
  cut <- stats::cutree(tree, components)
  centres <- rowsum(points[some, , drop = FALSE], cut) / as.vector(table(cut))
  neighbours(points, unname(centres), 1L)$index[, 1]
}

# (x - m)' C^-1 (x - m) of each row and component [n, components], C = R'R.
squared_lengths <- function(points, means, roots, threads = thread_count()) {
  d <- ncol(points)
  factors <- vapply(roots, inverse_factor, numeric(d * (d + 1) / 2))
  -2 * .Call(C_pf_target_components, points, means, matrix(factors, ncol = length(roots)), numeric(length(roots)), threads)
}

# The inverse of the lower Cholesky factor t(root), by rows.
inverse_factor <- function(root) {
  d <- ncol(root)
  backsolve(root, diag(d))[upper.tri(diag(d), diag = TRUE)]
}

# Log-densities [n, components] from squared lengths; Gaussian where df is infinite.
t_log_density <- function(lengths, roots, df, d) {
  for (g in seq_along(roots)) {
    tail <- if (is.finite(df[g])) {
      lgamma((df[g] + d) / 2) - lgamma(df[g] / 2) - d / 2 * log(df[g] * pi) - (df[g] + d) / 2 * log1p(lengths[, g] / df[g])
    } else {
      -d / 2 * log(2 * pi) - lengths[, g] / 2
    }
    lengths[, g] <- tail - sum(log(diag(roots[[g]])))
  }
  lengths
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
