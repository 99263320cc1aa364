# Pictures drawn with ggplot2.

utils::globalVariables(".data") # the pronoun in ggplot2::aes()

# Settings of the layers of points and lines that a user may give, besides those that a picture sets.
ggplot_settings <- c("size", "alpha", "shape", "stroke", "fill", "linewidth", "linetype", "lineend", "linejoin",
                     "linemitre", "arrow", "na.rm", "show.legend", "key_glyph", "position")

draw_ggplot <- function(picture, ...) {
  check_layer("autoplot()", ..., allowed = ggplot_settings)
  draw <- switch(picture$kind, panels = ggplot_panels, sheet = ggplot_sheet, ggplot_curves)
  draw(picture, ...)
}

ggplot_panels <- function(picture, ...) {
  panels <- picture$panels
  points <- picture$points
  kinds <- split(points, points$kind)
  corners <- data.frame(panel = rep(panels$panel, 2), x = c(panels$xmin, panels$xmax),
                        y = c(panels$ymin, panels$ymax))
  # Facets have one pair of axis titles. If the panels have different titles, these go into the strips.
  one_axis <- nrow(unique(panels[c("xlab", "ylab")])) == 1
  titles <- as.character(panels$panel)
  if (!one_axis) titles <- paste0(titles, axis_titles(panels))
  plot <- ggplot2::ggplot(mapping = ggplot2::aes(x = .data$x, y = .data$y)) +
    ggplot2::geom_blank(data = corners) +
    ggplot_marks(kinds$rows, picture$colours, list(alpha = point_alpha(points)), ...) +
    ggplot_marks(kinds$new, star_colours[["new"]], list(stroke = 0.7)) +
    ggplot_line(kinds$line) +
    ggplot_marks(kinds$path, star_colours[["path"]], list(stroke = 0.7)) +
    ggplot_labels(kinds$label) +
    ggplot2::facet_wrap(
      ggplot2::vars(.data$panel), nrow = 1, scales = if (picture$shared) "fixed" else "free",
      labeller = ggplot2::as_labeller(stats::setNames(titles, panels$panel))
    ) +
    ggplot2::scale_x_continuous(expand = c(0, 0)) +
    ggplot2::scale_y_continuous(expand = c(0, 0)) +
    ggplot_colours(picture, ggplot2::guide_legend(
      order = 1, override.aes = list(alpha = 1, size = 2, shape = 16)
    )) +
    ggplot_kinds(picture) +
    ggplot2::labs(x = if (one_axis) panels$xlab[1], y = if (one_axis) panels$ylab[1], subtitle = picture$caption) +
    ggplot_theme() +
    ggplot2::theme(aspect.ratio = 1, plot.subtitle = ggplot2::element_text(size = ggplot2::rel(0.9)))
  # The heights of stacked dots have no meaning, so the axis is left out.
  if (all(panels$strip)) {
    nothing <- ggplot2::element_blank()
    plot <- plot + ggplot2::theme(axis.text.y = nothing, axis.ticks.y = nothing)
  }
  plot
}

# Points coloured by class, or all in one colour if they have no class.
ggplot_marks <- function(points, colour, settings, ...) {
  if (nrow(points) == 0) return(NULL)
  settings <- utils::modifyList(c(list(size = 1.8 * point_size(points)), settings), list(...))
  mapping <- ggplot2::aes(shape = .data$kind, colour = .data$group)
  if (anyNA(points$group)) {
    mapping$colour <- NULL
    settings <- utils::modifyList(list(colour = colour[[1]]), settings)
  }
  do.call(ggplot2::geom_point, c(list(mapping, points), settings))
}

ggplot_line <- function(line) {
  if (nrow(line) == 0) return(NULL)
  if (anyNA(line$group)) return(ggplot2::geom_path(data = line, colour = star_colours[["path"]], na.rm = TRUE))
  ggplot2::geom_path(ggplot2::aes(colour = .data$group, group = .data$group), line, na.rm = TRUE, show.legend = FALSE)
}

# White grounds of all labels below all texts, so that no ground covers a text.
ggplot_labels <- function(labels) {
  if (nrow(labels) == 0) return(NULL)
  size <- 2.5
  ground <- ggplot2::geom_label(ggplot2::aes(label = .data$text), labels, size = size, label.size = 0,
                                label.padding = ggplot2::unit(0.1, "lines"), colour = "white", show.legend = FALSE)
  text <- if (anyNA(labels$group)) {
    ggplot2::geom_text(ggplot2::aes(label = .data$text), labels, size = size, colour = star_colours[["path"]])
  } else {
    ggplot2::geom_text(ggplot2::aes(label = .data$text, colour = .data$group), labels, size = size, show.legend = FALSE)
  }
  list(ground, text)
}

# ": x and y", or "" if the title of the panel already says it.
axis_titles <- function(panels) {
  names <- paste0(": ", panels$xlab, ifelse(panels$strip, "", " and "), panels$ylab)
  ifelse(startsWith(panels$xlab, as.character(panels$panel)), "", names)
}

ggplot_colours <- function(picture, guide) {
  if (is.null(names(picture$colours))) return(NULL)
  ggplot2::scale_colour_manual(name = NULL, values = picture$colours, guide = guide)
}

# Symbols. There is a legend if there are more kinds than rows.
ggplot_kinds <- function(picture) {
  entries <- legend_entries(picture)
  kinds <- intersect(c("rows", "new", "path"), picture$points$kind)
  colours <- entries$colour[match(kinds, entries$label)]
  guide <- if (length(kinds) > 1) {
    ggplot2::guide_legend(order = 2, override.aes = list(
      alpha = 1, size = 2, colour = ifelse(is.na(colours), "grey30", colours)
    ))
  } else {
    "none"
  }
  ggplot2::scale_shape_manual(name = NULL, values = c(rows = 16, new = 8, path = 8), breaks = kinds,
                              guide = guide)
}

ggplot_curves <- function(picture, ...) {
  curves <- picture$curves
  # Facets share the kind of axis, so the logarithms are taken here.
  on_log <- picture$log[as.character(curves$panel)]
  curves$value[on_log] <- log10(curves$value[on_log])
  titles <- stats::setNames(names(picture$log), names(picture$log))
  titles[picture$log] <- paste0("log10(", titles[picture$log], ")")
  single <- is.null(names(picture$colours))
  mapping <- ggplot2::aes(x = .data$time, y = .data$value, colour = .data$group)
  if (single) mapping$colour <- NULL
  colour <- if (single) list(colour = picture$colours) else list()
  line <- utils::modifyList(colour, list(...))
  ggplot2::ggplot(curves, mapping) +
    do.call(ggplot2::geom_line, c(list(data = curves[!curves$alone, ], na.rm = TRUE), line)) +
    do.call(ggplot2::geom_point, c(list(size = 0.8, na.rm = TRUE), colour)) +
    do.call(ggplot2::geom_point, c(list(data = curves[curves$alone, ], size = 2), colour)) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), nrow = 1, scales = "free_y",
                        labeller = ggplot2::as_labeller(titles)) +
    ggplot_colours(picture, "legend") +
    ggplot2::labs(x = picture_clock(picture), y = NULL) +
    ggplot_theme()
}
