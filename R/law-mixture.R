#' The law "mixture": a mixture of Gaussians
#'
#' Gaussians with full covariances, fitted by the EM algorithm of package mclust. The law suits clusters.
#'
#' Models with the conjugate prior of mclust are used, but `"VEE"` has no prior in more than one dimension. The
#' algorithm starts from the classes of Ward's hierarchy, so that no random number is drawn. A search tries 1, 2, 4, 8
#' and 12 components, but only numbers with at least \eqn{5(d + 1)} rows per component. Of more
#' than 100,000 rows the law knows a sample, see [laws].
#'
#' @param components Number of Gaussians, a whole number of at least 1. It is lowered to the number of rows. Above 500
#'   the law cannot be fitted. `NULL`: the number with the best BIC, at most 12 and with at least \eqn{5(d + 1)} rows
#'   per component.
#' @param model Model of mclust. With `"VVV"` each component has its own covariance. With `"VEE"` all components have
#'   one shape in several sizes, which suits heavy tails.
#' @return An object of class `law_kind`, see [laws].
#' @examples
#' law_mixture(components = 2)
#' efs(iris[51:150, 3:4], law = law_mixture(components = 2), time = 0)
#' @family latent laws
#' @export
law_mixture <- structure(function(components = NULL, model = "VVV") {
  settings <- given_settings()
  if (!is.null(components)) check_count(components, "components", 1L)
  check_choice(model, c("VVV", "VEE"), "model")
  new_law_kind("mixture", mixture_fit, mixture_draw, mixture_density, mixture_candidates, settings, spherical = FALSE,
               searched = 5, components = mixture_components, most_rows = mixture_rows)
}, class = "law_constructor")

mixture_candidates <- function(n, d) {
  lapply(intersect(c(1L, 2L, 4L, 8L, 12L), seq_len(most_components(n, d))), function(g) list(components = g))
}

# A component needs at least five rows per dimension (plus one) for its covariance.
most_components <- function(n, d) max(1L, min(12L, as.integer(n / (5 * (d + 1)))))

mixture_fit <- function(points, components = NULL, model = "VVV", memo = NULL) {
  fit <- if (is.null(components)) {
    most <- most_components(nrow(points), ncol(points))
    fits <- lapply(seq_len(most), function(g) fit_mixture(points, g, model, memo))
    bic <- vapply(fits, function(fit) if (is.null(fit)) -Inf else fit$bic, 0)
    fits[[which.max(bic)]]
  } else {
    fit_mixture(points, min(as.integer(components), nrow(points)), model, memo)
  }
  if (is.null(fit)) {
    stop_unfit("The EM algorithm found no mixture of %s Gaussians for %d rows in %d dimensions; %s.",
               format(components), nrow(points), ncol(points), "take fewer `components`")
  }
  list(components = length(fit$weights), model = model, weights = fit$weights, means = fit$means, roots = fit$roots)
}

# EM from the classes of Ward's hierarchy, so that no random number is drawn. NULL: the algorithm failed.
fit_mixture <- function(points, components, model, memo) {
  n <- nrow(points)
  d <- ncol(points)
  colnames(points) <- NULL
  class <- ward_classes(points, components, memo)
  # some distances were out of the range of numbers
  if (!all(class %in% seq_len(components))) return(NULL)
  fit <- em_by_mclust(points, mclust::unmap(class, seq_len(components)), if (components == 1) "VVV" else model)
  if (is.null(fit) || is.null(fit$parameters$mean) || anyNA(fit$parameters$mean) || !is.finite(fit$loglik)) return(NULL)
  variance <- fit$parameters$variance
  sigma <- if (d == 1) array(variance$sigmasq, c(1, 1, components)) else variance$sigma
  roots <- lapply(seq_len(components), function(g) cholesky(sigma[, , g]))
  if (any(vapply(roots, is.null, NA))) return(NULL)
  weights <- if (components == 1) 1 else fit$parameters$pro
  shapes <- if (model == "VVV") components * d * (d + 1) / 2 else d * (d + 1) / 2 + components - 1
  free <- components * (1 + d) - 1 + shapes
  list(weights = weights, means = matrix(t(fit$parameters$mean), components, d), roots = roots,
       bic = 2 * fit$loglik - free * log(n))
}

most_em_steps <- 200L

# Of the log-likelihood, relative, and of the shape of VEE: a stop a little early costs less than the noise of the rows.
em_tolerance <- c(1e-4, 1e-5)

# This many steps take at most a second. R can be interrupted between two calls.
em_steps_a_call <- function(n, d, components) {
  max(2L, min(most_em_steps, as.integer(3e8 / (as.double(n) * components * d^2))))
}

# The algorithm from the classes `share` [n, components], with `steps` steps per call. NULL: it failed.
em_by_mclust <- function(points, share, model, steps = em_steps_a_call(nrow(points), ncol(points), ncol(share))) {
  em <- if (ncol(points) == 1) mclust::meV else if (model == "VVV") mclust::meVVV else mclust::meVEE
  # mclust has no prior for VEE
  prior <- if (ncol(points) == 1 || model == "VVV") mclust::priorControl()
  data <- if (ncol(points) == 1) as.vector(points) else points
  made <- 0
  repeat {
    control <- list(eps = .Machine$double.eps, tol = em_tolerance, itmax = c(steps, 100L), equalPro = FALSE)
    # mclust throws errors without a class if a covariance is singular or a class is empty
    fit <- tryCatch(suppressWarnings(em(data, share, prior = prior, control = control)), error = function(e) NULL)
    if (is.null(fit)) return(NULL)
    info <- attr(fit, "info") # steps (negative at the limit) and the last relative change of the log-likelihood
    made <- made + abs(info[1])
    going_on <- isTRUE(info[[2]] >= em_tolerance[1]) && isTRUE(made < most_em_steps) && isTRUE(is.finite(fit$loglik))
    if (!going_on) return(fit)
    share <- fit$z
  }
}

mixture_density <- function(law, points, threads, self = FALSE) {
  d <- ncol(points)
  factors <- vapply(law$roots, inverse_factor, numeric(d * (d + 1) / 2))
  log_det <- vapply(law$roots, function(root) -sum(log(diag(as.matrix(root)))), 0)
  mixture_log_density(points, law$means, matrix(factors, ncol = length(law$roots)), log_det - d / 2 * log(2 * pi), 1,
                      threads, FALSE, law$weights)
}

mixture_draw <- function(law, n, key, threads) {
  .Call(C_pf_draw_components, as.integer(n), mixture_components(law)[mixture_members], key, 0L, key, 1L, threads)
}

mixture_components <- function(law) {
  pack_components(law$weights, t(law$means), packed_roots(lapply(law$roots, as.matrix)))
}
