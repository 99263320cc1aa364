# The flow of gpa(): particles [n, d] move against the gradient of a potential. The potential is a network that is
# trained between the steps.

divergence_names <- c("kl", "alpha", "reverse_kl", "js")

# The hidden layers of the reference experiments.
default_hidden <- function(dim) rep(if (dim <= 10) 32L else if (dim <= 100) 64L else 128L, 3)

# What the core needs to know: widths and settings.
gpa_plan <- function(control, dim) {
  hidden <- if (is.null(control$hidden)) default_hidden(dim) else control$hidden
  settings <- control[c("smoothing", "divergence", "alpha", "lipschitz", "normalisation", "rate", "solver", "step",
                        "updates")]
  adam <- list(beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8)
  list(widths = as.integer(c(dim, hidden, 1L)), settings = c(settings, adam))
}

plan_parameters <- function(plan) {
  out <- plan$widths[-1]
  sum(as.double(out) * (plan$widths[-length(plan$widths)] + 1))
}

# Stops if the parameters of a network, in the copies that its updates need, would take too much memory.
check_network <- function(plan, advice = "give narrower `hidden` layers") {
  size <- plan_parameters(plan)
  check_memory(8 * copies_of_parameters * size, sprintf("A network of %.0f parameters", size), advice)
}

# The copies are: parameters, two moments, gradient, the new learner, and the best network.
copies_of_parameters <- 8

# Bytes that the kept networks may take by default, and that the kept frames may take by default.
most_kept_bytes <- 2^28

# Every how many steps a network and a frame are kept, c(network, frame).
gpa_every <- function(control, n, plan) {
  fitting <- function(bytes, most) max(1, ceiling(control$n_steps * bytes / most))
  keep <- if (is.null(control$keep)) fitting(8 * plan_parameters(plan), most_kept_bytes) else control$keep
  every <- control$every
  if (is.null(every)) every <- max(ceiling(control$n_steps / 100), fitting(8 * n * plan$widths[1], most_kept_bytes))
  c(network = as.integer(keep), frame = as.integer(every))
}

most_batch <- 4096L

# start [n, d], target [m, d]: in the units of the flow. `...`: parts that the fit returns (table, latent, source,
# call).
new_gpa_run <- function(start, target, control, ...) {
  plan <- gpa_plan(control, ncol(start))
  check_network(plan)
  key <- draw_key()
  new_run("gpa", "Particles", control, new_gpa_state(start, plan, control, key), control$n_steps, start = start,
          target = target, plan = plan, every = gpa_every(control, nrow(start), plan), ...)
}

new_gpa_state <- function(start, plan, control, key) {
  first <- .Call(C_pf_gpa_start, plan$widths, plan$settings, key, thread_count())
  list(
    particles = start, learner = first$learner, directions = first$directions, updates = 0, stop = gpa_stop(control),
    step = 0L, key = key
  )
}

# The tolerances, -Inf where there is none; the steps in a row, wanted and so far, of the divergence and of the kinetic
# energy; whether the divergence was above its tolerance.
gpa_stop <- function(control) {
  from <- function(tolerance) if (tolerance > 0) tolerance else -Inf
  list(divergence = from(control$tolerance), kinetic_energy = from(control$kinetic_tolerance),
       patience = as.double(control$patience), low = 0, quiet = 0, armed = FALSE)
}

#' @export
advance.gpa_run <- function(run, most) {
  state <- run$state
  schedule <- list(batch_size = if (is.null(run$control$batch)) most_batch else run$control$batch,
                   every_network = run$every[["network"]], every_frame = run$every[["frame"]])
  block <- .Call(C_pf_gpa_advance, state$particles, run$target, state$learner, state$directions, state$updates,
                 run$plan$widths, run$plan$settings, state$key, schedule, state$step, as.integer(most), state$stop,
                 thread_count())
  steps <- state$step + seq_len(block$done)
  kept <- steps[steps %% run$every[["frame"]] == 0]
  entry <- list(
    records = block$records[, seq_len(block$done), drop = FALSE],
    networks = block$networks[, seq_len(sum((steps - 1L) %% run$every[["network"]] == 0)), drop = FALSE],
    frames = block$frames[, seq_along(kept), drop = FALSE], kept = kept
  )
  changed <- c("particles", "learner", "directions", "updates", "stop")
  state[changed] <- block[changed]
  state$step <- state$step + block$done
  run$ended <- block$ended
  add_history(run, entry, state)
}

#' @export
finish.gpa_run <- function(run) {
  trajectory <- gpa_trajectory(run)
  if (run$ended == "diverged") {
    warning(sprintf("The run diverged at step %d (numbers out of range); the fit is the state before that step. %s",
                    run$state$step + 1L, paste("Lower `lipschitz`, `step` or `rate`, scale the columns, or try",
                                                    "divergence = \"alpha\".")), call. = FALSE)
  }
  warn_dead(trajectory$diagnostics)
  last <- trajectory$diagnostics[nrow(trajectory$diagnostics), ]
  seal(structure(
    list(
      call = run$call, trajectory = trajectory, latent = run$latent, control = run$control,
      diagnostics = data.frame(
        n = nrow(run$start), n_target = nrow(run$target), dim = ncol(run$start), steps = run$state$step,
        time = last$time, status = run_status(run), divergence = last$divergence,
        kinetic_energy = last$kinetic_energy, updates = run$state$updates, parameters = nrow(run$state$learner),
        networks = ncol(trajectory$networks)
      ),
      elapsed = run$elapsed,
      particles = write_table(run$latent$decode(run$state$particles), run$table),
      source = run$source, target = run$target, table = run$table,
      run = run[setdiff(names(run), c("history", "start", gpa_in_fit))], version = run$version
    ),
    class = c("gpa", "particle_flow")
  ))
}

