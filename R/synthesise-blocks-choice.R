# The choice of the scales of the linear model.

# The scales of coordinates with the largest log-likelihood of left-out rows, in a Gaussian linear model of each.
choose_scales <- function(read, columns, later) {
  able <- scalable_columns(read, columns)
  if (!length(able)) return(list())
  columns$shifted <- match(able, columns$now) # the others would only cost time
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
    # NaN where hardly any further row has a value
    if (isTRUE(value[best] > start[[as.character(at)]])) Find(function(one) one$at == at, tried[[best]]$scales)
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
  power <- if (is.null(margin$power)) 0 else margin$power
  if (is.null(margin$unit)) return(log(margin_slope(margin, x)) - power * log(2))
  low <- read$table$low[, at]
  high <- read$table$high[, at]
  log_interval(low, high) - log(margin$unit$size) - stats::dnorm(cell_middles(low, high), log = TRUE) + 0 * x
}
