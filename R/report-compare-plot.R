# The plot of several synthetic tables.

#' Plot of a comparison
#'
#' One panel per measure of [compare()] and one point per table. A dashed line stands where a perfect table would be,
#' and a band is the 95 % interval of the AUC. The held-out rows, if there are any, or the halves of the real samples of
#' an expression table stand on top and have the colour of real rows: a good table comes near them. Measures without
#' values are left out. `plot()` draws with base graphics. `autoplot()` returns the same picture as a ggplot.
#'
#' @param x,object The result of [compare()].
#' @param col Two colours, for the real rows and the synthetic tables. `NULL`: a pair that colour-blind people can
#'   tell apart.
#' @param ... For `plot()`, graphical parameters of the points, such as `cex` and `pch`. For `autoplot()`, settings of
#'   the layer of the points ([ggplot2::geom_point()]). Others are an error.
#' @return `plot()` returns `x` invisibly and restores [par()]. `autoplot()` returns a ggplot.
#' @examples
#' rows <- seq(1, 150, by = 2)
#' train <- iris[rows, ]
#' tables <- list(copy = train, shuffled = as.data.frame(lapply(train, sample)))
#' result <- compare(train, tables, iris[-rows, ], target = FALSE, classifier = "knn")
#' plot(result)
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(result)
#' @order 1
#' @export
plot.compared_tables <- function(x, col = NULL, ...) {
  check_layer("plot()", ..., allowed = base_settings)
  draw_base(compared_picture(x, col), ...)
  invisible(x)
}

#' @rdname plot.compared_tables
#' @method autoplot compared_tables
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, compared_tables)
autoplot.compared_tables <- function(object, col = NULL, ...) {
  check_layer("autoplot()", ..., allowed = ggplot_settings)
  draw_ggplot(compared_picture(object, col), ...)
}

compared_picture <- function(x, col) {
  colours <- table_colours(col)
  shown <- Filter(function(name) any(!is.na(x[[name]])), intersect(comparison_columns, names(x)))
  panels <- lapply(shown, function(name) compared_panel(x, name, colours))
  real <- intersect(c(held_out_name, halves_name), x$table)
  legend <- if (length(real)) data.frame(label = c(real, "synthetic tables"), colour = colours)
  sheet_picture(panels, min(3, length(shown)), legend, size = 3)
}

compared_panel <- function(x, name, colours) {
  value <- x[[name]]
  ends <- if (name == "auc" && !is.null(x$auc_lower)) x[c("auc_lower", "auc_upper")]
  best <- comparison_best[[name]]
  range <- range(value, unlist(ends), best, na.rm = TRUE)
  axis <- list(from = range[1], to = max(range[2], range[1] + 1e-6))
  at <- pretty(c(axis$from, axis$to), 3)
  at <- at[at >= axis$from & at <= axis$to]
  place <- function(v) on_axis(v, axis, 0.06, 0.94)
  count <- nrow(x)
  height <- (count - seq_len(count) + 0.5) / count
  known <- which(!is.na(value))
  dashes <- seq(0, 1, length.out = 31)
  list(
    title = comparison_labels[[name]],
    segments = rbind(
      sheet_segments(place(best), dashes[c(TRUE, FALSE)][1:15], place(best), dashes[c(FALSE, TRUE)], "grey60"),
      if (!is.null(ends)) sheet_segments(place(ends[[1]]), height, place(ends[[2]]), height, "grey60", 3)
    ),
    points = sheet_points(place(value[known]), height[known],
                          colours[ifelse(x$table[known] %in% c(held_out_name, halves_name), 1, 2)]),
    ticks = rbind(sheet_ticks(1, place(at), number_words(at)), sheet_ticks(2, height, short_words(x$table, 20)))
  )
}

comparison_labels <- c(auc = "classifier AUC", novelty = "novelty", energy = "energy distance",
                       margins = "margins", associations = "associations", usefulness = "loss of usefulness",
                       genes = "genes, ratio to halves", gene_pairs = "pairs of genes, ratio to halves",
                       samples = "samples, ratio to halves")
