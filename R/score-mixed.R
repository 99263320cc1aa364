# Tables with columns of every kind and missing values as numbers, by whose distances rows are judged.

# The coordinates of a table that is judged, from left to right by columns:
#   number   a number, a date, a time, or the place of an ordered level; NA where the value is missing or no known level
#   level    1 / sqrt(2) in the rows that have this level, otherwise 0. Two rows of different levels have distance 1. A
#            column of two levels has one coordinate, 0 or 1. A missing value is a level of its own.
#   missing  1 in the rows whose number is missing, otherwise 0
# A layout is a data frame with one row per coordinate: `column`, the name of its column; `type`; and `level`.

#' How rows of mixed tables are compared
#'
#' The functions that compare tables take columns of every kind: numbers, whole numbers, numbers with a unit, dates,
#' times, ordered and other factors, words, `TRUE` and `FALSE`, and missing values. They use distances between rows.
#'
#' If all columns of all tables are numbers without missing values, the distance is the Euclidean distance of the
#' columns, in the unit that each function states. In all other cases the squared distance of two rows is a sum over
#' the columns, as in Gower's distance:
#'
#' * A *number*, *date* or *time* adds the squared difference of the values, divided by the square of a unit. The unit
#'   is the typical difference of two rows: \eqn{\sqrt 2}{sqrt(2)} times the standard deviation of the values, when
#'   those outside the 5 and the 95 % quantile are moved to that quantile. (If this is 0, nothing is moved.) What a
#'   value lies beyond these quantiles by more than one unit counts by its logarithm: an excess of \eqn{e} units becomes
#'   \eqn{\log(1 + e)}{log(1 + e)}. Otherwise a few very large values would outweigh all other columns.
#' * An *ordered factor* counts as the numbers 1, 2, 3, ... of its levels, with the same unit.
#' * A *factor*, *words* and `TRUE`/`FALSE` add 1 if the levels differ, otherwise 0. A missing value is a level of its
#'   own, and so is each level that the first table does not have. The order and the names of the levels do not matter.
#' * A *missing* number adds 1 against a number that is there. Besides, it stands at the median of the column. Two
#'   missing numbers are equal.
#'
#' The units and medians are those of all rows together in functions that treat both tables alike, and those of the
#' training rows in [novelty()].
#'
#' Columns are matched by name if all tables have names. A column of words that hardly ever occur twice names the rows,
#' and so does a column of a data frame whose whole numbers occur once each in every table and are, in the first one,
#' more than half of those between the least and the largest. It is left out, and a message says so. A column must be
#' of the same type in all tables. Integers and doubles are one type, and so are factors and words. A column that has
#' only missing values in a table is of every type.
#'
#' @references
#' Gower JC (1971). A general coefficient of similarity and some of its properties. Biometrics 27, 857-871.
#' \doi{10.2307/2528823}
#' @seealso [novelty()], [energy_distance()], [c2st()], [fidelity()], [usefulness()], [compare()]
#' @examples
#' x <- data.frame(age = c(30, NA, 50, 41), sex = c("F", "M", "M", "F"))
#' energy_distance(x, x[c(1, 1, 4, 4), ])
#' @name mixed_tables
NULL

# The tables with the columns of the first one, as matrices: list(points, layout, left_out). layout: NULL for tables of
# numbers without missing values, whose points are as read_alike() gives them. left_out: columns that name the rows.
read_judged <- function(tables, min_rows = 1L) {
  whats <- names(tables)
  given <- stats::setNames(Map(plain_table, tables, whats, mixed = TRUE), whats)
  numbering <- numbering_in(given)
  if (length(numbering)) given <- tables <- lapply(given, without_columns, numbering)
  if (all(vapply(given, has_numbers_only, NA))) {
    return(list(points = read_alike(tables, min_rows), layout = NULL, left_out = numbering))
  }
  Map(check_extent, given, whats, rep_len(min_rows, length(given)))
  left_out <- row_names_in(given[[1]])
  given <- lapply(given, function(x) without_columns(x, left_out))
  if (!ncol(given[[1]])) fail("`%s` has only columns of words that hardly occur twice; nothing is left.", whats[1])
  at <- align_columns(given)
  names <- column_names(given[[1]])
  if (is.null(names)) names <- paste0("x", seq_len(ncol(given[[1]])))
  columns <- lapply(seq_along(names), function(j) {
    parts <- Map(function(x, at) unbox(column_at(x, at[j])), given, at)
    judged_column(parts, names[j])
  })
  layout <- do.call(rbind, lapply(columns, `[[`, "layout"))
  check_memory(8 * nrow(layout) * sum(vapply(given, nrow, 0L)), "The levels of all columns", "leave some columns out")
  points <- lapply(seq_along(given), function(i) {
    points <- do.call(cbind, lapply(columns, function(column) column$z[[i]]))
    dimnames(points) <- list(NULL, layout_names(layout))
    points
  })
  list(points = stats::setNames(points, whats), layout = layout, left_out = c(left_out, numbering))
}

