#' Forward descent: carry the rows towards equilibrium
#'
#' Gradient descent of the repulsive-attractive energy
#' \deqn{E = \frac{1}{n(n-1)} \sum_i \sum_{a \ne i} W(x_i - x_a), \quad
#'   W(z) = \frac{|z|^2}{2} + \frac{1}{s (|z|^2 + \epsilon)^{s/2}},}{
#'   E = 1/(n(n-1)) sum_i sum_{a != i} W(x_i - x_a),
#'   W(z) = |z|^2/2 + 1/(s (|z|^2 + epsilon)^(s/2)),}
#' with the logarithm \eqn{-\log(|z|^2+\epsilon)/2} at `s = 0`. Each step moves
#' every row by
#' \eqn{-\gamma/(n-1) \sum_{a \ne i} \nabla W(x_i - x_a)} (Algorithm 2 of the
#' paper), and every frame is kept: [efs_backward()] needs them all. The centre
#' of mass stays where it is.
#'
#' @section Steps that can be undone:
#' [efs_backward()] has to undo each step, and can do so only where no two
#' points are carried to the same place. A step is one-to-one near the particles
#' while \eqn{b = \gamma (\lambda + \kappa/(n-1))} stays below 1, where
#' \eqn{\lambda} is the largest curvature of the field over the particles and
#' \eqn{\kappa} the largest curvature of a single pair, which stands for a new
#' point right beside one particle. Steps are shortened to keep
#' \eqn{b \le} `max_bound`. It is an
#' estimate: \eqn{\lambda} is sought among the particles that look steepest,
#' and may be a tenth too low. The stronger \eqn{\gamma\kappa n/(n-1) < 1}, the
#' `certificate`, would prove it everywhere, and is usually far too cautious.
#' Where `epsilon = 0` and `s > -1`, a single pair can be arbitrarily steep: no
#' step can be bounded, so `max_bound` must be `Inf`.
#'
#' @param x Numeric matrix or data frame, `n` rows (particles) by `d` columns,
#'   in any one unit of length; at least two rows.
#' @param s Exponent of the repulsion, \eqn{-2 < s < d}. 0 is logarithmic,
#'   `d - 2` is Coulomb's.
#' @param epsilon Softening, in squared units of `x`, at least 0; its root is
#'   the distance below which two rows count as one. With 0 no two rows may be
#'   equal.
#' @param step Largest step size \eqn{\gamma}.
#' @param n_steps Number of steps, 0 for none; with `time`, the most allowed.
#' @param time Total time \eqn{\sum \gamma} to cover; `NULL` for exactly
#'   `n_steps` steps.
#' @param max_bound Largest inverse-step bound allowed (see below), or `Inf`
#'   for fixed steps.
#' @param keep `"all"` frames, or `"checkpoints"`: every `every`-th and the last,
#'   from which [efs_backward()] computes the others again, to the last bit, at
#'   the cost of one more forward flow.
#' @param every For `"checkpoints"`, a whole number of at least 1; `NULL` takes
#'   the root of the number of steps, which needs the least memory.
#' @param threads Number of threads; see [particleflow_threads()].
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive
#'   session.
#' @return A [particle_trajectory]: `frames`, an `[n, d, k + 1]` array (fewer
#'   slices with checkpoints), the `times`, step sizes `gamma` and a data frame `diagnostics`.
#' @references
#' Daneshmand H, Soleymani A (2025). Data generation without function
#' estimation, Algorithm 2. \doi{10.48550/arXiv.2507.08239}
#' @seealso [efs()] for the whole method in one call.
#' @examples
#' x <- as.matrix(scale(iris[1:50, 1:2]))
#' traj <- efs_forward(x + rnorm(100, sd = 0.01), n_steps = 20)
#' traj
#' plot(traj)
#' @export
efs_forward <- function(x, s = 0, epsilon = 0.05, step = 0.1,
                        n_steps = if (is.null(time)) 10 else 1000, time = NULL,
                        max_bound = 0.5, keep = c("all", "checkpoints"), every = NULL,
                        threads = NULL, progress = NULL) {
  x <- check_points(x, "x", min_rows = 2L)
  n <- nrow(x)
  potential <- check_potential(s, epsilon, ncol(x))
  s <- potential$s
  epsilon <- potential$epsilon
  step <- check_number(step, "step", lower = 0, open_lower = TRUE)
  if (!is.null(time)) time <- check_number(time, "time", lower = 0)
  n_steps <- check_count(n_steps, "n_steps")
  max_bound <- check_number(max_bound, "max_bound", lower = 0, open_lower = TRUE, finite = FALSE)
  planned <- if (is.null(time)) n_steps else min(n_steps, ceiling(time / step))
  every <- check_every(check_choice(keep, c("all", "checkpoints"), "keep"), every, planned)
  check_memory(8 * length(x) * (planned / every + 1), "The trajectory", sprintf(
    "give `keep = \"checkpoints\"`%s, fewer `n_steps` or fewer rows", if (every > 1) " with a larger `every`" else ""))
  threads <- thread_count(threads)
  kappa <- .Call(C_pf_pair_curvature, s, epsilon)
  if (is.finite(max_bound) && is.infinite(kappa) && n_steps > 0) {
    fail("With `epsilon` = 0 and `s` = %s no step can be bounded; give `epsilon` above 0, or `max_bound = Inf` for fixed steps.",
         format(s))
  }

  labels <- dimnames(x)
  points <- unname(x)
  frames <- frame_store(points, planned, every, labels)
  history <- list()
  elapsed <- 0
  bar <- progress_bar("Forward", n_steps, progress)
  on.exit(bar$done())
  repeat {
    at <- length(history)
    field <- field_at(points, points, s, epsilon, TRUE, threads)
    check_collision(points, field$nearest, epsilon, at)
    check_range(field$gradient, field$curvature, at)
    left <- if (is.null(time)) Inf else time - elapsed
    finished <- at >= n_steps || left <= 1e-12 * max(time, 0)
    curvature <- .Call(C_pf_largest_curvature, points, field$curvature, s, epsilon, threads)
    steepest <- curvature + kappa / (n - 1)
    gamma <- if (finished) NA_real_ else min(step, left)
    if (!finished && is.finite(max_bound) && steepest > 0) gamma <- min(gamma, max_bound / steepest)
    history[[at + 1]] <- frame_diagnostics(points, field, s, gamma, elapsed, at, curvature, steepest, kappa)
    if (finished) break
    points <- points - gamma * field$gradient
    check_range(points, 0, at)
    frames$add(points, at + 1L)
    elapsed <- elapsed + gamma
    bar$tick()
  }
  history <- as.data.frame(do.call(rbind, history))
  warn_short_flow(history, step, n_steps, time)
  new_trajectory(frames$close(points), history, list(s = s, epsilon = epsilon))
}

