# The field of a flow, exact or approximate: what a step needs to know of it (see ?efs_field).

# A field is a list of class c("<kind>_field", "particle_field") that a trajectory stores; it has `kind`. The method
#   open_field(field, at, step, potential, threads)
# gives the field that the particles `at` [n, d] cause in step `step`, a list of class c("<kind>_frame", ...). It has
#   own_field(frame, threads)          the field at the particles: `gradient` [n, d], and what its other methods need
#   field_of(frame, points, threads)   its gradient at other points [m, d]
#   survey_field(frame, own, threads)  what the diagnostics tell: curvature, pair_share, repulsion, nearest and, of an
#                                      approximate field, field_error
#   volume_of(frame, points, self, gamma, threads)  list(value, error): the log-determinants of the step. self: the
#                                      points are the particles, and each is without its own pair
#   undo_field(frame, points, guess, gamma, tolerance, most_evaluations, volume, threads)  the step undone, with
#                                      `points`, `residual` and `evaluations`; `volume`: also with `log_det`, the
#                                      log-determinants at the points found, where they cost less than volume_of()
# and field_work(field, dim) the number of pairs per point that cost as much as the field.
open_field <- function(field, at, step, potential, threads) UseMethod("open_field")

field_work <- function(field, dim) UseMethod("field_work")

own_field <- function(frame, threads) UseMethod("own_field")

field_of <- function(frame, points, threads) UseMethod("field_of")

survey_field <- function(frame, own, threads) UseMethod("survey_field")

volume_of <- function(frame, points, self, gamma, threads) UseMethod("volume_of")

undo_field <- function(frame, points, guess, gamma, tolerance, most_evaluations, volume, threads) {
  UseMethod("undo_field")
}

# The field of a trajectory. A trajectory without one was made before there was a choice.
stored_field <- function(traj) if (is.null(traj$field)) exact_field() else traj$field

# The field of step `step` of a trajectory, which begins at frame number `step`.
traj_field <- function(traj, at, step, threads) {
  open_field(stored_field(traj), unname(at), step, traj[c("s", "epsilon")], threads)
}

# ---- the exact field -------------------------------------------------------------------------------------

exact_field <- function() structure(list(kind = "exact"), class = c("exact_field", "particle_field"))

#' @export
field_work.exact_field <- function(field, dim) Inf

#' @export
open_field.exact_field <- function(field, at, step, potential, threads) {
  structure(c(list(at = at), potential), class = "exact_frame")
}

#' @export
own_field.exact_frame <- function(frame, threads) {
  field_at(frame$at, frame$at, frame$s, frame$epsilon, TRUE, threads)
}

#' @export
field_of.exact_frame <- function(frame, points, threads) {
  field_at(points, frame$at, frame$s, frame$epsilon, FALSE, threads)$gradient
}

#' @export
survey_field.exact_frame <- function(frame, own, threads) {
  list(curvature = .Call(C_pf_largest_curvature, frame$at, own$curvature, frame$s, frame$epsilon, threads),
       pair_share = 1 / (nrow(frame$at) - 1), repulsion = sum(own$repulsion), nearest = min(own$nearest))
}

#' @export
volume_of.exact_frame <- function(frame, points, self, gamma, threads) {
  step_log_det(points, frame$at, gamma, frame, self, threads)
}

#' @export
undo_field.exact_frame <- function(frame, points, guess, gamma, tolerance, most_evaluations, volume, threads) {
  at <- frame$at
  bind_blocks(in_blocks(nrow(points), 5 * nrow(at) * (ncol(at) + 4), function(from, count) {
    rows <- from + seq_len(count)
    .Call(C_pf_backward_exact, points[rows, , drop = FALSE], guess[rows, , drop = FALSE], at, gamma, frame$s,
          frame$epsilon, tolerance, most_evaluations, threads)
  }))
}

# ---- approximate fields ----------------------------------------------------------------------------------

# Each frame of an approximate field is a list of class c("<kind>_frame", "approximate_frame") with
#   field, at, n      the field, the particles and their number
#   core              what the core needs: list(engine, s, epsilon, mean, factor, own, ...)
#   work              the number of pairs per point that cost as much
#   drift             the mean of the gradient over the particles, which is taken off, because it is 0 for the exact
#                     field; NULL until own_field() has found it. A trajectory stores that of each step, [d, k].
new_approximate_frame <- function(field, at, step, core, work) {
  structure(list(field = field, at = at, n = nrow(at), core = core, work = work * (ncol(at) + 4),
                 drift = if (!is.null(field$drift)) field$drift[, step]),
            class = c(paste0(field$kind, "_frame"), "approximate_frame"))
}

# The order in which points are worked on, or NULL. No result depends on it, but the time may.
working_order <- function(frame, points, threads) UseMethod("working_order")

#' @export
working_order.approximate_frame <- function(frame, points, threads) NULL

