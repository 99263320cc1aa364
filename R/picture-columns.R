# The columns of two tables as they are drawn: numbers, dates and times on an axis, all others as levels.

# list(columns, points, layout): for each column list(name, type, values = list(real, synthetic), levels), where values
# are numbers with NA, or words with NA; the coordinates of read_judged().
read_shown <- function(real, synthetic) {
  tables <- list(real = real, synthetic = synthetic)
  judged <- with_layout(read_judged(tables, 0L))
  given <- Map(plain_table, tables, names(tables), mixed = TRUE)
  given <- lapply(given, without_columns, judged$left_out)
  at <- align_columns(given)
  names <- unique(judged$layout$column)
  columns <- lapply(seq_along(names), function(j) {
    values <- Map(function(x, at) unbox(column_at(x, at[j])), given, at)
    shown_column(values, names[j], lapply(judged$points, function(z) z[, match(names[j], judged$layout$column)]))
  })
  list(columns = stats::setNames(columns, names), points = judged$points, layout = judged$layout)
}

shown_column <- function(values, name, numbers) {
  types <- mapply(judged_type, values, names(values), MoreArgs = list(name = name))
  known <- types[types != "missing"]
  type <- if (length(known)) known[[1]] else "number"
  if (type %in% c("number", "date", "time")) {
    zone <- if (type == "time") attr(Find(function(v) inherits(v, "POSIXct"), values), "tzone")
    return(list(name = name, type = type, values = numbers, zone = zone))
  }
  words <- lapply(values, as.character)
  list(name = name, type = type, values = words, levels = levels_in_order(values, words, type))
}

# Ordered levels as they are, others from the most frequent one in the first table down.
levels_in_order <- function(values, words, type) {
  seen <- unique(unlist(words, use.names = FALSE))
  seen <- sort(seen[!is.na(seen)], method = "radix")
  if (type == "ordered") {
    own <- levels(Find(is.ordered, values))
    return(c(own[own %in% seen], setdiff(seen, own)))
  }
  seen[order(-tabulate(match(words[[1]], seen), length(seen)))]
}

has_axis <- function(column) column$type %in% c("number", "date", "time")

# Words without the rarest levels: of more than `most` levels the most frequent ones stay, and "(other)" stands for the
# rest. Missing values are "(missing)". list(values, levels): the values are numbers of levels.
few_levels <- function(column, most) {
  kept <- column$levels
  if (length(kept) > most) {
    count <- table(factor(column$values[[1]], kept)) + table(factor(column$values[[2]], kept)) / 1e9
    kept <- kept[sort(order(-count)[seq_len(most - 1)])]
  }
  rest <- length(column$levels) - length(kept)
  gone <- any(vapply(column$values, anyNA, NA))
  levels <- c(kept, if (rest) sprintf("(%d more)", rest), if (gone) "(missing)")
  values <- lapply(column$values, function(words) {
    at <- match(words, kept)
    at[is.na(at)] <- length(kept) + 1L
    at[is.na(words)] <- length(levels)
    at
  })
  list(values = values, levels = levels)
}

# list(from, to, at, label): the part of an axis that is drawn, and its ticks. A few values far outside of the 1 and the
# 99 % quantile lie outside of it.
shown_axis <- function(column, ticks = 3) {
  known <- unlist(column$values, use.names = FALSE)
  known <- known[!is.na(known)]
  if (!length(known)) return(list(from = 0, to = 1, at = numeric(), label = character()))
  inner <- stats::quantile(known, c(0.01, 0.99), names = FALSE)
  room <- diff(inner) / 2
  ends <- range(known)
  if (room > 0 && is.finite(room)) ends <- c(max(ends[1], inner[1] - room), min(ends[2], inner[2] + room))
  ends <- c(min(known[known >= ends[1]]), max(known[known <= ends[2]]))
  if (!(ends[2] > ends[1])) ends <- ends + c(-0.5, 0.5) * max(1, abs(ends) * 1e-6)
  c(list(from = ends[1], to = ends[2]), axis_ticks(column, ends, ticks))
}

axis_ticks <- function(column, ends, ticks) {
  values <- switch(column$type, date = as.Date(ends, origin = "1970-01-01"),
                   time = as.POSIXct(ends, origin = "1970-01-01", tz = c(column$zone, "")[1]),
                   ends)
  known <- unlist(column$values, use.names = FALSE)
  single <- if (column$type == "number") few_values(known)
  at <- if (length(single)) single else pretty(values, ticks)
  label <- if (column$type == "number") number_words(at) else attr(at, "labels")
  if (is.null(label)) label <- format(at)
  at <- as.numeric(at)
  within <- at >= ends[1] & at <= ends[2]
  list(at = at[within], label = label[within])
}

# The different values of a column of numbers, if there are at most 6.
few_values <- function(numbers) {
  found <- unique(numbers[!is.na(numbers)])
  if (length(found) <= 6) sort(found)
}

# A column of few different numbers as levels.
as_levels <- function(column) {
  if (column$type != "number") return(column)
  levels <- few_values(unlist(column$values, use.names = FALSE))
  if (is.null(levels)) return(column)
  words <- number_words(levels)
  if (anyDuplicated(words)) return(column)
  values <- lapply(column$values, function(z) words[match(z, levels)])
  list(name = column$name, type = "ordered", values = values, levels = words)
}

number_words <- function(at) {
  if (!length(at)) return(character())
  size <- max(abs(at))
  if (size >= 1e6 || (size > 0 && size < 1e-3)) return(sub("e[+]?(-?)0?", "e\\1", sprintf("%.3g", at)))
  trimws(format(at, digits = 6, scientific = FALSE, drop0trailing = TRUE))
}

# Values on an axis as numbers between `from` and `to` of a panel. Values outside stand at its ends.
on_axis <- function(values, axis, from = 0.03, to = 0.97) {
  share <- values / (axis$to - axis$from) - axis$from / (axis$to - axis$from)
  from + (to - from) * pmin(pmax(share, 0), 1)
}
