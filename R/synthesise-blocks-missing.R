# Missing values that the number of the row within its block tells, such as those of a test at each second visit.

# A list of (at, middle): the coordinate that says whether values are missing, and [numbers] the middle of the cell that
# all rows of a number share. NA: they differ. A coordinate is in the list if, for at least one number, chance alone
# would hardly make all values missing, or all of them known.
numbered_missing <- function(table, number, constant) {
  found <- lapply(which(tells_missing(table$template) & !constant), function(k) {
    low <- table$low[, k]
    high <- table$high[, k]
    told <- which(!is_whole_line(low, high))
    gone <- low[told] > -largest_score
    if (!any(gone) || all(gone)) return(NULL)
    if (is.null(level_rule(gone, number[told])) && is.null(level_rule(!gone, number[told]))) return(NULL)
    count <- function(rows) tabulate(number[told][rows], max(number))
    pure <- xor(count(gone) > 0, count(!gone) > 0)
    middle <- cell_middles(low, high)[told][match(seq_len(max(number)), number[told])]
    list(at = k, middle = ifelse(pure, middle, NA))
  })
  Filter(Negate(is.null), found)
}

# Scores of rows with these numbers, whose column `at` says nothing where the number tells whether a value is missing.
untell_numbered <- function(scores, at, middle, number) {
  told <- which(!is.na(middle[number]))
  scores$points[told, at] <- NA
  scores$low[told, at] <- -largest_score
  scores$high[told, at] <- largest_score
  scores
}

# Points [n, sum(dims)] of rows with the number `number`, with what it tells.
tell_numbered <- function(points, numbered, number) {
  for (one in numbered) if (!is.na(one$middle[number])) points[, one$at] <- one$middle[number]
  points
}
