#' What an integration did
#'
#' `print()` gives the main figures before and after, `summary()` all of them, `as.data.frame()` the moved table with batch
#' and label.
#'
#' @section Columns of the report:
#' One row for each batch and label that was moved. `steps` and `stopped_by` tell how the flow ended: `"distance"` (the
#' moved rows came as near as halves of the reference are), `"novelty"` (nearer would have been copies; at the start
#' already: `"novelty at the start"`) or `"all steps done"`. Each `_before` and `_after`:
#' * `w2_latent`, `w2_full`: [wasserstein2()] to the reference rows in latent and in full space, z-scored units; `w2_latent_halves` and
#'   `w2_full_halves` the same between random halves of these (root mean square of 10 and 5 splits): what to divide by.
#'   Below 1 is no better than 1.
#' * `novelty`: [novelty()] against the reference rows in latent space, leave-one-out: 1 is new, 0 a copy.
#' * `auc`: how well a classifier tells them from the reference rows in full space, [c2st()]: 0.5 where it cannot; `NA`
#'   below 10 rows. Rows that a flow has moved are no independent draws: an AUC below 0.5 is possible, and no success.
#' * `silhouette`: of moved and reference rows as two clusters, latent space: 0 where they are mixed.
#'
#' `residual_reference` is the root-mean-square length of what the latent space leaves out of a
#' reference row. `scores` has the silhouettes of all batches, and of labels where given (which should not fall).
#'
#' @param object,x An object from [integrate_data()].
#' @param row.names,optional Ignored.
#' @param ... Not used.
#' @return `summary()`: a list of class `summary.integration` with `report`, `scores`, `outside`, `latent` and `control`.
#'   `as.data.frame()`: a data frame of the moved table with the columns `batch` and `label` in front, where these were
#'   not columns of it.
#' @examples
#' set.seed(1)
#' x <- matrix(rnorm(600), 60)
#' x[31:60, ] <- 2 * x[31:60, ] + 1
#' fit <- integrate_data(x, rep(1:2, each = 30), 1, n_steps = 20)
#' summary(fit)
#' head(as.data.frame(fit)[1:4])
#' @name summary.integration
NULL

#' @rdname summary.integration
#' @export
format.integration <- function(x, ...) {
  moved <- length(unlist(lapply(x$groups, `[[`, "rows")))
  c(
    sprintf("<integration> %d of %d samples of %d genes moved onto the %d of batch \"%s\"%s", moved, length(x$batch),
            length(x$table$constant), sum(x$batch == x$reference), x$reference,
            if (is.null(x$label)) ", labels not used" else sprintf(", each of %d labels by itself", nlevels(x$label))),
    sprintf("latent: %s", x$latent$description),
    if (is.null(x$report)) "(no report: `compare` was FALSE)" else format_report(x),
    "Contains the samples: think before you share it. Do not test it for differences (see ?integrate_data)."
  )
}

# Before -> after, distances over those between halves of the reference.
format_report <- function(x) {
  r <- x$report
  change <- function(from, to) paste(format(round(from, 2), nsmall = 2), "->", format(round(to, 2), nsmall = 2))
  cells <- cbind(
    names(x$groups), r$n, r$n_reference, r$steps,
    change(r$w2_latent_before / r$w2_latent_halves, r$w2_latent_after / r$w2_latent_halves),
    change(r$w2_full_before / r$w2_full_halves, r$w2_full_after / r$w2_full_halves),
    change(r$novelty_before, r$novelty_after), change(r$auc_before, r$auc_after)
  )
  cells <- rbind(c("", "rows", "onto", "steps", "W2 latent", "W2 full", "novelty", "AUC"), cells)
  for (j in seq_len(ncol(cells))) cells[, j] <- formatC(cells[, j], width = (if (j == 1) -1 else 1) * max(nchar(cells[, j])))
  c(
    paste0("  ", apply(cells, 1, paste, collapse = "  ")),
    "W2 in units of that between halves of the reference (1: integrated); novelty 1: new, 0: copies; AUC of a classifier",
    vapply(seq_len(nrow(x$scores)), function(i) {
      sprintf("%s %s", x$scores$score[i], change(x$scores$before[i], x$scores$after[i]))
    }, "")
  )
}

