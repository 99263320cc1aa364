#' Summaries of a run of particles
#'
#' `summary()` gives the settings and what the run ended with; `tidy()` one row per step; `glance()` one
#' row for the fit; `as.data.frame()` the kept particles over time, in the units of the flow.
#'
#' @param object,x A fit from [gpa()].
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return `summary()`: a list of class `summary.gpa` with `diagnostics`, `control`, `latent`, and `progress` (a data
#'   frame: the divergence and the kinetic energy at five times, each the median over the steps around). `tidy()`,
#'   `glance()` and `as.data.frame()`: data frames.
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
  run <- x$diagnostics
  control <- x$control
  number <- function(value) format(value, digits = 3)
  c(
    sprintf("<gpa> %d particles towards %d target rows of %d columns", run$n, run$n_target, n_columns(x$table)),
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
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname summary.gpa
#' @export
summary.gpa <- function(object, ...) {
  structure(
    list(call = object$call, diagnostics = object$diagnostics, control = object$control, latent = object$latent,
         progress = median_progress(object$trajectory$diagnostics), elapsed = object$elapsed, version = object$version),
    class = "summary.gpa"
  )
}

# Five times evenly spread, each with medians over a twentieth of the steps around it.
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
tidy.gpa <- function(x, ...) x$trajectory$diagnostics

#' @rdname summary.gpa
#' @export
glance.gpa <- function(x, ...) {
  run <- x$diagnostics
  data.frame(n = run$n, n_target = run$n_target, columns = n_columns(x$table), latent_dim = run$dim,
             steps = run$steps, time = run$time, status = run$status, divergence = run$divergence,
             kinetic_energy = run$kinetic_energy,
             reconstruction_error = x$latent$reconstruction_error, elapsed = x$elapsed)
}

#' @rdname summary.gpa
#' @export
as.data.frame.gpa <- function(x, row.names = NULL, optional = FALSE, ...) as.data.frame(x$trajectory)

#' New points moved along
#'
#' Carries new source rows through the potentials that a run left behind: the particles of the run are not moved
#' by them. The source rows themselves end where the run took them, to rounding, where every network was kept.
#'
#' @param object A fit from [gpa()].
#' @param newdata New source rows with the columns of the tables, matched by name where both have names, otherwise by
#'   position. Missing: the source rows, whose end is known.
#' @param type `"data"`: the moved rows in the form of the table; `"latent"`: a matrix in the units of the flow.
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @param ... Not used: what stands there is an error.
#' @return The moved rows, see `type`.
#' @examples
#' set.seed(1)
#' source <- matrix(rnorm(100), 50)
#' fit <- gpa(source, matrix(rexp(100), 50), n_steps = 20)
#' all.equal(predict(fit, source), predict(fit))
#' @export
predict.gpa <- function(object, newdata, type = c("data", "latent"), progress = NULL, ...) {
  check_fit(object)
  check_dots("predict()", ...)
  type <- check_choice(type, c("data", "latent"), "type")
  check_progress(progress)
  moved <- if (missing(newdata)) {
    object$run$state$particles
  } else {
    rows <- read_new_rows(newdata, object$table)
    z <- if (nrow(rows)) unname(object$latent$encode(rows)) else matrix(0, 0, object$latent$dim)
    carry(object$trajectory, z, progress = progress)
  }
  if (type == "latent") moved else write_table(decode_points(object, moved), object$table)
}

#' New rows from a run of particles
#'
#' Draws source rows and carries them along, as [predict()][predict.gpa] does: from the function that was given as
#' `source`, otherwise from the source rows with replacement (a bootstrap, so that there are no more different new rows
#' than source rows).
#'
#' @param object A fit from [gpa()].
#' @param nsim Number of new rows; it may be far above the number of target rows.
#' @param seed `NULL` goes on with R's current stream; a whole number is given to [set.seed()] first, and the stream
#'   is restored afterwards.
#' @param progress `TRUE` or `FALSE`; `NULL` shows a bar in an interactive session.
#' @param ... Not used.
#' @return New rows in the form of the table, with the attribute `"seed"` of [stats::simulate()].
#' @examples
#' set.seed(1)
#' fit <- gpa(function(n) matrix(rnorm(2 * n), n), matrix(rexp(100), 50), n_steps = 20)
#' simulate(fit, 3, seed = 1)
#' @export
simulate.gpa <- function(object, nsim = 1, seed = NULL, progress = NULL, ...) {
  check_fit(object)
  check_dots("simulate()", ...)
  nsim <- check_rows(nsim, "nsim", n_columns(object$table))
  check_progress(progress)
  traj <- object$trajectory
  state <- stream_within(seed)
  if (is.null(object$source)) {
    start <- frame(traj, 1L)
    start <- start[base::sample.int(nrow(start), nsim, TRUE), , drop = FALSE]
  } else {
    rows <- read_new_rows(draw_source(object$source, nsim), object$table, "source(n)")
    start <- if (nsim > 0) unname(object$latent$encode(rows)) else matrix(0, 0, object$latent$dim)
  }
  moved <- carry(traj, start, progress = progress)
  mark_seed(write_table(decode_points(object, moved), object$table), state)
}
