#' Summaries of tempered particles
#'
#' * `print()` says how the run went and whether its draws can be trusted.
#' * `summary()` gives one row per parameter.
#' * `tidy()` gives the same as a data frame, or one row per step.
#' * `glance()` gives one row for the fit.
#' * `as.data.frame()` gives the draws.
#'
#' `tidy()` and `as.data.frame()` of a fit from [wgf()] with draws have the same columns.
#'
#' @param object,x A fit from [temper()].
#' @param type `"parameters"`: one row per parameter. `"steps"`: the stages of [temper()], one row per step.
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return `summary()`: a list of class `summary.temper` with `call`, `parameters`, `modes`, `checks`, `verdict`,
#'   `diagnostics`, `elapsed` (seconds) and `version`. `parameters` is a data frame with one row per parameter:
#'   `parameter`, `mean`, `sd`, the quantiles `q5`, `q50` and `q95`, `mc_error` (the Monte Carlo standard error of the
#'   mean) and `worth` (the number of independent draws that the draws are worth for this mean). `tidy()` returns this
#'   data frame, or with `type = "steps"` the data frame `stages` of the fit. `glance()`: the diagnostics of [temper()],
#'   with `elapsed`. `as.data.frame()`: one row per draw, the parameters, and `population` and `log_density` (on the
#'   free scale, see [temper()]).
#' @examples
#' set.seed(1)
#' fit <- temper(target_banana(), n = 200)
#' summary(fit)
#' glance(fit)
#' head(as.data.frame(fit), 3)
#' @name summary.temper
NULL

#' @rdname summary.temper
#' @export
format.temper <- function(x, ...) {
  check_dots("format()", ...)
  run <- x$diagnostics
  c(sprintf("<temper> %d draws of %d parameter%s, worth %s independent ones", run$draws, ncol(x$draws),
            plural(ncol(x$draws)), if (is.na(run$worth)) "an unknown number of" else format(round(run$worth))),
    sprintf("%s: %d steps in %d pass%s, %s evaluations, %.1f seconds", run$status, run$steps, run$passes,
            if (run$passes == 1) "" else "es", format(run$evaluations, big.mark = ",", scientific = FALSE), x$elapsed),
    nan_words(run$nan_points, run$points), integral_sentence(run, x$checks),
    mode_sentence(x$modes), trust_lines(x$checks))
}

integral_sentence <- function(run, checks) {
  if (checks$failed[checks$check == "end"]) return("log of the integral of p: not known yet")
  sprintf("log of the integral of p: %s", with_error(run$log_z, run$log_z_error))
}

# The modes that hold at least one draw in a hundred, the heaviest first.
mode_sentence <- function(modes) {
  if (is.null(modes)) return(sprintf("none of %d searches found a mode inside of the support", searches))
  heavy <- modes[modes$share >= 0.01, ]
  shown <- utils::head(heavy, 5)
  each <- sprintf("%.2f (%d of %d searches%s)", shown$share, shown$searches, searches, ifelse(shown$edge, ", edge", ""))
  sprintf("mass near %d mode%s: %s%s", nrow(heavy), plural(nrow(heavy)), paste(each, collapse = ", "),
          if (nrow(heavy) > 5) ", ..." else "")
}

# One reason a line.
trust_lines <- function(checks) {
  if (!any(checks$failed)) return(verdict_words(checks))
  c("not to be trusted, because", paste0("  ", checks$reason[checks$failed]))
}

#' @rdname summary.temper
#' @export
print.temper <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname summary.temper
#' @export
summary.temper <- function(object, ...) {
  check_dots("summary()", ...)
  check_fit(object)
  structure(
    list(call = object$call, parameters = draws_table(object), modes = object$modes, checks = object$checks,
         verdict = verdict_words(object$checks), diagnostics = object$diagnostics, elapsed = object$elapsed,
         version = object$version),
    class = "summary.temper"
  )
}

draws_table <- function(fit) {
  draws <- fit$draws
  worth <- vapply(seq_len(ncol(draws)), function(j) draws_worth(draws[, j], fit$diagnostics$n), 0)
  parameter_table(draws, colnames(draws), worth)
}

