#' Continue a run
#'
#' Takes the remaining steps of a run of [efs_forward()], [gpa()], [energy_flow()], [wgf()] or [temper()], or of the
#' training of a [generator] or of a [latent_autoencoder()], or takes further steps. A run in two parts gives the same
#' result as a run in one part, to the last bit.
#'
#' @section Generators and autoencoders:
#' They do not hold the rows that they were trained on. Training can therefore not continue from the result itself: give
#' the path of its checkpoint. The learning rate falls over the steps that were planned first, and it stays
#' low in further steps.
#'
#' @param object A fit from [gpa()], [energy_flow()], [wgf()] or [temper()], a trajectory from [efs_forward()], or the
#'   path of a checkpoint. A checkpoint is the file that one of these functions writes if it is called with
#'   `checkpoint`. The file of a fit that was saved with [saveRDS()] is no checkpoint: read the fit with [readRDS()],
#'   and give the fit. Missing: the last run of this session that Ctrl-C or an error stopped after its first step. If
#'   there is no such run, that is an error. A run that diverged cannot be continued, which is an error too. So is a
#'   checkpoint that was changed, or that another version wrote in a form that this version cannot read.
#' @param n_steps Number of further steps, at least 0. With 0 the result is that of the steps done so far. `NULL`: the
#'   remaining steps of the plan. If a flow has covered its `time`, only this number ends it.
#' @param progress `TRUE` shows a progress bar, `FALSE` shows nothing. `NULL` shows a bar in an interactive session. In
#'   a script it prints one message that foretells the time if more than a minute is left.
#' @return What [efs_forward()], [gpa()], [energy_flow()], [wgf()], [temper()], [distill()] or [pushforward()] would
#'   have returned for all steps together, with `n_steps` among the settings raised to all steps; of a
#'   [latent_autoencoder()], the trained map. What was chosen from the steps that were planned first stays: every how
#'   many steps frames and networks are kept, and over how many steps the learning rate falls or the bandwidth is
#'   annealed. A run of [energy_flow()] that ended by its `tolerance` goes on without one. Further steps of [temper()]
#'   are rounds of draws. With `object` missing, the stopped run is kept until all its planned steps are done.
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
    fail("The run diverged at step %d and would do so again; start a new run with other settings.", run$state$step)
  }
  planned <- run$planned
  if (nzchar(run$ended)) run <- reopen(run)
  if (!is.null(n_steps)) {
    run <- plan_steps(run, more_steps(run, n_steps))
  } else if (!is.null(run$most) && is.null(run$state$further)) {
    run <- plan_steps(run, run$most)
  }
  run <- go_on(run, progress)
  fit <- finish_or_remember(run)
  if (missing(object)) {
    run <- plan_steps(run, max(planned, run$planned))
    interrupted$run <- if (is_open(run)) run
  }
  fit
}

# The run with another number of steps in all. Its settings are then those of a run that had this plan from the start.
plan_steps <- function(run, planned) {
  run$planned <- planned
  if (!is.null(run$control$n_steps)) run$control$n_steps <- planned
  run
}

more_steps <- function(run, n_steps) {
  most <- .Machine$integer.max - run$state$step
  if (n_steps > most) fail("`n_steps` must be at most %d after %d steps, not %d.", most, run$state$step, n_steps)
  run$state$step + n_steps
}
