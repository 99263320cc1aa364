#' Summaries of a run of particles
#'
#' * `summary()` gives the settings and the state at the end of the run.
#' * `tidy()` gives one row per step and one for the end.
#' * `glance()` gives one row for the fit.
#' * `as.data.frame()` gives the kept particles over time, in the units of the flow.
#'
#' @param object,x A fit from [gpa()].
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return `summary()`: a list of class `summary.gpa` with `call`, `diagnostics`, `control`, `latent`, `progress`,
#'   `elapsed` (seconds) and `version`. `progress` is a data frame with `step`, `time`, `divergence` and
#'   `kinetic_energy` at five times. Its divergence and its kinetic energy are medians over the twentieth of the steps
#'   around that time. `tidy()`, `glance()` and `as.data.frame()`: data frames. The columns of the first and of the last
#'   are those of a [particle_trajectory].
#' @examples
#' set.seed(1)
#' fit <- gpa(function(n) matrix(rnorm(2 * n), n), matrix(rexp(100), 50), n_steps = 30)
#' summary(fit)
#' glance(fit)
#' tail(tidy(fit), 3)
#' @name summary.gpa
NULL

#' @rdname summary.gpa
#' @export
format.gpa <- function(x, ...) {
  check_dots("format()", ...)
  run <- x$diagnostics
  control <- x$control
  number <- function(value) format(value, digits = 3)
  c(
    sprintf("<gpa> %d particles towards %d target rows of %s", run$n, run$n_target, columns_words(n_columns(x$table))),
    sprintf("latent: %s", x$latent$description),
    sprintf("flow: %s, slope at most %s (%s), %d steps of %s (%s), %d network updates each",
            describe_divergence(control), number(control$lipschitz), control$normalisation, run$steps,
            number(control$step), control$solver, control$updates),
    sprintf("network: %s, %d kept of %d", paste(x$trajectory$plan$widths, collapse = "-"), run$networks, run$steps),
    sprintf("%s: divergence %s, kinetic energy %s (now %s)", run$status,
            number(run$divergence), number(x$trajectory$diagnostics$kinetic_energy[1]), number(run$kinetic_energy)),
    "Contains the source and target rows: think before you share it."
  )
}

describe_divergence <- function(control) {
  switch(control$divergence, kl = "Kullback-Leibler divergence",
         alpha = sprintf("alpha-divergence (%s)", format(control$alpha)),
         reverse_kl = "reverse Kullback-Leibler divergence", js = "Jensen-Shannon divergence")
}

#' @rdname summary.gpa
#' @export
print.gpa <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname summary.gpa
#' @export
summary.gpa <- function(object, ...) {
  check_dots("summary()", ...)
  structure(
    list(call = object$call, diagnostics = object$diagnostics, control = object$control, latent = object$latent,
         progress = median_progress(object$trajectory$diagnostics), elapsed = object$elapsed, version = object$version),
    class = "summary.gpa"
  )
}

# Five evenly spaced times, each with the medians over the twentieth of the steps around it.
median_progress <- function(diagnostics) {
  k <- nrow(diagnostics)
  at <- unique(round(seq(1, k, length.out = 5)))
  half <- k %/% 40
  parts <- lapply(at, function(i) {
    near <- diagnostics[max(1, i - half):min(k, i + half), ]
    data.frame(step = diagnostics$step[i], time = diagnostics$time[i], divergence = stats::median(near$divergence),
               kinetic_energy = stats::median(near$kinetic_energy))
  })
  do.call(rbind, parts)
}

#' @rdname summary.gpa
#' @export
print.summary.gpa <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("Call: ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  cat("Latent map: ", x$latent$description,
      sprintf("; relative reconstruction error %.2g\n", x$latent$reconstruction_error), sep = "")
  run <- x$diagnostics
  cat(sprintf("%s, slope at most %s; %d particles, %d target rows, %d dimensions; %s after %d steps.\n",
              describe_divergence(x$control), format(x$control$lipschitz), run$n, run$n_target, run$dim, run$status,
              run$steps))
  print(x$progress, digits = 3, row.names = FALSE)
  cat(sprintf("%.2f seconds, particleflow %s\n", x$elapsed, x$version))
  invisible(x)
}

#' @rdname summary.gpa
#' @export
tidy.gpa <- function(x, ...) {
  check_dots("tidy()", ...)
  x$trajectory$diagnostics
}

#' @rdname summary.gpa
#' @export
glance.gpa <- function(x, ...) {
  check_dots("glance()", ...)
  run <- x$diagnostics
  data.frame(n = run$n, n_target = run$n_target, columns = n_columns(x$table), latent_dim = run$dim,
             steps = run$steps, time = run$time, status = run$status, divergence = run$divergence,
             kinetic_energy = run$kinetic_energy,
             reconstruction_error = x$latent$reconstruction_error, elapsed = x$elapsed)
}

