#' Forward descent: carry the rows towards equilibrium
#'
#' Gradient descent of the repulsive-attractive energy
#' \deqn{E = \frac{1}{n(n-1)} \sum_i \sum_{a \ne i} W(x_i - x_a), \quad
#'   W(z) = \frac{|z|^2}{2} + \frac{1}{s (|z|^2 + \epsilon)^{s/2}}.}{
#'   E = 1/(n(n-1)) sum_i sum_{a != i} W(x_i - x_a),
#'   W(z) = |z|^2/2 + 1/(s (|z|^2 + epsilon)^(s/2)).}
#' At `s = 0` the second term is the logarithm \eqn{-\log(|z|^2+\epsilon)/2}{-log(|z|^2+epsilon)/2}. Each step moves
#' every row by \eqn{-\gamma/(n-1) \sum_{a \ne i} \nabla W(x_i - x_a)}{-gamma/(n-1) sum_{a != i} grad W(x_i - x_a)}
#' (Algorithm 2 of the paper). By default the trajectory keeps every frame, because [efs_backward()] needs all of them.
#' The flow does not move the centre of mass.
#'
#' @section Steps that can be undone:
#' [efs_backward()] has to undo each step. It can do so only if the step carries no two points to the same position.
#' Near the particles a step is one-to-one if its inverse-step bound \eqn{b = \gamma (\lambda + \kappa/(n-1))} is
#' below 1. Here \eqn{\lambda} is the largest curvature of the field over the particles. \eqn{\kappa} is the largest
#' curvature of a single pair; it stands for a new point very close to one particle. Steps are shortened to keep
#' \eqn{b \le} `max_bound`.
#'
#' The bound is an estimate: \eqn{\lambda} is computed only for the particles that look steepest, and it may be too low
#' by a tenth. The `certificate` is \eqn{\gamma \kappa n/(n-1)}. If it is below 1, the step is proved to be one-to-one
#' everywhere. This condition is usually far too cautious.
#'
#' With `epsilon = 0` and `s > -1`, a single pair can be arbitrarily steep. Then no step can be bounded, and
#' `max_bound` must be `Inf`.
#'
#' If the shortened steps cover less than half of `step * n_steps`, the flow is much shorter than the one that was asked
#' for. `print()` then says so, and so does a message if `n_steps` was given. Give `time` for a flow of a certain
#' length.
#'
#' @section Large flows:
#' The frames of a million rows in ten columns take 80 MB each. With `keep = "file"` they are in `file`, and the array
#' `frames` of the trajectory consists of pages of this file, which the system reads when they are needed and drops when
#' memory is short. All functions take such a trajectory. [saveRDS()] then saves the name of the file and not the
#' frames: keep the file where it is and as it is. R ends if the file is made shorter while a trajectory uses it.
#' Without `file` the frames are in the temporary folder of the session, the file is deleted with the trajectory, and
#' [saveRDS()] saves the frames themselves. A run with a `checkpoint` goes on with its `file`. On Windows the frames
#' are written to the file and are then read into memory.
#'
#' @section Errors:
#' The function stops if an argument is outside its range (class `particleflow_input`); if rows are equal and `epsilon`
#' is 0 (`particleflow_unfit`); if particles leave the range of numbers (`particleflow_unsolved`); and if the
#' trajectory would take more than half of the machine's memory or the flow more than 30 days (`particleflow_size`).
#'
#' @param x Numeric matrix or data frame of `n` rows (particles) and `d` columns, all in one unit of length; at least
#'   two rows.
#' @param s Exponent of the repulsion, \eqn{-2 < s < d}. 0 is the logarithm, `d - 2` is Coulomb's potential.
#' @param epsilon Softening, in squared units of `x`, a number of at least 0. Its square root is the distance below
#'   which the repulsion of two rows is softened, so that they act almost as one row. With 0 all rows must be
#'   different.
#' @param step Largest step size \eqn{\gamma}, a number above 0.
#' @param n_steps Number of steps, a whole number of at least 0. With `time`, the largest number of steps.
#' @param time Total time \eqn{\sum \gamma}, a number of at least 0. `NULL`: the flow takes exactly `n_steps` steps.
#' @param max_bound Largest inverse-step bound, a number above 0 (see below), or `Inf` for steps of fixed size.
#' @param keep `"all"` keeps all frames. `"checkpoints"` keeps every `every`-th frame and the last. [efs_backward()]
#'   then computes the other frames again, with the same bits, which costs one more forward flow. `"file"` keeps all
#'   frames in a file, see the section on large flows.
#' @param every For `"checkpoints"`, a whole number of at least 1. `NULL` takes the square root of the number of steps,
#'   which needs the least memory.
#' @param field How the field is computed: `NULL` or `"auto"` takes the exact field for up to 20,000 rows, and for more
#'   rows one that costs less than \eqn{n^2}{n^2}; or another name, or a value of [efs_field()]. The inverse and the
#'   log-density of the flow use the same field.
#' @param checkpoint Path of a file to which the run is saved every half minute and at its end, for [resume()]. `NULL`:
#'   the run is not saved. A checkpoint that is there already is overwritten. If another file
#'   is there, that is an error. A relative path starts from the working directory of the call. If the file cannot be
#'   written, a warning says so and the run goes on.
#' @param file For `keep = "file"`, the path of a file that does not exist yet, in a folder that does. `NULL`: a
#'   temporary file.
#' @param threads Number of threads, a whole number of at least 1; see [particleflow_threads()].
#' @param progress `TRUE` or `FALSE`; `NULL` shows a progress bar in an interactive session.
#' @return A [particle_trajectory] with `frames`, an `[n, d, k + 1]` array for `k` steps (fewer slices with
#'   checkpoints), the `times`, the step sizes `gamma` and a data frame `diagnostics`. With `n_steps = 0` and more than
#'   20,000 rows its numbers are `NA`, because they would take as long as a step. If the steps had to be so short that
#'   the flow ended early, a warning says so.
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
                        max_bound = 0.5, keep = c("all", "checkpoints", "file"), every = NULL,
                        checkpoint = NULL, threads = NULL, progress = NULL, field = NULL, file = NULL) {
  check_progress(progress)
  given <- is.null(time) && !missing(n_steps)
  run <- forward_run(x, s, epsilon, step, n_steps, time, max_bound, keep, every, given, checkpoint, threads, field,
                     file)
  complete(run, progress)
}

