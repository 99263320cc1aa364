#' Summaries of a flow of the energy distance
#'
#' * `summary()` gives the settings and the state at the end of the run.
#' * `tidy()` gives one row per step and one for the end.
#' * `glance()` gives one row for the fit.
#' * `as.data.frame()` gives the kept particles over time, in the units of the flow.
#'
#' @param object,x A fit from [energy_flow()].
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return `summary()`: a list of class `summary.energy_flow` with `call`, `diagnostics`, `control`, `latent`,
#'   `progress` (a data frame: the diagnostics at five steps), `elapsed` (seconds) and `version`. `tidy()`, `glance()`
#'   and `as.data.frame()`: data frames. [energy_flow()] lists the columns of the first; those of the last are those of
#'   a [particle_trajectory].
#' @examples
#' set.seed(1)
#' fit <- energy_flow(function(n) matrix(rnorm(2 * n), n), matrix(rexp(100), 50))
#' summary(fit)
#' glance(fit)
#' tail(tidy(fit), 3)
#' @name summary.energy_flow
NULL

#' @rdname summary.energy_flow
#' @export
format.energy_flow <- function(x, ...) {
  check_dots("format()", ...)
  run <- x$diagnostics
  number <- function(value) format(value, digits = 3)
  c(
    sprintf("<energy_flow> %d particles towards %d target rows of %s", run$n, run$n_target,
            columns_words(n_columns(x$table))),
    sprintf("latent: %s", x$latent$description),
    sprintf("flow: %d steps of %s, %s each", run$steps, number(x$trajectory$step), step_directions(run$dim)),
    sprintf("%s: energy distance %s -> %s, standard error %s; of fresh rows %s", run$status, number(run$start),
            number(run$divergence), number(run$standard_error), number(run$fresh)),
    if (run$outside > 0) sprintf("%s %% of the particles lie beyond the range of the target in some coordinate",
                                 number(100 * run$outside)),
    "Contains the source and target rows: think before you share it."
  )
}

step_directions <- function(dim) if (dim == 1) "one direction" else sprintf("%d orthogonal directions", dim)

#' @rdname summary.energy_flow
#' @export
print.energy_flow <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname summary.energy_flow
#' @export
summary.energy_flow <- function(object, ...) {
  check_dots("summary()", ...)
  steps <- object$trajectory$diagnostics
  at <- unique(round(seq(1, nrow(steps), length.out = 5)))
  structure(
    list(call = object$call, diagnostics = object$diagnostics, control = object$control, latent = object$latent,
         progress = steps[at, ], elapsed = object$elapsed, version = object$version),
    class = "summary.energy_flow"
  )
}

#' @rdname summary.energy_flow
#' @export
print.summary.energy_flow <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("Call: ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  cat("Latent map: ", x$latent$description,
      sprintf("; relative reconstruction error %.2g\n", x$latent$reconstruction_error), sep = "")
  run <- x$diagnostics
  cat(sprintf("%d particles, %d target rows, %d dimensions; %s after %d steps.\n", run$n, run$n_target, run$dim,
              run$status, run$steps))
  cat(sprintf("Energy distance %.3g, standard error %.2g; of fresh rows %.3g on average.\n", run$divergence,
              run$standard_error, run$fresh))
  shown <- c("step", "time", "divergence", "standard_error", "mean_move", "kinetic_energy")
  print(x$progress[shown], digits = 3, row.names = FALSE)
  cat(sprintf("%.2f seconds, particleflow %s\n", x$elapsed, x$version))
  invisible(x)
}

#' @rdname summary.energy_flow
#' @export
tidy.energy_flow <- function(x, ...) {
  check_dots("tidy()", ...)
  x$trajectory$diagnostics
}

#' @rdname summary.energy_flow
#' @export
glance.energy_flow <- function(x, ...) {
  check_dots("glance()", ...)
  run <- x$diagnostics
  data.frame(n = run$n, n_target = run$n_target, columns = n_columns(x$table), latent_dim = run$dim,
             steps = run$steps, time = run$time, status = run$status, divergence = run$divergence,
             standard_error = run$standard_error, fresh = run$fresh, kinetic_energy = run$kinetic_energy,
             outside = run$outside, reconstruction_error = x$latent$reconstruction_error, elapsed = x$elapsed)
}

#' @rdname summary.energy_flow
#' @export
as.data.frame.energy_flow <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
  as.data.frame(x$trajectory)
}

#' Carry new points along with a flow of the energy distance
#'
#' Carries new source rows through the steps of the run. Where a new row goes depends on its rank among the particles.
#' So the run is repeated from its stored start, along the same directions. This takes as long as the run did. The new
#' rows do not change the particles. The source rows themselves end where the run has taken them.
#'
#' @param object A fit from [energy_flow()].
#' @inheritParams predict.gpa
#' @return The moved rows, see `type`.
#' @examples
#' set.seed(1)
#' source <- matrix(rnorm(100), 50)
#' fit <- energy_flow(source, matrix(rexp(100), 50))
#' all.equal(predict(fit, source), predict(fit))
#' @export
predict.energy_flow <- function(object, newdata, type = c("data", "latent"), progress = NULL, ...) {
  check_dots("predict()", ...)
  predict_moved(object, if (!missing(newdata)) list(newdata), type, progress)
}

#' New rows from a flow of the energy distance
#'
#' Draws source rows and carries them along with the run, as [predict()][predict.energy_flow] does. If `source` was a
#' function, it gives the source rows. Otherwise they are drawn from the source rows with replacement (a bootstrap).
#' There are then at most as many different new rows as source rows.
#'
#' @param object A fit from [energy_flow()].
#' @inheritParams simulate.gpa
#' @inherit simulate.gpa return
#' @examples
#' set.seed(1)
#' fit <- energy_flow(function(n) matrix(rnorm(2 * n), n), matrix(rexp(100), 50))
#' simulate(fit, 3, seed = 1)
#' @export
simulate.energy_flow <- function(object, nsim = 1, seed = NULL, progress = NULL, to = NULL,
                                 format = c("rds", "csv", "parquet"), rows_per_file = NULL, ...) {
  check_dots("simulate()", ...)
  simulate_moved(object, nsim, seed, progress, to, format, rows_per_file)
}
