# Conditions on the columns of a table, as boxes of scores.

# given: a list of conditions by column name, or a data frame with one row per new row, in which a missing cell asks for
# nothing. Returns a list:
#   rows       the number of rows of a data frame, 1 for a list
#   of         [rows]: the number of the condition of each row; equal rows have the same
#   classes    a list with the keys of the classes that each condition allows, NULL for all
#   boxes      a list of boxes, each list(low, high, sums) with one number per coordinate. A condition is the union of
#              its boxes, no two of which overlap. sums: what is asked of columns that are sums of others, each
#              list(column, ends)
#   condition  the number of the condition of each box
read_given <- function(given, template) {
  asked <- asked_values(check_given(given, template))
  pieces <- Map(function(name, values) {
    if (identical(name, template$group$name)) return(NULL)
    lapply(values, function(one) column_pieces(match(name, template$names), one, template))
  }, names(asked$values), asked$values)
  label <- template$group$name
  boxes <- lapply(seq_len(nrow(asked$codes)), function(i) {
    names <- names(asked$values)[!is.na(asked$codes[i, ])]
    names <- setdiff(names, label)
    meet_pieces(Map(function(of, code) of[[code]], pieces[names], asked$codes[i, names]), names, template)
  })
  classes <- lapply(seq_len(nrow(asked$codes)), function(i) {
    code <- if (!is.null(label) && label %in% names(asked$values)) asked$codes[i, label] else NA
    if (is.na(code)) return(NULL)
    keys <- unique(match_label(asked$values[[label]][[code]], template$group))
    if (anyNA(keys)) fail("`given` names a class of \"%s\" that the fit does not know.", label)
    keys
  })
  list(rows = length(asked$of), of = asked$of, classes = classes, boxes = unlist(boxes, recursive = FALSE),
       condition = rep(seq_along(boxes), lengths(boxes)))
}

# The different values that are asked of each column (`values`, a list of lists by column name), the different
# conditions as numbers of these values (`codes` [conditions, columns], NA where nothing is asked), and the condition of
# each row (`of`).
asked_values <- function(given) {
  if (!is.data.frame(given)) {
    codes <- matrix(1L, 1, length(given), dimnames = list(NULL, names(given)))
    return(list(values = lapply(given, list), codes = codes, of = 1L))
  }
  values <- lapply(given, function(column) {
    if (is.list(column)) return(unique(column[lengths(column) > 0]))
    lapply(unique(column[!is.na(column)]), identity)
  })
  codes <- vapply(names(given), function(name) {
    column <- given[[name]]
    if (is.list(column)) return(match(column, values[[name]]))
    match(column, unique(column[!is.na(column)]))
  }, integer(nrow(given)))
  codes <- matrix(codes, nrow(given), dimnames = list(NULL, names(given)))
  words <- do.call(paste, as.data.frame(codes))
  list(values = values, codes = codes[!duplicated(words), , drop = FALSE], of = match(words, unique(words)))
}

# The boxes in which all conditions of a row are met. pieces: a list of the pieces of each column.
meet_pieces <- function(pieces, names, template) {
  d <- sum(template$dims)
  boxes <- list(list(low = rep(-Inf, d), high = rep(Inf, d), sums = list()))
  for (alternatives in pieces) {
    boxes <- unlist(lapply(boxes, function(box) {
      cut <- lapply(alternatives, function(piece) cut_box(box, piece))
      cut[!vapply(cut, is.null, NA)]
    }), recursive = FALSE)
    if (!length(boxes)) fail("`given` asks for what excludes each other: no row can have %s.", quoted(names))
    if (length(boxes) > most_boxes) {
      fail("`given` takes %d combinations of values apart, more than %d; ask for fewer levels at a time.",
           length(boxes), most_boxes)
    }
  }
  boxes
}

most_boxes <- 256L