# Whether all columns are numbers without missing values.
has_numbers_only <- function(x) {
  if (is.matrix(x)) return(is.numeric(x) && !anyNA(x))
  kinds <- NULL
  for (j in seq_along(x)) {
    values <- unbox(x[[j]])
    if (length(dim(values)) > 1) next # refused below
    if (anyNA(values)) return(FALSE)
    if (is.numeric(values) && !is.object(values)) next
    if (is.null(kinds)) kinds <- number_kinds()
    if (is.null(column_kind_of(values, kinds))) return(FALSE)
  }
  TRUE
}

number_kinds <- function() Filter(function(kind) kind$numeric, column_kinds())

# Columns of data frames that number the rows of all tables, unless there are no others. New rows have numbers of their
# own, and a copy may have them in another order: distances in them say nothing.
numbering_in <- function(tables) {
  if (!all(vapply(tables, is.data.frame, NA))) return(character())
  names <- Reduce(intersect, lapply(tables, names))
  once <- function(values) is_number(values) && !anyNA(values) && !anyDuplicated(values) && all(values == round(values))
  found <- names[vapply(names, function(name) {
    columns <- lapply(tables, function(x) unbox(x[[name]]))
    numbers_rows(columns[[1]]) && all(vapply(columns[-1], once, NA))
  }, NA)]
  if (length(found) < ncol(tables[[1]])) found else character()
}

# The names of columns whose words name the rows.
row_names_in <- function(x) {
  names <- column_names(x)
  if (is.null(names)) return(character())
  names[vapply(seq_along(names), function(j) names_rows(column_at(x, j)), NA)]
}

without_columns <- function(x, names) {
  at <- which(column_names(x) %in% names)
  if (!length(at)) return(x)
  if (is.data.frame(x)) drop_columns(x, at) else x[, -at, drop = FALSE]
}

tell_left_out <- function(left_out) {
  if (length(left_out)) message("Left out, because the values name the rows: ", quoted(left_out), ".")
}

# One column of all tables: list(z, a list of matrices; layout). parts: its values in each table, by table.
judged_column <- function(parts, name) {
  types <- mapply(judged_type, parts, names(parts), MoreArgs = list(name = name))
  known <- types[types != "missing"]
  type <- if (length(known)) known[[1]] else "number"
  alike <- function(type) ifelse(type == "ordered", "label", type)
  other <- which(alike(known) != alike(type))
  if (length(other)) {
    fail("Column \"%s\" holds %s in `%s` but %s in `%s`; it must have the same type in both.", name,
         type_words[[type]], names(known)[1], type_words[[known[[other[1]]]]], names(known)[other[1]])
  }
  switch(type,
    label = , logical = level_coordinates(lapply(parts, as.character), name),
    ordered = ordered_coordinates(parts, name),
    number_coordinates(Map(plain_numbers, parts, names(parts), list(number_column(parts, type)), name), name)
  )
}

type_words <- c(number = "numbers", date = "dates", time = "times", logical = "TRUE and FALSE", label = "levels",
                ordered = "ordered levels")

judged_type <- function(values, what, name) {
  if (length(dim(values)) > 1) refuse_column(values, what, paste0("\"", name, "\""), FALSE)
  if (is.logical(values)) return(if (all(is.na(values))) "missing" else "logical")
  if (is.ordered(values)) return("ordered")
  if (is.factor(values) || is.character(values)) return(if (all(is.na(values))) "missing" else "label")
  if (inherits(values, "Date")) return("date")
  if (inherits(values, "POSIXct")) return("time")
  if (!is.null(column_kind_of(values, number_kinds()))) return("number")
  fail(paste("Column \"%s\" of `%s` must hold numbers, dates, times, factors, words or logical values, but is of class",
             "\"%s\"; %sleave it out."),
       name, what, class(values)[1], column_advice(values))
}

# How numbers are read: the fitted column of the first table that has some, and its code. NULL: as they are.
number_column <- function(parts, type) {
  if (type != "number") return(NULL)
  first <- Find(function(values) !all(is.na(values)), parts)
  if (is.null(first)) return(NULL)
  kinds <- number_kinds()
  kinds$number <- column_number(FALSE)
  kind <- column_kind_of(first, kinds)
  list(kind = kind, column = fit_column(kind, take(first, which(!is.na(first)))))
}

# [n]: the values as doubles, NA where they are missing.
plain_numbers <- function(values, what, reader, name) {
  z <- rep(NA_real_, length(values))
  known <- which(!is.na(values))
  if (!length(known)) return(z)
  values <- take(values, known)
  z[known] <- if (is.null(reader)) as.double(values) else {
    encode_part(reader$column, values, reader$kind, what, paste0("\"", name, "\""))
  }
  if (any(is.infinite(z))) {
    fail("`%s` must not contain infinite values, but row%s %s do%s, in column \"%s\".", what,
         if (sum(is.infinite(z)) == 1) "" else "s", some(which(is.infinite(z))),
         if (sum(is.infinite(z)) == 1) "es" else "", name)
  }
  z
}

number_coordinates <- function(numbers, name) {
  gone <- any(vapply(numbers, anyNA, NA))
  list(
    z = lapply(numbers, function(z) if (gone) cbind(z, is.na(z) + 0, deparse.level = 0) else cbind(z)),
    layout = layout_of(name, c("number", if (gone) "missing"))
  )
}

