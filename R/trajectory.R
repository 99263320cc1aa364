#' What a flow leaves behind
#'
#' [efs_forward()] returns an object of class `particle_trajectory`: all that
#' the inverse needs, and what a person wants to see of it. The field `trajectory` of a
#' fit from [gpa()] is one too.
#'
#' @format A list with
#' \describe{
#'   \item{`frames`}{numeric array `[n, d, k + 1]`: the particles at the start
#'     and after each of the `k` steps, in the unit of the input; with
#'     `keep = "checkpoints"` only those of the steps in `kept`.}
#'   \item{`kept`}{whole numbers, the steps whose frames are kept, from 0.}
#'   \item{`times`}{numeric, `k + 1` cumulative step sizes, from 0.}
#'   \item{`gamma`}{numeric, the `k` step sizes.}
#'   \item{`s`, `epsilon`}{the potential. With [gpa()] instead `networks`, a matrix of one column of parameters for
#'     each kept network, and `plan` (widths, settings, and of every how many steps they were kept).}
#'   \item{`diagnostics`}{data frame, a row a frame: `step`, `time`, `gamma`
#'     (the step taken from this frame, `NA` for the last), `energy`,
#'     `kinetic_energy` (mean squared speed), `largest_move`, `closest_pair`
#'     (distances), `curvature` (largest curvature of the field over the
#'     particles), `bound` (the inverse-step bound \eqn{b}) and `certificate`
#'     (see [efs_forward()]). With [gpa()]: `step`, `time`, `gamma`, `divergence`, `kinetic_energy` (of the potential before
#'     the step; in the last row of the last potential, trained one step earlier) and `largest_move`.}
#'   \item{`fingerprint`}{a hash, by which [efs_backward()] notices that a
#'     trajectory was changed by hand.}
#'   \item{`version`}{of the package that made it.}
#' }
#' A trajectory contains the training rows: its first frame.
#'
#' @param x,object A `particle_trajectory`.
#' @param ... Not used.
#' @return `print()` and `format()` describe it in a few lines; `summary()`
#'   returns the first and last row of the diagnostics and the largest bound;
#'   `as.data.frame()` gives one row per particle and frame kept, with columns
#'   `particle`, `step`, `time` and the coordinates.
#' @examples
#' traj <- efs_forward(matrix(rnorm(100), ncol = 2), n_steps = 5)
#' summary(traj)
#' head(as.data.frame(traj))
#' @name particle_trajectory
NULL

# stored: `frames` [n, d, kept] and `kept`, from frame_store(). field: what moves
# points: list(s, epsilon), list(networks, plan) of gpa(), or list(kernel) of wgf().
new_trajectory <- function(stored, diagnostics, field) {
  traj <- c(
    list(
      frames = stored$frames,
      kept = stored$kept,
      times = diagnostics$time,
      gamma = diagnostics$gamma[-nrow(diagnostics)]
    ),
    field,
    list(
      diagnostics = diagnostics,
      fingerprint = NULL,
      version = as.character(utils::packageVersion("particleflow"))
    )
  )
  traj$fingerprint <- trajectory_fingerprint(traj)
  structure(traj, class = "particle_trajectory")
}

trajectory_fingerprint <- function(traj) {
  settings <- as.double(c(dim(traj$frames), traj$kept, traj$gamma, traj$s, traj$epsilon))
  paste0(.Call(C_pf_fingerprint, traj$frames), .Call(C_pf_fingerprint, settings),
         if (is_network_flow(traj)) .Call(C_pf_fingerprint, traj$networks))
}

# Moved by networks, not by pairs.
is_network_flow <- function(traj) !is.null(traj$networks)

# Moved towards a density; frames that were not kept are gone.
is_density_flow <- function(traj) !is.null(traj$kernel)

# What the flow lowers: a divergence (estimated), or an energy.
flow_height <- function(traj) if (is_network_flow(traj) || is_density_flow(traj)) "divergence" else "energy"

