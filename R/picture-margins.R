# Margins: each column of two tables, old against new. The bars of the first table are filled, those of the second one
# are outlines.

# shown: what read_shown() returns. The columns with the largest distances come first.
margins_picture <- function(shown, n_columns, col, labels = c("real rows", "synthetic rows")) {
  n_columns <- check_count(if (is.null(n_columns)) 12 else n_columns, "n_columns", 1L)
  colours <- table_colours(col)
  distance <- column_gaps(shown$points$real, shown$points$synthetic, shown$layout)
  distance[!vapply(shown$points, nrow, 0L)[["synthetic"]]] <- NA
  chosen <- utils::head(order(-distance), n_columns)
  shares <- lapply(shown$columns[chosen], margin_shares)
  titles <- short_words(names(shown$columns), 20)[chosen]
  panels <- Map(margin_panel, shares, shown$columns[chosen], titles, distance[chosen],
                MoreArgs = list(colours = colours))
  sheet_picture(
    unname(panels), panels_across(length(chosen)),
    data.frame(label = labels, colour = c(light(colours[1]), colours[2])),
    left_out_note(length(chosen), length(shown$columns), "columns"), shown = shares
  )
}

# A data frame with one row per bar: label, from and to (ends of the bar, NA for levels and missing values), real and
# synthetic (shares of all rows).
margin_shares <- function(column) {
  sizes <- lengths(column$values)
  share_of <- function(at, bars) as.data.frame(Map(function(a, n) tabulate(a, bars) / max(n, 1), at, sizes))
  if (!has_axis(column)) {
    few <- few_levels(column, 8L)
    return(cbind(data.frame(label = few$levels, from = NA_real_, to = NA_real_),
                 share_of(few$values, length(few$levels))))
  }
  breaks <- bar_breaks(column)
  bars <- length(breaks) - 1L
  at <- lapply(column$values, function(z) {
    bar <- pmin(pmax(findInterval(z, breaks), 1L), bars)
    replace(bar, is.na(z), bars + 1L)
  })
  gone <- any(vapply(column$values, anyNA, NA))
  kept <- seq_len(bars + gone)
  found <- share_of(at, bars + 1L)[kept, , drop = FALSE]
  cbind(data.frame(label = c(rep("", bars), "NA")[kept], from = c(breaks[-(bars + 1)], NA)[kept],
                   to = c(breaks[-1], NA)[kept]), found)
}

# Values that stand on a grid have bars of whole steps of the grid.
bar_breaks <- function(column, most = 24) {
  axis <- shown_axis(column)
  known <- unlist(column$values, use.names = FALSE)
  known <- sort(unique(known[!is.na(known) & known >= axis$from & known <= axis$to]))
  span <- axis$to - axis$from
  step <- if (length(known) > 1) min(diff(known)) else 1
  steps <- diff(known) / step
  if (isTRUE(span / step < 1000 && all(abs(steps - round(steps)) < 1e-3))) {
    width <- step * ceiling((span / step + 1) / most)
    from <- if (length(known)) known[1] else axis$from
    return(from - step / 2 + width * 0:ceiling((diff(range(known, from)) + step) / width - 1e-9))
  }
  rows <- min(vapply(column$values, function(z) sum(!is.na(z)), 0L))
  seq(axis$from, axis$to, length.out = 1 + min(max(round(2 * rows^(1 / 3)), 8), most))
}

margin_panel <- function(shares, column, title, distance, colours) {
  if (!is.na(distance)) title <- sprintf("%s (%.2f)", title, distance)
  top <- max(shares$real, shares$synthetic, 1e-9)
  at <- pretty(c(0, top), 2)
  at <- at[at <= top]
  heights <- sheet_ticks(if (has_axis(column)) 2 else 1, at / top * 0.95, number_words(at))
  bars <- if (has_axis(column)) axis_bars(shares, column) else level_bars(shares)
  real <- shares$real / top * 0.95
  new <- shares$synthetic / top * 0.95
  if (has_axis(column)) {
    rects <- sheet_rects(bars$low, bars$high, 0, real, light(colours[1]))
    lines <- bar_outline(bars$low, bars$high, new, colours[2])
  } else {
    rects <- sheet_rects(0, real, bars$low, bars$high, light(colours[1]))
    lines <- bar_outline(bars$low, bars$high, new, colours[2])
    lines[1:4] <- lines[c("y0", "x0", "y1", "x1")]
  }
  list(title = title, rects = rects, segments = lines, ticks = rbind(heights, bars$ticks))
}

# The places of the bars of a column with an axis. The missing values stand apart, on the right.
axis_bars <- function(shares, column) {
  gone <- is.na(shares$from)
  axis <- shown_axis(column)
  ends <- list(from = min(shares$from, na.rm = TRUE), to = max(shares$to, na.rm = TRUE))
  right <- if (any(gone)) 0.86 else 0.98
  place <- function(x) on_axis(x, ends, 0.02, right)
  ticks <- sheet_ticks(1, place(axis$at), axis$label)
  if (any(gone)) ticks <- rbind(ticks, sheet_ticks(1, 0.95, "NA"))
  list(low = ifelse(gone, 0.92, place(shares$from)), high = ifelse(gone, 0.98, place(shares$to)), ticks = ticks)
}

# The places of the bars of levels, from the top down.
level_bars <- function(shares) {
  count <- nrow(shares)
  middle <- (count - seq_len(count) + 0.5) / count
  half <- min(0.38 / count, 0.12)
  list(low = middle - half, high = middle + half, ticks = sheet_ticks(2, middle, short_words(shares$label, 12)))
}

# Bars that touch have one line between them.
bar_outline <- function(low, high, height, colour) {
  before <- c(FALSE, abs(low[-1] - high[-length(high)]) < 1e-9)
  after <- c(before[-1], FALSE)
  left <- pmax(height, ifelse(before, c(0, height[-length(height)]), 0))
  seen <- left > 0 | height > 0
  rbind(
    sheet_segments(low[seen], height[seen], high[seen], height[seen], colour),
    sheet_segments(low[seen], ifelse(before, pmin(height, c(0, height[-length(height)])), 0)[seen], low[seen],
                   left[seen], colour),
    sheet_segments(high[seen & !after], 0, high[seen & !after], height[seen & !after], colour)
  )
}
