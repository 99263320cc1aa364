# Conditions on the columns of a table, as boxes of scores.

# given: a list or a one-row data frame of conditions by column name. Returns a list of boxes, each list(low, high) with
# one number per coordinate; the condition is their union, and no two overlap. group: the keys of the classes that the
# condition allows, NULL for all.
read_given <- function(given, template) {
  given <- check_given(given, template)
  group <- NULL
  label <- template$group
  if (!is.null(label) && label$name %in% names(given)) {
    group <- unique(match_label(given[[label$name]], label))
    if (anyNA(group)) fail("`given` names a class of \"%s\" that the fit does not know.", label$name)
    given[[label$name]] <- NULL
  }
  last <- cumsum(template$dims)
  d <- sum(template$dims)
  boxes <- list(list(low = rep(-Inf, d), high = rep(Inf, d)))
  for (name in names(given)) {
    pieces <- column_pieces(match(name, template$names), given[[name]], template)
    boxes <- unlist(lapply(boxes, function(box) {
      cut <- lapply(pieces, function(piece) cut_box(box, piece))
      cut[!vapply(cut, is.null, NA)]
    }), recursive = FALSE)
    if (!length(boxes)) fail("`given` asks for what excludes each other: no row can have %s.", quoted(names(given)))
    if (length(boxes) > most_boxes) {
      fail("`given` takes %d combinations of values apart, more than %d; ask for fewer levels at a time.",
           length(boxes), most_boxes)
    }
  }
  list(boxes = boxes, group = group)
}

most_boxes <- 256L

check_given <- function(given, template) {
  if (is.data.frame(given)) {
    if (nrow(given) != 1) fail("`given` must be a list, or a data frame of one row, not of %d rows.", nrow(given))
    given <- as.list(given)
  }
  good <- is.list(given) && length(given) > 0 && !is.null(names(given)) && all(nzchar(names(given)))
  if (!good) fail("`given` must be a list of conditions by column name, not %s.", describe(given))
  if (is.null(template$names)) fail("`given` needs columns with names, but the table had none.")
  unknown <- setdiff(names(given), c(template$names, template$group$name))
  if (length(unknown)) fail("`given` names %s, but the table has no such column.", quoted(unknown))
  if (anyDuplicated(names(given))) fail("`given` names \"%s\" twice.", names(given)[anyDuplicated(names(given))])
  given
}

# The box within a piece, list(at, low, high): at are coordinates. NULL: they do not meet. Cells that share an end do
# not meet there, only a point does.
cut_box <- function(box, piece) {
  at <- piece$at
  point <- box$low[at] == box$high[at] | piece$low == piece$high
  low <- pmax(box$low[at], piece$low)
  high <- pmin(box$high[at], piece$high)
  if (any(low > high | (low == high & !point))) return(NULL)
  box$low[at] <- low
  box$high[at] <- high
  box
}

# The pieces, lists of (at, low, high), whose union is the condition on column j: a value, a range c(from, to) of
# numbers or times, a set of levels, or NA for a missing value.
column_pieces <- function(j, values, template) {
  name <- template$names[j]
  relation <- Find(function(one) one$at == j, template$relations)
  if (!is.null(relation)) return(relation_pieces(relation, values, template))
  column <- template$columns[[template$of[j]]]
  code <- column_code(column)
  if (!is.atomic(values)) fail("`given` must hold values for \"%s\", not %s.", name, describe(values))
  if (anyNA(values)) {
    known <- take(values, which(!is.na(values)))
    return(c(missing_pieces(j, TRUE, template), if (length(known)) column_pieces(j, known, template)))
  }
  if (is_constant(column)) return(constant_pieces(j, values, template))
  if (is.null(code$cells)) fail("`given` cannot be used for column \"%s\" of kind \"%s\".", name, code$name)
  known_pieces(values, j, column, code, template)
}

# The pieces of values that are not missing.
known_pieces <- function(values, j, column, code, template) {
  before <- cumsum(template$dims)[j] - template$dims[j]
  known <- missing_pieces(j, FALSE, template)
  lapply(value_boxes(values, column, code, template$names[j]), function(piece) {
    piece$at <- piece$at + before
    if (length(known)) Map(c, piece, known[[1]]) else piece
  })
}

