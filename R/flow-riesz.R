# The forward flow of efs_forward(): gradient descent of the Riesz energy, in steps so short that they can be undone.

# A flow is announced as short if it covered less than this share of the time that its steps would cover at full length.
# One half, because distances to the rest state shrink like exp(-time): two flows whose times differ by a factor below 2
# are much alike.
short_share <- 0.5

# Below this share the particles have hardly moved, which a user rarely wants: the announcement is a warning.
standing_share <- 0.01

# points [n, d]. potential: list(s, epsilon). field: see flow-field.R. control: list(step, time, max_bound, every,
# given, checkpoint, file). `given` is TRUE if the user gave the number of steps.
new_riesz_run <- function(points, potential, field, control, planned, threads) {
  labels <- dimnames(points)
  points <- unname(points)
  new_run(
    "riesz", "Forward", control, list(step = 0L, points = points, time = 0), planned,
    potential = potential, field = field, threads = threads,
    kappa = .Call(C_pf_pair_curvature, potential$s, potential$epsilon),
    store = frame_store(points, expected_steps(control, planned), control$every, labels, control$file)
  )
}

# The number of steps if none is shortened.
expected_steps <- function(control, planned) {
  as.numeric(if (is.null(control$time)) planned else min(planned, ceiling(control$time / control$step)))
}

# Steps x_i <- x_i - gamma / (n - 1) sum_(a != i) grad W(x_i - x_a), each with the largest gamma that is allowed.
#' @export
advance.riesz_run <- function(run, most) {
  state <- run$state
  rows <- drift <- list()
  for (i in seq_len(most)) {
    left <- time_left(run$control, state)
    if (left == 0) {
      run$ended <- "time covered"
      break
    }
    seen <- look_riesz(run, state)
    bounded <- is.finite(run$control$max_bound) && seen$steepest > 0
    longest <- if (bounded) run$control$max_bound / seen$steepest else Inf
    gamma <- min(run$control$step, left, longest)
    rows[[i]] <- riesz_record(run, state, seen, gamma)
    drift[[i]] <- seen$drift
    points <- state$points - gamma * seen$gradient
    check_range(points, 0, state$step)
    state <- list(step = state$step + 1L, points = points, time = state$time + gamma)
    put_frame(run$store, points, state$step)
  }
  add_history(run, list(records = do.call(rbind, rows), drift = do.call(cbind, drift)), state)
}

# The time that is left to cover. 0 if the rest is rounding; Inf if the run ends by its number of steps only.
time_left <- function(control, state) {
  if (is.null(control$time)) return(Inf)
  left <- control$time - state$time
  if (left <= 1e-12 * control$time) 0 else left
}

# The field at the particles and what the diagnostics tell of it. steepest = lambda + kappa share bounds gamma, where
# lambda is the largest curvature over the particles and `share` the weight of one pair: gamma * steepest is at most
# max_bound.
look_riesz <- function(run, state) {
  frame <- open_field(run$field, state$points, state$step + 1L, run$potential, run$threads)
  own <- own_field(frame, run$threads)
  if (!is.null(own$nearest)) check_collision(own$nearest, run$potential$epsilon, state$step)
  check_range(own$gradient, own$curvature, state$step)
  seen <- survey_field(frame, own, run$threads)
  c(seen, list(gradient = own$gradient, drift = own$drift, steepest = seen$curvature + run$kappa * seen$pair_share))
}

check_collision <- function(nearest, epsilon, at) {
  if (epsilon > 0 || min(nearest) > 0) return(invisible())
  rows <- which(nearest == 0)
  if (at == 0) {
    stop_unfit(paste0("`x` has duplicate rows (%s), and without softening equal rows repel infinitely; give `epsilon` ",
                      "above 0 or drop the duplicates."), some(rows))
  }
  stop_unfit("Rows %s met at step %d; give `epsilon` above 0 or a smaller `step`.", some(rows), at)
}

check_range <- function(points, curvature, at) {
  # a sum is not finite if a term is not, and needs no copy
  if (is.finite(sum(points)) && !anyNA(curvature)) return(invisible())
  stop_unsolved(paste("The particles left the range of numbers at step %d: take a smaller `step` or a larger",
                      "`epsilon`, or scale the columns."), at + 1L)
}

