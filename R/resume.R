#' Go on with a run of particles
#'
#' Takes the steps that are left of a run of [gpa()] or [wgf()], or of the training of a [generator], or more of them. A run in two
#' parts gives what it would have given in one, to the last bit on one BLAS.
#'
#' @param object A fit from [gpa()] or [wgf()], or the path of a checkpoint that [gpa()], [distill()] or [pushforward()] wrote. Missing: the run that was last
#'   stopped by Ctrl-C or an error in this session.
#' @param n_steps Number of further steps; `NULL`: those left of what was planned. 0 gives the fit of what was
#'   done so far.
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @return A fit as from [gpa()] or [wgf()], or a [generator], of all steps together.
#' @examples
#' set.seed(1)
#' fit <- gpa(function(n) matrix(rnorm(2 * n), n), matrix(rexp(100), 50), n_steps = 20)
#' fit <- resume(fit, 20)
#' fit$diagnostics$steps
#' @export
resume <- function(object, n_steps = NULL, progress = NULL) {
  if (missing(object)) {
    if (is.null(interrupted$run)) fail("There is no interrupted run to go on with; give a fit or the path of a checkpoint.")
    run <- interrupted$run
  } else if (is.character(object) && length(object) == 1 && !is.na(object)) {
    if (!file.exists(object)) fail("`object` is \"%s\", but there is no such file.", object)
    run <- readRDS(object)
    if (!is.list(run) || is.null(run$state)) fail("`object` is \"%s\", which is not a checkpoint.", object)
  } else if (inherits(object, "gpa")) {
    run <- run_of_fit(object)
  } else if (inherits(object, "wgf")) {
    run <- run_of_wgf(object)
  } else {
    fail("`object` must be a fit from gpa() or wgf(), or the path of a checkpoint, not %s.", describe(object))
  }
  if (!is.null(n_steps)) run$planned <- run$state$step + check_count(n_steps, "n_steps")
  if (run$ended == 1L) fail("The run diverged at step %d and would do so again; start anew with other settings.", run$state$step)
  run$ended <- 0L
  if (identical(run$kind, "wgf")) {
    fit <- finish_wgf(advance_wgf(run, progress))
    if (missing(object)) interrupted$run <- NULL
    return(fit)
  }
  if (identical(run$kind, "generator")) {
    run$since <- 0L
    fit <- finish_generator(advance_generator(run, progress))
    if (missing(object)) interrupted$run <- NULL
    return(fit)
  }
  run$state$stop[4:5] <- 0 # steps in a row below a tolerance
  fit <- finish_gpa(advance_gpa(run, progress))
  if (missing(object)) interrupted$run <- NULL
  fit
}