check_collision <- function(points, nearest, epsilon, at) {
  if (epsilon > 0 || min(nearest) > 0) return(invisible())
  rows <- which(nearest == 0)
  if (at == 0) {
    fail("`x` has duplicate rows (%s), and without softening equal rows repel infinitely; give `epsilon` above 0 or drop the duplicates.",
         some(rows))
  }
  fail("Rows %s met at step %d; give `epsilon` above 0 or a smaller `step`.", some(rows), at)
}

check_range <- function(points, curvature, at) {
  if (all(is.finite(points)) && !anyNA(curvature)) return(invisible())
  fail("The particles left the range of numbers at step %d: take a smaller `step` or a larger `epsilon`.", at + 1L)
}

# One row of diagnostics: the state of a frame and the step taken from it.
frame_diagnostics <- function(points, field, s, gamma, elapsed, at, curvature, steepest, kappa) {
  n <- nrow(points)
  centred <- sweep(points, 2, colMeans(points))
  attraction <- n * sum(centred^2)            # sum over ordered pairs of |z|^2 / 2
  speed2 <- rowSums(field$gradient^2)
  c(
    step = at, time = elapsed, gamma = gamma,
    energy = (attraction + sum(field$repulsion)) / (n * (n - 1)),
    kinetic_energy = mean(speed2),
    largest_move = gamma * sqrt(max(speed2)),
    closest_pair = sqrt(min(field$nearest)),
    curvature = curvature,
    bound = gamma * steepest,
    certificate = gamma * kappa * n / (n - 1)
  )
}

warn_short_flow <- function(history, step, n_steps, time) {
  covered <- history$time[nrow(history)]
  if (!is.null(time)) {
    if (covered < time * (1 - 1e-9)) {
      warning(sprintf("The flow covered a time of %.3g of the %.3g asked for in `n_steps` = %d steps: raise `epsilon`, `n_steps` or `max_bound`.",
                      covered, time, n_steps), call. = FALSE)
    }
  } else if (n_steps > 0 && covered < 0.01 * step * n_steps) {
    warning(sprintf("Steps that can be undone were so short that the flow covered a time of only %.2g instead of %.2g: raise `epsilon`, or give `max_bound = Inf` for fixed steps.",
                    covered, step * n_steps), call. = FALSE)
  }
}

# New points moved along with the stored flow, without moving it: the map that
# efs_backward() inverts.
push_forward <- function(traj, points, threads) {
  frame_at <- frame_reader(traj, threads)
  for (j in seq_along(traj$gamma)) {
    field <- field_at(points, frame_at(j), traj$s, traj$epsilon, FALSE, threads)
    points <- points - traj$gamma[j] * field$gradient
  }
  if (!all(is.finite(points))) {
    fail("A new point fell on a particle of a flow without softening (`epsilon` = 0), where the field is infinite.")
  }
  points
}
