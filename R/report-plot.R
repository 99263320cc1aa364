#' Plots of a report
#'
#' The scores beside their yardstick, the distances to the nearest real row, the columns, or the rows of both tables.
#' `plot()` draws with base graphics, `autoplot()` returns the same picture as a ggplot.
#'
#' @section What is shown:
#' `"scores"`: the `gap` of each score (see [fidelity()]), on a scale that is
#' linear near 0 and logarithmic far from it: 0 is typical of two samples of one
#' law, and whatever lies right of 1 (the grey ground) is farther from the real
#' rows than another sample of them would be. Bars are the 5 to 95 % range of the
#' random deals of the rows.
#'
#' `"novelty"`: the share of rows whose nearest real row is within a distance
#' (columns in units of their standard deviation), for the synthetic rows and for
#' held-out rows, or for the real rows among themselves. A curve to the left of
#' the other is nearer to the real rows; copies start at 1. The axis ends where
#' 99 % of both are shown.
#'
#' `"columns"`: for the columns with the largest Kolmogorov-Smirnov distances, the
#' 5 to 95 % range (thin), the 25 to 75 % range (thick) and the median (dot) in
#' both tables, in standard deviations of `real` from its mean.
#'
#' `"margins"`, `"pairs"` and `"associations"` are described in [plot.margin_distances()], and `"map"` in
#' [plot.synthesis()]. They need `real` and `synthetic`, because a report holds no rows.
#'
#' @param x,object A report from [fidelity()].
#' @param type What is drawn.
#' @param real,synthetic For `"margins"`, `"pairs"`, `"associations"` and `"map"`, the tables of the report.
#' @param n_columns For `"columns"`, `"margins"` and `"associations"`, the most columns to show. `NULL`: 12, or matrices
#'   of 30 columns.
#' @param n_pairs For `"pairs"`, the most pairs of columns to show. `NULL`: 6.
#' @param col Two colours, for the real and the synthetic rows. `NULL`: a pair
#'   that colour-blind people can tell apart.
#' @param ... For `plot()`, graphical parameters of the points or curves, such
#'   as `cex` and `lwd`; for `autoplot()`, settings of the layer of the points or
#'   curves.
#' @return `plot()` returns `x` invisibly and leaves [par()] as it was;
#'   `autoplot()` returns a ggplot.
#' @examples
#' new <- simulate(efs(iris[1:4], calibrate = FALSE), 150, seed = 1)
#' report <- fidelity(iris[1:4], new, splits = 2, n_permutations = 99)
#' plot(report)
#' plot(report, type = "novelty")
#' plot(report, type = "columns")
#'
#' # the same for tables with columns of every kind
#' new <- simulate(synthesise(iris, flow = FALSE, law = "global", quiet = TRUE), 150, seed = 1)
#' report <- fidelity(iris, new, splits = 2, n_permutations = 99)
#' plot(report, type = "margins", real = iris, synthetic = new)
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(report)
#' @order 1
#' @export
plot.fidelity <- function(x, type = c("scores", "novelty", "columns", "margins", "pairs", "associations", "map"),
                          n_columns = NULL, col = NULL, real = NULL, synthetic = NULL, n_pairs = NULL, ...) {
  check_layer("plot()", ..., allowed = base_settings)
  picture <- report_picture(x, type, n_columns, col, real, synthetic, n_pairs)
  if (picture$type %in% table_types) {
    draw_base(picture, ...)
    return(invisible(x))
  }
  draw <- switch(picture$type, scores = draw_scores, novelty = draw_novelty, draw_columns)
  old <- graphics::par(c("mar", "mgp", "tcl", "las", "xpd"))
  on.exit(graphics::par(old))
  graphics::par(mgp = c(2, 0.5, 0), tcl = -0.3, las = 1, xpd = FALSE)
  draw(picture, ...)
  invisible(x)
}