#' @rdname summary.integration
#' @export
print.integration <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @rdname summary.integration
#' @export
summary.integration <- function(object, ...) {
  structure(
    object[c("call", "report", "scores", "outside", "latent", "control", "elapsed", "version")],
    class = "summary.integration"
  )
}

#' @rdname summary.integration
#' @export
print.summary.integration <- function(x, ...) {
  cat("Call: ", paste(deparse(x$call), collapse = " "), "\n", sep = "")
  cat("Latent map: ", x$latent$description, "\n", sep = "")
  cat(sprintf("Residual outside it (\"%s\"): root-mean-square length %.3g of a moved row before, %.3g of a reference row (z-scored units)\n",
              x$control$residual, x$outside[["moved"]], x$outside[["reference"]]))
  if (!is.null(x$report)) {
    r <- x$report
    print(r[c("batch", "label", "n", "n_reference", "steps", "stopped_by")], row.names = FALSE)
    for (what in c("w2_latent", "w2_full")) {
      cat("\n", what, ", and between halves of the reference:\n", sep = "")
      print(r[c("batch", "label", paste0(what, c("_before", "_after", "_halves")))], digits = 3, row.names = FALSE)
    }
    if (x$control$residual == "drop") {
      cat(sprintf("w2_full_after is at most %s (w2_latent_after plus the residual)\n",
                  paste(format(r$w2_latent_after + r$residual_reference, digits = 3), collapse = ", ")))
    }
    cat("\nnovelty, AUC and silhouette:\n")
    print(r[c("batch", "label", paste0(rep(c("novelty", "auc", "silhouette"), each = 2), c("_before", "_after")))],
          digits = 2, row.names = FALSE)
    cat("\nThe whole table:\n")
    print(x$scores, digits = 2, row.names = FALSE)
  }
  cat(sprintf("%.1f seconds, particleflow %s\n", x$elapsed, x$version))
  invisible(x)
}

#' @rdname summary.integration
#' @export
as.data.frame.integration <- function(x, row.names = NULL, optional = FALSE, ...) {
  data <- x$data
  if (inherits(data, "SummarizedExperiment")) {
    data <- t(as.matrix(SummarizedExperiment::assay(data, if (is.null(x$assay)) 1L else x$assay)))
  }
  data <- as.data.frame(data)
  own <- list(batch = x$batch, label = x$label)
  own <- own[!vapply(own, is.null, NA) & !names(own) %in% names(data)]
  if (length(own)) cbind(as.data.frame(own), data) else data
}

#' Plots of an integration
#'
#' All samples before and after, on two axes of the latent space, or how the flows came to their end. `plot()` draws
#' with base graphics, `autoplot()` returns the same picture as a ggplot.
#'
#' @param x,object An object from [integrate_data()].
#' @param type `"points"`: two panels with limits of their own, so that the second shows how the batches mix; `"trace"`: the distance over that between halves of the
#'   reference, and novelty, over the time of each flow.
#' @param by For `"points"`, what to colour by: `"batch"` or `"label"`.
#' @param axes For `"points"`, two latent axes, such as `c(1, 3)`.
#' @param col Colours, one a class or flow. `NULL`: a palette that colour-blind people can tell apart.
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
plot.integration <- function(x, type = c("points", "trace"), by = c("batch", "label"), axes = c(1, 2), col = NULL, ...) {
  draw_base(integration_picture(x, type, by, axes, col), ...)
  invisible(x)
}

integration_picture <- function(fit, type, by, axes, col) {
  type <- check_choice(type, c("points", "trace"), "type")
  if (type == "trace") return(integration_curves(fit, col))
  by <- check_choice(by, c("batch", "label"), "by")
  if (by == "label" && is.null(fit$label)) fail("`by` is \"label\", but no labels were given to integrate_data().")
  dim <- ncol(fit$points$before)
  if (dim == 1) axes <- 1
  if (!is.numeric(axes) || anyNA(axes) || length(axes) != min(2, dim) || any(!axes %in% seq_len(dim)) || anyDuplicated(axes)) {
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
  list(kind = "curves", curves = curves, log = stats::setNames(c(FALSE, FALSE), panels), colours = picture_colours(group, col))
}

#' @rdname plot.integration
#' @method autoplot integration
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, integration)
autoplot.integration <- function(object, type = c("points", "trace"), by = c("batch", "label"), axes = c(1, 2), col = NULL, ...) {
  draw_ggplot(integration_picture(object, type, by, axes, col), ...)
}