check_trajectory <- function(traj, what = "traj") {
  if (!inherits(traj, "particle_trajectory")) {
    fail("`%s` must be a trajectory from efs_forward(), not %s.", what, describe(traj))
  }
  if (is_network_flow(traj) || is_density_flow(traj)) {
    fail("`%s` must be a trajectory from efs_forward(), not one from %s, which has no inverse.", what,
         if (is_network_flow(traj)) "gpa()" else "wgf()")
  }
  whole <- is.double(traj$frames) && length(dim(traj$frames)) == 3 &&
    is.double(traj$gamma) && dim(traj$frames)[3] == length(traj$kept)
  if (!whole || !identical(traj$fingerprint, trajectory_fingerprint(traj))) {
    fail("`%s` was changed after efs_forward() made it, so its steps can no longer be undone; run efs_forward() again.", what)
  }
  invisible(traj)
}

# Frame j (1 is the data) as a matrix, also for one column.
frame <- function(traj, j) frame_reader(traj)(j)

# A function of j that gives frame j. Frames that were not kept are computed
# again from the checkpoint before them, a stretch between checkpoints at a time,
# which is remembered: going forwards or backwards costs one flow in all.
frame_reader <- function(traj, threads = thread_count()) {
  extent <- dim(traj$frames)
  labels <- dimnames(traj$frames)[1:2]
  kept_frame <- function(slot) matrix(traj$frames[, , slot], extent[1], extent[2])
  stretch <- list()
  from <- NA_integer_
  function(j) {
    slot <- findInterval(j - 1L, traj$kept)
    ahead <- j - 1L - traj$kept[slot]
    points <- if (ahead == 0) {
      kept_frame(slot)
    } else {
      if (!identical(from, slot)) {
        stretch <<- run_again(traj, kept_frame(slot), traj$kept[slot], traj$kept[slot + 1L] - 1L, threads)
        from <<- slot
      }
      stretch[[ahead]]
    }
    dimnames(points) <- labels
    points
  }
}

# The frames of steps first + 1 .. last from that of step `first`.
run_again <- function(traj, points, first, last, threads) {
  if (is_density_flow(traj)) fail("Frame %d of this trajectory was not kept.", first + 2L)
  if (is_network_flow(traj)) {
    return(lapply(seq(first, last - 1L), function(step) points <<- carry_steps(traj, points, step, 1L)))
  }
  lapply(seq(first + 1L, last), function(step) {
    field <- field_at(points, points, traj$s, traj$epsilon, TRUE, threads)
    points <<- points - traj$gamma[step] * field$gradient
  })
}

n_steps <- function(traj) length(traj$gamma)

last_frame <- function(traj) frame(traj, n_steps(traj) + 1L)

# prod 1/(1 - b_j): by how much the inverse may magnify an error. Infinite where
# a step was not surely one-to-one.
inverse_growth <- function(traj) prod(step_growth(traj))

# 1/(1 - b_j) for each step.
step_growth <- function(traj) {
  bound <- traj$diagnostics$bound[seq_len(n_steps(traj))]
  ifelse(bound >= 1, Inf, 1 / (1 - pmax(bound, 0)))
}

