#' Plots of tempered particles
#'
#' `plot()` draws with base graphics. `autoplot()` returns the same picture as a ggplot.
#'
#' @param x,object A fit from [temper()].
#' @param type `"trace"`: the mean of each parameter over the rounds that were kept, one curve per population and one
#'   panel per parameter. Curves that drift or stay apart are a bad sign. `"pairs"`: the draws of each pair of
#'   parameters. `"stages"`: over the steps, the exponent of the density, the mean log-density of the particles and the
#'   share of accepted moves.
#' @param parameters For `"trace"` and `"pairs"`, names or numbers of parameters. `NULL`: the first four, and the first
#'   three.
#' @param rows For `"pairs"`, the number of draws that are shown, at least 1.
#' @param col Colours. `NULL`: a palette that colour-blind people can tell apart.
#' @param ... As in [plot.particle_trajectory()].
#' @inherit plot.particle_trajectory return
#' @examples
#' set.seed(1)
#' fit <- temper(target_banana(), n = 200)
#' plot(fit)
#' plot(fit, type = "trace")
#' plot(fit, type = "stages")
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(fit, type = "stages")
#' @order 1
#' @export
plot.temper <- function(x, type = c("pairs", "trace", "stages"), parameters = NULL, rows = 1000, col = NULL, ...) {
  draw_base(temper_picture(x, type, parameters, rows, col), ...)
  invisible(x)
}

temper_picture <- function(fit, type, parameters, rows, col) {
  check_fit(fit, "x")
  type <- check_choice(type, c("pairs", "trace", "stages"), "type")
  check_belongs(type, c("pairs", "trace"), parameters = parameters)
  rows <- check_count(rows, "rows", 1L)
  names <- colnames(fit$draws)
  switch(type, pairs = pairs_of_draws(fit$draws, names, chosen_parameters(names, parameters, 3L), rows, col),
         trace = trace_picture(fit, chosen_parameters(names, parameters, 4L), col), stages = stages_picture(fit, col))
}

chosen_parameters <- function(names, parameters, most) {
  if (is.null(parameters)) return(seq_len(min(most, length(names))))
  found <- if (is.character(parameters)) match(parameters, names) else if (is.numeric(parameters))
    match(parameters, seq_along(names))
  if (!length(found) || anyNA(found)) {
    fail("`parameters` must be names or numbers of parameters of the fit, not %s.", describe(parameters))
  }
  found
}

# One panel per pair of parameters, or one strip for a single parameter.
pairs_of_draws <- function(draws, names, chosen, rows, col) {
  shown <- draws[spaced_rows(nrow(draws), rows), , drop = FALSE]
  pairs <- if (length(chosen) == 1) matrix(chosen) else utils::combn(chosen, 2)
  titles <- apply(pairs, 2, function(pair) paste(rev(names[pair]), collapse = " by "))
  views <- lapply(seq_len(ncol(pairs)), function(j) {
    list(labels = c(names[pairs[, j]], "")[1:2], strip = nrow(pairs) == 1, square = FALSE)
  })
  layers <- lapply(seq_len(ncol(pairs)), function(j) {
    new_layer(titles[j], unname(shown[, pairs[, j], drop = FALSE]), "rows", NULL)
  })
  panels_picture(layers, views, NULL, col, shared = FALSE)
}

# Means of a population over its particles, round by round, in posterior sds from the mean of all.
trace_picture <- function(fit, chosen, col) {
  n <- fit$diagnostics$n
  rounds <- nrow(fit$draws) %/% n
  count <- fit$control$populations
  group <- paste("population", seq_len(count))
  curves <- do.call(rbind, lapply(chosen, function(j) {
    means <- rowsum(matrix(fit$draws[, j], n), fit$population[seq_len(n)]) / (n / count)
    data.frame(panel = colnames(fit$draws)[j], time = rep(seq_len(rounds), each = count), value = c(means),
               group = rep(group, rounds), alone = rounds == 1)
  }))
  curves$panel <- factor(curves$panel, levels = colnames(fit$draws)[chosen])
  curves$group <- factor(curves$group, levels = group)
  curves <- curves[order(curves$panel, curves$group, curves$time), ]
  list(kind = "curves", curves = curves, log = stats::setNames(rep(FALSE, length(chosen)), levels(curves$panel)),
       clock = "round", colours = picture_colours(group, col))
}

stages_picture <- function(fit, col) {
  stages <- fit$stages[fit$stages$phase != "search", ]
  if (!nrow(stages)) fail("The run has no stage yet.")
  panels <- c("exponent of the density", "mean log-density", "accepted moves")
  group <- c("particles", "Langevin moves", "jumps")
  curve <- function(panel, value, name) {
    data.frame(panel = panels[panel], time = stages$step, value = value, group = name, alone = nrow(stages) == 1)
  }
  curves <- rbind(curve(1, stages$exponent, group[1]), curve(2, stages$log_density, group[1]),
                  curve(3, stages$walked, group[2]), curve(3, stages$jumped, group[3]))
  curves <- curves[is.finite(curves$value), ]
  curves$panel <- factor(curves$panel, levels = panels)
  curves$group <- factor(curves$group, levels = group)
  list(kind = "curves", curves = curves, log = stats::setNames(rep(FALSE, 3), panels), clock = "step",
       colours = picture_colours(group, col))
}

#' @rdname plot.temper
#' @method autoplot temper
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, temper)
autoplot.temper <- function(object, type = c("pairs", "trace", "stages"), parameters = NULL, rows = 1000, col = NULL,
                            ...) {
  draw_ggplot(temper_picture(object, type, parameters, rows, col), ...)
}
