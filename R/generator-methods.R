#' Generators: networks from a simple law to points
#'
#' [distill()] and [pushforward()] return a generator.
#' * `simulate()` and `sample()` make new rows in one pass through the network.
#' * `predict()` maps given base points.
#' * `plot()` shows draws, the scores during training or, for one base dimension, the map.
#'
#' A generator is a plain list of numbers, which [saveRDS()] and [readRDS()] keep complete. It holds no training rows.
#' It holds the network that was learnt from them, the mean and the standard deviation of each column, the mixture of
#' Gaussians of the base law if there is one and, if the rows were those of a table, the least and the largest value of
#' each column.
#'
#' @details
#' With `weights = TRUE` each draw \eqn{x = G(z)} has the weight \eqn{p(x) / q(x)}, where \eqn{p} is the density that
#' was distilled, up to its constant, and
#' \deqn{\log q(x) = \log b(z) - \log |\det \partial G / \partial z|}{log q(x) = log b(z) - log |det dG/dz|}
#' is the density of the draws, with \eqn{b} the base law. Weighted means over the draws are those of \eqn{p}, up to
#' Monte Carlo error, wherever \eqn{q} reaches \eqn{p}; a mode that no draw comes near is still missing. The effective
#' number of draws, \eqn{(\sum w)^2 / \sum w^2}{(sum w)^2 / sum w^2}, says what they are worth, and the mean of the
#' weights estimates the integral of \eqn{p}. The formula holds if \eqn{G} is one-to-one. A warning says so if the sign
#' of the determinant is not the same at all draws. The Jacobian is taken by central differences of the network. The
#' base points need as many columns as the parameters have degrees of freedom, and draws must be without noise of a
#' kernel, so `field = "rule"` has no weights.
#'
#' @param object,x A generator.
#' @param nsim Number of rows, at least 0.
#' @param seed `NULL`: the draws continue R's current random stream. A whole number: [set.seed()] is called with it
#'   first, and the stream is restored afterwards.
#' @param weights For a generator of a density ([distill()] of [wgf()], [temper()] or a target): `TRUE` adds the
#'   attribute `"log_weight"`, see Details.
#' @param to,format,rows_per_file Write the new rows into files of a folder, see [simulate_files].
#' @param newdata Numeric matrix of base points, with one column per base dimension. Base points from a mixture
#'   ([distill()]) are in units in which the points have mean 0 and standard deviation 1 in each column.
#' @param type `"points"`: draws. `"trace"`: the scores during training, over the steps. `"map"`: the map on `[-3, 3]`,
#'   for one base dimension.
#' @param n Number of draws for `"points"`, at least 1.
#' @param data For `"points"`, a matrix or data frame that is shown in grey below the draws.
#' @param col Colours. `NULL`: a palette that colour-blind people can tell apart.
#' @param row.names,optional Ignored.
#' @param ... For plots as in [plot.particle_trajectory()], otherwise not used.
#' @return `simulate()` and `sample()`: `nsim` new rows, with the attribute `"seed"` of [stats::simulate()].
#'   `predict()`: one row per row of `newdata`. Rows have the form of the table if the generator was trained on a table
#'   ([pushforward()], or [distill()] of a fit from [efs()] or [gpa()]); otherwise they are a numeric matrix. `tidy()`
#'   and `as.data.frame()`: a data frame of the scores with the columns `step` and `score`. `glance()`: a data frame of
#'   one row. `summary()`: a list of class `summary.generator`.
#' @examples
#' set.seed(1)
#' fit <- pushforward(matrix(rexp(500)), n_steps = 100)
#' simulate(fit, 3, seed = 1)
#' predict(fit, matrix(c(-1, 0, 1)))
#' plot(fit, type = "map")
#' @name generator
NULL