#' @rdname summary.gpa
#' @export
as.data.frame.gpa <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
  as.data.frame(x$trajectory)
}

#' Carry new points through a run of particles
#'
#' Carries new source rows through the potentials that the run has kept. The new rows do not change the particles of the
#' run. If every network was kept, the source rows themselves end where the run has taken them, up to rounding.
#'
#' @param object A fit from [gpa()].
#' @param newdata New source rows with the columns of the tables. Columns are matched by name if both have names,
#'   otherwise by position. Unknown and missing names are an error. Missing: the source rows of the run, which are not
#'   carried again.
#' @param type `"data"`: the moved rows in the form of the table. `"latent"`: a matrix in the units of the flow, with
#'   one row per row of `newdata`.
#' @param progress `TRUE` or `FALSE`. `NULL` shows a bar in an interactive session.
#' @param ... Not used: further arguments are an error.
#' @return The moved rows, see `type`.
#' @examples
#' set.seed(1)
#' source <- matrix(rnorm(100), 50)
#' fit <- gpa(source, matrix(rexp(100), 50), n_steps = 20)
#' all.equal(predict(fit, source), predict(fit))
#' @export
predict.gpa <- function(object, newdata, type = c("data", "latent"), progress = NULL, ...) {
  check_dots("predict()", ...)
  predict_moved(object, if (!missing(newdata)) list(newdata), type, progress)
}

# The source rows of a run, or the rows of the user in the list `new`, where the run takes them.
predict_moved <- function(object, new, type, progress) {
  check_fit(object)
  type <- check_choice(type, c("data", "latent"), "type")
  check_progress(progress)
  moved <- if (is.null(new)) object$run$state$particles else carry_rows(object, new[[1]], "newdata", progress)
  if (type == "latent") moved else write_table(decode_points(object, moved), object$table)
}

# Rows of the user's, carried through the run: a matrix in the units of the flow.
carry_rows <- function(object, rows, what, progress) {
  rows <- read_new_rows(rows, object$table, what)
  z <- if (nrow(rows)) unname(object$latent$encode(rows)) else matrix(0, 0, object$latent$dim)
  carry(object$trajectory, z, progress = progress)
}

#' New rows from a run of particles
#'
#' Draws source rows and carries them through the run, as [predict()][predict.gpa] does. If `source` was a function, it
#' gives the source rows. Otherwise they are drawn from the source rows with replacement (a bootstrap). There are
#' then at most as many different new rows as source rows.
#'
#' @param object A fit from [gpa()].
#' @param nsim Number of new rows, at least 0. It may be far above the number of target rows.
#' @param seed `NULL`: the draws continue R's current random stream. A whole number: [set.seed()] is called with it
#'   first, and the stream is restored afterwards.
#' @param progress `TRUE` or `FALSE`. `NULL` shows a bar in an interactive session.
#' @param to,format,rows_per_file Write the new rows into files of a folder, see [simulate_files].
#' @param ... Not used.
#' @return New rows in the form of the table, with the attribute `"seed"` of [stats::simulate()].
#' @examples
#' set.seed(1)
#' fit <- gpa(function(n) matrix(rnorm(2 * n), n), matrix(rexp(100), 50), n_steps = 20)
#' simulate(fit, 3, seed = 1)
#' @export
simulate.gpa <- function(object, nsim = 1, seed = NULL, progress = NULL, to = NULL, format = c("rds", "csv", "parquet"),
                         rows_per_file = NULL, ...) {
  check_dots("simulate()", ...)
  simulate_moved(object, nsim, seed, progress, to, format, rows_per_file)
}

simulate_moved <- function(object, nsim, seed, progress, to, format, rows_per_file) {
  check_fit(object)
  nsim <- check_count(nsim, "nsim")
  files <- ask_files(to, format, rows_per_file, n_columns(object$table))
  check_table_memory(rows_at_once(nsim, files), "nsim", n_columns(object$table))
  check_progress(progress)
  if (!is.null(files)) return(write_parts(files, object, nsim, seed, progress = progress))
  state <- stream_within(seed)
  mark_seed(write_table(decode_points(object, carry_draws(object, nsim, progress)), object$table), state)
}

# nsim source rows, carried through the run.
carry_draws <- function(object, nsim, progress) {
  if (!is.null(object$source) && nsim > 0) {
    return(carry_rows(object, draw_source(object$source, nsim), "source(n)", progress))
  }
  start <- frame(object$trajectory, 1L)
  carry(object$trajectory, start[base::sample.int(nrow(start), nsim, TRUE), , drop = FALSE], progress = progress)
}
