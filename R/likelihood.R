# The likelihood of a flow, by the change of variables through its steps:
#   log p(y0) = log q(yk) + sum_j log det(I - gamma_j J_j),
# where J_j is the Jacobian of the field of frame j at the point before the step.

# Points carried along with the flow: where they end, and the sums of the log dets. Without `points` the particles
# themselves are taken, each without its own pair.
carry_forward <- function(traj, points = NULL, threads) {
  frame_at <- frame_reader(traj, threads)
  own <- is.null(points)
  if (own) points <- unname(frame_at(1L))
  total <- numeric(nrow(points))
  error <- 0
  for (j in seq_along(traj$gamma)) {
    field <- traj_field(traj, frame_at(j), j, threads)
    if (own) points <- field$at
    volume <- volume_of(field, points, own, traj$gamma[j], threads)
    total <- total + volume$value
    error <- error + volume$error
    if (!own) points <- check_carried(points - traj$gamma[j] * field_of(field, points, threads), traj)
  }
  if (own) points <- last_frame(traj)
  list(points = unname(points), log_det = total, error = error)
}

# Log-density of latent rows of one class, in units of the latent rows. Without `z` the training rows are taken, each
# without its own particle.
flow_log_density <- function(flow, z = NULL, threads) {
  check_density(flow$law)
  if (any(flow$scale == 0)) {
    fail("The rows of a class have no density if a column does not vary within the class; leave this column out.")
  }
  carried <- carry_forward(flow$trajectory, if (!is.null(z)) to_flow(z, flow), threads)
  density <- law_density(flow$law, carried$points, threads, self = is.null(z))
  structure(density[, 1] + carried$log_det + flow_log_volume(flow), error = carried$error)
}