# words: character vectors, NA where a value is missing. The levels are sorted, so their order in a factor is no matter.
level_coordinates <- function(words, name) {
  levels <- sort(unique(unlist(words, use.names = FALSE)), method = "radix")
  if (anyNA(unlist(words, use.names = FALSE))) levels <- c(levels, NA)
  if (length(levels) < 3) {
    shown <- levels[length(levels)]
    return(list(z = lapply(words, function(w) cbind(match(w, levels) == length(levels)) * (length(levels) - 1)),
                layout = layout_of(name, "level", shown)))
  }
  list(z = lapply(words, function(w) outer(match(w, levels), seq_along(levels), "==") * sqrt(0.5)),
       layout = layout_of(name, rep("level", length(levels)), levels))
}

# The levels are those of the first table. Other levels have no place but a coordinate each.
ordered_coordinates <- function(parts, name) {
  first <- Find(is.ordered, parts)
  words <- lapply(parts, as.character)
  places <- lapply(words, function(w) as.double(match(w, levels(first))))
  found <- number_coordinates(places, name)
  unknown <- setdiff(sort(unique(unlist(words)), method = "radix"), levels(first))
  if (!length(unknown)) return(found)
  found$z <- Map(function(z, w) {
    z[, 2] <- is.na(w)
    own <- outer(w, unknown, "==")
    cbind(z, own & !is.na(own), deparse.level = 0)
  }, found$z, words)
  found$layout <- rbind(found$layout, layout_of(name, rep("other", length(unknown)), unknown))
  found
}

layout_of <- function(name, type, level = NA_character_) data.frame(column = name, type = type, level = level)

layout_names <- function(layout) {
  level <- ifelse(is.na(layout$level), "(missing)", layout$level)
  ifelse(layout$type == "number", layout$column,
         ifelse(layout$type == "missing", paste(layout$column, "(missing)"), paste(layout$column, level, sep = "=")))
}

# Points in the units of the rows of `reference`, with missing numbers at their medians. `scale`: FALSE leaves numbers
# in their own unit.
in_judged_units <- function(tables, layout, reference, scale = TRUE) {
  numbers <- which(layout$type == "number")
  places <- lapply(numbers, function(j) number_place(reference[, j]))
  lapply(tables, function(x) {
    if (is.null(x)) return(NULL)
    for (i in seq_along(numbers)) {
      values <- x[, numbers[i]]
      values[is.na(values)] <- places[[i]]$middle
      x[, numbers[i]] <- if (scale) place_numbers(values, places[[i]]) else values
    }
    x
  })
}

# list(middle, unit, ends): the median; sqrt(2) times the standard deviation of the values, when those outside the 5 and
# the 95 % quantile are moved there; and the ends beyond which values count by their logarithm.
number_place <- function(values) {
  values <- values[!is.na(values)]
  if (!length(values)) return(list(middle = 0, unit = 1, ends = c(0, 0)))
  ends <- stats::quantile(values, c(0.05, 0.95), names = FALSE)
  unit <- sqrt(2) * spread_of(pmin(pmax(values, ends[1]), ends[2]))
  if (!isTRUE(unit > 0)) unit <- sqrt(2) * spread_of(values)
  if (!isTRUE(unit > 0)) unit <- 1
  list(middle = stats::median(values), unit = unit, ends = ends)
}

# Numbers in units from the median.
place_numbers <- function(values, place) {
  z <- within_units((values - place$middle) / place$unit)
  low <- (place$ends[1] - place$middle) / place$unit - 1
  high <- (place$ends[2] - place$middle) / place$unit + 1
  above <- z > high
  below <- z < low
  z[above] <- high + log1p(z[above] - high)
  z[below] <- low - log1p(low - z[below])
  z
}

# Two samples that are treated alike, as matrices in units of all rows together.
read_samples_alike <- function(tables, min_rows = 1L) {
  judged <- read_judged(tables, min_rows)
  tell_left_out(judged$left_out)
  if (is.null(judged$layout)) return(judged$points)
  in_judged_units(judged$points, judged$layout, do.call(rbind, judged$points))
}

check_two_samples <- function(x, y, min_rows = 1L) lapply(read_samples_alike(list(x = x, y = y), min_rows), unname)

# The points as a data frame for a learner: numbers and their missing values as they are, each column of levels as one
# factor.
judged_frame <- function(points, layout) {
  if (is.null(layout)) return(stats::setNames(as.data.frame(unname(points)), paste0("v", seq_len(ncol(points)))))
  block <- ifelse(layout$type == "level", layout$column, paste0(layout$column, "\r", seq_len(nrow(layout))))
  parts <- lapply(split(seq_len(nrow(layout)), factor(block, unique(block))), function(at) {
    if (length(at) == 1) return(points[, at])
    factor(max.col(points[, at, drop = FALSE], "first"), seq_along(at))
  })
  stats::setNames(as.data.frame(unname(parts), optional = TRUE), paste0("v", seq_along(parts)))
}
