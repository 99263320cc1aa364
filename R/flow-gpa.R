# The steps of gpa(). A run is a plain list: what the core needs to go on, and what it left behind so far.

# The hidden layers of the reference experiments.
default_hidden <- function(dim) rep(if (dim <= 10) 32L else if (dim <= 100) 64L else 128L, 3)

# What the core needs to know: widths and the settings in the order of glue_network.c.
gpa_plan <- function(control, dim) {
  hidden <- if (is.null(control$hidden)) default_hidden(dim) else control$hidden
  list(
    widths = as.integer(c(dim, hidden, 1L)),
    settings = as.double(c(
      control$smoothing, match(control$divergence, divergence_names) - 1,
      if (is.na(control$alpha)) 2 else control$alpha, control$lipschitz,
      control$normalisation == "frobenius", control$rate, 0.9, 0.999, 1e-8,
      control$solver == "heun", control$step, control$updates
    ))
  )
}

plan_parameters <- function(plan) {
  out <- plan$widths[-1]
  sum(as.double(out) * (plan$widths[-length(plan$widths)] + 1))
}

# Bytes that kept networks, and kept frames, may take where nothing else is asked for.
most_kept_bytes <- 2^28

# Every how many steps a network and a frame are kept.
gpa_every <- function(control, n, plan) {
  fitting <- function(bytes, most) max(1, ceiling(control$n_steps * bytes / most))
  keep <- if (is.null(control$keep)) fitting(8 * plan_parameters(plan), most_kept_bytes) else control$keep
  every <- control$every
  if (is.null(every)) every <- max(ceiling(control$n_steps / 100), fitting(8 * n * plan$widths[1], most_kept_bytes))
  as.integer(c(keep, every))
}

most_batch <- 4096L

new_gpa_state <- function(start, plan, control, key) {
  first <- .Call(C_pf_gpa_start, plan$widths, plan$settings, key)
  list(
    particles = start, learner = first$learner, directions = first$directions, updates = 0,
    stop = c(if (control$tolerance > 0) control$tolerance else -Inf,
             if (control$kinetic_tolerance > 0) control$kinetic_tolerance else -Inf, control$patience, 0, 0, 0),
    step = 0L, key = key
  )
}

# A run goes on until its steps are done or something ends it. What was done when it is
# interrupted is kept for resume().
advance_gpa <- function(run, progress) {
  began <- proc.time()[[3]]
  before <- run$elapsed
  saved <- began
  complete <- FALSE
  bar <- progress_bar("Particles", run$planned - run$state$step, progress)
  on.exit({
    bar$done()
    if (!complete) remember_run(run)
  })
  batch <- if (is.null(run$control$batch)) most_batch else run$control$batch
  count <- 1L
  while (run$state$step < run$planned && run$ended == 0L) {
    state <- run$state
    count <- min(count, run$planned - state$step)
    clock <- proc.time()[[3]]
    block <- .Call(C_pf_gpa_advance, state$particles, run$target, state$learner, state$directions, state$updates,
                   run$plan$widths, run$plan$settings, state$key, batch, state$step, as.integer(count), run$every,
                   state$stop)
    run <- add_block(run, block)
    now <- proc.time()[[3]]
    run$elapsed <- before + now - began
    bar$tick(block$done)
    count <- as.integer(max(1, min(1e5, count * min(4, block_seconds / max(now - clock, 0.001)))))
    if (!is.null(run$control$checkpoint) && now - saved > checkpoint_seconds) {
      write_checkpoint(run)
      saved <- now
    }
  }
  complete <- TRUE
  if (!is.null(run$control$checkpoint)) write_checkpoint(run)
  run
}

add_block <- function(run, block) {
  first <- run$state$step
  done <- block$done
  steps <- first + seq_len(done)
  nets <- sum((steps - 1L) %% run$every[1] == 0)
  frames <- steps[steps %% run$every[2] == 0]
  run$history[[length(run$history) + 1]] <- list(
    records = block$records[, seq_len(done), drop = FALSE],
    networks = block$networks[, seq_len(nets), drop = FALSE],
    frames = block$frames[, seq_along(frames), drop = FALSE], kept = frames
  )
  run$state[c("particles", "learner", "directions", "updates", "stop")] <-
    block[c("particles", "learner", "directions", "updates", "stop")]
  run$state$step <- first + done
  run$ended <- block$ended
  run
}

