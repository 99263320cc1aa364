#' A latent map by an autoencoder
#'
#' An autoencoder is a pair of networks. The encoder takes a row of the table to a point in `dim` dimensions, and the
#' decoder takes the point back to a row. Both are trained together so that the row comes back with little squared
#' error. `latent_autoencoder()` is a [latent_map] of this kind. It is for wide tables whose rows lie near a curved
#' surface, such as pictures. [latent_pca()] is the best linear map. It is faster, and often as good on tables of a few
#' hundred rows.
#'
#' With \eqn{E} and \eqn{D} the networks, \eqn{m} the means of the columns and \eqn{s} their scale, a row \eqn{x} has
#' the latent row \eqn{z = E((x - m) / s)}{z = E((x - m) / s)} and comes back as \eqn{m + s D(z)}{m + s D(z)}. The
#' networks have rectifiers between their layers. Adam (Kingma and Ba 2015) lowers
#' \deqn{\frac1n \sum_i |D(E(u_i)) - u_i|^2, \quad u_i = (x_i - m) / s.}{mean of |D(E(u)) - u|^2, u = (x - m) / s.}
#'
#' * **Start.** The first weights are those of the principal components, so that the untrained map is
#'   `latent_pca(dim)`. This is why every hidden layer must be at least twice as wide as `dim`.
#' * **Early stopping.** A share `held_out` of the rows is not used for the updates. After each step, which is one pass
#'   over the other rows, the error on the held-out rows is taken. The networks with the smallest error are kept. The
#'   untrained map is among them, so that on these rows the map is never worse than as many principal components of the
#'   other rows. Training ends when the error did not fall for `patience` steps in a row.
#' * **Error.** `print()` shows the relative error of the held-out rows,
#'   \eqn{(\sum|\hat x - x|^2 / \sum|x - m|^2)^{1/2}}{sqrt(sum|x' - x|^2 / sum|x - m|^2)}, beside that of as many
#'   principal components, cut to the same `bounds`. The held-out rows choose when training stops. Their error is
#'   therefore slightly too small.
#' * **Bounds.** With `bounds`, values beyond a bound are cut to it. A value that is cut and right then has no gradient:
#'   the networks need not learn an exact 0.
#' * **Density.** The map is not invertible, so there is no density in the unit of the data. Log-likelihoods are those
#'   of the latent rows.
#'
#' The map is trained by the function that uses it, such as [efs()]. Further fits can use the trained map, `fit$latent`,
#' as their argument `latent`, if their table has the same columns. The map is a list of numbers, and holds no rows.
#'
#' Training can be stopped by Ctrl-C. [resume()] continues it and returns the trained map.
#' `latent_autoencoder(15)$fit(x)` trains on a numeric matrix at once.
#'
#' @param dim Number of latent dimensions, at least 1. It must be at most the number of columns that vary, and at most
#'   the number of training rows minus 1; otherwise the fit stops with an error. If the rows span fewer dimensions,
#'   these are taken.
#' @param hidden Widths of the hidden layers of the encoder, whole numbers from `2 * dim` to 10000. The decoder has the
#'   same layers in reverse order.
#' @param scale `FALSE` divides all columns by one number, the root of their mean variance. This is right if the columns
#'   have one unit, such as pixels: a pixel that is nearly always 0 then counts as little as it varies. `TRUE` divides
#'   each column by its standard deviation, for columns in different units.
#' @param bounds `NULL`, or two numbers between which all values of the table lie. Decoded values then lie there too.
#'   Functions that scale the columns first, such as [gpa()], need `NULL`.
#' @param n_steps Largest number of passes over the training rows, at least 0.
#' @param batch Number of rows in each update, at least 1. `NULL`: a tenth of the training rows, but at least 16 and at
#'   most 128.
#' @param rate Learning rate of Adam, above 0. It falls to a hundredth along a cosine over the `n_steps` passes.
#' @param held_out Share of the rows that are held out, above 0 and at most 0.5. At least one row is.
#' @param patience Number of passes in a row without a smaller error that end the training, at least 1.
#' @param seed Whole number from which the random numbers of the training follow. `NULL`: they follow from R's own
#'   stream, so that [set.seed()] determines them. The result is the same on any number of threads, to the last bit.
#' @param checkpoint,threads,progress As in [distill()].
#' @return An object of class `latent_map`. The fitted map has the fields `dim`, `widths` (of both networks),
#'   `reconstruction_error` (the relative error over all rows), `held_out` (the relative errors of the held-out rows,
#'   `autoencoder` and `components`) and `trace` (a data frame with one row per pass and the columns `step` and `score`,
#'   the relative error of the held-out rows).
#' @references Kingma DP, Ba J (2015). Adam: a method for stochastic optimization. \doi{10.48550/arXiv.1412.6980}
#' @seealso [latent_map] for the other maps
#' @examples
#' set.seed(1)
#' angle <- runif(200, 0, 2 * pi)
#' x <- cbind(cos(outer(angle, 1:4)), sin(outer(angle, 1:4))) # a curve in eight dimensions
#' map <- latent_autoencoder(2, hidden = 32, n_steps = 40)
#' fit <- efs(x, latent = map, calibrate = FALSE)
#' fit$latent
#' @export
latent_autoencoder <- function(dim = 15, hidden = 256, scale = FALSE, bounds = NULL, n_steps = 100, batch = NULL,
                               rate = 0.001, held_out = 0.1, patience = 10, seed = NULL, checkpoint = NULL,
                               threads = NULL, progress = NULL) {
  if (!is.null(seed)) check_seed(seed)
  check_progress(progress)
  control <- list(
    dim = check_count(dim, "dim", 1L), hidden = check_widths(hidden), scale = check_flag(scale, "scale"),
    bounds = if (!is.null(bounds)) check_value_bounds(bounds), n_steps = check_count(n_steps, "n_steps"),
    batch = if (!is.null(batch)) check_count(batch, "batch", 1L),
    rate = check_number(rate, "rate", lower = 0, open_lower = TRUE),
    held_out = check_number(held_out, "held_out", lower = 0, upper = 0.5, open_lower = TRUE),
    patience = check_count(patience, "patience", 1L), checkpoint = check_path(checkpoint),
    threads = thread_count(threads)
  )
  if (any(control$hidden < 2 * control$dim)) {
    fail("`hidden` must be widths of at least 2 * `dim` = %d, not %s.", 2L * control$dim, describe(hidden))
  }
  new_latent("autoencoder", function(x) {
    began <- seconds_now()
    x <- check_points(x, "x")
    key <- if (is.null(seed)) draw_key() else with_stream(seed, draw_key)
    complete(take_seconds(new_autoencoder_run(x, control, key), began), progress)
  })
}

