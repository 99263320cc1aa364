# The two laws of blocks: that of the first rows, and that of each further row given the earlier ones.

# read: what read_blocks() returns. Returns first and step, the two laws. A law is a list of
#   fit    a fit of scores; NULL: nothing varies
#   at     which of the columns of its matrix of scores vary and are in the fit
#   middle the scores of the others, which have the same cell in all rows
# The matrix of the first law has the coordinates of the table, that of the second is described at step_columns().
fit_block_laws <- function(read, control, call, began, threads, progress) {
  table <- read$table
  own <- missing_coordinates(table$template)
  columns <- step_columns(read)
  seconds <- control$backward$seconds
  fit <- function(scores, own, rows, laws) {
    if (!is.null(seconds)) control$backward$seconds <- seconds_of_class(seconds, began, laws)
    fit_block_law(scores, own, read$block[rows], control, call, threads, progress)
  }
  first <- which(read$number == 1)
  later <- which(read$number > 1)
  scores <- pick_scores(table, first)
  starts <- known_starts(read)
  for (k in c(columns$number, vapply(starts, `[[`, 0, "at"))) {
    scores$points[, k] <- scores$low[, k] <- scores$high[, k] <- 0
  }
  shares <- own_shares(scores)
  for (cells in shares) scores <- cut_by_shares(scores, cells$at, cells)
  scales <- choose_scales(read, columns, later)
  shifted <- shift_scores(step_scores(read, columns, scales, later), columns, scales, read, later)
  list(first = fit(scores, own, first, 2), shares = shares, starts = starts, columns = columns, scales = scales,
       model = shifted$model, limits = score_limits(read, columns, length(later)),
       step = fit(shifted$scores, step_owners(own, columns), later, 1))
}

# Where the lower column of a constraint has one value in all first rows, such as the day 0, and the upper column is
# constant within blocks: the coordinate `at` of their gap in a first row is that of upper - value.
known_starts <- function(read) {
  template <- read$table$template
  lower <- Filter(function(one) identical(one$weights, c(1, -1)) && one$from[2] > n_columns(template),
                  template$relations)
  starts <- lapply(lower, function(one) {
    start <- ordered_numbers(read$rows, template, one$at)[read$number == 1]
    if (is.null(start) || any(start != start[1])) return(NULL)
    list(at = cumsum(template$dims)[one$from[2]], gap = one$from[2], upper = one$from[1], value = start[1])
  })
  Filter(Negate(is.null), starts)
}

# [now and gap, 2]: new scores lie between these, because farther scores would be far more frequent than they can be.
# The limits are the normal quantiles of 1 / (20 n) and 1 - 1 / (20 n), or the farthest scores of the table.
score_limits <- function(read, columns, n) {
  far <- stats::qnorm(1 - 1 / (20 * n))
  points <- read$table$points[, columns$now, drop = FALSE]
  if (length(columns$gap)) points <- cbind(points[read$number > 1, , drop = FALSE], read$gaps$points)
  cbind(pmin(-far, apply(points, 2, min, na.rm = TRUE)), pmax(far, apply(points, 2, max, na.rm = TRUE)))
}

# The columns of the matrix of scores of the second law: constant, number, before and now are coordinates of the table,
# those of `before` in the earlier row. gap [g]: coordinates of the gaps. shifted: the columns of now and gap, counted
# together, from which the linear model is subtracted.
step_columns <- function(read) {
  template <- read$table$template
  d <- sum(template$dims)
  constant <- which(read$constant)
  number <- cumsum(template$dims)[length(template$names) - 1L]
  before <- setdiff(seq_len(d), c(constant, number))
  rising <- cumsum(template$dims)[read$order$gap]
  columns <- list(constant = constant, number = number, before = before, now = setdiff(before, rising),
                  gap = seq_len(if (is.null(read$gaps)) 0L else sum(read$gaps$template$dims)))
  columns$shifted <- which(c(are_linear(template)[columns$now], rep(TRUE, length(columns$gap))))
  columns
}

# [coordinates]: whether a linear model describes a coordinate. It does not for three and more levels without order.
are_linear <- function(template) {
  several <- vapply(template$columns, function(column) {
    column_code(column)$name == "nominal" && length(column$state$order) > 2
  }, NA)[template$of]
  !rep(several, template$dims) | tells_missing(template)
}

# [columns]: for each column the one that says whether it is missing.
step_owners <- function(own, columns) {
  constant <- match(own[columns$constant], columns$constant)
  before <- match(own[columns$before], columns$before) + length(columns$constant) + 1L
  now <- match(own[columns$now], columns$now) + length(columns$constant) + 1L + length(columns$before)
  c(constant, NA, before, now, rep(NA_integer_, length(columns$gap)))
}

# The seconds of `control` are counted from now.
fit_block_law <- function(scores, own, blocks, control, call, threads, progress) {
  began <- seconds_now()
  one <- function(k) {
    low <- scores$low[, k]
    all(low == low[1]) && all(scores$high[, k] == scores$high[1, k])
  }
  at <- which(!vapply(seq_len(ncol(scores$low)), one, NA))
  middle <- cell_middles(scores$low[1, ], scores$high[1, ])
  if (!length(at)) return(list(fit = NULL, at = at, middle = middle))
  part <- lapply(scores, function(x) x[, at, drop = FALSE])
  n <- nrow(part$low)
  part$points <- settle_scores(part$points, part$low, part$high, match(own[at], at))
  table <- c(part, list(margin = numeric(n), group = factor(rep("all", n)), grouped = FALSE,
                        template = list(scores = TRUE)))
  fit <- fit_settled(table, if (anyDuplicated(blocks)) blocks, control, call, "synthesise", began, threads, progress)
  list(fit = fit, at = at, middle = middle)
}
