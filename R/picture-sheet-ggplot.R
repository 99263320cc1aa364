# Sheets drawn with ggplot2.

# Panel i has its place between panel_gap * i and panel_gap * i + 1 on both axes, so that the limits of an axis tell
# which panel it belongs to.
panel_gap <- 10

ggplot_sheet <- function(picture, ...) {
  titles <- picture$titles
  own <- lapply(picture[sheet_parts], shift_panels)
  corners <- shift_panels(data.frame(panel = rep(seq_along(titles), each = 2), x = 0:1, y = 0:1))
  plot <- ggplot2::ggplot() +
    ggplot2::geom_blank(ggplot2::aes(.data$x, .data$y), corners) +
    ggplot_rects(own$rects) + ggplot_segments(own$segments) + ggplot_points(own$points, picture$size, ...) +
    ggplot2::facet_wrap(
      ggplot2::vars(.data$panel), ncol = picture$across, scales = "free",
      labeller = ggplot2::as_labeller(stats::setNames(titles, seq_along(titles)))
    ) +
    ggplot2::scale_x_continuous(breaks = panel_ticks(own$ticks, 1), labels = tick_words(own$ticks, 1), expand = c(0, 0),
                                guide = ggplot2::guide_axis(check.overlap = !picture$turned)) +
    ggplot2::scale_y_continuous(breaks = panel_ticks(own$ticks, 2), labels = tick_words(own$ticks, 2),
                                expand = c(0, 0)) +
    ggplot2::scale_colour_identity() +
    ggplot2::labs(x = NULL, y = NULL, caption = picture$note) +
    ggplot_theme()
  plot + ggplot_sheet_legend(picture$legend) + sheet_theme(picture)
}

# Coordinates of panels, moved to the place of their panel.
shift_panels <- function(part) {
  if (!NROW(part)) return(NULL)
  for (name in intersect(c("x", "y", "x0", "x1", "y0", "y1", "at"), names(part))) {
    part[[name]] <- part[[name]] + panel_gap * part$panel
  }
  part
}

ggplot_rects <- function(rects) {
  if (is.null(rects)) return(NULL)
  ggplot2::geom_rect(
    ggplot2::aes(xmin = .data$x0, xmax = .data$x1, ymin = .data$y0, ymax = .data$y1),
    rects, fill = rects$fill, colour = rects$border, linewidth = 0.3
  )
}

ggplot_segments <- function(lines) {
  if (is.null(lines)) return(NULL)
  ggplot2::geom_segment(
    ggplot2::aes(x = .data$x0, xend = .data$x1, y = .data$y0, yend = .data$y1),
    lines, colour = lines$colour, linewidth = 0.4 * lines$width
  )
}

ggplot_points <- function(points, size, ...) {
  if (is.null(points)) return(NULL)
  settings <- utils::modifyList(list(size = 0.8 * size * points$size, shape = 16), list(...))
  do.call(ggplot2::geom_point, c(list(ggplot2::aes(.data$x, .data$y), points, colour = points$colour), settings))
}

# A function of the limits of an axis that returns the ticks of its panel.
panel_ticks <- function(ticks, side) {
  at <- ticks$at[ticks$side == side]
  panel <- ticks$panel[ticks$side == side]
  function(limits) at[panel == floor(mean(limits) / panel_gap)]
}

# A function of ticks that returns their labels.
tick_words <- function(ticks, side) {
  at <- ticks$at[ticks$side == side]
  label <- ticks$label[ticks$side == side]
  function(breaks) vapply(breaks, function(b) if (is.na(b)) "" else label[which.min(abs(at - b))], "")
}

# The colours of the legend belong to points without a place.
ggplot_sheet_legend <- function(legend) {
  if (is.null(legend)) return(NULL)
  entries <- data.frame(x = NA_real_, y = NA_real_, label = factor(legend$label, legend$label), panel = 1L)
  list(
    ggplot2::geom_point(ggplot2::aes(.data$x, .data$y, fill = .data$label), entries, na.rm = TRUE, key_glyph = "rect"),
    ggplot2::scale_fill_manual(name = NULL, values = stats::setNames(legend$colour, legend$label),
                               limits = legend$label),
    ggplot2::guides(fill = ggplot2::guide_legend(nrow = 1))
  )
}

sheet_theme <- function(picture) {
  size <- 11 * picture$text
  below <- if (picture$turned) {
    ggplot2::element_text(size = size, angle = 90, hjust = 1, vjust = 0.5)
  } else {
    ggplot2::element_text(size = size)
  }
  ggplot2::theme(
    panel.grid = ggplot2::element_blank(), axis.text.x = below, axis.text.y = ggplot2::element_text(size = size),
    strip.text = ggplot2::element_text(size = 8, margin = ggplot2::margin(2, 0, 2, 0)),
    panel.spacing = ggplot2::unit(0.6, "lines"), legend.margin = ggplot2::margin(0, 0, 0, 0),
    legend.key.size = ggplot2::unit(0.8, "lines"), plot.caption = ggplot2::element_text(hjust = 0.5, colour = "grey30"),
    aspect.ratio = if (picture$square) 1
  )
}