check_value_bounds <- function(bounds) {
  good <- is.numeric(bounds) && length(bounds) == 2 && !anyNA(bounds) && bounds[1] < bounds[2]
  if (!good) fail("`bounds` must be NULL or two numbers, the lower first, not %s.", describe(bounds))
  as.double(bounds)
}

#' @export
latent_encode.latent_autoencoder <- function(map, x, ...) {
  network_outputs(map$parameters$encoder, map$widths$encoder, to_frame(map$frame, x))
}

#' @export
latent_decode.latent_autoencoder <- function(map, z, ...) {
  y <- cut_columns(network_outputs(map$parameters$decoder, map$widths$decoder, z), map$frame$bounds)
  x <- from_frame(map$frame, y)
  if (is.null(map$bounds)) return(x)
  # rounding must not lead beyond a bound
  x[] <- pmin(pmax(x, map$bounds[1]), map$bounds[2])
  x
}

#' @export
print.latent_autoencoder <- function(x, ...) {
  NextMethod()
  cat(sprintf("held-out rows: relative error %.3g, with %d principal component%s %.3g; best of %d passes: %d (%s)\n",
              x$held_out[["autoencoder"]], x$dim, if (x$dim == 1) "" else "s", x$held_out[["components"]],
              nrow(x$trace) - 1L, which.min(x$trace$score) - 1L, x$status))
  if (which.min(x$trace$score) == 1L) {
    cat("no pass improved on the principal components, so that the map is theirs; try another `dim` or more",
        "`patience`\n")
  }
  invisible(x)
}