#' @rdname particle_trajectory
#' @export
format.particle_trajectory <- function(x, ...) {
  extent <- dim(x$frames)
  k <- n_steps(x)
  lines <- sprintf("<particle_trajectory> %d particles in %d dimension%s, %d step%s, time %s",
                   extent[1], extent[2], if (extent[2] == 1) "" else "s", k,
                   if (k == 1) "" else "s", format(x$times[k + 1], digits = 3))
  first <- x$diagnostics[1, ]
  last <- x$diagnostics[k + 1, ]
  height <- flow_height(x)
  lines <- c(
    lines,
    if (is_network_flow(x)) {
      sprintf("potential: networks %s, %d kept", paste(x$plan$widths, collapse = "-"), ncol(x$networks))
    } else if (is_density_flow(x)) {
      sprintf("density of the particles: %s kernel", x$kernel)
    } else {
      sprintf("potential: s = %s, epsilon = %s", format(x$s), format(x$epsilon, digits = 3))
    },
    sprintf("%s %s -> %s, kinetic energy %s -> %s", height,
            format(first[[height]], digits = 4), format(last[[height]], digits = 4),
            format(first$kinetic_energy, digits = 2), format(last$kinetic_energy, digits = 2))
  )
  if (length(x$kept) <= k) {
    lines <- c(lines, sprintf("%d of %d frames kept%s", length(x$kept), k + 1L,
                              if (is_density_flow(x)) "" else ", the others are computed again when they are needed"))
  }
  if (is_density_flow(x)) return(lines)
  if (k > 0 && !is_network_flow(x)) {
    bound <- max(x$diagnostics$bound[seq_len(k)])
    lines <- c(lines, sprintf("largest inverse-step bound %s (%s)", format(bound, digits = 2),
                              if (bound < 1) "each step can be undone"
                              else "1 or more: some steps may have no unique inverse"))
  }
  c(lines, sprintf("contains the %s rows (frame 1)", if (is_network_flow(x)) "source" else "training"))
}

#' @rdname particle_trajectory
#' @export
print.particle_trajectory <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname particle_trajectory
#' @export
summary.particle_trajectory <- function(object, ...) {
  k <- n_steps(object)
  ends <- object$diagnostics[unique(c(1L, k + 1L)), ]
  if (is_network_flow(object) || is_density_flow(object)) return(list(ends = ends))
  list(
    ends = ends,
    largest_bound = if (k > 0) max(object$diagnostics$bound[seq_len(k)]) else 0,
    inverse_growth = inverse_growth(object)
  )
}

#' @rdname particle_trajectory
#' @param row.names,optional As in [as.data.frame()]; ignored.
#' @export
as.data.frame.particle_trajectory <- function(x, row.names = NULL, optional = FALSE, ...) {
  extent <- dim(x$frames)
  coordinates <- matrix(aperm(x$frames, c(1, 3, 2)), ncol = extent[2])
  names <- colnames(x$frames)
  colnames(coordinates) <- if (is.null(names)) paste0("x", seq_len(extent[2])) else names
  data.frame(
    particle = rep(seq_len(extent[1]), extent[3]),
    step = rep(x$kept, each = extent[1]),
    time = rep(x$times[x$kept + 1L], each = extent[1]),
    coordinates,
    check.names = FALSE
  )
}

# Keeps frames 0, every, 2 every, ... and the last in one array [n, d, kept], filled
# in place and of the right size from the start where all planned steps are taken:
# no second copy of the trajectory is made. `kept` counts from 0.
frame_store <- function(points, planned, every, labels) {
  if (is.null(labels)) labels <- list(NULL, NULL)
  room <- function(slots) array(0, c(dim(points), slots), c(labels, list(NULL)))
  frames <- room(planned %/% every + 1 + (planned %% every > 0))
  kept <- integer()
  put <- function(points, step) {
    slot <- length(kept) + 1L
    if (slot > dim(frames)[3]) {
      grown <- room(2 * slot)
      grown[seq_along(frames)] <- frames
      frames <<- grown
    }
    frames[, , slot] <<- points
    kept[slot] <<- step
    invisible()
  }
  put(points, 0L)
  last <- 0L
  list(
    add = function(points, step) {
      last <<- step
      if (step %% every == 0) put(points, step)
    },
    close = function(points) {
      if (kept[length(kept)] != last) put(points, last)
      if (length(kept) < dim(frames)[3]) frames <<- frames[, , seq_along(kept), drop = FALSE]
      list(frames = frames, kept = kept)
    }
  )
}

# Passive points moved by steps from + 1 .. from + count.
carry_steps <- function(traj, points, from, count) {
  .Call(C_pf_gpa_carry, points, traj$networks, traj$plan$widths, traj$plan$settings, traj$plan$every,
        as.integer(from), as.integer(count))
}
