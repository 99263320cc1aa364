#' Plots of an integration
#'
#' Shows all samples before and after on two axes of the latent space, or the comparisons that ended the flows. `plot()`
#' draws with base graphics. `autoplot()` returns the same picture as a ggplot.
#'
#' @param x,object An object from [integrate_data()].
#' @param type `"points"`: two panels, each with its own limits, so that the second shows how the batches mix.
#'   `"trace"`: the distance to the reference divided by the distance between its halves, and novelty, over the time of
#'   each flow.
#' @param by For `"points"`, whether the colours show the `"batch"` or the `"label"` (only if labels were given).
#' @param axes For `"points"`, the numbers of two different latent axes, such as `c(1, 3)`.
#' @param col Colours, one per class or flow. `NULL`: a palette that colour-blind people can tell apart.
#' @inheritParams plot.particle_trajectory
#' @inherit plot.particle_trajectory return
#' @examples
#' set.seed(1)
#' x <- matrix(rnorm(600), 60)
#' x[31:60, ] <- 2 * x[31:60, ] + 1
#' fit <- integrate_data(x, rep(1:2, each = 30), 1, n_steps = 50, target = 0, compare = FALSE)
#' plot(fit)
#' plot(fit, type = "trace")
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(fit)
#' @order 1
#' @export
plot.integration <- function(x, type = c("points", "trace"), by = c("batch", "label"), axes = c(1, 2), col = NULL,
                             ...) {
  draw_base(integration_picture(x, type, by, axes, col), ...)
  invisible(x)
}

integration_picture <- function(fit, type, by, axes, col) {
  check_fit(fit, "x")
  type <- check_choice(type, c("points", "trace"), "type")
  if (type == "trace") return(integration_curves(fit, col))
  by <- check_choice(by, c("batch", "label"), "by")
  if (by == "label" && is.null(fit$label)) fail("`by` is \"label\", but no labels were given to integrate_data().")
  dim <- ncol(fit$points$before)
  if (dim == 1) axes <- 1
  if (!is.numeric(axes) || length(axes) != min(2, dim) || !all(axes %in% seq_len(dim)) || anyDuplicated(axes)) {
    fail("`axes` must be two different latent axes from 1 to %d, not %s.", dim, describe(axes))
  }
  share <- fit$latent$explained
  share <- if (is.null(share)) NULL else diff(c(0, share))[axes]
  labels <- if (is.null(share)) paste("latent", axes) else sprintf("PC%d (%.0f %%)", as.integer(axes), 100 * share)
  view <- list(labels = c(labels, "")[1:2], strip = length(axes) == 1, square = length(axes) == 2)
  group <- if (by == "batch") stats::relevel(fit$batch, fit$reference) else fit$label
  if (by == "batch") levels(group)[1] <- paste(levels(group)[1], "(reference)")
  layers <- lapply(c("before", "after"), function(side) {
    new_layer(side, fit$points[[side]][, axes, drop = FALSE], "rows", group)
  })
  panels_picture(layers, list(view, view), group, col, shared = FALSE)
}

integration_curves <- function(fit, col) {
  panels <- c("distance over that of halves", "novelty")
  curves <- do.call(rbind, lapply(names(fit$flows), function(name) {
    trace <- fit$flows[[name]]$trace
    data.frame(panel = rep(panels, each = nrow(trace)), time = trace$time, value = c(trace$ratio, trace$novelty),
               group = name, alone = nrow(trace) == 1)
  }))
  curves <- curves[!is.na(curves$value), ]
  curves$panel <- factor(curves$panel, levels = panels)
  group <- if (length(fit$flows) > 1) names(fit$flows)
  curves$group <- factor(curves$group, levels = names(fit$flows))
  list(kind = "curves", curves = curves, log = stats::setNames(c(FALSE, FALSE), panels),
       colours = picture_colours(group, col))
}

#' @rdname plot.integration
#' @method autoplot integration
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, integration)
autoplot.integration <- function(object, type = c("points", "trace"), by = c("batch", "label"), axes = c(1, 2),
                                 col = NULL, ...) {
  draw_ggplot(integration_picture(object, type, by, axes, col), ...)
}