# The number of independent draws that draws of n particles in rounds are worth for their mean: their number over
# 1 + 2 (sum of autocorrelations over rounds), up to the first below 0.05.
draws_worth <- function(values, n) {
  rounds <- length(values) %/% n
  v <- matrix(values - mean(values), n)
  variance <- mean(v^2)
  if (!(variance > 0)) return(length(values))
  time <- 1
  for (lag in seq_len(rounds - 1L)) {
    left <- sum(v[, seq_len(rounds - lag)] * v[, lag + seq_len(rounds - lag)]) / (n * (rounds - lag)) / variance
    if (left < 0.05) break
    time <- time + 2 * left
  }
  length(values) / min(time, rounds)
}

#' @rdname summary.temper
#' @export
print.summary.temper <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("Call: ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  print(x$parameters, digits = 3, row.names = FALSE)
  run <- x$diagnostics
  cat(nan_words(run$nan_points, run$points), integral_sentence(run, x$checks), mode_sentence(x$modes),
      trust_lines(x$checks), sep = "\n")
  cat(sprintf("%d draws, %s evaluations, %.2f seconds, particleflow %s\n", run$draws,
              format(run$evaluations, big.mark = ",", scientific = FALSE), x$elapsed, x$version))
  invisible(x)
}

#' @rdname summary.temper
#' @export
tidy.temper <- function(x, type = c("parameters", "steps"), ...) {
  check_dots("tidy()", ...)
  check_fit(x, "x")
  if (check_choice(type, c("parameters", "steps"), "type") == "steps") return(x$stages)
  draws_table(x)
}

#' @rdname summary.temper
#' @export
glance.temper <- function(x, ...) {
  check_dots("glance()", ...)
  cbind(x$diagnostics, elapsed = x$elapsed)
}

#' @rdname summary.temper
#' @export
as.data.frame.temper <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
  check_fit(x, "x")
  data.frame(x$draws, population = x$population, log_density = x$log_density, check.names = FALSE)
}

#' Draws from tempered particles
#'
#' @param object A fit from [temper()].
#' @param nsim Number of rows, at least 0.
#' @param seed As in [simulate()][simulate.wgf].
#' @param from `"particles"`: the draws that were kept, in random order; all are used equally often, or once more than
#'   others. `"density"`: independent draws from the mixture of t laws that was fitted to them. This mixture is close
#'   to the density and not equal to it.
#' @param to,format,rows_per_file Write the new rows into files of a folder, see [simulate_files].
#' @param ... Not used.
#' @return A matrix with `nsim` rows and one column per parameter, with the attribute `"seed"` of [stats::simulate()].
#' @examples
#' set.seed(1)
#' fit <- temper(target_banana(), n = 200)
#' simulate(fit, 3, seed = 1)
#' simulate(fit, 3, seed = 1, from = "density")
#' @export
simulate.temper <- function(object, nsim = 1, seed = NULL, from = c("particles", "density"), to = NULL,
                            format = c("rds", "csv", "parquet"), rows_per_file = NULL, ...) {
  check_fit(object)
  warn_unfinished(object)
  check_dots("simulate()", ...)
  from <- check_choice(from, c("particles", "density"), "from")
  nsim <- check_count(nsim, "nsim")
  files <- ask_files(to, format, rows_per_file, ncol(object$draws))
  check_table_memory(rows_at_once(nsim, files), "nsim", ncol(object$draws))
  if (!is.null(files)) return(write_parts(files, object, nsim, seed, settings = list(from = from)))
  state <- stream_within(seed)
  key <- draw_key()
  out <- if (from == "particles") {
    object$draws[balanced_rows(nrow(object$draws), nsim, draw_uniform(nsim, 1L, key, 0L)[, 1]), , drop = FALSE]
  } else {
    x <- to_user(object$density, student_draw(object$law, nsim, key, thread_count()))
    colnames(x) <- colnames(object$draws)
    x
  }
  mark_seed(out, state)
}

