# On which scale the linear model of successive rows describes a column of numbers: normal scores, the values, or their
# logarithms.

# A scale is list(at, column, shape, centre, spread): the coordinate and the number of a column of the table, and
# y = (shape(x) - centre) / spread for its values x. Other coordinates are on the scale of scores.
block_shapes <- list(identity = list(to = identity, back = identity, log_slope = function(x) 0 * x),
                     log = list(to = log, back = exp, log_slope = function(x) -log(x)))

# The scales of coordinates with the largest log-likelihood of left-out rows, in a Gaussian linear model of each.
choose_scales <- function(read, columns, later) {
  able <- scalable_columns(read, columns)
  if (!length(able)) return(list())
  tried <- lapply(names(block_shapes), function(shape) {
    scales <- Filter(Negate(is.null), lapply(able, new_scale, read, shape))
    list(scales = scales, value = scale_likelihood(read, columns, scales, later))
  })
  start <- scale_likelihood(read, columns, list(), later)
  Filter(Negate(is.null), lapply(able, function(at) {
    value <- vapply(tried, function(one) {
      if (at %in% vapply(one$scales, `[[`, 0, "at")) one$value[[as.character(at)]] else -Inf
    }, 0)
    best <- which.max(value)
    if (value[best] > start[[as.character(at)]]) Find(function(one) one$at == at, tried[[best]]$scales)
  }))
}

# The coordinates of columns of numbers with many values, none of which is frequent.
scalable_columns <- function(read, columns) {
  template <- read$table$template
  owner <- rep(seq_along(template$of), template$dims)
  Filter(function(at) {
    j <- owner[at]
    column <- template$columns[[template$of[j]]]
    if (j > ncol(read$rows) || at != cumsum(template$dims)[j] - template$dims[j] + 1L) return(FALSE)
    counts <- table(value_words(read$rows[[j]]))
    is_measured(column_code(column)) && length(counts) > least_scaled_values && max(counts) < 0.2 * sum(counts)
  }, columns$now)
}

least_scaled_values <- 20L

new_scale <- function(at, read, shape) {
  template <- read$table$template
  j <- rep(seq_along(template$of), template$dims)[at]
  column <- template$columns[[template$of[j]]]
  x <- column_code(column)$number(read$rows[[j]], column$state)
  if (shape == "log" && (column$state$margin$ends[1] < 0 || any(x <= 0, na.rm = TRUE))) return(NULL)
  y <- block_shapes[[shape]]$to(x)
  list(at = at, column = j, shape = shape, centre = mean(y, na.rm = TRUE), spread = stats::sd(y, na.rm = TRUE))
}

# Named by coordinate: the mean log-density of the values of left-out rows.
scale_likelihood <- function(read, columns, scales, later) {
  step <- step_scores(read, columns, scales, later)
  error <- shift_scores(step, columns, scales, read, later)$error
  at <- columns$now[columns$shifted[columns$shifted <= length(columns$now)]]
  slopes <- vapply(at, function(k) {
    one <- Find(function(scale) scale$at == k, scales)
    mean(log_slopes(read, k, one)[later], na.rm = TRUE)
  }, 0)
  stats::setNames(slopes - log(error[seq_along(at)]), at)
}

# log dy/dx of the values of a coordinate; NA where they are missing.
log_slopes <- function(read, at, scale) {
  template <- read$table$template
  j <- rep(seq_along(template$of), template$dims)[at]
  column <- template$columns[[template$of[j]]]
  margin <- column$state$margin
  if (j > ncol(read$rows) || is.null(margin)) return(rep(0, nrow(read$rows)))
  x <- column_code(column)$number(read$rows[[j]], column$state)
  if (!is.null(scale)) return(block_shapes[[scale$shape]]$log_slope(x) - log(scale$spread))
  if (is.null(margin$unit)) return(log(margin_slope(margin, x)) - (if (is.null(margin$power)) 0 else margin$power) * log(2))
  low <- read$table$low[, at]
  high <- read$table$high[, at]
  log_interval(low, high) - log(margin$unit$size) - stats::dnorm(cell_middles(low, high), log = TRUE) + 0 * x
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
