# Pairs of columns whose associations differ most between two tables, old beside new: points for two numbers, boxes for
# a number and levels, tiles of shares for two columns of levels. Numbers of few different values are drawn as levels.

# shown: what read_shown() returns. pairs: a data frame with first, second, real, synthetic and difference, the
# associations of all pairs.
pairs_picture <- function(shown, pairs, n_pairs, col) {
  n_pairs <- check_count(if (is.null(n_pairs)) 6 else n_pairs, "n_pairs", 1L)
  colours <- table_colours(col)
  chosen <- pairs[utils::head(order(-abs(pairs$difference)), n_pairs), ]
  panels <- lapply(seq_len(nrow(chosen)), function(i) pair_panels(shown$columns, chosen[i, ], colours))
  count <- nrow(chosen)
  sheet_picture(
    unlist(panels, recursive = FALSE), if (count == 1) 2 else if (count <= 6) 4 else 6,
    data.frame(label = c("real rows", "synthetic rows"), colour = colours),
    left_out_note(count, nrow(pairs), "pairs of columns"), shown = chosen
  )
}

# The associations of all pairs of the columns that are shown.
shown_associations <- function(shown) {
  columns <- names(shown$columns)
  if (length(columns) < 2) fail("The table has one column; associations need at least 2.")
  pairs <- utils::combn(length(columns), 2)
  of <- lapply(shown$points, function(points) {
    if (nrow(points)) association_of_pairs(points, shown$layout) else rep(NA_real_, ncol(pairs))
  })
  levels <- are_levels(shown$layout, columns)
  data.frame(first = columns[pairs[1, ]], second = columns[pairs[2, ]],
             measure = pair_measure(levels[pairs[1, ]], levels[pairs[2, ]]), real = of$real,
             synthetic = of$synthetic, difference = of$synthetic - of$real)
}

# The two panels of one pair, on the same axes. Of a number and levels, the levels stand on the left.
pair_panels <- function(columns, pair, colours) {
  two <- lapply(columns[c(pair$first, pair$second)], as_levels)
  if (has_axis(two[[2]]) && !has_axis(two[[1]])) two <- two[2:1]
  forms <- vapply(two, has_axis, NA)
  draw <- if (all(forms)) points_panel else if (any(forms)) boxes_panel else tiles_panel
  names <- short_words(names(columns), 16)[match(c(two[[2]]$name, two[[1]]$name), names(columns))]
  panels <- draw(two, colours)
  for (k in 1:2) {
    value <- pair[[c("real", "synthetic")[k]]]
    said <- if (is.na(value)) "" else paste0(": ", sub("^-(0[.]00)$", "\\1", sprintf("%.2f", value)))
    break_line <- if (sum(nchar(names)) > 15) "\n" else " "
    panels[[k]]$title <- paste0(names[1], break_line, "by ", names[2], "\n", c("real", "synthetic")[k], said)
  }
  panels
}

# At most this many points of each table, evenly chosen.
most_points <- 1000L

spread_rows <- function(n) if (n <= most_points) seq_len(n) else unique(round(seq(1, n, length.out = most_points)))

points_panel <- function(two, colours) {
  axes <- lapply(two, shown_axis)
  ticks <- rbind(sheet_ticks(1, on_axis(axes[[1]]$at, axes[[1]]), axes[[1]]$label),
                 sheet_ticks(2, on_axis(axes[[2]]$at, axes[[2]]), axes[[2]]$label))
  lapply(1:2, function(k) {
    both <- which(!is.na(two[[1]]$values[[k]]) & !is.na(two[[2]]$values[[k]]))
    both <- both[spread_rows(length(both))]
    alpha <- min(0.8, max(0.2, 8 / sqrt(length(both))))
    list(points = sheet_points(on_axis(two[[1]]$values[[k]][both], axes[[1]]),
                               on_axis(two[[2]]$values[[k]][both], axes[[2]]),
                               grDevices::adjustcolor(colours[k], alpha)), ticks = ticks)
  })
}

# Boxes from the 25 to the 75 % quantile, with the median and lines to the 5 and 95 % quantiles.
boxes_panel <- function(two, colours) {
  axis <- shown_axis(two[[1]])
  few <- few_levels(two[[2]], 8L)
  count <- length(few$levels)
  middle <- (count - seq_len(count) + 0.5) / count
  half <- min(0.35 / count, 0.12)
  ticks <- rbind(sheet_ticks(1, on_axis(axis$at, axis), axis$label),
                 sheet_ticks(2, middle, short_words(few$levels, 14)))
  lapply(1:2, function(k) {
    groups <- split(two[[1]]$values[[k]], factor(few$values[[k]], seq_len(count)))
    q <- vapply(groups, stats::quantile, numeric(5), c(0.05, 0.25, 0.5, 0.75, 0.95), na.rm = TRUE, names = FALSE)
    seen <- which(!is.na(q[3, ]))
    q <- on_axis(q[, seen, drop = FALSE], axis)
    at <- middle[seen]
    list(rects = sheet_rects(q[2, ], q[4, ], at - half, at + half, light(colours[k]), colours[k]),
         segments = rbind(sheet_segments(q[1, ], at, q[2, ], at, colours[k]),
                          sheet_segments(q[4, ], at, q[5, ], at, colours[k]),
                          sheet_segments(q[3, ], at - half, q[3, ], at + half, colours[k], 2.5)), ticks = ticks)
  })
}

# Tiles of the shares of the levels below within each level on the left: the larger the share, the darker the tile.
tiles_panel <- function(two, colours) {
  few <- lapply(two, few_levels, 6L)
  counts <- vapply(few, function(one) length(one$levels), 0L)
  rows <- (counts[2] - seq_len(counts[2]) + 0.5) / counts[2]
  places <- (seq_len(counts[1]) - 0.5) / counts[1]
  letters_below <- max(3, floor(20 / counts[1]))
  below <- sub("^\\(missing\\)$", "NA", few[[1]]$levels)
  ticks <- rbind(sheet_ticks(1, places, short_words(below, letters_below)),
                 sheet_ticks(2, rows, short_words(few[[2]]$levels, 14)))
  lapply(1:2, function(k) {
    table <- table(factor(few[[1]]$values[[k]], seq_len(counts[1])), factor(few[[2]]$values[[k]], seq_len(counts[2])))
    shares <- sweep(table, 2, pmax(colSums(table), 1), "/")
    at <- expand.grid(x = places, y = rows)
    shade <- vapply(as.vector(shares), function(share) grDevices::adjustcolor(colours[k], share), "")
    list(rects = sheet_rects(at$x - 0.5 / counts[1], at$x + 0.5 / counts[1], at$y - 0.46 / counts[2],
                             at$y + 0.46 / counts[2], shade, "grey85"), ticks = ticks, shares = shares)
  })
}