check_given <- function(given, template) {
  frame <- is.data.frame(given)
  good <- is.list(given) && length(given) > 0 && !is.null(names(given)) && all(nzchar(names(given)))
  if (!good) {
    fail("`given` must be a list of conditions by column name, or a data frame with one row per new row, not %s.",
         describe(given))
  }
  if (frame && nrow(given) == 0) fail("`given` must have at least one row.")
  if (is.null(template$names)) fail("`given` needs columns with names, but the table had none.")
  unknown <- setdiff(names(given), c(template$names, template$group$name))
  if (length(unknown)) fail("`given` names %s, but the table has no such column.", quoted(unknown))
  if (anyDuplicated(names(given))) fail("`given` names \"%s\" twice.", names(given)[anyDuplicated(names(given))])
  if (frame) as.data.frame(given, stringsAsFactors = FALSE) else given
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
  box$sums <- c(box$sums, piece$sums)
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
  join_pieces(lapply(value_boxes(values, column, code, template$names[j]), function(piece) {
    piece$at <- piece$at + before
    piece
  }), missing_pieces(j, FALSE, template))
}

# The pieces in which one of `pieces` and one of `others` hold. No `others`: they ask for nothing.
join_pieces <- function(pieces, others) {
  if (!length(others)) return(pieces)
  unlist(lapply(pieces, function(piece) lapply(others, function(other) Map(c, piece, other))), recursive = FALSE)
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
  range <- if (has_levels(code)) {
    numbers <- in_column(paste0("\"", name, "\""), "given",
                         code$number(like_column(values, column, code, name), column$state))
    if (!length(numbers)) fail("`given` needs one value or several for \"%s\", not none.", name)
    score_range(column$state$margin, sort(unique(numbers)))
  } else {
    interval_scores(column$state$margin, asked_interval(values, column, code, name))
  }
  if (has_levels(code) && any(range[, 1] == range[, 2])) {
    fail("`given` asks for a level of \"%s\" that no row of the table has.", name)
  }
  if (!any_scores(range)) {
    fail("`given` asks for values of \"%s\" that the fit holds impossible%s.", name, bounds_words(column, code))
  }
  joined <- cumsum(c(TRUE, range[-1, 1] > range[-nrow(range), 2]))
  cbind(tapply(range[, 1], joined, min), tapply(range[, 2], joined, max))
}

# Which values are possible, for numbers: the unit and the ends of the column.
bounds_words <- function(column, code) {
  margin <- column$state$margin
  if (has_levels(code) || is.null(margin)) return("")
  said <- function(score) as_text(as.double(code$number(code$back(margin_values(margin, score), column$state),
                                                        column$state)), 7L)
  numbers <- if (isTRUE(code$numeric)) sprintf(", between %s and %s", said(-largest_score), said(largest_score)) else ""
  sprintf("; it holds %s%s", code$description(column$state), numbers)
}

# Whether ranges of scores hold any.
any_scores <- function(range) {
  !any(range[, 1] > range[, 2]) && !all(range[, 1] == range[, 2] & is.infinite(range[, 1]))
}

# c(from, to): the numbers that are asked of a column without levels. One of them may be infinite.
asked_interval <- function(values, column, code, name) {
  values <- like_column(values, column, code, name)
  plain <- unclass(values) # dates and times, too
  open <- is.numeric(plain) & is.infinite(plain)
  if (any(open)) {
    if (length(values) != 2 || plain[1] > 0 && open[1] || plain[2] < 0 && open[2] || all(open)) {
      fail("`given` needs one value or c(from, to) for \"%s\", of which one may be infinite.", name)
    }
    values[open] <- values[!open] # the other end; this one is opened below
  }
  numbers <- in_column(paste0("\"", name, "\""), "given", code$number(values, column$state))
  if (!length(numbers) %in% 1:2) {
    fail("`given` needs one value or c(from, to) for \"%s\", not %d values.", name, length(numbers))
  }
  if (length(numbers) == 2 && numbers[1] > numbers[2]) {
    fail("`given` asks for \"%s\" from %s to %s, which is empty.", name, format(values[1]), format(values[2]))
  }
  numbers <- rep(numbers, length.out = 2)
  if (any(open)) numbers[open] <- c(-Inf, Inf)[open]
  numbers
}

