# Cells of levels by their shares among the first rows, and among the rows that follow a level.

# The cells of a coordinate are a list of
#   at      its number
#   middle  [L] the middles of its cells in the table, in rising order
#   upper   [A, L] the upper ends of the cells by shares; row a holds those of the rows that follow level a, or there is
#           one row for all. NA: no row of the table follows this level.

# Coordinates that have at least two and at most few_ordered_values cells, which do not overlap. The cells of the table
# are those of all rows, but a law of scores expects cells by the shares of the rows that it describes.
own_shares <- function(scores) {
  found <- lapply(seq_len(ncol(scores$low)), function(k) {
    low <- scores$low[, k]
    high <- scores$high[, k]
    known <- which(!is_whole_line(low, high))
    first <- known[!duplicated(low[known])]
    first <- first[order(low[first])]
    levels <- length(first)
    if (levels < 2 || levels > few_ordered_values || any(low[first] == high[first])) return(NULL)
    if (any(high[first][-levels] > low[first][-1])) return(NULL)
    middle <- cell_middles(low[first], high[first])
    list(at = k, middle = middle, upper = share_ends(t(tabulate(match(low[known], low[first]), levels))))
  })
  Filter(Negate(is.null), found)
}

# The cells of the coordinates of further rows: by P(next level | level) for columns of few values that rise or fall
# within blocks, by their shares among these rows for others. Rows whose number tells of missing values do not count.
next_shares <- function(table, number, order, numbered, constant) {
  later <- which(number > 1)
  scores <- pick_scores(table, later)
  for (one in numbered) scores <- untell_numbered(scores, one$at, one$middle, number[later])
  last <- cumsum(table$template$dims)
  rising <- last[order$box]
  others <- setdiff(which(!constant), c(rising, last[c(order$gap, length(table$template$names) - 1L)]))
  others <- Filter(function(cells) cells$at %in% others, own_shares(scores))
  c(lapply(rising, rising_shares, table, later), others)
}

rising_shares <- function(k, table, later) {
  all <- cell_middles(table$low[, k], table$high[, k])
  middle <- sort(unique(all))
  level <- match(all, middle)
  n <- length(middle)
  counts <- matrix(tabulate(level[later - 1L] + n * (level[later] - 1L), n * n), n)
  list(at = k, middle = middle, upper = share_ends(counts))
}

# counts [A, L]
share_ends <- function(counts) {
  total <- rowSums(counts)
  share <- t(apply(counts, 1, cumsum)) / total
  share[total == 0, ] <- NA
  pmin(pmax(stats::qnorm(share), -largest_score), largest_score)
}

# The number of the row of `upper` for each score z of the row before.
earlier_levels <- function(cells, z) if (nrow(cells$upper) > 1) share_levels(cells, z) else rep(1L, length(z))

# The number of the level of each score in the table.
share_levels <- function(cells, z) {
  findInterval(z, (cells$middle[-1] + cells$middle[-length(cells$middle)]) / 2) + 1L
}

# Column `at` of scores moved from the cells of the table to those by shares. from [n]: the rows of `upper`. A cell that
# is the whole line says nothing, so its score counts as missing.
cut_by_shares <- function(scores, at, cells, from = rep(1L, nrow(scores$low))) {
  known <- which(!is_whole_line(scores$low[, at], scores$high[, at]))
  old <- lapply(scores[c("low", "high")], function(x) stats::pnorm(x[known, at]))
  within <- (stats::pnorm(scores$points[known, at]) - old$low) / (old$high - old$low)
  within[!is.finite(within)] <- 0.5
  level <- share_levels(cells, cell_middles(scores$low[known, at], scores$high[known, at]))
  low <- cbind(-largest_score, cells$upper)[cbind(from[known], level)]
  high <- cells$upper[cbind(from[known], level)]
  point <- stats::qnorm(stats::pnorm(low) + within * (stats::pnorm(high) - stats::pnorm(low)))
  point[is_whole_line(low, high)] <- NA
  scores$points[known, at] <- point
  scores$low[known, at] <- low
  scores$high[known, at] <- high
  scores
}

# The middles in the table of the cells of draws z [n]. NA: no row of the table follows the level `from`.
uncut_shares <- function(z, cells, from = rep(1L, length(z))) {
  ends <- cells$upper[from, -length(cells$middle), drop = FALSE]
  cells$middle[1L + rowSums(z >= ends)]
}