#' @rdname plot.fidelity
#' @method autoplot fidelity
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, fidelity)
autoplot.fidelity <- function(object,
                              type = c("scores", "novelty", "columns", "margins", "pairs", "associations", "map"),
                              n_columns = NULL, col = NULL, real = NULL, synthetic = NULL, n_pairs = NULL, ...) {
  check_layer("autoplot()", ..., allowed = ggplot_settings)
  picture <- report_picture(object, type, n_columns, col, real, synthetic, n_pairs)
  if (picture$type %in% table_types) return(draw_ggplot(picture, ...))
  plot <- switch(picture$type, scores = ggplot_scores, novelty = ggplot_novelty, ggplot_columns)
  plot(picture, ...)
}

report_picture <- function(x, type, n_columns, col, real, synthetic, n_pairs) {
  type <- check_choice(type, c("scores", "novelty", "columns", table_types), "type")
  colours <- table_colours(col)
  check_belongs(type, table_types, real = real, synthetic = synthetic)
  check_belongs(type, "pairs", n_pairs = n_pairs)
  if (type %in% table_types) {
    if (is.null(real) || is.null(synthetic)) {
      fail("type = \"%s\" needs the tables as `real` and `synthetic`, because a report holds no rows.", type)
    }
    check_belongs(type, c("columns", "margins", "associations"), n_columns = n_columns)
    return(c(list(type = type), tables_picture(type, real, synthetic, n_columns, n_pairs, colours)))
  }
  n_columns <- check_count(if (is.null(n_columns)) 12 else n_columns, "n_columns", 1L)
  picture <- switch(type, scores = scores_picture(x), novelty = novelty_picture(x), columns_picture(x, n_columns))
  c(list(type = type, colours = colours), picture)
}

# marks: label, gap and the range low to high of the deals, in `stretch`ed units; ticks: where the axis has gaps
# written.
scores_picture <- function(x) {
  s <- x$scores
  # a quarter of each, because differences of the largest doubles are infinite
  allowance <- s$limit / 4 - s$middle / 4 # its sign is that of worse
  gap_of <- function(value) ifelse(allowance != 0, (value / 4 - s$middle / 4) / allowance, 0)
  ends <- cbind(gap_of(s$low), gap_of(s$high))
  marks <- data.frame(
    label = s$label, at = rev(seq_len(nrow(s))), gap = stretch(s$gap), alike = s$alike,
    low = stretch(pmin(ends[, 1], ends[, 2])), high = stretch(pmax(ends[, 1], ends[, 2])), row.names = NULL
  )
  ticks <- c(-1000, -100, -30, -10, -4, -1, 0, 1, 4, 10, 30, 100, 300, 1000, 1e4, 1e5, 1e6)
  range <- range(marks$gap, marks$low, marks$high, stretch(c(-1, 4)))
  ticks <- ticks[stretch(ticks) >= range[1] - 1e-9 & stretch(ticks) <= range[2] + 1e-9]
  list(marks = marks, ticks = ticks, range = range + c(-1, 1) * 0.05 * diff(range))
}

stretch <- function(gap) asinh(pmin(pmax(gap, -1e6), 1e6))

# curves: kind, distance, share.
novelty_picture <- function(x) {
  v <- x$novelty
  names <- c(if (v$reference == "holdout") "held-out rows" else "real rows among themselves", "synthetic rows")
  end <- max(stats::quantile(v$distance$synthetic, 0.99), stats::quantile(v$distance$reference, 0.99))
  if (!(end > 0)) end <- 1
  at <- seq(0, end, length.out = 400)
  share <- function(distance) findInterval(at, sort(distance)) / length(distance)
  curves <- data.frame(kind = factor(rep(names, each = length(at)), levels = names), distance = rep(at, 2),
                       share = c(share(v$distance$reference), share(v$distance$synthetic)))
  list(curves = curves)
}

# marks: label, kind, at (height) and the five quantiles in standard deviations.
columns_picture <- function(x, n_columns) {
  columns <- x$columns[order(-x$columns$ks), ]
  columns <- utils::head(columns, n_columns)
  spread <- ifelse(columns$sd_real > 0, columns$sd_real, 1)
  quantiles <- function(kind) {
    q <- columns[paste0(c("q05", "q25", "q50", "q75", "q95"), "_", kind)]
    names(q) <- c("q05", "q25", "q50", "q75", "q95")
    q[] <- lapply(q, function(value) within_units((value - columns$mean_real) / spread))
    q
  }
  height <- rev(seq_len(nrow(columns)))
  label <- sprintf("%s (%.2f)", columns$column, columns$ks)
  kinds <- c("real rows", "synthetic rows")
  marks <- rbind(
    data.frame(label = label, kind = kinds[1], at = height + 0.16, quantiles("real")),
    data.frame(label = label, kind = kinds[2], at = height - 0.16, quantiles("synthetic"))
  )
  marks$kind <- factor(marks$kind, levels = kinds)
  list(marks = marks, labels = data.frame(label = label, at = height), left = nrow(x$columns) - nrow(columns))
}

