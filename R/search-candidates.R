# The units and flows that a search tries.

# The unit of a flow that the argument `scale` asks for, and the value of `scale` that asks for a unit.
unit_of_scale <- function(scale) if (isFALSE(scale)) "as_is" else if (isTRUE(scale)) "scaled" else "whitened"

scale_of_unit <- function(place) switch(place, as_is = FALSE, scaled = TRUE, whitened = "whiten")

# Whitening is tried only if the relative error of the covariance is at most about a third.
rows_per_whitened_column <- 3

# The units to try.
units_to_try <- function(scale, n_train, d) {
  unit <- unit_of_scale(scale)
  c(unit, if (unit == "scaled" && d > 1 && n_train >= rows_per_whitened_column * (d + 1)) "whitened")
}

# The softening that is `times` the squared spacing of n particles in the unit ball. In one dimension it is that of two
# dimensions, because a single pair would otherwise be too steep to undo.
softening_of <- function(times, n, d) times * n^(-2 / max(d, 2))

# epsilon = softening_of(softening). A setting with more than one value is open. A search tries the first values first.
flow_grid <- function(n, d, fixed) {
  choose <- function(name, values) if (is.null(fixed[[name]])) values else fixed[[name]]
  list(
    s = choose("s", c(0, if (d >= 3) 2, if (d >= 5) 4, -1)),
    softening = if (is.null(fixed$epsilon)) c(16, 64, 4, 256) else NA_real_,
    # a given number of steps leaves the time open
    time = choose("time", if (is.null(fixed$n_steps)) c(1, 0.5, 2) else list(NULL)),
    n_steps = fixed$n_steps, epsilon = fixed$epsilon
  )
}

new_flow_candidate <- function(place, s, softening, time, epsilon = NA_real_, n_steps = NULL) {
  list(place = place, flow = TRUE, s = s, softening = softening, epsilon = epsilon, time = time, n_steps = n_steps)
}

no_flow_candidate <- function(place) {
  list(place = place, flow = FALSE, s = 0, softening = NA_real_, epsilon = 1, time = 0, n_steps = NULL)
}

candidate_epsilon <- function(candidate, n, d) {
  if (is.na(candidate$softening)) candidate$epsilon else softening_of(candidate$softening, n, d)
}

# The inverse of a step with a bound near 1 multiplies errors by ten and more. A search leaves out such flows.
most_search_bound <- 0.9

# The settings that all candidates of a search share.
search_setting <- function(by_column, step, max_bound, min_rows, keep, threads, cells = NULL, brief = FALSE,
                           gaps = NULL, limit = NULL) {
  list(by_column = by_column, step = step, max_bound = min(max_bound, most_search_bound), min_rows = min_rows,
       keep = keep, threads = threads, cells = cells, brief = brief, gaps = gaps, limit = limit)
}

# Whether the training rows are too many for their flow to end in a rigid figure.
room_for_flow <- function(n_train, d, min_rows) n_train > d + 1 && n_train >= min_rows / 2

run_candidate <- function(points, candidate, setting) {
  arguments <- list(s = candidate$s, epsilon = candidate_epsilon(candidate, nrow(points), ncol(points)),
                    step = setting$step, max_bound = setting$max_bound, keep = setting$keep, threads = setting$threads,
                    progress = FALSE)
  if (!is.null(candidate$n_steps)) arguments$n_steps <- candidate$n_steps
  arguments["time"] <- list(candidate$time)
  do.call(forward_flow, c(list(quote(points)), arguments))
}

# The flow of a candidate. NULL: it is left out, because a pair can be arbitrarily steep, equal rows have no softening,
# particles leave the range of numbers, or a step is not one-to-one.
try_flow <- function(points, candidate, setting) {
  epsilon <- candidate_epsilon(candidate, nrow(points), ncol(points))
  if (is.infinite(.Call(C_pf_pair_curvature, as.double(candidate$s), as.double(epsilon)))) return(NULL)
  traj <- suppressWarnings(tryCatch(
    unless_unfit(run_candidate(points, candidate, setting)), particleflow_unsolved = function(e) NULL
  ))
  if (is.null(traj) || any(traj$diagnostics$bound >= 1, na.rm = TRUE)) return(NULL)
  traj
}
