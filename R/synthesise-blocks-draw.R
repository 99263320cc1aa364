# Draws of whole blocks: first rows, then row after row given the earlier ones.

# Returns points [rows, sum(dims)] and block, number [rows], sorted by block.
draw_blocks <- function(fit, n, threads, progress) {
  key <- draw_key()
  state <- first_of_blocks(fit, n, key, threads, progress)
  size <- state$values[[length(fit$table$names)]]
  history <- list(sum = 0 * state$deviations, count = 0 * state$known)
  points <- list(state$points)
  block <- list(seq_len(n))
  for (number in seq_len(max(size, 1L))[-1]) {
    kept <- which(size[block[[number - 1L]]] >= number)
    if (!length(kept)) break # all longer blocks have ended before their size
    history <- lapply(Map(`+`, history, state[c("deviations", "known")]), function(x) x[kept, , drop = FALSE])
    state <- next_rows(fit, state, kept, number, history, other_key(key, 8192L + number), threads)
    block[[number]] <- block[[number - 1L]][kept][state$inside]
    history <- lapply(history, function(x) x[state$inside, , drop = FALSE])
    points[[number]] <- state$points
  }
  number <- rep(seq_along(block), lengths(block))
  block <- unlist(block)
  order <- order(block, number)
  list(points = do.call(rbind, points)[order, , drop = FALSE], block = block[order], number = number[order])
}

first_of_blocks <- function(fit, n, key, threads, progress) {
  law <- fit$laws$first
  points <- matrix(law$middle, n, length(law$middle), byrow = TRUE)
  if (!is.null(law$fit)) {
    flow <- class_flows(law$fit)[[1]]
    points[, law$at] <- draw_rows(flow, n, key, law$fit$control$backward, law$fit$control$density_floor, FALSE, threads,
                                  progress)$points
  }
  for (cells in fit$laws$shares) points[, cells$at] <- uncut_shares(points[, cells$at], cells)
  values <- if (length(fit$laws$starts)) decode_columns(points, fit$table)
  for (one in fit$laws$starts) {
    numbers <- ordered_numbers(values, fit$table, one$upper) - one$value
    range <- score_range(fit$table$columns[[fit$table$of[one$gap]]]$state$margin, numbers)
    points[, one$at] <- cell_middles(range[, 1], range[, 2])
  }
  row_state(fit, points, 1L)
}

# What the next rows need to know of these: points, low and high [n, sum(dims)], values (a list of columns), and
# deviations and known, see fit_shift().
row_state <- function(fit, points, number) {
  columns <- fit$laws$columns
  template <- fit$table
  points[, columns$number] <- number_score(template, number)
  points <- tell_numbered(points, fit$numbered, number)
  values <- decode_columns(points, template)
  read <- encode_mixed(new_frame(values, template$names, nrow(points)), template, "x")
  low <- unname(read$low)
  high <- unname(read$high)
  c(list(points = points, low = low, high = high, values = values), row_deviations(fit, low, high, values, number))
}

number_score <- function(template, number) {
  column <- template$columns[[template$of[length(template$names) - 1L]]]
  range <- score_range(column$state$margin, as.double(number))
  cell_middles(range[, 1], range[, 2])
}

row_deviations <- function(fit, low, high, values, number) {
  columns <- fit$laws$columns
  levels <- row_levels(low, high, values, columns, fit$laws$scales, fit$table)
  known <- !is_whole_line(low, high)[, columns$before, drop = FALSE]
  if (is.null(fit$laws$model)) return(list(deviations = 0 * known, known = known))
  start <- shift_design(fit$laws$model, cell_middles(low, high)[, columns$constant, drop = FALSE],
                        rep(number, nrow(low)))
  list(deviations = known * (levels - predict_ridge(fit$laws$model$mean, start)), known = known)
}

# The rows after those of `state` that are kept. history: sums over all rows before the new ones. A block ends where no
# draw keeps a column that rises or falls within its ends; inside [kept]: whether the block goes on.
next_rows <- function(fit, state, kept, number, history, key, threads) {
  columns <- fit$laws$columns
  state <- c(lapply(state[c("points", "low", "high", "deviations")], function(x) x[kept, , drop = FALSE]),
             list(values = lapply(state$values, take, kept)))
  drawn <- draw_step(fit, state$values, step_box(fit, state, number), step_shift(fit, state, number, history), key,
                     threads)
  points <- state$points
  points[, columns$now] <- drawn[, seq_along(columns$now)]
  for (cells in fit$shares) {
    points[, cells$at] <- uncut_shares(points[, cells$at], cells, earlier_levels(cells, state$points[, cells$at]))
  }
  numbers <- next_numbers(fit, state$values, drawn)
  for (i in seq_along(fit$order$gap)) {
    j <- fit$order$gap[i]
    range <- score_range(fit$table$columns[[fit$table$of[j]]]$state$margin, numbers[[i]])
    points[, cumsum(fit$table$dims)[j]] <- cell_middles(range[, 1], range[, 2])
  }
  goes_on <- rowSums(is.na(points)) == 0
  inside <- which(inside_ends(fit, numbers, nrow(points)) & goes_on)
  c(row_state(fit, points[inside, , drop = FALSE], number), list(inside = inside))
}