# One row of the diagnostics: the state of one frame and the step that was taken from it.
riesz_record <- function(run, state, seen, gamma) {
  points <- state$points
  n <- nrow(points)
  centred <- points - rep(colMeans(points), each = n)
  attraction <- n * sum(centred^2) # sum over ordered pairs of |z|^2 / 2
  speed2 <- rowSums(seen$gradient^2)
  c(
    step = state$step, time = state$time, gamma = gamma,
    energy = (attraction + seen$repulsion) / (n * (n - 1)),
    kinetic_energy = mean(speed2),
    largest_move = gamma * sqrt(max(speed2)),
    closest_pair = sqrt(seen$nearest),
    curvature = seen$curvature,
    bound = gamma * seen$steepest,
    certificate = gamma * run$kappa * n / (n - 1),
    field_error = seen$field_error
  )
}

#' @export
finish.riesz_run <- function(run) {
  seen <- if (is_large_and_still(run)) unseen_riesz(run$state$points) else look_riesz(run, run$state)
  last <- riesz_record(run, run$state, seen, NA_real_)
  records <- rbind(join_history(run, "records", rbind), last, deparse.level = 0)
  rownames(records) <- NULL
  diagnostics <- as.data.frame(records)
  settings <- c(run$control[c("step", "time", "max_bound", "every", "given")],
                list(planned = run$planned, file = run$control$file))
  field <- run$field
  field$drift <- join_history(run, "drift")
  traj <- new_trajectory("riesz", "efs_forward", stored_frames(run$store, run$state$points, run$state$step),
                         diagnostics, c(run$potential, list(field = field, control = settings)))
  if (run_status(run) != "interrupted") announce_short(traj)
  traj
}

# A trajectory of no step is the particles alone. Of many of them, the field would take much of the time of a fit, and
# tell nothing about a step.
is_large_and_still <- function(run) run$state$step == 0 && nrow(run$state$points) > most_exact_particles

unseen_riesz <- function(points) {
  list(gradient = points * NA, curvature = NA_real_, repulsion = NA_real_, nearest = NA_real_, steepest = NA_real_)
}

#' @export
foretell.riesz_run <- function(run) {
  forward_needs(run$state$points, expected_steps(run$control, run$planned), run$control, run$field)
}

# bytes: of the frames in memory, which are two of those in a file, and of ten diagnostics. seconds: one kernel value
# per pair that the field visits in each step.
forward_needs <- function(points, steps, control, field) {
  n <- nrow(points)
  frames <- if (is.null(control$file)) steps / control$every + 1 else 2
  c(bytes = 8 * length(points) * frames + 80 * (steps + 1),
    seconds = steps * n * min((n - 1) / 2, field_work(field, ncol(points))) / most_pairs_per_second)
}

# A trajectory goes on where it ended. It uses the number of threads that is set now.
#' @export
as_run.riesz_trajectory <- function(object) {
  check_whole(object, "object")
  k <- n_steps(object)
  control <- object$control[setdiff(names(object$control), "planned")]
  field <- stored_field(object)
  drift <- field$drift
  field$drift <- NULL
  if (isTRUE(control$file$temporary)) control$file <- frames_place("file", NULL)
  run <- new_riesz_run(frame(object, 1L), object[c("s", "epsilon")], field, control, object$control$planned,
                       thread_count())
  for (slot in seq_along(object$kept)) put_frame(run$store, matrix(object$frames[, , slot], nrow(object$frames)),
                                                 object$kept[slot])
  records <- as.matrix(object$diagnostics[seq_len(k), ])
  run <- add_history(run, list(records = records, drift = drift),
                     list(step = k, points = unname(last_frame(object)), time = object$times[k + 1L]))
  if (time_left(control, run$state) == 0) run$ended <- "time covered"
  run
}

# Once the run has covered its time, only the number of steps ends it.
#' @export
reopen.riesz_run <- function(run) {
  run$control["time"] <- list(NULL)
  NextMethod()
}

# ---- its trajectory --------------------------------------------------------------------------------------

#' @export
replay.riesz_trajectory <- function(traj, points, first, last, threads) {
  lapply(seq(first + 1L, last), function(step) {
    own <- own_field(traj_field(traj, points, step, threads), threads)
    points <<- points - traj$gamma[step] * own$gradient
  })
}