# work(points, rows) gives a list of vectors and matrices with one entry or row per point. It gets the points in their
# working order, and `rows`, the numbers they had; NULL if they have not moved.
in_working_order <- function(frame, points, threads, work) {
  rows <- working_order(frame, points, threads)
  if (is.null(rows)) return(work(points, NULL))
  back <- integer(length(rows))
  back[rows] <- seq_along(rows)
  lapply(work(points[rows, , drop = FALSE], rows), function(values) {
    if (is.matrix(values)) values[back, , drop = FALSE] else values[back]
  })
}

# The gradient at the rows of `points` before the drift is taken off; `bounded` gives bounds of its curvature too.
frame_gradient <- function(frame, points, bounded, threads) {
  in_working_order(frame, points, threads, function(points, rows) {
    bind_blocks(in_blocks(nrow(points), frame$work, function(from, count) {
      .Call(C_pf_frame_gradient, points, frame$core, from, count, bounded, threads)
    }, chunk = 256))
  })
}

without_drift <- function(gradient, drift) {
  if (is.null(drift)) gradient else gradient - rep(drift, each = nrow(gradient))
}

#' @export
own_field.approximate_frame <- function(frame, threads) {
  frame$core$own <- holds_own(frame)
  own <- frame_gradient(frame, frame$at, TRUE, threads)
  own$drift <- colMeans(own$gradient)
  own$gradient <- without_drift(own$gradient, own$drift)
  own
}

# TRUE if the sums at a particle contain its pair with itself.
holds_own <- function(frame) UseMethod("holds_own")

#' @export
holds_own.approximate_frame <- function(frame) TRUE

#' @export
field_of.approximate_frame <- function(frame, points, threads) {
  without_drift(frame_gradient(frame, points, FALSE, threads)$gradient, frame$drift)
}

# The eigenvalues of the rows with the largest bounds, and the exact field of the checked rows.
#' @export
survey_field.approximate_frame <- function(frame, own, threads) {
  checked <- check_field(frame, threads, own)
  c(list(curvature = steepest_rows(frame, own$curvature, threads), pair_share = 1 / (frame$n - 1), nearest = NA_real_),
    checked)
}

examined_rows <- 256L

steepest_rows <- function(frame, bound, threads) {
  if (ncol(frame$at) > most_exact_dims) return(max(bound))
  look <- min(examined_rows, length(bound))
  least <- -sort(-bound, partial = look)[look]
  rows <- utils::head(which(bound >= least), look)
  frame$core$own <- holds_own(frame)
  max(.Call(C_pf_frame_curvature, frame$at[rows, , drop = FALSE], frame$core, threads))
}

checked_count <- 100L

# Streams of the key of a field: that of the checked rows, and, from 1 on, those of the steps.
checked_stream <- 0L

keyed_rows <- function(key, n, size, stream) {
  if (size >= n) return(seq_len(n))
  partial_permutation(n, draw_uniform(size, 1L, key, stream)[, 1])
}

checked_rows <- function(field, n) keyed_rows(field$key, n, checked_count, checked_stream)

# The error of the field at some particles, and the repulsive energy of all, scaled from these. own: the field at the
# particles; without it, it is computed for these.
check_field <- function(frame, threads, own = NULL) {
  n <- frame$n
  rows <- checked_rows(frame$field, n)
  at <- frame$at[rows, , drop = FALSE]
  found <- if (is.null(own)) field_of(frame, at, threads) else own$gradient[rows, , drop = FALSE]
  exact <- ordered_field(at, frame$at, frame$core$s, frame$core$epsilon, FALSE, threads)
  error <- found - exact$gradient
  pull <- n / (n - 1) * sweep(at, 2, colMeans(frame$at))
  wrong <- sum(error^2)
  list(repulsion = n * mean(exact$repulsion - own_repulsion(frame$core)),
       field_error = if (wrong == 0) 0 else sqrt(wrong / sum((pull - exact$gradient)^2)))
}

# The repulsive energy of a particle with itself.
own_repulsion <- function(core) {
  if (core$s == 0) -log(core$epsilon) / 2 else core$epsilon^(-core$s / 2) / core$s
}

#' @export
volume_of.approximate_frame <- function(frame, points, self, gamma, threads) {
  frame$core$own <- self && holds_own(frame)
  volume <- in_working_order(frame, points, threads, function(points, rows) {
    list(value = as.double(unlist(in_blocks(nrow(points), frame$work * ncol(points), function(from, count) {
      .Call(C_pf_frame_log_det, points, frame$core, from, count, gamma, threads)
    }, chunk = 256))))
  })
  c(volume, list(error = 0))
}

#' @export
undo_field.approximate_frame <- function(frame, points, guess, gamma, tolerance, most_evaluations, volume, threads) {
  volume <- volume && ncol(points) <= most_exact_dims
  # v = y + gamma (g(v) - drift)
  points <- points - rep(gamma * frame$drift, each = nrow(points))
  in_working_order(frame, guess, threads, function(guess, moved) {
    if (!is.null(moved)) points <- points[moved, , drop = FALSE]
    bind_blocks(in_blocks(nrow(points), 5 * frame$work, function(from, count) {
      rows <- from + seq_len(count)
      .Call(C_pf_frame_backward, points[rows, , drop = FALSE], guess[rows, , drop = FALSE], frame$core, gamma,
            tolerance, most_evaluations, volume, threads)
    }))
  })
}