#' @rdname generator
#' @export
simulate.generator <- function(object, nsim = 1, seed = NULL, weights = FALSE, to = NULL,
                               format = c("rds", "csv", "parquet"), rows_per_file = NULL, ...) {
  check_fit(object)
  check_dots("simulate()", ...)
  nsim <- check_count(nsim, "nsim")
  if (check_flag(weights, "weights")) check_weighable(object)
  files <- ask_files(to, format, rows_per_file, length(object$frame$centre))
  check_table_memory(rows_at_once(nsim, files), "nsim", length(object$frame$centre))
  if (!is.null(files)) return(write_parts(files, object, nsim, seed, settings = list(weights = weights)))
  state <- stream_within(seed)
  key <- draw_key()
  out <- generated_draws(nsim, object$network, object$frame, key)
  if (!is.null(object$noise)) out <- add_noise(out, object$noise, key)
  rows <- write_points(object, out)
  if (weights) attr(rows, "log_weight") <- generated_log_weights(object, out, key)
  mark_seed(rows, state)
}

add_noise <- function(points, noise, key) {
  drawn <- generator_blocks(nrow(points), function(rows, block) {
    draw_kernel(noise$kernel, length(rows), ncol(points), key, 3L * block + 1L)
  })
  if (length(drawn)) points + noise$bandwidth * do.call(rbind, drawn) else points
}

write_points <- function(object, points) {
  if (is.null(object$write$table)) {
    if (!is.null(object$write$density)) points <- to_user(object$write$density, points)
    colnames(points) <- object$write$columns
    return(points)
  }
  write_table(points, object$write$table)
}

#' @rdname generator
#' @export
predict.generator <- function(object, newdata, ...) {
  check_fit(object)
  check_dots("predict()", ...)
  z <- unname(check_points(newdata, "newdata", min_rows = 0L, dim = object$diagnostics$base_dim))
  write_points(object, generated_points(z, object$network, object$frame))
}

#' @rdname generator
#' @export
format.generator <- function(x, ...) {
  check_dots("format()", ...)
  run <- x$diagnostics
  c(
    sprintf("<%s> a generator: %s to %d column%s, network %s", x$what, describe_base(x), run$dim,
            if (run$dim == 1) "" else "s", paste(x$network$widths, collapse = "-")),
    sprintf("trained by %s: %s after %d steps, score %s at step %d", field_words[[run$field]], run$status, run$steps,
            format(run$score, digits = 3), run$best_step),
    if (!is.null(x$noise)) {
      sprintf("draws carry noise of the %s kernel, bandwidth %s", x$noise$kernel, format(x$noise$bandwidth, digits = 3))
    }
  )
}

describe_base <- function(x) {
  count <- length(x$frame$base$weights)
  if (count > 0) return(sprintf("draws of %d Gaussian%s", count, if (count == 1) "" else "s"))
  sprintf("%d normal number%s", x$diagnostics$base_dim, if (x$diagnostics$base_dim == 1) "" else "s")
}

field_words <- c(energy = "the energy distance", mmd = "maximum mean discrepancy",
                 characteristic = "characteristic functions", sliced = "pairs along random lines",
                 rule = "its own moved points")

#' @rdname generator
#' @export
print.generator <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname generator
#' @export
summary.generator <- function(object, ...) {
  check_dots("summary()", ...)
  structure(list(call = object$call, lines = format(object), trace = object$trace, elapsed = object$elapsed,
                 version = object$version),
            class = "summary.generator")
}

#' @rdname generator
#' @export
print.summary.generator <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("Call: ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  cat(x$lines[-1], sep = "\n")
  at <- unique(round(seq(1, nrow(x$trace), length.out = 5)))
  print(x$trace[at, ], digits = 3, row.names = FALSE)
  cat(sprintf("%.2f seconds, particleflow %s\n", x$elapsed, x$version))
  invisible(x)
}

#' @rdname generator
#' @export
tidy.generator <- function(x, ...) {
  check_dots("tidy()", ...)
  x$trace
}

#' @rdname generator
#' @export
glance.generator <- function(x, ...) {
  check_dots("glance()", ...)
  cbind(x$diagnostics, elapsed = x$elapsed)
}

#' @rdname generator
#' @export
as.data.frame.generator <- function(x, row.names = NULL, optional = FALSE, ...) {
  check_dots("as.data.frame()", ..., allowed = frame_settings)
  x$trace
}