#' @export
carry.riesz_trajectory <- function(traj, points, threads = thread_count(), steps = n_steps(traj), ...) {
  push_forward(traj, points, threads, steps)
}

# New points [m, d] carried through the stored flow, which they do not change. efs_backward() inverts this map.
push_forward <- function(traj, points, threads, steps = n_steps(traj)) {
  frame_at <- frame_reader(traj, threads)
  for (j in seq_len(steps)) {
    field <- traj_field(traj, frame_at(j), j, threads)
    points <- check_carried(points - traj$gamma[j] * field_of(field, points, threads), traj)
  }
  points
}

# Points after a step of a flow that they do not move.
check_carried <- function(points, traj) {
  if (all(is.finite(points))) return(points)
  if (traj$epsilon > 0) stop_unsolved("New points lie so far from the particles that they leave the range of numbers.")
  fail("A new point fell on a particle of a flow without softening (`epsilon` = 0), where the field is infinite.")
}

#' @export
flow_height.riesz_trajectory <- function(traj) "energy"

#' @export
describe_field.riesz_trajectory <- function(traj) {
  c(sprintf("potential: s = %s, epsilon = %s", format(traj$s), format(traj$epsilon, digits = 3)), field_line(traj))
}

# How an approximate field is computed, or NULL.
field_line <- function(traj) {
  field <- stored_field(traj)
  if (field$kind == "exact") return(NULL)
  sprintf("field: %s, largest estimated error %s", format(field),
          format(max(traj$diagnostics$field_error), digits = 2))
}

#' @rdname particle_trajectory
#' @export
format.riesz_trajectory <- function(x, ...) {
  check_dots("format()", ...)
  k <- n_steps(x)
  bound <- if (k > 0) max(x$diagnostics$bound[seq_len(k)])
  c(
    NextMethod(),
    short_line(x),
    if (k > 0) {
      sprintf("largest inverse-step bound %s (%s)", format(bound, digits = 2),
              if (bound < 1) "each step can be undone" else "1 or more: some steps may have no unique inverse")
    },
    "contains the training rows (frame 1)"
  )
}

#' @rdname particle_trajectory
#' @export
summary.riesz_trajectory <- function(object, ...) {
  check_dots("summary()", ...)
  k <- n_steps(object)
  c(NextMethod(), list(largest_bound = if (k > 0) max(object$diagnostics$bound[seq_len(k)]) else 0,
                       inverse_growth = inverse_growth(object)))
}

# ---- short flows -----------------------------------------------------------------------------------------

# The share of step * n_steps that the steps covered. 1 if the user asked for a time.
flow_share <- function(traj) {
  k <- n_steps(traj)
  if (k == 0 || !is.null(traj$control$time)) return(1)
  traj$times[k + 1L] / (traj$control$step * k)
}

# The line of print() that says that a flow is short, or NULL.
short_line <- function(traj) {
  if (!(flow_share(traj) < short_share)) return(NULL)
  k <- n_steps(traj)
  sprintf("steps were shortened so that they can be undone: time %s instead of %d x %s = %s",
          format(traj$times[k + 1L], digits = 3), k, format(traj$control$step),
          format(k * traj$control$step, digits = 3))
}

# Announces a flow that is much shorter than the user asked for.
announce_short <- function(traj) {
  control <- traj$control
  k <- n_steps(traj)
  covered <- traj$times[k + 1L]
  if (!is.null(control$time)) {
    if (covered < control$time * (1 - 1e-9)) {
      warning(sprintf(paste("The flow covered a time of %.3g of the %.3g asked for in `n_steps` = %d steps: raise",
                            "`epsilon`, `n_steps` or `max_bound`."), covered, control$time, k), call. = FALSE)
    }
  } else if (flow_share(traj) < standing_share) {
    warning(sprintf(paste("Steps that can be undone were so short that the flow covered a time of only %.2g instead of",
                          "%.2g: raise `epsilon`, or give `max_bound = Inf` for fixed steps."), covered,
                    control$step * k), call. = FALSE)
  } else if (control$given && flow_share(traj) < short_share) {
    message(sprintf(paste("Steps were shortened so that they can be undone: %d steps cover a time of %.2g, not %.2g.",
                          "Give `time` for a flow of that length, or raise `epsilon` or `max_bound`."), k, covered,
                    control$step * k))
  }
}
