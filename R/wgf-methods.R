#' Summaries of a flow towards a density
#'
#' * `summary()` gives the settings and the state at the end of the run.
#' * `tidy()` gives one row per parameter, or one row per step and one for the end.
#' * `glance()` gives one row for the fit.
#' * `as.data.frame()` gives the draws, or the kept particles over time.
#'
#' A fit with `method = "plain"` and a run that has not come to its end have no draws. `tidy()` and `as.data.frame()`
#' then give the steps and the particles. Where there are draws, their columns are those of a fit from [temper()].
#'
#' @param object,x A fit from [wgf()].
#' @param type For `tidy()`, `"parameters"` or `"steps"`; for `as.data.frame()`, `"draws"` or `"particles"`. `NULL`: the
#'   first if the fit has draws, otherwise the second.
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return `summary()`: a list of class `summary.wgf` with `call`, `diagnostics`, `control`, `masses` (the share of the
#'   particles in each mode at the end, or `NULL`), `weights` (those of a mixture, or `NULL`), `progress` (a data frame:
#'   the diagnostics at five steps), `parameters` (a data frame with one row per parameter: `parameter`, `mean`, `sd`,
#'   `q5`, `q50` and `q95` of the draws, `mc_error`, the Monte Carlo error of the mean, and `worth`, the number of
#'   draws, which count as independent), `quality`, `verdict`, `elapsed` (seconds) and `version`. `tidy()`: the data
#'   frame `parameters`, or the diagnostics of the trajectory, whose columns [wgf()] lists. `glance()`: a data frame of
#'   one row. `as.data.frame()`: one row per draw, the parameters, `population` (always 1) and `log_density` (on the
#'   free scale, see [temper()]); or one row per particle and kept step, as in [particle_trajectory].
#' @examples
#' set.seed(1)
#' fit <- wgf(target_ring(), n = 200, n_steps = 50)
#' summary(fit)
#' glance(fit)
#' tail(tidy(fit, type = "steps"), 3)
#' head(as.data.frame(fit), 3)
#' @name summary.wgf
NULL

#' @rdname summary.wgf
#' @export
format.wgf <- function(x, ...) {
  check_dots("format()", ...)
  run <- x$diagnostics
  number <- function(value) format(value, digits = 3)
  target <- if (is.null(x$rule$density$target)) "a log-density of your own" else x$rule$density$target$name
  rate <- x$control$birth_death
  births <- if (rate > 0) sprintf(", birth and death at rate %s", number(rate)) else ""
  lines <- c(
    sprintf("<wgf> %d particles in %d dimension%s towards %s", run$n, run$dim, if (run$dim == 1) "" else "s", target),
    sprintf("%s; %s kernel, bandwidth %s (%s%s)%s", describe_wgf(x$control), x$control$kernel, number(run$bandwidth),
            c("by likelihood", "fixed", "annealed")[length(x$control$bandwidth) + 1],
            if (x$control$method == "plain") "" else ", in whitened units", births),
    sprintf("%s: %d steps to time %s, divergence %s, log of the integral of p %s", run$status, run$steps,
            number(run$time), number(run$divergence), with_error(run$log_z, run$log_z_error))
  )
  if (!is.null(x$masses)) lines <- c(lines, mass_sentence(x))
  c(lines, nan_words(run$nan_points, run$points), if (!is.null(x$verdict)) verdict_lines(x))
}

# A value with as many digits as its standard error allows.
with_error <- function(value, error) {
  if (!isTRUE(is.finite(error) && error > 0)) return(format(value, digits = 3))
  digits <- min(max(1 - floor(log10(error)), 0), 10)
  sprintf("%s (standard error %s)", formatC(value, digits = digits, format = "f"), format(error, digits = 2))
}

# One line for the draws and one for the verdict, or no line for a plain run.
verdict_lines <- function(x) {
  moves <- length(x$polish$size)
  c(sprintf("%d draws after %d Langevin moves%s; %s evaluations", nrow(x$draws), moves,
            if (moves) sprintf(" (%.0f %% accepted at the end)", 100 * x$quality$acceptance) else "",
            format(x$diagnostics$evaluations, big.mark = ",")),
    strwrap(paste0("verdict: ", x$verdict), width = 100, exdent = 2))
}

mass_sentence <- function(x) {
  last <- x$masses[nrow(x$masses), ]
  inside <- last[-length(last)]
  sprintf("mass: %d of %d modes hold particles, from %.3f to %.3f in each mode; %.3f outside of all modes",
          sum(inside > 0), length(inside), min(inside), max(inside), last[["outside"]])
}

describe_wgf <- function(control) {
  switch(control$divergence, kl = "KL(q||p)", reverse_kl = "KL(p||q)", jeffreys = "Jeffreys divergence",
         js = "Jensen-Shannon divergence", pearson = "Pearson's chi-square", neyman = "Neyman's chi-square",
         hellinger = "squared Hellinger distance",
         alpha = sprintf("alpha-divergence (%s)", format(control$alpha)), log_variance_q = "log-variance under q",
         log_variance_p = "log-variance under p")
}

#' @rdname summary.wgf
#' @export
print.wgf <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname summary.wgf
#' @export
summary.wgf <- function(object, ...) {
  check_dots("summary()", ...)
  steps <- object$trajectory$diagnostics
  at <- unique(round(seq(1, nrow(steps), length.out = 5)))
  structure(
    list(call = object$call, diagnostics = object$diagnostics, control = object$control,
         masses = if (!is.null(object$masses)) object$masses[nrow(object$masses), ],
         weights = object$rule$density$target$weights, progress = steps[at, ],
         parameters = if (!is.null(object$draws)) wgf_table(object), quality = object$quality,
         verdict = object$verdict, elapsed = object$elapsed, version = object$version),
    class = "summary.wgf"
  )
}

#' @rdname summary.wgf
#' @export
print.summary.wgf <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("Call: ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  run <- x$diagnostics
  cat(sprintf("%s, %s kernel; %d particles, %d dimensions; %s after %d steps.\n", describe_wgf(x$control),
              x$control$kernel, run$n, run$dim, run$status, run$steps))
  shown <- c("step", "time", "bandwidth", "divergence", if (is.null(x$verdict)) "log_z", "kinetic_energy", "log_r_5",
             "log_r_95", "capped")
  print(x$progress[shown], digits = 3, row.names = FALSE)
  if (!is.null(x$verdict)) cat("log of the integral of p: ", with_error(run$log_z, run$log_z_error), "\n", sep = "")
  if (!is.null(x$masses) && length(x$masses) <= 13) {
    cat("Mass of each mode:\n")
    weights <- if (length(x$weights) == length(x$masses) - 1) c(x$weights, 0)
    print(rbind(particles = x$masses, target = weights), digits = 2)
  }
  if (!is.null(x$verdict)) {
    cat("Parameters over the draws:\n")
    print(x$parameters, digits = 3, row.names = FALSE)
    cat("Stein's identities over the draws (mean off, in standard deviations; sd over the right one):\n")
    print(x$quality$coordinates, digits = 2, row.names = FALSE)
    cat(strwrap(paste0("Verdict: ", x$verdict, "."), width = 100, exdent = 2), sep = "\n")
  }
  cat(sprintf("%.2f seconds, particleflow %s\n", x$elapsed, x$version))
  invisible(x)
}

# Data frame with one row per parameter. worth: the number of independent draws that the draws are worth.
parameter_table <- function(draws, names, worth) {
  draws <- unname(draws)
  q <- apply(draws, 2, stats::quantile, c(0.05, 0.5, 0.95), names = FALSE)
  spread <- column_deviations(draws)
  data.frame(parameter = names, mean = colMeans(draws), sd = spread, q5 = q[1, ], q50 = q[2, ], q95 = q[3, ],
             mc_error = spread / sqrt(worth), worth = worth)
}

wgf_table <- function(fit) {
  parameter_table(fit$draws, parameter_columns(fit$rule$density), as.numeric(nrow(fit$draws)))
}

# Which of two tables the user wants: that of the draws, if there are any, or the other one.
chosen_table <- function(fit, type, types) {
  if (is.null(type)) return(types[1 + is.null(fit$draws)])
  type <- check_choice(type, types, "type")
  if (type == types[1] && is.null(fit$draws)) {
    fail("`type` = \"%s\" needs draws, which a fit with method = \"plain\" or a run before its end does not have.",
         type)
  }
  type
}

#' @rdname summary.wgf
#' @export
tidy.wgf <- function(x, type = NULL, ...) {
  check_dots("tidy()", ...)
  if (chosen_table(x, type, c("parameters", "steps")) == "steps") return(x$trajectory$diagnostics)
  wgf_table(x)
}

#' @rdname summary.wgf
#' @export
glance.wgf <- function(x, ...) {
  check_dots("glance()", ...)
  cbind(divergence_name = x$control$divergence, x$diagnostics, elapsed = x$elapsed)
}

#' @rdname summary.wgf
#' @export
as.data.frame.wgf <- function(x, row.names = NULL, optional = FALSE, type = NULL, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
  if (chosen_table(x, type, c("draws", "particles")) == "particles") return(as.data.frame(x$trajectory))
  draws <- x$draws
  colnames(draws) <- parameter_columns(x$rule$density)
  data.frame(draws, population = 1L, log_density = x$log_density, check.names = FALSE)
}

#' Draws from a flow towards a density
#'
#' New points are drawn from the kernel estimate of the particles at the end: each is a particle plus noise from the
#' kernel. At rest it is this law that matches the target, not the law of the particles.
#'
#' All particles are used equally often, or once more than others, in random order. Means over the draws therefore vary
#' less than means over independent draws. The number of points may be far above the number of particles, but the points
#' hold no more information than the particles. [distill()] makes a generator that needs no particles.
#'
#' @param object A fit from [wgf()].
#' @param nsim Number of rows, at least 0.
#' @param seed `NULL`: the draws continue R's current random stream. A whole number: [set.seed()] is called with it
#'   first, and the stream is restored afterwards.
#' @param to,format,rows_per_file Write the new rows into files of a folder, see [simulate_files].
#' @param ... Not used.
#' @return A matrix `[nsim, dim]` with the attribute `"seed"` of [stats::simulate()].
#' @examples
#' set.seed(1)
#' fit <- wgf(target_ring(), n = 200, n_steps = 50)
#' simulate(fit, 3, seed = 1)
#' @export
simulate.wgf <- function(object, nsim = 1, seed = NULL, to = NULL, format = c("rds", "csv", "parquet"),
                         rows_per_file = NULL, ...) {
  check_fit(object)
  check_dots("simulate()", ...)
  nsim <- check_count(nsim, "nsim")
  files <- ask_files(to, format, rows_per_file, ncol(object$particles))
  check_table_memory(rows_at_once(nsim, files), "nsim", ncol(object$particles))
  if (!is.null(files)) return(write_parts(files, object, nsim, seed))
  state <- stream_within(seed)
  key <- draw_key()
  bandwidth <- object$diagnostics$bandwidth
  out <- if (is.null(object$polish)) {
    estimate_draws(object$particles, object$rule$kernel, bandwidth, nsim, key)$points
  } else {
    simulate_polished(object, bandwidth, nsim, key)
  }
  colnames(out) <- colnames(object$particles)
  mark_seed(out, state)
}

# New draws of the kernel estimate in whitened units, moved as often and as far as the draws of the fit.
simulate_polished <- function(object, bandwidth, n, key) {
  density <- object$rule$density
  inner <- object$polish$density
  threads <- thread_count()
  drawn <- inside_draws(density, object$run$points, object$rule$kernel, bandwidth, n, key, threads)
  white <- inner$whitening
  at <- list(log_density = drawn$values$log_density + white$own_volume,
             gradient = tcrossprod(drawn$values$gradient, white$own_root))
  moved <- langevin_moves(inner, coordinates_of_inner(inner, drawn$points), at, length(object$polish$size),
                          object$polish$size, FALSE, other_key(key, polish_label), threads)
  to_user(inner, moved$points)
}

#' What a flow towards a density says about new points
#'
#' Computes the estimated log-density, the log-ratio of target and estimate, or the velocity of the flow at given
#' points.
#'
#' @param object A fit from [wgf()].
#' @param newdata Numeric matrix of points with one column per dimension. Columns are matched by name if both have
#'   names, otherwise by position. Missing: the particles; the estimate at each of them leaves it out.
#' @param type `"log_density"`: the logarithm of the kernel estimate `q`, which is normalised. `"log_ratio"`:
#'   \eqn{\log r}{log r}, the log of the target divided by `q`; the constant of the target is estimated over the
#'   particles. `"velocity"`: \eqn{w(r) \nabla \log r}{w(r) grad log r}, without the bounds `cap` and `floor`.
#' @param threads As in [efs_forward()].
#' @param ... Not used.
#' @return A numeric vector with one entry per row of `newdata`; for `"velocity"` a matrix with one row per point and
#'   one column per dimension.
#' @examples
#' set.seed(1)
#' fit <- wgf(target_ring(), n = 200, n_steps = 50)
#' predict(fit, rbind(c(4, 0), c(0, 0)))
#' @export
predict.wgf <- function(object, newdata, type = c("log_density", "log_ratio", "velocity"), threads = NULL, ...) {
  check_fit(object)
  check_dots("predict()", ...)
  type <- check_choice(type, c("log_density", "log_ratio", "velocity"), "type")
  threads <- thread_count(threads)
  rule <- object$rule
  density <- rule$density
  own <- if (is.null(object$run$points)) unname(object$particles) else object$run$points
  query <- if (!missing(newdata)) {
    unname(check_named_points(newdata, "newdata", colnames(object$particles), density$size))
  }
  if (!is.null(query) && nrow(query) == 0) return(if (type == "velocity") query else numeric())
  if (!is.null(query)) query <- to_free(density, query, "newdata")
  estimate <- kernel_estimate(query, own, rule$kernel, object$diagnostics$bandwidth, type == "velocity", threads)
  at <- if (is.null(query)) own else query
  if (type == "log_density") return(estimate$log_density - density_points(density, at)$log_jacobian)
  values <- density_values(density, at, threads)
  log_r <- values$log_density - estimate$log_density - object$diagnostics$log_z
  if (type == "log_ratio") return(log_r)
  at_particles <- if (is.null(query)) log_r else predict(object, type = "log_ratio", threads = threads)
  pull <- wgf_weights(rule, log_r, reference_mean(rule, at_particles))[, "weight"] * (values$gradient - estimate$score)
  if (density$strict) pull else user_velocity(density, at, pull)
}

# The velocity of the user's parameters, from that of the coordinates.
user_velocity <- function(density, at, velocity) {
  h <- 1e-5 / pmax(1, sqrt(rowSums(velocity^2)))
  out <- (to_user(density, at + h * velocity) - to_user(density, at - h * velocity)) / (2 * h)
  unname(out)
}
