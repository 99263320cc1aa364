#' What a flow leaves behind
#'
#' [efs_forward()] returns an object of class `c("riesz_trajectory", "particle_trajectory")`: all that the inverse
#' needs, and what a person wants to see of it. The field `trajectory` of a fit from [gpa()] or [wgf()] is a
#' `particle_trajectory` too.
#'
#' @format A list with
#' \describe{
#'   \item{`frames`}{numeric array `[n, d, k + 1]`: the particles at the start and after each of the `k` steps, in the
#'     unit of the input; with `keep = "checkpoints"` only those of the steps in `kept`.}
#'   \item{`kept`}{whole numbers, the steps whose frames are kept, from 0.}
#'   \item{`times`}{numeric, `k + 1` cumulative step sizes, from 0.}
#'   \item{`gamma`}{numeric, the `k` step sizes.}
#'   \item{`s`, `epsilon`, `control`}{of [efs_forward()]: the potential, and the settings that [resume()] needs. Of
#'     [gpa()] instead `networks`, a matrix with one column of parameters for each kept network, and `plan` (widths,
#'     settings, and of every how many steps they were kept). Of [wgf()] `kernel`.}
#'   \item{`diagnostics`}{data frame with one row per step and one for the end: `step`, `time`, `gamma` (the step
#'     taken from here, `NA` for the last), `energy`, `kinetic_energy` (mean squared speed), `largest_move`,
#'     `closest_pair` (distances), `curvature` (largest curvature of the field over the particles), `bound` (the
#'     inverse-step bound \eqn{b}) and `certificate` (see [efs_forward()]). With [gpa()]: `step`, `time`, `gamma`,
#'     `divergence`, `kinetic_energy` (of the potential before the step; in the last row of the last potential, trained
#'     one step earlier) and `largest_move`. With [wgf()] see there.}
#'   \item{`fingerprint`}{a hash of all of these. A function that goes through the steps again stops if it does not
#'     fit, because the trajectory was changed by hand.}
#'   \item{`maker`, `version`}{the function and the version of the package that made it.}
#' }
#' A trajectory contains the training rows: its first frame.
#'
#' @param x,object A `particle_trajectory`.
#' @param ... Not used.
#' @return `print()` and `format()` describe it in a few lines; `summary()` returns the first and last row of the
#'   diagnostics and the largest bound; `as.data.frame()` gives one row per particle and frame kept, with columns
#'   `particle`, `step`, `time` and the coordinates.
#' @examples
#' traj <- efs_forward(matrix(rnorm(100), ncol = 2), n_steps = 5)
#' summary(traj)
#' head(as.data.frame(traj))
#' @name particle_trajectory
NULL

# A trajectory is a list of class c("<kind>_trajectory", "particle_trajectory"). A kind may have methods of
#   replay(traj, points, first, last, threads)  a list: the frames of steps first + 1 .. last, from that of step
#                                               `first`. Without it, frames that were not kept are gone.
#   carry(traj, points, ...)     new points [m, d] moved along with all steps, without moving the particles
#   flow_height(traj)            the column of the diagnostics that the flow lowers
#   describe_field(traj)         one line that says what moves the particles
# and of format() and summary(), which add their own lines to those of NextMethod().

replay <- function(traj, points, first, last, threads) UseMethod("replay")

carry <- function(traj, points, ...) UseMethod("carry")

flow_height <- function(traj) UseMethod("flow_height")

describe_field <- function(traj) UseMethod("describe_field")

#' @export
replay.default <- function(traj, points, first, last, threads) {
  fail("Frame %d of this trajectory was not kept.", first + 2L)
}

#' @export
carry.default <- function(traj, points, ...) fail("New points cannot be carried along with a flow of %s().", traj$maker)

#' @export
flow_height.default <- function(traj) "divergence"

#' @export
describe_field.default <- function(traj) NULL

can_replay <- function(traj) {
  any(vapply(class(traj), function(one) !is.null(utils::getS3method("replay", one, optional = TRUE)), NA))
}

# stored: `frames` [n, d, kept] and `kept`. field: what moves points. maker: the name of the function.
new_trajectory <- function(kind, maker, stored, diagnostics, field) {
  traj <- c(
    list(frames = stored$frames, kept = stored$kept, times = diagnostics$time,
         gamma = diagnostics$gamma[-nrow(diagnostics)]),
    field,
    list(diagnostics = diagnostics, fingerprint = NULL, maker = maker,
         version = as.character(utils::packageVersion("particleflow")))
  )
  traj$fingerprint <- trajectory_fingerprint(traj)
  structure(traj, class = c(paste0(kind, "_trajectory"), "particle_trajectory"))
}