# Lists of (at, low, high): the boxes of the values among the coordinates of their column.
value_boxes <- function(values, column, code, name) {
  if (code$name == "nominal") {
    codes <- in_column(paste0("\"", name, "\""), "given", known_codes(as.character(values), column$state$order))
    if (!length(codes)) fail("`given` needs one value or c(from, to) for \"%s\", not %d values.", name, 0L)
    boxes <- level_boxes(column$state$nodes, codes)
    return(lapply(boxes, function(box) {
      box$low[box$low <= -largest_score] <- -Inf
      box$high[box$high >= largest_score] <- Inf
      box
    }))
  }
  range <- value_ranges(values, column, code, name)
  lapply(seq_len(nrow(range)), function(i) list(at = 1L, low = range[i, 1], high = range[i, 2]))
}

# [pieces, 2]: the scores that stand for the values. Neighbouring cells are joined.
value_ranges <- function(values, column, code, name) {
  values <- like_column(values, column, code, name)
  open <- is.numeric(values) & is.infinite(values)
  if (any(open)) {
    if (length(values) != 2 || values[1] > 0 && open[1] || values[2] < 0 && open[2] || all(open)) {
      fail("`given` needs one value or c(from, to) for \"%s\", of which one may be infinite.", name)
    }
    values[open] <- values[!open] # the other end; this one is opened below
  }
  numbers <- in_column(paste0("\"", name, "\""), "given", code$number(values, column$state))
  levels <- code$name %in% c("ordered", "logical")
  if (!levels && length(numbers) == 2) {
    if (numbers[1] > numbers[2]) fail("`given` asks for \"%s\" from %s to %s, which is empty.", name,
                                      format(values[1]), format(values[2]))
    range <- range_of_scores(column$state$margin, numbers)
  } else {
    if (length(numbers) < 1 || (!levels && length(numbers) > 2)) {
      fail("`given` needs one value or c(from, to) for \"%s\", not %d values.", name, length(numbers))
    }
    range <- score_range(column$state$margin, sort(unique(numbers)))
    if (!levels) range <- range_of_scores(column$state$margin, rep(numbers, 2))
  }
  if (levels && any(range[, 1] == range[, 2])) {
    fail("`given` asks for a level of \"%s\" that no row of the table has.", name)
  }
  if (any(open)) range[, which(open)] <- c(-Inf, Inf)[open]
  range[range <= -largest_score] <- -Inf
  range[range >= largest_score] <- Inf
  if (all(range[, 1] == range[, 2] & is.infinite(range[, 1])) || any(range[, 1] > range[, 2])) {
    fail("`given` asks for values of \"%s\" that the fit holds impossible.", name)
  }
  joined <- cumsum(c(TRUE, range[-1, 1] > range[-nrow(range), 2]))
  cbind(tapply(range[, 1], joined, min), tapply(range[, 2], joined, max))
}

# [1, 2]: the scores of all values from one number to another. With a unit they are those of the multiples in between;
# if there are none, the first score is above the second.
range_of_scores <- function(margin, numbers) {
  if (!is.null(margin$unit)) numbers <- unit_ends(numbers[1], numbers[2], margin$unit)
  if (numbers[1] > numbers[2]) return(cbind(1, -1))
  ends <- score_range(margin, numbers)
  cbind(ends[1, 1], ends[2, 2])
}

# Values of a condition in the class of the column: words for levels, numbers for numbers, text for dates.
like_column <- function(values, column, code, name) {
  if (code$name == "ordered") return(as.character(values))
  if (code$name %in% c("date", "time") && is.character(values)) {
    zone <- column$state$attributes[["tzone"]]
    read <- if (code$name == "date") as.Date else function(x) as.POSIXct(x, tz = if (is.null(zone)) "" else zone[1])
    times <- tryCatch(read(values), error = function(e) NA)
    if (anyNA(times)) fail("`given` has %s for \"%s\", which is no %s.", quoted(values), name, code$name)
    return(times)
  }
  if (!(takes_values(values, code) || (code$numeric && is_number(values)))) {
    fail("`given` has %s for \"%s\", which holds %s.", describe(values), name, code$description(column$state))
  }
  values
}