# A network whose rectifiers are all off is constant. It has no gradient, so that neither it nor the particles ever
# change again.
warn_dead <- function(diagnostics) {
  if (!isTRUE(diagnostics$kinetic_energy[nrow(diagnostics)] == 0)) return(invisible())
  still_from <- max(0, diagnostics$step[which(diagnostics$kinetic_energy > 0)] + 1)
  warning(sprintf(paste("The particles stand still from step %.0f on, because all rectifiers of the network are off",
                        "and its potential is constant: lower `lipschitz` or `rate`, or scale the columns."),
                  still_from), call. = FALSE)
}

# The parts of a run that its fit holds too.
gpa_in_fit <- c("call", "latent", "control", "elapsed", "source", "target", "table", "version")

# Diagnostics: the dual before each step. The last row has the dual of the last network after the last step.
gpa_trajectory <- function(run) {
  k <- run$state$step
  records <- join_history(run, "records")
  networks <- join_history(run, "networks")
  if (is.null(networks)) networks <- matrix(0, nrow(run$state$learner), 0)
  last <- if (k > 0) {
    .Call(C_pf_gpa_measure, run$state$particles, run$target, run$state$learner[, "parameters"], run$plan$widths,
          run$plan$settings, thread_count())
  } else {
    list(divergence = NA_real_, kinetic_energy = NA_real_)
  }
  diagnostics <- data.frame(
    step = 0:k, time = run$control$step * (0:k), gamma = c(rep(run$control$step, k), NA),
    divergence = c(records["divergence", ], last$divergence),
    kinetic_energy = c(records["kinetic_energy", ], last$kinetic_energy),
    largest_move = c(records["largest_move", ], NA)
  )
  kept <- c(0L, unlist(lapply(run$history, `[[`, "kept")))
  frames <- c(run$start, join_history(run, "frames"))
  if (kept[length(kept)] != k) {
    kept <- c(kept, k)
    frames <- c(frames, run$state$particles)
  }
  stored <- list(frames = array(frames, c(dim(run$start), length(kept))), kept = as.integer(kept))
  plan <- c(run$plan, every = run$every[["network"]])
  new_trajectory("gpa", "gpa", stored, diagnostics, list(networks = networks, plan = plan))
}

# The run behind a fit. The history of the run is in the trajectory of the fit.
#' @export
as_run.gpa <- function(object) {
  check_fit(object)
  traj <- object$trajectory
  k <- n_steps(traj)
  run <- structure(c(object$run, object[intersect(gpa_in_fit, names(object))]), class = c("gpa_run", "particle_run"))
  on_grid <- which(traj$kept > 0 & traj$kept %% run$every[["frame"]] == 0)
  run$start <- frame(traj, 1L)
  run$history <- list(list(
    records = record_matrix(traj$diagnostics[seq_len(k), c("divergence", "kinetic_energy", "largest_move")]),
    networks = traj$networks,
    frames = matrix(traj$frames[, , on_grid], nrow = length(run$start)), kept = traj$kept[on_grid]
  ))
  run
}

# The counts of steps in a row below a tolerance start at 0 again.
#' @export
reopen.gpa_run <- function(run) {
  run$state$stop[c("low", "quiet")] <- 0
  NextMethod()
}

# bytes: of records, kept networks and kept frames. seconds: of the products of the updates, which go once forwards and
# twice backwards through the network.
#' @export
foretell.gpa_run <- function(run) {
  steps <- as.numeric(run$planned)
  size <- plan_parameters(run$plan)
  rows <- nrow(run$start) + nrow(run$target)
  seen <- min(rows, 2 * if (is.null(run$control$batch)) most_batch else run$control$batch)
  kept <- ceiling(steps / run$every)
  c(bytes = 24 * steps + 8 * size * kept[["network"]] + 8 * length(run$start) * kept[["frame"]],
    seconds = steps * size * (3 * run$control$updates * seen + 2 * rows) / most_products_per_second)
}

# ---- its trajectory --------------------------------------------------------------------------------------

#' @export
describe_field.gpa_trajectory <- function(traj) {
  sprintf("potential: networks %s, %d kept", paste(traj$plan$widths, collapse = "-"), ncol(traj$networks))
}

#' @rdname particle_trajectory
#' @export
format.gpa_trajectory <- function(x, ...) {
  check_dots("format()", ...)
  c(NextMethod(), "contains the source rows (frame 1)")
}

#' @export
replay.gpa_trajectory <- function(traj, points, first, last, threads) {
  lapply(seq(first, last - 1L), function(step) points <<- carry_steps(traj, points, step, 1L))
}

# The points after steps from + 1 .. from + count. They do not change the particles of the run.
carry_steps <- function(traj, points, from, count) {
  .Call(C_pf_gpa_carry, points, traj$networks, traj$plan$widths, traj$plan$settings, traj$plan$every,
        as.integer(from), as.integer(count), thread_count())
}

# At most so many rows are carried at once, so that one step takes little time between two looks for Ctrl-C.
most_carried <- 8192L

#' @export
carry.gpa_trajectory <- function(traj, points, progress = FALSE, ...) {
  k <- n_steps(traj)
  parts <- split(seq_len(nrow(points)), (seq_len(nrow(points)) - 1L) %/% most_carried)
  bar <- progress_bar("Carrying", k * length(parts), progress)
  for (rows in parts) {
    from <- 0L
    count <- 1
    while (from < k) {
      count <- floor(max(1, min(count, k - from)))
      began <- seconds_now()
      points[rows, ] <- carry_steps(traj, points[rows, , drop = FALSE], from, count)
      from <- from + count
      bar$tick(count)
      count <- next_count(count, seconds_now() - began)
    }
  }
  points
}
