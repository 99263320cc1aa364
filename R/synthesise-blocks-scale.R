# On which scale the linear model of successive rows describes a column of numbers: normal scores, the values, or their
# logarithms.

# A scale is list(at, column, shape, centre, spread): the coordinate and the number of a column of the table, and
# y = (shape(x) - centre) / spread for its values x. Other coordinates are on the scale of scores.
block_shapes <- list(identity = list(to = identity, back = identity, log_slope = function(x) 0 * x),
                     log = list(to = log, back = exp, log_slope = function(x) -log(x)))

new_scale <- function(at, read, shape) {
  template <- read$table$template
  j <- rep(seq_along(template$of), template$dims)[at]
  column <- template$columns[[template$of[j]]]
  x <- column_code(column)$number(read$rows[[j]], column$state)
  if (shape == "log" && (column$state$margin$ends[1] < 0 || any(x <= 0, na.rm = TRUE))) return(NULL)
  y <- block_shapes[[shape]]$to(x)
  list(at = at, column = j, shape = shape, centre = mean(y, na.rm = TRUE), spread = stats::sd(y, na.rm = TRUE))
}

# The scores of a coordinate on its scale: points, low and high [n].
scale_values <- function(scale, values, template) {
  column <- template$columns[[template$of[scale$column]]]
  x <- column_code(column)$number(values, column$state)
  half <- if (is.null(column$state$margin$unit)) 0 else column$state$margin$unit$size / 2
  to <- function(x) (block_shapes[[scale$shape]]$to(pmax(x, if (scale$shape == "log") 0 else -Inf)) - scale$centre) /
    scale$spread
  low <- pmax(to(x - half), -largest_score)
  high <- to(x + half)
  low[is.na(x)] <- -largest_score
  high[is.na(x)] <- largest_score
  list(points = to(x), low = low, high = high)
}

# The normal scores of values y on a scale. Values beyond the ends of the column have infinite scores.
unscale <- function(scale, y, template) {
  margin <- template$columns[[template$of[scale$column]]]$state$margin
  x <- block_shapes[[scale$shape]]$back(y * scale$spread + scale$centre)
  range <- score_range(margin, pmin(pmax(x, margin$ends[1]), margin$ends[2]))
  half <- if (is.null(margin$unit)) 0 else margin$unit$size / 2
  ifelse(x < margin$ends[1] - half, -Inf, ifelse(x > margin$ends[2] + half, Inf, cell_middles(range[, 1], range[, 2])))
}