# The same for other functions, which make sure themselves that a stopped run is not lost. `given`: the user gave the
# number of steps, and is told if they cover less time than expected.
forward_flow <- function(x, s, epsilon, step, n_steps = if (is.null(time)) 10 else 1000, time = NULL, max_bound = 0.5,
                         keep = c("all", "checkpoints", "file"), given = FALSE, threads = NULL, progress = NULL,
                         field = NULL, file = NULL) {
  run <- forward_run(x, s, epsilon, step, n_steps, time, max_bound, keep, NULL, given, NULL, threads, field, file)
  finish(go_on(run, progress, remember = FALSE))
}

# The arguments of efs_forward() as a run before its first step.
forward_run <- function(x, s, epsilon, step, n_steps, time, max_bound, keep, every, given, checkpoint, threads,
                        field, file) {
  x <- check_points(x, "x", min_rows = 2L)
  field <- as_field(field)
  potential <- check_potential(s, epsilon, ncol(x))
  keep <- check_choice(keep, kept_frames, "keep")
  control <- list(
    step = check_number(step, "step", lower = 0, open_lower = TRUE),
    time = if (!is.null(time)) check_number(time, "time", lower = 0),
    max_bound = check_number(max_bound, "max_bound", lower = 0, open_lower = TRUE, finite = FALSE),
    every = 1L, given = given, checkpoint = check_path(checkpoint), file = frames_place(keep, file)
  )
  planned <- check_count(n_steps, "n_steps")
  expected <- expected_steps(control, planned)
  control$every <- check_every(keep, every, expected)
  threads <- thread_count(threads)
  check_steep(potential, control$max_bound, planned)
  advice <- sprintf("give `keep = \"file\"`, `keep = \"checkpoints\"`%s, fewer `n_steps` or fewer rows",
                    if (control$every > 1) " with a larger `every`" else "")
  check_memory(forward_needs(x, expected, control, exact_field())[["bytes"]], "The trajectory", advice)
  field <- choose_field(field, unname(x), potential, threads)
  needs <- forward_needs(x, expected, control, field)
  check_time(needs[["seconds"]], "The flow", "give fewer `n_steps` or fewer rows")
  new_riesz_run(x, potential, field, control, planned, threads)
}

# If a single pair of particles can be arbitrarily steep, no step is short enough.
check_steep <- function(potential, max_bound, n_steps) {
  steepest <- .Call(C_pf_pair_curvature, potential$s, potential$epsilon)
  if (is.infinite(max_bound) || is.finite(steepest) || n_steps == 0) return(invisible())
  fail(paste("With `epsilon` = 0 and `s` = %s no step can be bounded; give `epsilon` above 0, or `max_bound = Inf` for",
             "fixed steps."), format(potential$s))
}
