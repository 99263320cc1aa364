# The scores of successive rows side by side, less their linear model.

step_scores <- function(read, columns, scales, rows) {
  table <- read$table
  scores <- stats::setNames(lapply(scores_of, function(part) {
    x <- unname(table[[part]])
    cbind(x[rows, c(columns$constant, columns$number), drop = FALSE], x[rows - 1L, columns$before, drop = FALSE],
          x[rows, columns$now, drop = FALSE], if (length(columns$gap)) unname(read$gaps[[part]]))
  }), scores_of)
  for (scale in scales) {
    at <- new_columns(columns)[match(scale$at, columns$now)]
    y <- scale_values(scale, take(read$rows[[scale$column]], rows), table$template)
    for (part in scores_of) scores[[part]][, at] <- y[[part]]
  }
  for (one in read$numbered) {
    scores <- untell_numbered(scores, new_columns(columns)[match(one$at, columns$now)], one$middle, read$number[rows])
  }
  for (cells in read$shares) {
    at <- new_columns(columns)[match(cells$at, columns$now)]
    earlier <- cell_middles(table$low[rows - 1L, cells$at], table$high[rows - 1L, cells$at])
    scores <- cut_by_shares(scores, at, cells, earlier_levels(cells, earlier))
  }
  scores
}

# Where the columns of now and gap stand in the matrix.
new_columns <- function(columns) {
  length(columns$constant) + 1L + length(columns$before) + seq_len(length(columns$now) + length(columns$gap))
}

# The scores of the second law less the linear model of the columns `shifted`, in units of its errors.
shift_scores <- function(scores, columns, scales, read, rows) {
  at <- new_columns(columns)[columns$shifted]
  if (!length(at)) return(list(scores = scores, model = NULL))
  aims <- scores$points[, at, drop = FALSE]
  aims[is_whole_line(scores$low[, at, drop = FALSE], scores$high[, at, drop = FALSE])] <- NA
  low <- unname(read$table$low)
  high <- unname(read$table$high)
  found <- settle_shift(cell_middles(low, high)[, columns$constant, drop = FALSE],
                        row_levels(low, high, read$rows, columns, scales, read$table$template),
                        !is_whole_line(low, high)[, columns$before, drop = FALSE], read$block, read$number, aims,
                        scores$low[, at, drop = FALSE], scores$high[, at, drop = FALSE], rows)
  scores$points[, at] <- found$aims
  list(scores = to_shifted(scores, at, found$shift, found$model$scale), model = found$model, error = found$error)
}

# [n, before]: the middles of the varying scores, those of columns with a scale on this scale, 0 for missing values.
row_levels <- function(low, high, values, columns, scales, template) {
  middle <- cell_middles(low, high)[, columns$before, drop = FALSE]
  for (scale in scales) {
    y <- scale_values(scale, values[[scale$column]], template)$points
    middle[, match(scale$at, columns$before)] <- ifelse(is.na(y), 0, y)
  }
  middle
}

# Scores and ends of cells relative to a shift [n, columns]. Ends of the line stay where they are.
to_shifted <- function(scores, at, shift, scale) {
  if (!length(at)) return(scores)
  lapply(scores, function(x) {
    part <- x[, at, drop = FALSE]
    moved <- sweep(part - shift, 2, scale, "/")
    ends <- is.na(part) | abs(part) >= largest_score
    moved[ends] <- part[ends]
    x[, at] <- moved
    x
  })
}
