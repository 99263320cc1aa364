# Pictures drawn with base graphics.

# Settings of points() and lines() that a user may give, besides those that a picture sets.
base_settings <- c("pch", "cex", "bg", "lwd", "lty", "type", "font", "family", "lend", "ljoin", "lmitre", "xpd")

draw_base <- function(picture, ...) {
  check_layer("plot()", ..., allowed = base_settings)
  if (picture$kind == "sheet") return(draw_sheet(picture, ...))
  entries <- legend_entries(picture)
  titles <- levels(if (picture$kind == "panels") picture$panels$panel else picture$curves$panel)
  lines <- legend_lines(entries)
  square <- picture$kind == "panels"
  own_axes <- !square || !picture$shared
  mar <- c(3.2, if (own_axes) 4 else 0.5, 2, 0.5)
  caption <- picture$caption
  oma <- c(if (lines > 0) lines + 0.5 else 0, if (own_axes) 0 else 3.2, if (is.null(caption)) 0 else 1.5, 0.5)
  old <- graphics::par(c("mfrow", "mar", "oma", "pty", "mgp", "tcl", "las", "xpd", "cex"))
  on.exit(graphics::par(old)) # cex last: setting mfrow changes it
  graphics::par(mfrow = c(1, length(titles)), mgp = c(2, 0.5, 0), tcl = -0.3, las = 1, xpd = FALSE,
                pty = if (square) "s" else "m")
  graphics::par(cex = 0.85)
  if (square) oma[c(2, 4)] <- oma[c(2, 4)] + spare_width(length(titles), mar, oma) / 2
  graphics::par(mar = mar, oma = oma)
  for (j in seq_along(titles)) {
    if (square) draw_panel(picture, j, ...) else draw_curves(picture, titles[j], ...)
  }
  if (lines > 0) draw_legend(entries)
  if (!is.null(caption)) graphics::mtext(caption, outer = TRUE, line = 0.2, cex = 0.85)
}

# Width (in lines) that a row of square panels would leave free between them.
spare_width <- function(panels, mar, oma) {
  size <- graphics::par("din") / (graphics::par("csi") * graphics::par("mex"))
  side <- size[2] - sum(mar[c(1, 3)], oma[c(1, 3)])
  max(0, size[1] - sum(oma[c(2, 4)]) - panels * (side + sum(mar[c(2, 4)])))
}

draw_panel <- function(picture, j, ...) {
  panel <- picture$panels[j, ]
  points <- picture$points[picture$points$panel == panel$panel, ]
  first <- j == 1 || !picture$shared
  graphics::plot.new()
  graphics::plot.window(c(panel$xmin, panel$xmax), c(panel$ymin, panel$ymax), xaxs = "i", yaxs = "i")
  graphics::axis(1)
  # With shared axes the labels of the first panel are in the outer margin.
  if (first && !panel$strip) graphics::axis(2, xpd = NA)
  graphics::title(xlab = panel$xlab)
  if (first) graphics::title(ylab = panel$ylab, line = 2.5, xpd = NA)
  graphics::title(main = as.character(panel$panel), font.main = 1, cex.main = 1.1, line = 0.6)
  graphics::box()
  rows <- points[points$kind == "rows", ]
  if (nrow(rows) > 0) {
    draw_marks(rows, grDevices::adjustcolor(group_colour(picture, rows), point_alpha(picture$points)),
               list(pch = 16, cex = point_size(rows)), ...)
  }
  new <- points[points$kind == "new", ]
  draw_marks(new, if (anyNA(new$group)) star_colours[["new"]] else group_colour(picture, new),
             list(pch = 8, cex = point_size(new), lwd = 1.2))
  line <- points[points$kind == "line", ]
  for (one in split(line, line_class(line))) {
    graphics::lines(one$x, one$y, col = line_colour(picture, one)[1], lwd = 1.2)
  }
  draw_marks(points[points$kind == "path", ], star_colours[["path"]], list(pch = 8, cex = 0.9, lwd = 1.2))
  draw_labels(picture, points[points$kind == "label", ])
}