# [1, 2]: the scores of the numbers of an interval, of which ends may be infinite.
interval_scores <- function(margin, ends) {
  open <- is.infinite(ends)
  if (all(open)) return(cbind(-Inf, Inf))
  range <- range_of_scores(margin, ifelse(open, rev(ends), ends))
  range[, open] <- c(-Inf, Inf)[open]
  range[range <= -largest_score] <- -Inf
  range[range >= largest_score] <- Inf
  range
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
    if (anyNA(times)) {
      fail("`given` has %s for \"%s\", which is no %s; a range without one end needs values of the class %s.",
           quoted(values), name, code$name, if (code$name == "date") "Date" else "POSIXct")
    }
    return(times)
  }
  if (!(takes_values(values, code) || (code$numeric && is_number(values)))) {
    fail("`given` has %s for \"%s\", which holds %s.", describe(values), name, code$description(column$state))
  }
  values
}

# The pieces in which column j is missing, or in which it is not. An empty list: it never is missing.
missing_pieces <- function(j, gone, template) {
  leader <- template$columns[[template$of[j]]]$leader
  if (!is.null(leader)) j <- leader
  rule <- template$columns[[template$of[j]]]$rule
  own <- indicator_pieces(j, gone, template)
  if (is.null(rule)) {
    if (gone && !length(own)) {
      fail("`given` asks for a missing \"%s\", but the column has no missing values.", template$names[j])
    }
    return(own)
  }
  beside <- rule_pieces(rule, FALSE, template)
  if (!gone) return(join_pieces(beside, own))
  c(rule_pieces(rule, TRUE, template), if (length(own)) join_pieces(beside, own))
}

# The piece of the coordinate that says whether column j is missing, in a list. An empty list: there is none.
indicator_pieces <- function(j, gone, template) {
  column <- template$columns[[template$of[j]]]
  if (!is.null(column$leader)) return(indicator_pieces(column$leader, gone, template))
  if (is.null(column[["missing"]])) return(list())
  range <- score_range(column[["missing"]], as.double(gone))
  range[range <= -largest_score] <- -Inf
  range[range >= largest_score] <- Inf
  list(list(at = cumsum(template$dims)[j], low = range[1], high = range[2]))
}

# The pieces of rows for which a rule says that a value is missing, or of the others.
rule_pieces <- function(rule, inside, template) {
  j <- rule$from
  if (!is.null(rule$keys)) return(level_pieces(j, if (inside) rule$keys else rule$others, template))
  end <- cut_score(template$columns[[template$of[j]]]$state$margin, rule$cut)
  at <- cumsum(template$dims)[j] - template$dims[j] + 1L
  piece <- if (inside == rule$above) list(at = at, low = end, high = Inf) else list(at = at, low = -Inf, high = end)
  known <- missing_pieces(j, FALSE, template)
  c(join_pieces(list(piece), known), if (!inside && length(known)) missing_pieces(j, TRUE, template))
}

# The lower end of the scores of all values from `cut` on.
cut_score <- function(margin, cut) {
  unit <- margin$unit
  if (is.null(unit)) return(margin_limit(margin, cut))
  step <- ceiling((cut - unit$offset) / unit$size - 1e-6)
  margin_limit(margin, unit$offset + (step - 0.5) * unit$size)
}

