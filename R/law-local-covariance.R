#' The law "local_covariance": a particle plus noise shaped like its neighbours
#'
#' A particle chosen at random plus Gaussian noise. The covariance of the noise is `jitter`\eqn{^2} times that of the
#' particle and its `k` nearest neighbours. A share `shrinkage` of this covariance is replaced by a multiple of the
#' identity with the same trace. The law suits data near a surface or a curve, and clusters.
#'
#' A search tries `k` of 10, 20 and 40, `shrinkage` of 0.03 and 0.2, both values of `keep_moments`, and seven values of
#' `jitter` between 0.3 and 2.5. Of more than 50,000 (20,000 in up to three dimensions) particles the law knows a
#' sample, see [laws].
#'
#' @param k Number of neighbours, a whole number of at least 1. With `shrinkage = 0` it must be above the number of
#'   dimensions.
#' @param shrinkage Share of the identity, a number between 0 and 1.
#' @param jitter Width of the noise relative to that of the neighbours, a number of at least 0.
#' @param keep_moments `TRUE` shrinks particle and noise towards the mean of the neighbours, so that the draws have the
#'   local covariance. This is better for thin surfaces and clusters, and worse for heavy tails.
#' @return An object of class `law_kind`, see [laws].
#' @examples
#' law_local_covariance(k = 10)
#' efs(iris[51:100, 3:4], law = law_local_covariance(k = 10), time = 0)
#' @family latent laws
#' @export
law_local_covariance <- structure(function(k = 20, shrinkage = 0.1, jitter = 0.7, keep_moments = FALSE) {
  settings <- given_settings()
  check_count(k, "k", 1L)
  check_number(shrinkage, "shrinkage", lower = 0, upper = 1)
  check_number(jitter, "jitter", lower = 0)
  check_flag(keep_moments, "keep_moments")
  new_law_kind("local_covariance", local_covariance_fit, local_covariance_draw, local_covariance_density,
               local_covariance_candidates, settings, sweep = "jitter", in_scores = local_covariance_in_scores,
               searched = 3, components = local_covariance_components, most_rows = shape_rows)
}, class = "law_constructor")

local_covariance_candidates <- function(n, d) {
  shapes <- expand.grid(k = unique(pmin(c(10L, 20L, 40L), n - 1L)), shrinkage = c(0.03, 0.2),
                        keep_moments = c(FALSE, TRUE))
  jitter <- exp(seq(log(0.3), log(2.5), length.out = 7))
  lapply(seq_len(nrow(shapes)), function(i) c(as.list(shapes[i, ]), list(jitter = jitter)))
}

# The middle of the grid of settings.
local_covariance_in_scores <- function(settings) settings$k == 20 && settings$shrinkage < 0.1

local_covariance_fit <- function(points, k = 20, shrinkage = 0.1, jitter = 0.7, keep_moments = FALSE, memo = NULL) {
  k <- min(as.integer(k), nrow(points) - 1L)
  if (shrinkage == 0 && k <= ncol(points)) {
    fail("`k` = %d neighbours in %d dimensions have no covariance of full rank; %s.", k, ncol(points),
         sprintf("give a `k` above %d or `shrinkage` above 0", ncol(points)))
  }
  shapes <- remembered(memo, paste("shapes", k, shrinkage), local_shapes(points, k, shrinkage))
  list(points = points, k = k, shrinkage = as.double(shrinkage), jitter = as.double(jitter),
       keep_moments = keep_moments, centres = shapes$centres, spread = shapes$spread, factors = shapes$factors,
       log_det = shapes$log_det)
}

# The local shape at each point, from C = (1 - shrinkage) C_k + shrinkage tr(C_k)/d I, where C_k is the covariance of
# the point and its k neighbours. `centres` [d, n]: the local means. `spread` [d (d+1)/2, n]: L by rows, with C = LL'.
# `factors`: L^-1 by rows, so that |factor z|^2 is the squared Mahalanobis length. `log_det`: log det of the factor.
local_shapes <- function(points, k, shrinkage) {
  index <- neighbours(points, points, k, self = TRUE)$index
  least <- (1e-3 * typical_spacing(points))^2 / ncol(points)
  .Call(C_pf_local_gaussians, points, index, shrinkage, least, thread_count())
}

# The noise has width h and is centred on the particle. With keep_moments particle and noise are both shrunk towards
# the local mean by t = (1 + h^2)^(-1/2), which keeps the local mean and covariance.
local_covariance_density <- function(law, points, threads, self = FALSE, jitter = law$jitter) {
  constants <- law$log_det - ncol(points) / 2 * log(2 * pi)
  if (!law$keep_moments) {
    return(mixture_log_density(points, law$points, law$factors, constants, jitter, threads, self))
  }
  share <- 1 / sqrt(1 + jitter^2)
  mixture_log_density(points, t(law$centres), law$factors, constants, jitter * share, threads, self,
                      offsets = lower_times(law$factors, t(law$points) - law$centres), shares = share)
}

local_covariance_draw <- function(law, n, key, threads) {
  d <- ncol(law$points)
  from <- pick(draw_uniform(n, 1, key)[, 1], nrow(law$points))
  noise <- draw_normal(n, d, key, stream = 1L)
  share <- if (law$keep_moments) 1 / sqrt(1 + law$jitter^2) else 1
  centre <- t(law$centres[, from, drop = FALSE])
  centre + share * (law$points[from, , drop = FALSE] - centre +
                      law$jitter * t(lower_times(law$spread[, from, drop = FALSE], t(noise))))
}

local_covariance_components <- function(law) {
  if (!(law$jitter > 0)) return(NULL)
  share <- if (law$keep_moments) 1 / sqrt(1 + law$jitter^2) else 1
  n <- nrow(law$points)
  means <- law$centres + share * (t(unname(law$points)) - law$centres)
  if (!law$keep_moments) means <- t(unname(law$points))
  pack_components(rep(1 / n, n), means, share * law$jitter * law$spread)
}