# Texts on the colour of the background.
draw_labels <- function(picture, labels, cex = 0.7) {
  if (nrow(labels) == 0) return(invisible())
  half <- data.frame(x = graphics::strwidth(labels$text, cex = cex), y = graphics::strheight("0", cex = cex) * 1.4) / 2
  ground <- graphics::par("bg")
  graphics::rect(labels$x - half$x, labels$y - half$y, labels$x + half$x, labels$y + half$y, border = NA,
                 col = if (ground == "transparent") "white" else ground)
  graphics::text(labels$x, labels$y, labels$text, cex = cex, col = line_colour(picture, labels))
}

# Lines and labels without a class have one colour.
line_class <- function(points) ifelse(is.na(points$group), "", as.character(points$group))
line_colour <- function(picture, points) {
  ifelse(is.na(points$group), star_colours[["path"]], group_colour(picture, points))
}

group_colour <- function(picture, points) {
  if (is.null(names(picture$colours))) return(rep(picture$colours, nrow(points)))
  unname(picture$colours[as.character(points$group)])
}

draw_marks <- function(points, colour, settings, ...) {
  settings <- utils::modifyList(settings, list(...))
  do.call(graphics::points, c(list(points$x, points$y, col = colour), settings))
}

# The horizontal axis of curves is time, unless the picture names another one.
picture_clock <- function(picture) if (is.null(picture$clock)) "time" else picture$clock

draw_curves <- function(picture, title, ...) {
  curves <- picture$curves[picture$curves$panel == title, ]
  settings <- utils::modifyList(list(type = "o", pch = 16, cex = 0.5, lwd = 1.5), list(...))
  graphics::plot(range(picture$curves$time), range(curves$value, na.rm = TRUE), type = "n", yaxt = "n",
                 log = if (picture$log[[title]]) "y" else "", xlab = picture_clock(picture), ylab = "",
                 main = title, font.main = 1, cex.main = 1.1)
  graphics::axis(2, at = graphics::axTicks(2), labels = formatC(graphics::axTicks(2), format = "g"))
  lines <- if (is.null(names(picture$colours))) list(curves) else split(curves, curves$group)
  for (i in seq_along(lines)) {
    line <- lines[[i]]
    do.call(graphics::lines, c(list(line$time, line$value, col = picture$colours[[i]]), settings))
    if (any(line$alone)) graphics::points(line$time, line$value, col = picture$colours[[i]], pch = 16)
  }
}

# One row per entry of the legend: label, colour, symbol, and whether a line runs through the symbol.
legend_entries <- function(picture) {
  classes <- names(picture$colours)
  curves <- picture$kind == "curves"
  entries <- data.frame(label = classes, colour = unname(picture$colours)[seq_along(classes)],
                        pch = rep(16, length(classes)), line = rep(curves, length(classes)))
  if (curves) return(entries)
  stars <- intersect(c("new", "path"), picture$points$kind)
  if (length(stars) && is.null(classes)) {
    entries <- data.frame(label = "rows", colour = picture$colours, pch = 16, line = FALSE)
  }
  coloured <- any(!is.na(picture$points$group[picture$points$kind == "new"]))
  rbind(entries, data.frame(
    label = stars, pch = rep(8, length(stars)), line = stars == "path",
    colour = ifelse(stars == "new" & coloured, "grey30", star_colours[stars])
  ))
}

# As many columns as fit on the device. A character is taken to be as wide as an average one.
legend_columns <- function(entries) {
  width <- (max(nchar(entries$label)) + 6) * graphics::par("cin")[1] * 0.55
  max(1, min(nrow(entries), floor(graphics::par("din")[1] / width)))
}

legend_lines <- function(entries) {
  if (nrow(entries) == 0) return(0)
  ceiling(nrow(entries) / legend_columns(entries)) * 1.2
}

# The top of the legend in user coordinates: just below the tick labels and the axis title of the panels.
legend_top <- function() {
  line <- graphics::par("cin")[2] * graphics::par("cex")
  graphics::grconvertY(graphics::grconvertY(0, "npc", "inches") - 3.2 * line, "inches", "user")
}

# Draws the legend in the middle of the device.
draw_legend <- function(entries) {
  graphics::legend(
    graphics::grconvertX(0.5, "ndc", "user"), legend_top(), entries$label, col = entries$colour,
    pch = entries$pch, lty = if (any(entries$line)) ifelse(entries$line, 1, 0), seg.len = 1.5,
    ncol = legend_columns(entries), xjust = 0.5, yjust = 1, bty = "n", xpd = NA,
    text.width = max(graphics::strwidth(entries$label)) + graphics::strwidth("M")
  )
}
