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
#' If the shortened steps cover less than half of `step * n_steps`, the flow is another one than was asked for: `print()`
#' says so, and a message does if `n_steps` was given. Give `time` for a flow of a certain length.
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
#' @param checkpoint Path of a file in which the run is saved every half minute and at its end, for [resume()]; `NULL`
#'   for none. If it cannot be written, a warning says so and the run goes on.
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
                        checkpoint = NULL, threads = NULL, progress = NULL) {
  check_progress(progress)
  given <- is.null(time) && !missing(n_steps)
  run <- forward_run(x, s, epsilon, step, n_steps, time, max_bound, keep, every, given, checkpoint, threads)
  complete(run, progress)
}

# The same for other functions, which see to it themselves that a run which is stopped is not lost. `given`: the user
# gave the number of steps and is told where they are short.
forward_flow <- function(x, s, epsilon, step, n_steps = if (is.null(time)) 10 else 1000, time = NULL, max_bound = 0.5,
                         keep = c("all", "checkpoints"), given = FALSE, threads = NULL, progress = NULL) {
  run <- forward_run(x, s, epsilon, step, n_steps, time, max_bound, keep, NULL, given, NULL, threads)
  finish(go_on(run, progress, remember = FALSE))
}

# The arguments of efs_forward() as a run of which no step is taken.
forward_run <- function(x, s, epsilon, step, n_steps, time, max_bound, keep, every, given, checkpoint, threads) {
  x <- check_points(x, "x", min_rows = 2L)
  potential <- check_potential(s, epsilon, ncol(x))
  keep <- check_choice(keep, c("all", "checkpoints"), "keep")
  control <- list(
    step = check_number(step, "step", lower = 0, open_lower = TRUE),
    time = if (!is.null(time)) check_number(time, "time", lower = 0),
    max_bound = check_number(max_bound, "max_bound", lower = 0, open_lower = TRUE, finite = FALSE),
    every = 1L, given = given, checkpoint = check_path(checkpoint)
  )
  planned <- check_count(n_steps, "n_steps")
  expected <- expected_steps(control, planned)
  control$every <- check_every(keep, every, expected)
  threads <- thread_count(threads)
  check_steep(potential, control$max_bound, planned)
  advice <- sprintf("give `keep = \"checkpoints\"`%s, fewer `n_steps` or fewer rows",
                    if (control$every > 1) " with a larger `every`" else "")
  needs <- forward_needs(x, expected, control$every)
  check_memory(needs[["bytes"]], "The trajectory", advice)
  check_time(needs[["seconds"]], "The flow", "give fewer `n_steps` or fewer rows")
  new_riesz_run(x, potential, control, planned, threads)
}

# Where a single pair of particles can be arbitrarily steep, no step is short enough.
check_steep <- function(potential, max_bound, n_steps) {
  steepest <- .Call(C_pf_pair_curvature, potential$s, potential$epsilon)
  if (is.infinite(max_bound) || is.finite(steepest) || n_steps == 0) return(invisible())
  fail(paste("With `epsilon` = 0 and `s` = %s no step can be bounded; give `epsilon` above 0, or `max_bound = Inf` for",
             "fixed steps."), format(potential$s))
}