trajectory_fingerprint <- function(traj) fingerprint(unclass(traj)[setdiff(names(traj), "fingerprint")])

# A trajectory that is what its maker made. Called once by each function that goes through its steps.
check_whole <- function(traj, what = "traj") {
  if (is.null(traj$maker)) {
    fail("`%s` was made by particleflow 0.1.0 or earlier, in a form that this version cannot read; make it again.",
         what)
  }
  if (!identical(traj$fingerprint, trajectory_fingerprint(traj))) {
    fail("`%s` was changed after %s() made it, so its steps can no longer be undone; run %s() again.", what, traj$maker,
         traj$maker)
  }
  invisible(traj)
}

# Frame j (1 is the start) as a matrix, also for one column.
frame <- function(traj, j) frame_reader(traj)(j)

# A function of j that gives frame j. Frames that were not kept are computed again from the kept one before them, a
# stretch between kept frames at a time, which is remembered: going forwards or backwards costs one flow in all.
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
        stretch <<- replay(traj, kept_frame(slot), traj$kept[slot], traj$kept[slot + 1L] - 1L, threads)
        from <<- slot
      }
      stretch[[ahead]]
    }
    dimnames(points) <- labels
    points
  }
}

n_steps <- function(traj) length(traj$gamma)

last_frame <- function(traj) frame(traj, n_steps(traj) + 1L)

# prod 1/(1 - b_j): by how much the inverse may magnify an error. Infinite where a step was not surely one-to-one.
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
  first <- x$diagnostics[1, ]
  last <- x$diagnostics[k + 1, ]
  height <- flow_height(x)
  c(
    sprintf("<particle_trajectory> %d particles in %d dimension%s, %d step%s, time %s", extent[1], extent[2],
            if (extent[2] == 1) "" else "s", k, if (k == 1) "" else "s", format(x$times[k + 1], digits = 3)),
    describe_field(x),
    sprintf("%s %s -> %s, kinetic energy %s -> %s", height,
            format(first[[height]], digits = 4), format(last[[height]], digits = 4),
            format(first$kinetic_energy, digits = 2), format(last$kinetic_energy, digits = 2)),
    if (length(x$kept) <= k) {
      sprintf("%d of %d frames kept%s", length(x$kept), k + 1L,
              if (can_replay(x)) ", the others are computed again when they are needed" else "")
    }
  )
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
  list(ends = object$diagnostics[unique(c(1L, n_steps(object) + 1L)), ])
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

# ---- frames on the way -----------------------------------------------------------------------------------

# Keeps the frames of steps 0, every, 2 every, ... in one array [n, d, slots] that has room for all planned steps from
# the start and is filled in place: no second copy of the trajectory is made. This is the one part of a run that is an
# environment. Its slots depend on the number of the step alone, so that a step that is taken again after an interrupt
# writes the same numbers to the same place.
frame_store <- function(points, planned, every, labels) {
  store <- new.env(parent = baseenv())
  store$every <- every
  store$labels <- if (is.null(labels)) list(NULL, NULL) else labels
  store$frames <- empty_frames(store, dim(points), planned %/% every + 1 + (planned %% every > 0))
  put_frame(store, points, 0L)
  store
}

empty_frames <- function(store, extent, slots) array(0, c(extent, slots), c(store$labels, list(NULL)))

put_frame <- function(store, points, step) {
  if (step %% store$every == 0) fill_slot(store, points, step %/% store$every + 1)
}

fill_slot <- function(store, points, slot) {
  if (slot > dim(store$frames)[3]) {
    grown <- empty_frames(store, dim(points), 2 * slot)
    grown[seq_along(store$frames)] <- store$frames
    store$frames <- grown
  }
  # assigned within the store, because an assignment from outside would copy the array
  store$slot <- slot
  store$points <- points
  evalq(frames[, , slot] <- points, store)
  store$points <- NULL
  invisible()
}

# list(frames, kept) after `step` steps, which ended at `points`.
stored_frames <- function(store, points, step) {
  kept <- seq(0, step, by = store$every)
  if (kept[length(kept)] != step) {
    kept <- c(kept, step)
    fill_slot(store, points, length(kept))
  }
  frames <- store$frames
  if (length(kept) < dim(frames)[3]) frames <- frames[, , seq_along(kept), drop = FALSE]
  list(frames = frames, kept = as.integer(kept))
}
