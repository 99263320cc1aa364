# The density floor of a fit: a draw is drawn again if it is less likely than a quantile of the rows.

# The share of draws that is kept is estimated from this number of draws under this key, to about a hundredth.
floor_key <- c(0L, 0L)
floor_draws <- 1000L

# What the floor of one class is computed from, in the unit of the flow. `own` are the log-densities of the rows and
# `draws` those of draws under a fixed key. A law assigns too high a density to the rows it was fitted to. So `own` are
# the held-out log-densities if there are some. Otherwise each row is evaluated without its own particle. NULL: there
# is no density that could be trusted.
floor_densities <- function(flow, control, threads) {
  trusted <- has_density(flow$law) && all(flow$scale > 0) && control$backward == "exact" &&
    all(flow$trajectory$diagnostics$bound < 1, na.rm = TRUE) && ncol(flow$trajectory$frames) <= most_exact_dims
  if (!trusted) return(NULL)
  own <- if (length(flow$held_out)) {
    flow$held_out - flow_log_volume(flow)
  } else if (is.null(flow$own)) {
    carried <- carry_forward(flow$trajectory, NULL, threads)
    own_density(flow, carried$points, threads) + carried$log_det
  } else {
    as.vector(flow_log_density(flow, flow$own, threads)) - flow_log_volume(flow)
  }
  y <- draw_law(flow$law, floor_draws, floor_key, threads)
  back <- run_backward(flow$trajectory, y, control, threads, FALSE, log_det = TRUE)
  list(own = own, draws = law_density(flow$law, y, threads)[, 1] + back$log_det)
}

# Log-density of each particle under the law without the particle's own part. If particles are equal, all of them are
# left out, and the law is fitted to the distinct particles.
own_density <- function(flow, points, threads) {
  first <- first_equal(points)
  distinct <- first == seq_along(first)
  law <- if (!all(distinct) && !is.null(flow$kind)) {
    kind <- as_law(flow$kind$law, flow$kind$settings)
    unless_unfit(fit_law(kind, points[distinct, , drop = FALSE], flow$trajectory$s))
  }
  if (is.null(law)) return(law_density(flow$law, points, threads, self = TRUE)[, 1])
  each <- law_density(law, points[distinct, , drop = FALSE], threads, self = TRUE)[, 1]
  each[match(first, which(distinct))]
}

# The level below which a draw is dropped, in the unit of the flow, and the share of draws that is kept. NULL: no draw
# is dropped. If the fit was made without a floor, this function computes the densities.
flow_floor <- function(flow, density_floor, control, threads) {
  if (density_floor == 0) return(NULL)
  found <- if (is.null(flow$floor)) floor_densities(flow, control, threads) else flow$floor
  if (is.null(found)) return(NULL)
  level <- stats::quantile(found$own, density_floor, names = FALSE)
  list(level = level, kept = max(mean(found$draws >= level), 1e-3))
}
