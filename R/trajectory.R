#' The trajectory of a flow
#'
#' [efs_forward()] returns an object of class `c("riesz_trajectory", "particle_trajectory")`. It holds all that the
#' inverse needs, and diagnostics. The field `trajectory` of a fit from [gpa()], [energy_flow()] or [wgf()] is also a
#' `particle_trajectory`.
#'
#' @format A list with
#' \describe{
#'   \item{`frames`}{numeric array `[n, d, k + 1]`: the positions of the `n` particles at the start and after each of
#'     the `k` steps, in the unit of the input. With `keep = "checkpoints"` it holds only the frames of the steps in
#'     `kept`.}
#'   \item{`kept`}{whole numbers: the steps whose frames are kept. 0 is the start.}
#'   \item{`times`}{numeric, `k + 1` cumulative step sizes, the first of them 0.}
#'   \item{`gamma`}{numeric, the `k` step sizes.}
#'   \item{`s`, `epsilon`, `field`, `control`}{only from [efs_forward()]: the potential, how the field was computed (see
#'     [efs_field()]), and the settings that [resume()] needs.
#'     A trajectory from [gpa()] has instead `networks`, a matrix with one column of parameters per kept network, and
#'     `plan` (widths, settings, and the number of steps between kept networks). One from [energy_flow()] has `target`,
#'     and the `key` from which the directions are drawn, `step` and `pull`. One from [wgf()] has `kernel`.}
#'   \item{`diagnostics`}{data frame with one row per step and one row for the end: `step`, `time`, `gamma` (the size
#'     of the step that begins here, `NA` in the last row), `energy`, `kinetic_energy` (mean squared speed),
#'     `largest_move` and `closest_pair` (distances), `curvature` (largest curvature of the field over the particles),
#'     `bound` (the inverse-step bound \eqn{b}) and `certificate` (see [efs_forward()]), and `field_error` if the
#'     field is approximate (see [efs_field()]). With [gpa()] the columns are
#'     `step`, `time`, `gamma`, `divergence`, `kinetic_energy` and `largest_move`. `kinetic_energy` is then that of the
#'     potential before the step; in the last row it is that of the last potential, which was trained one step earlier.
#'     For [energy_flow()] and [wgf()] see their help pages.}
#'   \item{`fingerprint`}{a hash of all of these. A function that goes through the steps again stops if the hash does
#'     not fit, because the trajectory was then changed by hand.}
#'   \item{`maker`, `version`}{the function and the version of the package that made the trajectory.}
#' }
#' A trajectory contains the training rows, because they are its first frame.
#'
#' @param x,object A `particle_trajectory`.
#' @param ... Not used.
#' @return `print()` and `format()` describe it in a few lines. `summary()` returns a list with the first and last row
#'   of the diagnostics and, for [efs_forward()], the largest bound. `as.data.frame()` returns a data frame with one
#'   row per particle and kept frame, and the columns `particle`, `step`, `time` and the coordinates.
#' @examples
#' traj <- efs_forward(matrix(rnorm(100), ncol = 2), n_steps = 5)
#' summary(traj)
#' head(as.data.frame(traj))
#' @name particle_trajectory
NULL

# A trajectory is a list of class c("<kind>_trajectory", "particle_trajectory"). A kind may have methods of
#   replay(traj, points, first, last, threads)  a list: the frames of steps first + 1 .. last, from that of step
#                                               `first`. Without this method, frames that were not kept are lost.
#   carry(traj, points, ...)     new points [m, d] moved along with all steps, without moving the particles
#   flow_height(traj)            the name of the column of the diagnostics that the flow lowers
#   describe_field(traj)         lines that say what moves the particles
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

# stored: `frames` [n, d, kept] and `kept`. field: the parameters of what moves the points. maker: the name of the
# function that makes the trajectory.
new_trajectory <- function(kind, maker, stored, diagnostics, field) {
  traj <- c(
    list(frames = stored$frames, kept = stored$kept, times = diagnostics$time,
         gamma = diagnostics$gamma[-nrow(diagnostics)]),
    field,
    list(diagnostics = diagnostics, fingerprint = NULL, maker = maker,
         version = as.character(utils::packageVersion("particleflow")))
  )
  traj <- structure(traj, class = c(paste0(kind, "_trajectory"), "particle_trajectory"))
  traj$fingerprint <- trajectory_fingerprint(traj)
  traj
}

# The class decides which methods go through the steps, so it is covered too.
trajectory_fingerprint <- function(traj) {
  fingerprint(c(list(class = class(traj)), unclass(traj)[setdiff(names(traj), "fingerprint")]))
}

# Stops if the trajectory was changed after its maker made it. Each function that goes through the steps calls this
# once.
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

# Frame j (1 is the start) as a matrix, also if it has one column.
frame <- function(traj, j) frame_reader(traj)(j)

# A function of j that gives frame j. Frames that were not kept are computed again from the last kept frame before
# them, up to the next kept frame, and these frames are remembered. Going through all frames forwards or backwards
# therefore costs one flow in all.
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

# The rows of a class at frame `at` of its flow, in the unit of the flow. `own`, `ends`: the latent rows of a flow whose
# particles are others, and where they end.
rows_at <- function(flow, at, threads = thread_count()) {
  traj <- flow$trajectory
  if (isTRUE(flow$stripped)) return(matrix(0, 0, ncol(traj$frames)))
  if (is.null(flow$own)) return(frame(traj, at))
  if (at == n_steps(traj) + 1L) return(flow$ends)
  carry(traj, to_flow(flow$own, flow), threads = threads, steps = at - 1L)
}

# prod 1/(1 - b_j): the factor by which the inverse may multiply an error. Infinite if a step is not surely one-to-one.
inverse_growth <- function(traj) prod(step_growth(traj))

# 1/(1 - b_j) for each step.
step_growth <- function(traj) {
  bound <- traj$diagnostics$bound[seq_len(n_steps(traj))]
  ifelse(bound >= 1, Inf, 1 / (1 - pmax(bound, 0)))
}

#' @rdname particle_trajectory
#' @export
format.particle_trajectory <- function(x, ...) {
  check_dots("format()", ...)
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
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname particle_trajectory
#' @export
summary.particle_trajectory <- function(object, ...) {
  check_dots("summary()", ...)
  list(ends = object$diagnostics[unique(c(1L, n_steps(object) + 1L)), ])
}

#' @rdname particle_trajectory
#' @param row.names,optional As in [as.data.frame()]; ignored.
#' @export
as.data.frame.particle_trajectory <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
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
