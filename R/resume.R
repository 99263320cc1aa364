#' Go on with a run
#'
#' Takes the steps that are left of a run of [efs_forward()], [gpa()] or [wgf()] or of the training of a [generator], or
#' takes more of them. A run in two parts gives what it would have given in one, to the last bit on one BLAS.
#'
#' @section Generators:
#' A [generator] does not hold the rows that it was trained on, so it cannot be trained further by itself. Give the path
#' of its checkpoint. Its learning rate falls over the steps that were planned first and stays low in further ones.
#'
#' @param object A fit from [gpa()] or [wgf()], a trajectory from [efs_forward()], or the path of a checkpoint. Missing:
#'   the run that was last stopped in this session by Ctrl-C or an error, after its first step.
#' @param n_steps Number of further steps; `NULL`: those that are left of what was planned. 0 gives the fit of what was
#'   done so far. For a flow that has covered its `time`, further steps have no end but their number.
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @return What [efs_forward()], [gpa()], [wgf()], [distill()] or [pushforward()] would have returned for all steps
#'   together. The run that was stopped in this session stays until its planned steps are done.
#' @examples
#' set.seed(1)
#' fit <- gpa(function(n) matrix(rnorm(2 * n), n), matrix(rexp(100), 50), n_steps = 20)
#' fit <- resume(fit, 20)
#' fit$diagnostics$steps
#'
#' traj <- efs_forward(matrix(rnorm(100), 50), n_steps = 5)
#' resume(traj, 5)
#' @export
resume <- function(object, n_steps = NULL, progress = NULL) {
  check_progress(progress)
  if (!is.null(n_steps)) n_steps <- check_count(n_steps, "n_steps")
  run <- if (missing(object)) interrupted$run else as_run(object)
  if (is.null(run)) fail("There is no interrupted run to go on with; give a fit or the path of a checkpoint.")
  if (run$ended == "diverged") {
    fail("The run diverged at step %d and would do so again; start anew with other settings.", run$state$step)
  }
  planned <- run$planned
  if (nzchar(run$ended)) run <- reopen(run)
  if (!is.null(n_steps)) run$planned <- more_steps(run, n_steps)
  run <- go_on(run, progress)
  fit <- finish_or_remember(run)
  if (missing(object)) {
    run$planned <- max(planned, run$planned)
    interrupted$run <- if (is_open(run)) run
  }
  fit
}

more_steps <- function(run, n_steps) {
  most <- .Machine$integer.max - run$state$step
  if (n_steps > most) fail("`n_steps` must be at most %d after %d steps, not %d.", most, run$state$step, n_steps)
  run$state$step + n_steps
}