#' What tempered particles say about new points
#'
#' @param object A fit from [temper()].
#' @param newdata Numeric matrix of points on the user's scale, with one column per parameter. Columns are matched by
#'   name if both have names, otherwise by position. Missing: the draws.
#' @param type `"log_density"`: the logarithm of the mixture of t laws `q`, which is normalised. `"log_target"`: the
#'   log-density of the target less the estimated log of its integral. `"log_ratio"`: the second less the first. All are
#'   densities of the user's parameters, where a simplex has the volume of its first shares.
#' @param threads As in [efs_forward()].
#' @param ... Not used.
#' @return A numeric vector with one entry per row of `newdata`.
#' @examples
#' set.seed(1)
#' fit <- temper(target_banana(), n = 200)
#' predict(fit, rbind(c(0, 0), c(2, 0)))
#' @export
predict.temper <- function(object, newdata, type = c("log_density", "log_target", "log_ratio"), threads = NULL, ...) {
  check_fit(object)
  check_dots("predict()", ...)
  type <- check_choice(type, c("log_density", "log_target", "log_ratio"), "type")
  threads <- thread_count(threads)
  density <- object$density
  free <- if (missing(newdata)) object$free else {
    x <- check_named_points(newdata, "newdata", density$names, density$size)
    if (nrow(x) == 0) return(numeric())
    to_free(density, unname(x), "newdata")
  }
  own <- mixture_log_values(object$law, free, threads)
  jacobian <- density_points(density, free)$log_jacobian
  if (type == "log_density") return(own - jacobian)
  target <- density_values(density, free, threads, gradient = FALSE)$log_density - object$diagnostics$log_z
  if (type == "log_target") target - jacobian else target - own
}

warn_unfinished <- function(fit) {
  if (!fit$checks$failed[fit$checks$check == "end"]) return(invisible())
  warning("The run has not come to its end: its draws are not those of the density. resume() goes on.", call. = FALSE)
}

#' Fits of densities as draws of package posterior
#'
#' Packages posterior, bayesplot and loo then read the fit. The populations of [temper()] are the chains. The draws of
#' [wgf()] are one chain. The order of the draws is not that of one moving particle, in neither case. Measures that rest
#' on autocorrelation, such as `ess_bulk` and `mcse_mean`, are therefore too good for [temper()], where a particle is
#' like itself in the round before. [summary()][summary.temper] gives the number of independent draws.
#'
#' @param x A fit from [temper()], or from [wgf()] with `method = "whitened"`.
#' @param from For [temper()]. `"particles"`: the draws that were kept. All have the same weight. `"density"`:
#'   independent draws from the mixture of t laws, in one chain, with weights proportional to the density of the target
#'   over that of the mixture. The largest weights are smoothed (Pareto smoothed importance sampling).
#' @param ... Not used.
#' @return An object of class `draws_df` of package posterior, with the variable `.log_weight`: the logarithms of
#'   weights that sum to 1.
#' @examplesIf requireNamespace("posterior", quietly = TRUE)
#' set.seed(1)
#' fit <- temper(target_banana(), n = 200)
#' posterior::as_draws(fit)
#' @name as_draws.temper
#' @method as_draws temper
#' @rawNamespace S3method(posterior::as_draws, temper)
as_draws.temper <- function(x, from = c("particles", "density"), ...) {
  check_fit(x, "x")
  warn_unfinished(x)
  check_dots("as_draws()", ...)
  from <- check_choice(from, c("particles", "density"), "from")
  if (from == "particles") {
    draws <- x$draws
    log_weight <- rep(0, nrow(draws))
    chain <- x$population
  } else {
    draws <- simulate(x, nrow(x$draws), from = "density")
    attributes(draws) <- attributes(draws)[c("dim", "dimnames")]
    log_weight <- smooth_weights(predict(x, draws, type = "log_ratio"))$log_weights
    chain <- rep(1L, nrow(draws))
  }
  log_weight <- log_weight - log_mean(log_weight) - log(length(log_weight))
  draws_frame(draws, chain, log_weight)
}

#' @rdname as_draws.temper
#' @method as_draws wgf
#' @rawNamespace S3method(posterior::as_draws, wgf)
as_draws.wgf <- function(x, ...) {
  check_fit(x, "x")
  check_dots("as_draws()", ...)
  if (is.null(x$draws) && x$control$method != "plain") fail("`x` is a fit of a run that has not come to its draws.")
  if (is.null(x$draws)) {
    fail("`x` is a fit with method = \"plain\", which holds no draws; give the rows of simulate() to posterior.")
  }
  draws <- x$draws
  colnames(draws) <- parameter_columns(x$rule$density)
  draws_frame(draws, rep(1L, nrow(draws)), rep(-log(nrow(draws)), nrow(draws)))
}

draws_frame <- function(draws, chain, log_weight) {
  rows <- order(chain)
  frame <- data.frame(draws[rows, , drop = FALSE], .log_weight = log_weight[rows], .chain = chain[rows],
                      .iteration = stats::ave(chain[rows], chain[rows], FUN = seq_along), .draw = seq_along(rows),
                      check.names = FALSE)
  posterior::as_draws_df(frame)
}