# [sum(dims)]: for each coordinate of a value the number of the coordinate that says whether the value is missing.
missing_coordinates <- function(template) {
  last <- cumsum(template$dims)
  own <- lapply(seq_along(template$of), function(j) {
    column <- template$columns[[template$of[j]]]
    if (!is.null(column$leader)) {
      told <- !is.null(template$columns[[template$of[column$leader]]][["missing"]])
      return(rep(if (told) last[column$leader] else NA_integer_, template$dims[j]))
    }
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
  if (relation$type == "sum") return(sum_pieces(relation, values, template))
  wanted <- if (length(values) == 2 && is_number(values) && is_number(relation$values)) {
    relation$values >= values[1] & relation$values <= values[2]
  } else {
    as.character(relation$values) %in% as.character(values) | (is.na(relation$values) & anyNA(values))
  }
  if (!any(wanted)) fail("`given` asks for a value of \"%s\" that no row of the table has.", name)
  if (length(relation$from) == 2) return(crossed_pieces(relation, wanted, template))
  if (relation$type == "level") return(level_pieces(source, relation$keys[wanted], template))
  cuts <- c(-Inf, relation$cuts, Inf)
  at <- cumsum(template$dims)[source] - template$dims[source] + 1L
  join_pieces(lapply(which(wanted), function(k) {
    end <- function(k) cut_score(column$state$margin, cuts[k])
    list(at = at, low = if (k == 1) -Inf else end(k), high = if (k == length(cuts) - 1) Inf else end(k + 1))
  }), missing_pieces(source, FALSE, template))
}

# Pieces for wanted values of a column that two columns of levels determine: one set of levels of the second column for
# each level of the first one.
crossed_pieces <- function(relation, wanted, template) {
  words <- lapply(relation$words, `[`, wanted)
  unlist(lapply(unique(words[[1]]), function(word) {
    join_pieces(level_pieces(relation$from[1], word, template),
                level_pieces(relation$from[2], words[[2]][words[[1]] %in% word], template))
  }), recursive = FALSE)
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

# A condition on a multiple of a function of one other column is one on this column. One on a sum of several columns is
# kept with the box, and rows are drawn until they meet it.
sum_pieces <- function(relation, values, template) {
  j <- relation$at
  name <- template$names[j]
  if (anyNA(values)) {
    if (length(relation$from) > 1 || !all(is.na(values))) {
      fail("`given` cannot ask for a missing \"%s\", because it is computed from other columns; restrict these.", name)
    }
    return(column_pieces(relation$from, NA, template))
  }
  column <- template$columns[[template$of[j]]]
  ends <- asked_interval(values, column, column_code(column), name)
  if (length(relation$from) == 1) return(shape_pieces(relation, ends, template))
  if (ends[1] == ends[2] && is.null(column$state$margin$unit)) {
    fail("`given` needs a range c(from, to) for \"%s\", because it is computed from %s; single values are %s.", name,
         quoted(column_words_of(relation$from, template)), "never met exactly")
  }
  list(list(at = integer(), low = numeric(), high = numeric(), sums = list(list(column = j, ends = ends))))
}

# The names of columns, of which some may be hidden.
column_words_of <- function(j, template) {
  c(template$names, vapply(template$hidden, `[[`, "", "name"))[j]
}

shape_pieces <- function(relation, ends, template) {
  source <- template$columns[[template$of[relation$from]]]
  name <- template$names[relation$at]
  between <- sort((ends - relation$constant) / relation$weights)
  earlier <- Find(function(one) one$at == relation$from, template$relations)
  ranges <- shape_ranges[[relation$shape]](between[1], between[2])
  if (!is.null(earlier)) {
    return(unlist(lapply(ranges, function(range) {
      if (length(earlier$from) == 1) shape_pieces(earlier, range, template) else
        list(list(at = integer(), low = numeric(), high = numeric(),
                  sums = list(list(column = relation$from, ends = range))))
    }), recursive = FALSE))
  }
  scores <- lapply(ranges, function(range) interval_scores(source$state$margin, range))
  scores <- scores[vapply(scores, any_scores, NA)]
  if (!length(scores)) fail("`given` asks for values of \"%s\" that the fit holds impossible.", name)
  at <- cumsum(template$dims)[relation$from] - template$dims[relation$from] + 1L
  join_pieces(lapply(scores, function(range) list(at = at, low = range[1, 1], high = range[1, 2])),
              missing_pieces(relation$from, FALSE, template))
}

# For each of number_shapes the intervals of x in which low <= shape(x) <= high.
shape_ranges <- list(
  identity = function(low, high) list(c(low, high)),
  log = function(low, high) list(exp(c(low, high))),
  log1p = function(low, high) list(expm1(c(low, high))),
  sqrt = function(low, high) if (high < 0) list() else list(pmax(c(low, high), 0)^2),
  square = function(low, high) {
    if (high < 0) return(list())
    root <- sqrt(pmax(c(low, high), 0))
    if (root[1] == 0) list(c(-root[2], root[2])) else list(-rev(root), root)
  },
  inverse = function(low, high) {
    if (low > 0 || high < 0) return(list(1 / c(high, low)))
    c(if (low < 0) list(c(-Inf, 1 / low)), if (high > 0) list(c(1 / high, Inf)))
  },
  exp = function(low, high) if (high <= 0) list() else list(log(pmax(c(low, high), 0)))
)
