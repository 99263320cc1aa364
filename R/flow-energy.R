# The flow of energy_flow(): particles [n, d] move against the gradient of their energy distance to a target. Each step
# goes along d orthogonal directions; see src/core/flow/energy.h.

# The step that is chosen: along a direction, the pull of the whole target is as many units as this. The unit is the
# root-mean-square deviation of the coordinates of both tables.
default_pull <- 64

# At least so many directions are measured: at the start, at the end, and before a run ends by its tolerance.
measured_directions <- 64L

# start [n, d], target [m, d]: in the units of the flow. `...`: parts that the fit returns (table, latent, source,
# call).
new_energy_run <- function(start, target, control, ...) {
  key <- draw_key()
  dim <- ncol(start)
  per_step <- 4 * slice_constant(dim) / dim
  step <- control$step
  if (is.null(step)) step <- default_pull * pooled_unit(start, target) / per_step
  every <- control$every
  if (is.null(every)) {
    every <- max(1, ceiling(control$n_steps / 100), ceiling(control$n_steps * 8 * length(start) / most_kept_bytes))
  }
  first <- measure_energy(start, target, key, thread_count())
  new_run("energy", "Particles", control, list(particles = start, step = 0L), control$n_steps, start = start,
          target = target, key = key, step = step, pull = step * per_step, every = as.integer(every),
          fresh = fresh_distance(first, nrow(start), nrow(target)), first = first$divergence, ...)
}

pooled_unit <- function(start, target) {
  n <- nrow(start)
  m <- nrow(target)
  centre <- (colSums(start) + colSums(target)) / (n + m)
  squares <- function(x) sum(vapply(seq_along(centre), function(j) sum((x[, j] - centre[j])^2), 0))
  sqrt((squares(start) + squares(target)) / ((n + m) * length(centre)))
}

# ---- directions and distances ----------------------------------------------------------------------------

# The energy distance and its standard error from the values along directions. In one dimension it is exact.
mean_along <- function(across, dim) {
  count <- length(across)
  constant <- slice_constant(dim)
  c(divergence = constant * mean(across),
    standard_error = if (dim == 1) 0 else constant * stats::sd(across) / sqrt(count))
}

# list(divergence, standard_error, within): the energy distance of two samples, and the mean distance of two different
# target rows. The directions depend on the key alone and are not those of the steps.
measure_energy <- function(points, target, key, threads) {
  dim <- ncol(points)
  directions <- orthogonal_directions(dim, dim * ceiling(measured_directions / dim), other_key(key, 1L), 0L)
  sums <- line_energies(points, target, directions, threads, function(count) NULL)
  m <- nrow(target)
  c(as.list(mean_along(sums[, 1], dim)), within = slice_constant(dim) * mean(sums[, 3]) * m / (m - 1))
}

# The mean energy distance of n fresh rows of a law from m rows of it, (1/n + 1/m) E|Y - Y'|. It is also the mean over
# all ways to cut the target in two, with n and m the sizes of the parts.
fresh_distance <- function(measured, n, m) (1 / n + 1 / m) * measured$within

# ---- steps -----------------------------------------------------------------------------------------------

# What is known of one step.
energy_columns <- c("divergence", "standard_error", "mean_move", "kinetic_energy", "largest_move")

# list(particles, query, record) after step number `step`, from 0. field: list(target, key, step, pull).
take_energy_step <- function(particles, query, field, step, threads) {
  dim <- ncol(particles)
  moved <- .Call(C_pf_energy_step, particles, field$target, query, orthogonal_directions(dim, dim, field$key, step),
                 field$pull, threads)
  record <- c(mean_along(moved$across, dim), mean_move = moved$moves[["mean"]],
              kinetic_energy = moved$moves[["square"]] / field$step^2, largest_move = moved$moves[["largest"]])
  list(particles = moved$particles, query = moved$query, record = record)
}

#' @export
advance.energy_run <- function(run, most) {
  threads <- thread_count()
  nobody <- run$start[0L, , drop = FALSE]
  limit <- run$control$tolerance * run$fresh
  records <- list()
  frames <- list()
  state <- run$state
  for (i in seq_len(most)) {
    moved <- take_energy_step(state$particles, nobody, run, state$step, threads)
    near <- limit > 0 && moved$record[["divergence"]] <= limit
    if (near && measure_energy(state$particles, run$target, run$key, threads)$divergence <= limit) {
      run$ended <- "closer than fresh rows"
      break
    }
    records[[i]] <- moved$record
    state <- list(particles = moved$particles, step = state$step + 1L)
    if (state$step %% run$every == 0) frames <- c(frames, list(as.vector(moved$particles)))
  }
  add_history(run, list(records = do.call(cbind, records), frames = do.call(cbind, frames)), state)
}

# Whoever asks for more steps wants them whatever the distance.
#' @export
reopen.energy_run <- function(run) {
  run$control$tolerance <- 0
  NextMethod()
}