tick_labels <- function(ticks) format(ticks, trim = TRUE, scientific = FALSE, drop0trailing = TRUE)

label_deals <- "random deals of the rows"

axis_gap <- "distance beyond another sample of real rows (1: the limit)"

axis_nearest <- "distance to the nearest real row"

axis_columns <- "standard deviations from the mean of the real rows"

label_margin <- function(labels) {
  0.8 + max(graphics::strwidth(labels, units = "inches")) / graphics::par("csi")
}

open_rows <- function(labels, at, xlim) {
  graphics::plot.new()
  graphics::par(mar = c(3.2, label_margin(labels), 3, 0.8))
  graphics::par(new = TRUE)
  graphics::plot.new()
  graphics::plot.window(xlim, range(at) + c(-0.6, 0.6), xaxs = "i", yaxs = "i")
}

report_legend <- function(labels, ...) {
  graphics::legend("bottom", labels, horiz = TRUE, bty = "n", xpd = NA, inset = c(0, 1.01), ...)
}

draw_scores <- function(picture, ...) {
  marks <- picture$marks
  open_rows(marks$label, marks$at, picture$range)
  graphics::rect(stretch(1), graphics::par("usr")[3], graphics::par("usr")[2], graphics::par("usr")[4],
                 col = "grey92", border = NA)
  graphics::abline(v = 0, col = "grey60", lty = 2)
  graphics::axis(1, at = stretch(picture$ticks), labels = tick_labels(picture$ticks))
  graphics::axis(2, at = marks$at, labels = marks$label, tick = FALSE, line = -0.3)
  graphics::title(xlab = axis_gap)
  graphics::segments(marks$low, marks$at, marks$high, marks$at, col = picture$colours[1], lwd = 4, lend = 1)
  settings <- utils::modifyList(list(pch = ifelse(marks$alike, 16, 17), cex = 1.3, col = picture$colours[2]), list(...))
  do.call(graphics::points, c(list(marks$gap, marks$at), settings))
  graphics::box()
  some_beyond <- !all(marks$alike)
  report_legend(c(label_deals, "synthetic", if (some_beyond) "synthetic, beyond"),
                col = picture$colours[c(1, 2, 2)], lwd = c(4, 1, 1), lty = c(1, NA, NA), pch = c(NA, 16, 17), cex = 0.9,
                pt.cex = 1.3, seg.len = 1.2)
}

draw_novelty <- function(picture, ...) {
  curves <- split(picture$curves, picture$curves$kind)
  graphics::par(mar = c(3.2, 3.6, 3, 0.8))
  graphics::plot(range(picture$curves$distance), c(0, 1), type = "n", xlab = axis_nearest, ylab = "",
                 xaxs = "i")
  graphics::title(ylab = "share of rows within", line = 2.5)
  settings <- utils::modifyList(list(lwd = 2, type = "s"), list(...))
  for (j in 1:2) {
    do.call(graphics::lines, c(list(curves[[j]]$distance, curves[[j]]$share, col = picture$colours[j]), settings))
  }
  report_legend(names(curves), col = picture$colours, lwd = 2, cex = 0.9, seg.len = 1.5)
}

