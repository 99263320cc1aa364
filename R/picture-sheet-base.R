# Sheets drawn with base graphics.

draw_sheet <- function(picture, ...) {
  old <- graphics::par(c("mfrow", "mar", "oma", "pty", "mgp", "tcl", "las", "xpd", "cex"))
  on.exit(graphics::par(old)) # cex last: setting mfrow changes it
  count <- length(picture$titles)
  below <- (if (is.null(picture$note)) 0 else 1.1) + (if (is.null(picture$legend)) 0 else 1.4)
  graphics::par(mfrow = c(ceiling(count / picture$across), picture$across), mgp = c(1, 0.25, 0), tcl = -0.2, las = 1,
                xpd = FALSE, pty = if (picture$square) "s" else "m", oma = c(below + 0.2, 0, 0, 0))
  graphics::par(cex = 0.85)
  graphics::par(sheet_margins(picture, below + 0.2))
  for (i in seq_len(count)) draw_sheet_panel(picture, i, ...)
  draw_sheet_words(picture, below)
}

# Room for the longest labels of all panels, in inches. Only the first of several square panels has labels on the left:
# they stand in the outer margin.
sheet_margins <- function(picture, below) {
  line <- graphics::par("csi")
  widest <- function(side) {
    labels <- picture$ticks$label[picture$ticks$side == side]
    if (length(labels)) max(graphics::strwidth(labels, units = "inches", cex = picture$text)) else 0
  }
  left <- widest(2) + 0.7 * line
  lines <- max(lengths(strsplit(picture$titles, "\n")))
  list(mai = c(if (picture$turned) widest(1) + 0.5 * line else 1.3 * line, if (picture$square) 0.3 * line else left,
               (0.2 + lines) * line, 0.5 * line),
       omi = c(below * line, if (picture$square) left else 0, 0, 0))
}

draw_sheet_panel <- function(picture, i, ...) {
  of <- function(part) picture[[part]][picture[[part]]$panel == i, ]
  graphics::plot.new()
  graphics::plot.window(c(0, 1), c(0, 1), xaxs = "i", yaxs = "i")
  rects <- of("rects")
  if (NROW(rects)) graphics::rect(rects$x0, rects$y0, rects$x1, rects$y1, col = rects$fill, border = rects$border)
  lines <- of("segments")
  if (NROW(lines)) graphics::segments(lines$x0, lines$y0, lines$x1, lines$y1, col = lines$colour, lwd = lines$width)
  points <- of("points")
  if (NROW(points)) {
    settings <- utils::modifyList(list(pch = 16, cex = 0.5 * picture$size * points$size), list(...))
    do.call(graphics::points, c(list(points$x, points$y, col = points$colour), settings))
  }
  draw_sheet_ticks(of("ticks"), picture)
  graphics::title(main = picture$titles[i], font.main = 1, cex.main = 0.8, line = 0.25)
  graphics::box(col = "grey40")
}

# Labels below that would overlap the one before are left out. Labels on the left, and turned ones, are all drawn.
draw_sheet_ticks <- function(ticks, picture) {
  for (side in unique(ticks$side)) {
    own <- ticks[ticks$side == side, ]
    turned <- side == 1 && picture$turned
    graphics::axis(side, own$at, own$label, las = if (turned) 2 else 1, lwd = 0, lwd.ticks = 0.7,
                   cex.axis = picture$text, gap.axis = if (side == 2 || turned) -1 else 0.3,
                   mgp = c(1, if (side == 1 && !turned) 0.05 else 0.3, 0), xpd = NA)
  }
}

# The legend, and the note below it, in the middle of the lower edge of the device.
draw_sheet_words <- function(picture, lines) {
  legend <- picture$legend
  line <- graphics::par("csi") * graphics::par("cex") / graphics::par("din")[2]
  place <- function(x, y) list(x = graphics::grconvertX(x, "ndc", "user"), y = graphics::grconvertY(y, "ndc", "user"))
  if (!is.null(legend)) {
    at <- place(0.5, lines * line)
    graphics::legend(at$x, at$y, legend$label, fill = legend$colour, border = NA, horiz = TRUE, bty = "n", xpd = NA,
                     xjust = 0.5, yjust = 1, cex = 0.9, y.intersp = 0.6)
  }
  if (!is.null(picture$note)) {
    at <- place(0.5, 0.6 * line)
    graphics::text(at$x, at$y, picture$note, cex = 0.8, xpd = NA, col = "grey30")
  }
}
