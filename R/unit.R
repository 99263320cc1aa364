# The unit in which a flow runs: latent rows as they are, scaled to the radius of the unit ball, or whitened.

place_rows <- function(z, place, by_column) {
  switch(place,
         as_is = list(centre = rep(0, ncol(z)), scale = rep(1, ncol(z))),
         scaled = ball_scale(z, by_column),
         whitened = whitened(z))
}

# Centre and unit of each coordinate, such that the root-mean-square radius of the rows is that of the uniform law on
# the unit ball. by_column: each coordinate has the same variance. A coordinate that does not vary has the unit 0 and
# stays as it is.
ball_scale <- function(z, by_column) {
  centre <- colMeans(z)
  dim <- ncol(z)
  variance <- colMeans(sweep(z, 2, centre)^2)
  if (!by_column) variance[] <- mean(variance)
  spread <- sqrt(variance)
  spread[spread < 1e-12 * max(spread, abs(centre))] <- 0
  list(centre = centre, scale = spread * sqrt(dim + 2))
}

# The same radius, with a covariance that is a multiple of the identity. `turn` is upper triangular with turn'turn =
# (d + 2) C, where C is the covariance of z, so (z - centre) turn^-1 has the covariance I/(d + 2).
whitened <- function(z) {
  covariance <- stats::cov(z) * (nrow(z) - 1) / nrow(z)
  turn <- tryCatch(chol(covariance), error = function(e) NULL)
  if (is.null(turn)) stop_unfit(
    "The latent rows cannot be whitened: their covariance is singular; give `scale = TRUE`."
  )
  turn <- turn * sqrt(ncol(z) + 2)
  list(centre = colMeans(z), scale = rep(1, ncol(z)), turn = turn)
}

# Latent rows in the unit of a flow, and the way back.
to_flow <- function(z, flow) {
  if (is.null(flow$turn)) return(shift_columns(z, flow$centre, ifelse(flow$scale > 0, flow$scale, 1)))
  t(backsolve(flow$turn, t(shift_columns(z, flow$centre)), transpose = TRUE))
}

from_flow <- function(points, flow) {
  if (is.null(flow$turn)) return(unscale_columns(points, flow$centre, flow$scale))
  unscale_columns(points %*% flow$turn, flow$centre)
}

# log|det| of to_flow() over the coordinates that vary.
flow_log_volume <- function(flow) {
  if (!is.null(flow$turn)) return(-sum(log(diag(flow$turn))))
  -sum(log(flow$scale[flow$scale > 0]))
}
