law_mixture <- function(points, s, components = NULL, model = "VVV", memo = NULL) {
  model <- check_choice(model, c("VVV", "VEE"), "model")
  most <- most_components(nrow(points), ncol(points))
  if (is.null(components)) {
    fits <- lapply(seq_len(most), function(g) fit_mixture(points, g, model, memo))
    bic <- vapply(fits, function(fit) if (is.null(fit)) -Inf else fit$bic, 0)
    fit <- fits[[which.max(bic)]]
  } else {
    components <- check_count(components, "components", 1L)
    fit <- fit_mixture(points, min(components, nrow(points)), model, memo)
  }
  if (is.null(fit)) {
    fail("The EM algorithm found no mixture of %s Gaussians for %d rows in %d dimensions; take fewer `components`.",
         format(components), nrow(points), ncol(points))
  }
  new_law("mixture", components = length(fit$weights), model = model, weights = fit$weights, means = fit$means, roots = fit$roots)
}

# With fewer rows than five times the dimension a component has no covariance to
# speak of.
most_components <- function(n, d) max(1L, min(12L, as.integer(n / (5 * (d + 1)))))

# EM from the classes of Ward's hierarchy, so that no random number is drawn. NULL: it failed.
fit_mixture <- function(points, components, model, memo) {
  n <- nrow(points)
  d <- ncol(points)
  colnames(points) <- NULL
  class <- ward_classes(points, components, memo)
  prior <- mclust::priorControl()
  fit <- tryCatch(
    suppressWarnings(if (d == 1) {
      mclust::meV(as.vector(points), mclust::unmap(class, seq_len(components)), prior = prior, control = em_control)
    } else {
      em <- if (model == "VVV" || components == 1) mclust::meVVV else mclust::meVEE
      em(points, mclust::unmap(class, seq_len(components)), prior = prior, control = em_control)
    }),
    error = function(e) NULL
  )
  if (is.null(fit) || is.null(fit$parameters$mean) || anyNA(fit$parameters$mean) || !is.finite(fit$loglik)) return(NULL)
  sigma <- if (d == 1) array(fit$parameters$variance$sigmasq, c(1, 1, components)) else fit$parameters$variance$sigma
  roots <- tryCatch(lapply(seq_len(components), function(g) chol(sigma[, , g])), error = function(e) NULL)
  if (is.null(roots)) return(NULL)
  weights <- if (components == 1) 1 else fit$parameters$pro
  shapes <- if (model == "VVV") components * d * (d + 1) / 2 else d * (d + 1) / 2 + components - 1
  free <- components * (1 + d) - 1 + shapes
  list(weights = weights, means = matrix(t(fit$parameters$mean), components, d), roots = roots,
       bic = 2 * fit$loglik - free * log(n))
}

em_control <- list(eps = .Machine$double.eps, tol = c(1e-4, 1e-5), itmax = c(200L, 100L), equalPro = FALSE)

#' @export
law_density.law_mixture <- function(law, points, threads, self = FALSE, ...) {
  d <- ncol(points)
  factors <- vapply(law$roots, inverse_factor, numeric(d * (d + 1) / 2))
  log_det <- vapply(law$roots, function(root) -sum(log(diag(as.matrix(root)))), 0)
  mixture_log_density(points, law$means, matrix(factors, ncol = length(law$roots)), log_det - d / 2 * log(2 * pi), 1,
                      threads, FALSE, law$weights)
}

#' @export
draw_law.law_mixture <- function(law, n, key, threads) {
  from <- pick_weighted(draw_uniform(n, 1, key)[, 1], law$weights)
  component_rows(draw_normal(n, ncol(law$means), key, stream = 1L), from, law)
}