draw_columns <- function(picture, ...) {
  marks <- picture$marks
  labels <- picture$labels
  range <- range(marks$q05, marks$q95, na.rm = TRUE)
  open_rows(labels$label, labels$at, range + c(-1, 1) * max(0.05 * diff(range), 1e-6))
  graphics::abline(v = 0, col = "grey60", lty = 2)
  graphics::axis(1)
  graphics::axis(2, at = labels$at, labels = labels$label, tick = FALSE, line = -0.3)
  graphics::title(xlab = axis_columns)
  colour <- picture$colours[as.integer(marks$kind)]
  graphics::segments(marks$q05, marks$at, marks$q95, marks$at, col = colour, lwd = 1.2)
  graphics::segments(marks$q25, marks$at, marks$q75, marks$at, col = colour, lwd = 4, lend = 1)
  settings <- utils::modifyList(list(pch = 21, bg = "white", cex = 0.9), list(...))
  do.call(graphics::points, c(list(marks$q50, marks$at, col = colour), settings))
  graphics::box()
  report_legend(levels(marks$kind), col = picture$colours, lwd = 4, cex = 0.9, seg.len = 1.2)
}

ggplot_scores <- function(picture, ...) {
  marks <- picture$marks
  marks$kind <- ifelse(marks$alike, "synthetic", "synthetic, beyond")
  layer <- utils::modifyList(list(size = 3), list(...))
  ggplot2::ggplot(marks, ggplot2::aes(y = .data$at)) +
    ggplot2::annotate("rect", xmin = stretch(1), xmax = Inf, ymin = -Inf, ymax = Inf, fill = "grey92") +
    ggplot2::geom_vline(xintercept = 0, colour = "grey60", linetype = 2) +
    ggplot2::geom_segment(ggplot2::aes(x = .data$low, xend = .data$high, yend = .data$at, colour = label_deals),
                          linewidth = 1.8) +
    do.call(ggplot2::geom_point,
            c(list(ggplot2::aes(x = .data$gap, shape = .data$kind), colour = picture$colours[2]), layer)) +
    ggplot2::scale_colour_manual(name = NULL, values = stats::setNames(picture$colours[1], label_deals),
                                 guide = ggplot2::guide_legend(order = 1)) +
    ggplot2::scale_shape_manual(name = NULL, values = c(synthetic = 16, `synthetic, beyond` = 17),
                                guide = ggplot2::guide_legend(order = 2)) +
    ggplot2::scale_x_continuous(breaks = stretch(picture$ticks), limits = picture$range, expand = c(0, 0),
                                labels = tick_labels(picture$ticks)) +
    ggplot2::scale_y_continuous(breaks = marks$at, labels = marks$label) +
    ggplot2::labs(x = axis_gap, y = NULL) +
    ggplot_theme() + ggplot2::theme(panel.grid = ggplot2::element_blank())
}

ggplot_novelty <- function(picture, ...) {
  layer <- utils::modifyList(list(linewidth = 0.9), list(...))
  ggplot2::ggplot(picture$curves, ggplot2::aes(x = .data$distance, y = .data$share, colour = .data$kind)) +
    do.call(ggplot2::geom_step, layer) +
    ggplot2::scale_colour_manual(name = NULL, values = stats::setNames(picture$colours, levels(picture$curves$kind))) +
    ggplot2::scale_x_continuous(expand = c(0, 0)) +
    ggplot2::scale_y_continuous(limits = c(0, 1)) +
    ggplot2::labs(x = axis_nearest, y = "share of rows within") +
    ggplot_theme()
}

ggplot_columns <- function(picture, ...) {
  marks <- picture$marks
  layer <- utils::modifyList(list(shape = 21, fill = "white", size = 2), list(...))
  ggplot2::ggplot(marks, ggplot2::aes(y = .data$at, colour = .data$kind)) +
    ggplot2::geom_vline(xintercept = 0, colour = "grey60", linetype = 2) +
    ggplot2::geom_segment(ggplot2::aes(x = .data$q05, xend = .data$q95, yend = .data$at)) +
    ggplot2::geom_segment(ggplot2::aes(x = .data$q25, xend = .data$q75, yend = .data$at), linewidth = 1.8) +
    do.call(ggplot2::geom_point, c(list(ggplot2::aes(x = .data$q50), show.legend = FALSE), layer)) +
    ggplot2::scale_colour_manual(name = NULL, values = stats::setNames(picture$colours, levels(marks$kind))) +
    ggplot2::scale_y_continuous(breaks = picture$labels$at, labels = picture$labels$label) +
    ggplot2::labs(x = axis_columns, y = NULL) +
    ggplot_theme() + ggplot2::theme(panel.grid = ggplot2::element_blank())
}