gpa_endings <- c("all steps done", "diverged", "divergence below tolerance", "kinetic energy below tolerance")

finish_gpa <- function(run) {
  trajectory <- gpa_trajectory(run)
  status <- if (run$ended == 0L && run$state$step < run$planned) "interrupted" else gpa_endings[run$ended + 1L]
  if (run$ended == 1L) {
    warning(sprintf("The run diverged at step %d (numbers out of range); the fit is the state before that step. %s",
                    run$state$step + 1L, "Lower `lipschitz`, `step` or `rate`, or try divergence = \"alpha\"."), call. = FALSE)
  }
  last <- trajectory$diagnostics[nrow(trajectory$diagnostics), ]
  structure(
    list(
      call = run$call, trajectory = trajectory, latent = run$latent, control = run$control,
      diagnostics = data.frame(
        n = nrow(run$start), n_target = nrow(run$target), dim = ncol(run$start), steps = run$state$step,
        time = last$time, status = status, divergence = last$divergence, kinetic_energy = last$kinetic_energy,
        updates = run$state$updates, parameters = nrow(run$state$learner), networks = ncol(trajectory$networks)
      ),
      elapsed = run$elapsed,
      particles = write_table(run$latent$decode(run$state$particles), run$table),
      source = run$source, target = run$target, table = run$table,
      run = run[setdiff(names(run), c("history", "start"))], version = run$version
    ),
    class = c("gpa", "particle_flow")
  )
}

# Diagnostics: the dual before each step; after the last one that of the last network.
gpa_trajectory <- function(run) {
  k <- run$state$step
  pick <- function(what) do.call(cbind, c(list(NULL), lapply(run$history, `[[`, what)))
  records <- pick("records")
  networks <- pick("networks")
  if (is.null(networks)) networks <- matrix(0, nrow(run$state$learner), 0)
  last <- if (k > 0) {
    .Call(C_pf_gpa_measure, run$state$particles, run$target, run$state$learner[, 1], run$plan$widths, run$plan$settings)
  } else {
    c(NA_real_, NA_real_)
  }
  diagnostics <- data.frame(
    step = 0:k, time = run$control$step * (0:k), gamma = c(rep(run$control$step, k), NA),
    divergence = c(records[1, ], last[1]), kinetic_energy = c(records[2, ], last[2]),
    largest_move = c(records[3, ], NA)
  )
  kept <- c(0L, unlist(lapply(run$history, `[[`, "kept")))
  frames <- c(run$start, pick("frames"))
  if (kept[length(kept)] != k) {
    kept <- c(kept, k)
    frames <- c(frames, run$state$particles)
  }
  stored <- list(frames = array(frames, c(dim(run$start), length(kept))), kept = as.integer(kept))
  new_trajectory(stored, diagnostics, list(networks = networks, plan = c(run$plan, every = run$every[1])))
}

# The run behind a fit, whose trajectory holds what it left behind.
run_of_fit <- function(fit) {
  run <- fit$run
  traj <- fit$trajectory
  k <- n_steps(traj)
  on_grid <- which(traj$kept > 0 & traj$kept %% run$every[2] == 0)
  run$start <- frame(traj, 1L)
  run$history <- list(list(
    records = t(unname(as.matrix(traj$diagnostics[seq_len(k), c("divergence", "kinetic_energy", "largest_move")]))),
    networks = traj$networks,
    frames = matrix(traj$frames[, , on_grid], nrow = length(run$start)), kept = traj$kept[on_grid]
  ))
  run
}

# All steps, in calls of about block_seconds; many rows in parts, so that one step is short.
most_carried <- 8192L

carry_all <- function(traj, points, progress = FALSE) {
  k <- n_steps(traj)
  parts <- split(seq_len(nrow(points)), (seq_len(nrow(points)) - 1L) %/% most_carried)
  bar <- progress_bar("Carrying", k * length(parts), progress)
  on.exit(bar$done())
  for (rows in parts) {
    from <- 0L
    count <- 1L
    while (from < k) {
      count <- min(count, k - from)
      began <- proc.time()[[3]]
      points[rows, ] <- carry_steps(traj, points[rows, , drop = FALSE], from, count)
      from <- from + count
      bar$tick(count)
      count <- max(1L, as.integer(count * min(4, block_seconds / max(proc.time()[[3]] - began, 0.001))))
    }
  }
  points
}

divergence_names <- c("kl", "alpha", "reverse_kl", "js")
