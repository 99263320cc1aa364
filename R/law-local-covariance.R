law_local_covariance <- function(points, s, k = 20, shrinkage = 0.1, jitter = 0.7, keep_moments = FALSE, memo = NULL) {
  k <- min(check_count(k, "k", 1L), nrow(points) - 1L)
  shrinkage <- check_number(shrinkage, "shrinkage", lower = 0, upper = 1)
  jitter <- check_number(jitter, "jitter", lower = 0)
  if (shrinkage == 0 && k <= ncol(points)) {
    fail("`k` = %d neighbours in %d dimensions have no covariance of full rank; give a `k` above %d or `shrinkage` above 0.",
         k, ncol(points), ncol(points))
  }
  shapes <- remembered(memo, paste("shapes", k, shrinkage), local_shapes(points, k, shrinkage))
  new_law("local_covariance", points = points, k = k, shrinkage = shrinkage, jitter = jitter,
          keep_moments = check_flag(keep_moments, "keep_moments"), centres = shapes$centres, spread = shapes$spread,
          factors = shapes$factors, log_det = shapes$log_det)
}

# For each point, from C = (1 - shrinkage) C_k + shrinkage tr(C_k)/d I, C_k the
# covariance of the point and its k neighbours: `centres` [d, n], their means; `spread`
# [d (d+1)/2, n], L by rows, C = LL'; `factors`, L^-1 by rows, so that |factor z|^2 is
# the Mahalanobis length; and log det of the factor.
local_shapes <- function(points, k, shrinkage) {
  index <- neighbours(points, points, k, self = TRUE)$index
  least <- (1e-3 * typical_spacing(points))^2 / ncol(points)
  .Call(C_pf_local_gaussians, points, index, shrinkage, least, thread_count())
}

# The noise is centred on the particle and has width h, or, to keep the local mean and
# covariance, both are drawn in towards the local mean by t = (1 + h^2)^(-1/2).
#' @export
law_density.law_local_covariance <- function(law, points, threads, self = FALSE, jitter = law$jitter, ...) {
  constants <- law$log_det - ncol(points) / 2 * log(2 * pi)
  if (!law$keep_moments) {
    return(mixture_log_density(points, law$points, law$factors, constants, jitter, threads, self))
  }
  share <- 1 / sqrt(1 + jitter^2)
  mixture_log_density(points, t(law$centres), law$factors, constants, jitter * share, threads, self,
                      offsets = lower_times(law$factors, t(law$points) - law$centres), shares = share)
}

#' @export
draw_law.law_local_covariance <- function(law, n, key, threads) {
  d <- ncol(law$points)
  from <- pick(draw_uniform(n, 1, key)[, 1], nrow(law$points))
  noise <- draw_normal(n, d, key, stream = 1L)
  share <- if (law$keep_moments) 1 / sqrt(1 + law$jitter^2) else 1
  centre <- t(law$centres[, from, drop = FALSE])
  centre + share * (law$points[from, , drop = FALSE] - centre +
                      law$jitter * t(lower_times(law$spread[, from, drop = FALSE], t(noise))))
}
