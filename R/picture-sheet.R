# Sheets: pictures of many small panels, each with axes of its own. All coordinates of a panel lie between 0 and 1, so
# that numbers, dates and levels are drawn alike.

# A panel is a list of `title` and of data frames, any of which may be NULL:
#   rects     x0, x1, y0, y1, fill, border (NA: none)
#   segments  x0, y0, x1, y1, colour, width
#   points    x, y, colour, size (relative to that of the sheet)
#   ticks     side (1: below, 2: left), at, label
sheet_parts <- c("rects", "segments", "points", "ticks")

# kind, titles, one data frame for each part with the column `panel`, across (panels in a row), legend (a data frame of
# label and colour), note (said below the panels), square, turned (whether labels below are turned), text and size (of
# labels and points), shown (what is drawn, as numbers).
sheet_picture <- function(panels, across, legend, note = NULL, square = FALSE, turned = FALSE, text = 0.7,
                          size = 1, shown = NULL) {
  parts <- lapply(stats::setNames(sheet_parts, sheet_parts), function(part) {
    rows <- lapply(seq_along(panels), function(i) {
      one <- panels[[i]][[part]]
      if (NROW(one)) cbind(panel = i, one)
    })
    do.call(rbind, rows)
  })
  c(list(kind = "sheet", titles = vapply(panels, `[[`, "", "title")), parts,
    list(across = across, legend = legend, note = note, square = square, turned = turned, text = text, size = size,
         shown = shown))
}

# How many panels stand in a row.
panels_across <- function(count) {
  if (count <= 3) return(max(count, 1))
  if (count == 4) return(2)
  if (count <= 9) return(3)
  if (count <= 16) 4 else ceiling(sqrt(1.3 * count))
}

sheet_rects <- function(x0, x1, y0, y1, fill, border = NA_character_) {
  if (length(x0) * length(y0)) data.frame(x0 = x0, x1 = x1, y0 = y0, y1 = y1, fill = fill, border = border)
}

sheet_segments <- function(x0, y0, x1, y1, colour, width = 1.2) {
  if (length(x0) * length(y0)) data.frame(x0 = x0, y0 = y0, x1 = x1, y1 = y1, colour = colour, width = width)
}

sheet_points <- function(x, y, colour, size = 1) if (length(x)) data.frame(x = x, y = y, colour = colour, size = size)

sheet_ticks <- function(side, at, label) if (length(at)) data.frame(side = side, at = at, label = label)

# Words of at most `most` characters. pdf() has no character of three dots. Words that begin alike are cut in the
# middle.
short_words <- function(words, most) {
  long <- nchar(words) > most
  cut <- ifelse(long, paste0(substr(words, 1, most - 2), ".."), words)
  alike <- long & (cut %in% cut[duplicated(cut) & !duplicated(words)])
  tail <- (most - 2) %/% 2
  middle <- paste0(substr(words, 1, most - 2 - tail), "..", substring(words, nchar(words) - tail + 1))
  ifelse(alike, middle, cut)
}

light <- function(colours) grDevices::adjustcolor(colours, 0.4)

# Colours of two tables, which the user may give.
table_colours <- function(col) {
  if (is.null(col)) col <- class_colours(2)
  if (length(col) != 2) fail("`col` must give 2 colours, for the real and the synthetic rows, not %d.", length(col))
  col
}

# What is said of the panels that are left out. NULL if there are none.
left_out_note <- function(shown, all, what) {
  if (all > shown) sprintf("The %d of %d %s with the largest differences.", shown, all, what)
}