# The scores of the columns of now and gap [n, .]. Rows with a score beyond its limits are drawn again.
draw_step <- function(fit, values, box, shift, key, threads) {
  law <- fit$laws$step
  columns <- fit$laws$columns
  box <- to_shifted(box, new_columns(columns)[columns$shifted], shift, fit$laws$model$scale)
  drawn <- matrix(law$middle, nrow(shift), length(law$middle), byrow = TRUE)
  scores <- from_shifted(fit, drawn, shift)
  open <- if (is.null(law$fit)) integer() else seq_len(nrow(shift))
  for (attempt in seq_len(most_attempts)) {
    if (!length(open)) break
    part <- lapply(box, function(x) x[open, law$at, drop = FALSE])
    found <- flow_within(class_flows(law$fit)[[1]], part$low, part$high, law$fit$correlation,
                         other_key(key, 0L, attempt), threads)
    drawn[open, law$at] <- found$points
    scores[open, ] <- from_shifted(fit, drawn[open, , drop = FALSE], shift[open, , drop = FALSE])
    within <- inside_limits(fit, scores[open, , drop = FALSE])
    numbers <- next_numbers(fit, lapply(values, take, open), scores[open, , drop = FALSE])
    within <- within & inside_ends(fit, numbers, length(open))
    if (attempt < most_attempts) open <- open[!within]
  }
  ends <- fit$laws$limits
  t(pmin(pmax(t(scores), ends[, 1]), ends[, 2]))
}

# The columns of now and gap of draws of the second law, as normal scores.
from_shifted <- function(fit, drawn, shift) {
  columns <- fit$laws$columns
  at <- new_columns(columns)[columns$shifted]
  if (length(at)) drawn[, at] <- sweep(drawn[, at, drop = FALSE], 2, fit$laws$model$scale, "*") + shift
  drawn <- drawn[, new_columns(columns), drop = FALSE]
  for (scale in fit$laws$scales) {
    now <- match(scale$at, columns$now)
    drawn[, now] <- unscale(scale, drawn[, now], fit$table)
  }
  drawn
}

inside_limits <- function(fit, scores) {
  limits <- fit$laws$limits
  inside <- t(scores) >= limits[, 1] & t(scores) <= limits[, 2]
  colSums(!inside) == 0
}

# The ends of what the next rows may be: the scores of the earlier row, and the whole line for the new ones.
step_box <- function(fit, state, number) {
  columns <- fit$laws$columns
  new <- matrix(largest_score, nrow(state$points), length(columns$now) + length(columns$gap))
  known <- cbind(state$points[, columns$constant, drop = FALSE], number_score(fit$table, number),
                 state$points[, columns$before, drop = FALSE])
  list(low = cbind(known, -new), high = cbind(known, new))
}

step_shift <- function(fit, state, number, history) {
  model <- fit$laws$model
  if (is.null(model)) return(matrix(0, nrow(state$low), 0))
  middle <- cell_middles(state$low, state$high)
  start <- shift_design(model, middle[, fit$laws$columns$constant, drop = FALSE], rep(number, nrow(middle)))
  effect <- block_effects(history$sum, history$count, model$correlation)
  predict_ridge(model$step, cbind(start, state$deviations, effect))
}

# Columns that rise or fall: the numbers of the earlier rows plus their gaps. drawn: scores of the columns of now and
# gap.
next_numbers <- function(fit, values, drawn) {
  if (!length(fit$order$gap)) return(list())
  columns <- fit$laws$columns
  gaps <- decode_columns(drawn[, length(columns$now) + columns$gap, drop = FALSE], fit$gaps)
  Map(function(j, gap) ordered_numbers(values, fit$table, j) + gap, fit$order$gap, gaps)
}

# [n]: whether these numbers are within the ends of their columns.
inside_ends <- function(fit, numbers, n) {
  inside <- rep(TRUE, n)
  for (i in seq_along(numbers)) {
    ends <- fit$table$columns[[fit$table$of[fit$order$gap[i]]]]$state$margin$ends
    inside <- inside & numbers[[i]] >= ends[1] & numbers[[i]] <= ends[2]
  }
  inside
}
