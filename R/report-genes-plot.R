# The plot of a report on expression tables.

#' Plots of a report on expression tables
#'
#' One page with what the field looks at, real samples beside new ones. `plot()` draws with base graphics, `autoplot()`
#' returns the same picture as a ggplot.
#'
#' @section What is shown:
#' Up to 2000 random genes as points, by the standard deviation, the dispersion (counts) and the share of zeros (where
#' zeros are judged) against the mean; curves of the density of library sizes (for values of the means of samples), of
#' the correlations of the most variable genes, of the correlations of samples, and of the distances to the nearest real
#' sample (held-out samples beside new ones; without held-out samples, real ones among themselves); and the samples on
#' two leading components, which are those of the fitted samples (without held-out samples, of both sets). The new
#' samples stand beside held-out ones if there are any, otherwise beside real ones. Only the first sets that the report
#' compares are drawn, at most 200 samples of each on the components. Means and deviations are those of the judged
#' values, see [fidelity-expression].
#'
#' @param x,object A report of class `gene_fidelity` from [fidelity()].
#' @param col Two colours, for real and new samples. `NULL`: a pair that colour-blind people can tell apart.
#' @param ... For `plot()`, graphical parameters of the points, such as `cex`; for `autoplot()`, settings of the layer
#'   of the points.
#' @return `plot()` returns `x` invisibly and leaves [par()] as it was; `autoplot()` returns a ggplot.
#' @examples
#' mean <- exp(seq(0, 5, length.out = 200))
#' draw <- function(n) matrix(rnbinom(n * 200, mu = rep(mean, each = n), size = 3), n)
#' set.seed(1)
#' report <- fidelity(draw(30), draw(30), draw(30), splits = 3)
#' plot(report)
#' @examplesIf requireNamespace("ggplot2", quietly = TRUE)
#' ggplot2::autoplot(report)
#' @order 1
#' @export
plot.gene_fidelity <- function(x, col = NULL, ...) {
  check_layer("plot()", ..., allowed = base_settings)
  draw_base(genes_picture(x, col), ...)
  invisible(x)
}

#' @rdname plot.gene_fidelity
#' @method autoplot gene_fidelity
#' @order 2
#' @rawNamespace S3method(ggplot2::autoplot, gene_fidelity)
autoplot.gene_fidelity <- function(object, col = NULL, ...) {
  check_layer("autoplot()", ..., allowed = ggplot_settings)
  draw_ggplot(genes_picture(object, col), ...)
}

# Each pair of values comes in the order real, synthetic.
genes_picture <- function(x, col) {
  colours <- table_colours(col)
  sets <- x$shown$properties[c("real", "synthetic")]
  of <- function(name) lapply(sets, `[[`, name)
  has <- names(sets$real)
  gene <- c(variance = "standard deviation against mean", dispersion = "dispersion against mean",
            zeros_gene = "share of zeros against mean")
  clouds <- lapply(intersect(names(gene), has), function(name) {
    cloud_panel(gene[[name]], of("mean"), of(name), colours)
  })
  near <- x$shown$novelty[c("reference", "synthetic")]
  curves <- list(
    curve_panel(if (x$counts) "library size (log2)" else "mean of a sample", of("library_size"), colours),
    curve_panel("correlations of the most variable genes", of("correlation_variable"), colours),
    curve_panel("correlations of samples", of("correlation_samples"), colours),
    curve_panel("distance to the nearest real sample", near, colours)
  )
  samples <- lapply(x$shown$samples[c("real", "synthetic")], function(z) list(x = z[, 1], y = z[, 2]))
  share <- sprintf("%.0f", 100 * x$shown$share)
  plane <- cloud_panel(sprintf("samples: components 1 and 2 (%s and %s %%)", share[1], share[2]),
                       lapply(samples, `[[`, "x"), lapply(samples, `[[`, "y"), colours)
  panels <- c(clouds, curves, list(plane))
  sheet_picture(panels, if (length(panels) > 6) 4 else 3,
                data.frame(label = c(paste(reference_name(x), "samples"), "new samples"), colour = colours), size = 0.9)
}

# Points of both sets by turns, so that neither hides the other.
cloud_panel <- function(title, x, y, colours) {
  place <- Map(function(x, y) which(is.finite(x) & is.finite(y)), x, y)
  values <- list(x = unlist(Map(`[`, x, place), use.names = FALSE), y = unlist(Map(`[`, y, place), use.names = FALSE))
  axes <- lapply(values, round_axis)
  sizes <- lengths(place)
  turn <- order(unlist(lapply(sizes, function(n) (seq_len(n) - 0.5) / n)))
  colour <- rep(grDevices::adjustcolor(colours, if (max(sizes) > 400) 0.35 else 0.8), sizes)
  list(title = title, points = sheet_points(on_axis(values$x, axes$x)[turn], on_axis(values$y, axes$y)[turn],
                                            colour[turn], min(1.8, sqrt(400 / max(sizes, 1)) + 0.6)),
       ticks = rbind(panel_axis(1, axes$x), panel_axis(2, axes$y)))
}

# Densities of both sets, with one bandwidth.
curve_panel <- function(title, values, colours) {
  values <- lapply(values, function(v) v[is.finite(v)])
  ends <- range(unlist(values, use.names = FALSE))
  width <- max(vapply(values, stats::bw.nrd0, 0), 1e-3 * diff(ends))
  axis <- round_axis(ends + c(-2.5, 2.5) * width)
  curves <- lapply(values, function(v) {
    stats::density(v, bw = width, from = axis$from, to = axis$to, n = 128)
  })
  top <- max(vapply(curves, function(curve) max(curve$y), 0))
  lines <- Map(function(curve, colour) {
    x <- on_axis(curve$x, axis)
    y <- 0.95 * curve$y / top
    sheet_segments(x[-128], y[-128], x[-1], y[-1], colour, 1.8)
  }, curves, colours)
  list(title = title, segments = do.call(rbind, unname(lines)), ticks = panel_axis(1, axis))
}

round_axis <- function(values) {
  ends <- if (length(values)) range(values) else c(0, 1)
  if (ends[1] == ends[2]) ends <- ends + c(-0.5, 0.5)
  at <- pretty(ends, 4)
  list(from = ends[1], to = ends[2], at = at[at >= ends[1] & at <= ends[2]])
}

panel_axis <- function(side, axis) sheet_ticks(side, on_axis(axis$at, axis), number_words(axis$at))