# The share of points that are beyond the range of the target in some coordinate.
beyond_share <- function(points, target) {
  out <- logical(nrow(points))
  for (j in seq_len(ncol(points))) out <- out | points[, j] < min(target[, j]) | points[, j] > max(target[, j])
  mean(out)
}

#' @export
finish.energy_run <- function(run) {
  trajectory <- energy_trajectory(run)
  last <- trajectory$diagnostics[nrow(trajectory$diagnostics), ]
  seal(structure(
    list(
      call = run$call, trajectory = trajectory, latent = run$latent, control = run$control,
      diagnostics = data.frame(
        n = nrow(run$start), n_target = nrow(run$target), dim = ncol(run$start), steps = run$state$step,
        time = last$time, status = run_status(run), divergence = last$divergence,
        standard_error = last$standard_error, fresh = run$fresh, start = run$first,
        kinetic_energy = last$kinetic_energy, outside = beyond_share(run$state$particles, run$target)
      ),
      elapsed = run$elapsed,
      particles = write_table(run$latent$decode(run$state$particles), run$table),
      source = run$source, table = run$table,
      run = run[setdiff(names(run), c("history", "start", "target", energy_in_fit))], version = run$version
    ),
    class = c("energy_flow", "particle_flow")
  ))
}

# The parts of a run that its fit holds too.
energy_in_fit <- c("call", "latent", "control", "elapsed", "source", "table", "version")

# The last row of the diagnostics has the distance along the measured directions, and the kinetic energy of the step
# that would come next.
energy_trajectory <- function(run) {
  k <- run$state$step
  last <- measure_energy(run$state$particles, run$target, run$key, thread_count())
  following <- take_energy_step(run$state$particles, run$start[0L, , drop = FALSE], run, k, thread_count())
  end <- c(last$divergence, last$standard_error, NA, following$record[["kinetic_energy"]], NA)
  records <- t(cbind(join_history(run, "records"), end, deparse.level = 0))
  colnames(records) <- energy_columns
  diagnostics <- data.frame(step = 0:k, time = run$step * (0:k), gamma = c(rep(run$step, k), NA), records)
  kept <- unique(c(seq(0L, k, by = run$every), k))
  frames <- c(run$start, join_history(run, "frames"), if (k %% run$every != 0) run$state$particles)
  stored <- list(frames = array(frames, c(dim(run$start), length(kept))), kept = as.integer(kept))
  new_trajectory("energy", "energy_flow", stored, diagnostics, run[c("target", "key", "step", "pull")])
}

# The run behind a fit. The history of the run is in the trajectory of the fit.
#' @export
as_run.energy_flow <- function(object) {
  check_fit(object)
  traj <- object$trajectory
  k <- n_steps(traj)
  run <- structure(c(object$run, object[intersect(energy_in_fit, names(object))]),
                   class = c("energy_run", "particle_run"))
  run$start <- frame(traj, 1L)
  run$target <- traj$target
  if (k == 0) return(run)
  on_grid <- which(traj$kept > 0 & traj$kept %% run$every == 0)
  run$history <- list(list(records = record_matrix(traj$diagnostics[seq_len(k), energy_columns]),
                           frames = matrix(traj$frames[, , on_grid], nrow = length(run$start))))
  run
}

# A step sorts each table along each direction. These rates were measured on one fast thread and are lower bounds.
most_sorted_per_second <- 1e9

#' @export
foretell.energy_run <- function(run) {
  steps <- as.numeric(run$planned)
  rows <- nrow(run$start) + nrow(run$target)
  c(bytes = 8 * length(energy_columns) * steps + 8 * length(run$start) * (2 + steps / run$every),
    seconds = steps * rows * ncol(run$start) / most_sorted_per_second)
}

# ---- its trajectory --------------------------------------------------------------------------------------

#' @export
describe_field.energy_trajectory <- function(traj) {
  dim <- ncol(traj$target)
  sprintf("energy distance to %d target rows along %d %s per step", nrow(traj$target), dim,
          if (dim == 1) "direction" else "orthogonal directions")
}

#' @rdname particle_trajectory
#' @export
format.energy_trajectory <- function(x, ...) {
  check_dots("format()", ...)
  c(NextMethod(), "contains the source rows (frame 1) and the target rows")
}

#' @export
replay.energy_trajectory <- function(traj, points, first, last, threads) {
  nobody <- points[0L, , drop = FALSE]
  lapply(seq(first, last - 1L), function(step) {
    points <<- take_energy_step(points, nobody, traj, step, threads)$particles
  })
}

# The particles are moved again from their start, because their places decide where a point goes.
#' @export
carry.energy_trajectory <- function(traj, points, progress = FALSE, ...) {
  k <- n_steps(traj)
  if (nrow(points) == 0) return(points)
  bar <- progress_bar("Carrying", k, progress)
  particles <- frame(traj, 1L)
  for (step in seq_len(k) - 1L) {
    moved <- take_energy_step(particles, points, traj, step, thread_count())
    particles <- moved$particles
    points <- moved$query
    bar$tick()
  }
  points
}