# The piece of the coordinate that says whether column j is missing. An empty list: it never is.
missing_pieces <- function(j, gone, template) {
  leader <- template$columns[[template$of[j]]]$leader
  if (!is.null(leader)) j <- leader
  column <- template$columns[[template$of[j]]]
  if (is.null(column[["missing"]])) {
    if (gone) fail("`given` asks for a missing \"%s\", but the column has no missing values.", template$names[j])
    return(list())
  }
  range <- score_range(column[["missing"]], as.double(gone))
  range[range <= -largest_score] <- -Inf
  range[range >= largest_score] <- Inf
  list(list(at = cumsum(template$dims)[j], low = range[1], high = range[2]))
}

# [sum(dims)]: for each coordinate of a value the number of the coordinate that says whether the value is missing.
missing_coordinates <- function(template) {
  last <- cumsum(template$dims)
  own <- lapply(seq_along(template$of), function(j) {
    column <- template$columns[[template$of[j]]]
    if (!is.null(column$leader)) return(rep(last[column$leader], template$dims[j]))
    if (is.null(column[["missing"]])) return(rep(NA_integer_, template$dims[j]))
    c(rep(last[j], template$dims[j] - 1L), NA_integer_)
  })
  as.integer(unlist(own))
}

constant_pieces <- function(j, values, template) {
  always <- template$columns[[template$of[j]]]$state$value
  met <- if (length(values) == 2 && is.numeric(values)) always >= values[1] && always <= values[2] else
    as.character(always) %in% as.character(values)
  if (!isTRUE(met)) {
    fail("`given` asks for another \"%s\" than %s, which it always is.", template$names[j], format(always))
  }
  known <- missing_pieces(j, FALSE, template)
  if (length(known)) known else list(list(at = integer(), low = numeric(), high = numeric()))
}

# A condition on a column that others determine, as one on these.
relation_pieces <- function(relation, values, template) {
  name <- template$names[relation$at]
  source <- relation$from[1]
  column <- template$columns[[template$of[source]]]
  if (relation$type == "sum") {
    fail("`given` cannot restrict \"%s\", because it is computed from other columns; restrict these.", name)
  }
  wanted <- if (length(values) == 2 && is_number(values) && is_number(relation$values)) {
    relation$values >= values[1] & relation$values <= values[2]
  } else {
    as.character(relation$values) %in% as.character(values) | (is.na(relation$values) & anyNA(values))
  }
  if (!any(wanted)) fail("`given` asks for a value of \"%s\" that no row of the table has.", name)
  if (relation$type == "level") return(level_pieces(source, relation$keys[wanted], template))
  cuts <- c(-Inf, relation$cuts, Inf)
  at <- cumsum(template$dims)[source] - template$dims[source] + 1L
  known <- missing_pieces(source, FALSE, template)
  lapply(which(wanted), function(k) {
    ends <- margin_limit(column$state$margin, c(cuts[k], cuts[k + 1]))
    piece <- list(at = at, low = if (k == 1) -Inf else ends[1], high = if (k == length(cuts) - 1) Inf else ends[2])
    if (length(known)) Map(c, piece, known[[1]]) else piece
  })
}

# Pieces for words of column j, which a relation names: a column that the user sees, or a hidden one.
level_pieces <- function(j, words, template) {
  earlier <- Find(function(one) one$at == j, template$relations)
  if (!is.null(earlier)) return(relation_pieces(earlier, words, template))
  known <- words[!is.na(words)]
  column <- template$columns[[template$of[j]]]
  code <- column_code(column)
  if (code$name == "logical") known <- as.logical(known)
  pieces <- if (length(known)) known_pieces(known, j, column, code, template)
  c(pieces, if (anyNA(words)) missing_pieces(j, TRUE, template))
}
