# Labels of rows (group, batch, label). They are read once, and come back with their class and values.

# The values of a label: the vector `value` with one entry per row, or the column of x that it names. position: the
# position of that column, NA for a vector. name: its name, NULL for a vector.
find_label <- function(value, x, what, where = "x") {
  if (!is_column_name(value, x)) return(list(value = value, position = NA_integer_, name = NULL))
  position <- which(names(x) == value)
  if (!length(position)) {
    fail("`%s` is \"%s\", but `%s` has no such column; it has %s.", what, value, where, quoted(names(x)))
  }
  if (length(position) > 1) {
    fail("`%s` is \"%s\", but `%s` has %d columns of that name.", what, value, where, length(position))
  }
  list(value = x[[position]], position = position, name = value)
}

is_column_name <- function(value, x) {
  is.data.frame(x) && is.character(value) && length(value) == 1 && !is.na(value) && nrow(x) != 1
}

# group: a factor whose levels are the keys. label: list(values, keys, position, name), from which values are written. A
# key is the text of a value, unique and not empty, so that it can be a name. each: how messages call one row, and all
# rows.
read_label <- function(found, n, what, each = c("row", "rows of `x`")) {
  value <- found$value
  if (!is.atomic(value) || is.null(value) || length(value) != n) {
    fail("`%s` must have one entry for each of the %d %s, not be %s.", what, n, each[2], describe(value))
  }
  if (is.raw(value)) fail("`%s` must hold numbers, texts or levels of a factor, not raw bytes.", what)
  if (length(dim(value)) == 2) value <- drop(value)
  if (anyNA(value)) fail("`%s` must not contain NA (%s %s).", what, each[1], some(which(is.na(value))))
  order <- label_order(value)
  first <- which(!duplicated(order))
  first <- first[order(order[first])]
  values <- take(unname(value), first)
  keys <- label_keys(values)
  list(
    group = factor(keys[match(order, order[first])], levels = keys),
    label = list(values = values, keys = keys, position = found$position, name = found$name)
  )
}

# One number per value. Equal values have equal numbers, and the numbers have the order of the values.
label_order <- function(values) {
  if (is.factor(values)) return(as.integer(values))
  if (is_integer64(values)) need_bit64()
  if (is.character(values) || is.logical(values)) return(match(values, sort(unique(as.vector(values)))))
  numbers <- if (is_integer64(values)) as.character(values) else as.vector(xtfrm(unname(values)))
  if (is_integer64(values)) match(numbers, as.character(sort(unique(values)))) else numbers
}

# `name`, or the first of name.1, name.2, ... that is not among `taken` if `name` is.
free_name <- function(name, taken) utils::tail(make.unique(c(taken, name)), 1)

label_keys <- function(values) {
  keys <- label_text(values)
  if (anyDuplicated(keys)) keys <- label_text(values, digits = 17L)
  keys[keys == ""] <- free_name("(empty)", keys)
  make.unique(keys)
}

# The text of each value.
label_text <- function(values, digits = 15L) {
  if (is.object(values) && !is_plain(values)) return(as.character(values))
  if (is.numeric(values)) as_text(values, digits) else as.character(values)
}

# The keys of values that are given later. NA for unknown values. If both are numbers or both are times, they are
# matched by value; otherwise by their text. If one of the two is a number, the other is also matched by the number that
# its text stands for.
match_label <- function(values, label) {
  known <- label$values
  if (is_number(values) && is_number(known)) return(label$keys[match(as_number(values), as_number(known))])
  for (time in c("Date", "POSIXct")) {
    if (inherits(values, time) && inherits(known, time)) return(label$keys[match(as.double(values), as.double(known))])
  }
  at <- match(label_text(values), label_text(known))
  at[is.na(at)] <- match(label_text(values)[is.na(at)], label$keys)
  if (anyNA(at) && (is_number(values) || is_number(known))) {
    at[is.na(at)] <- match(text_number(values)[is.na(at)], text_number(known), incomparables = NA)
  }
  label$keys[at]
}

text_number <- function(values) {
  if (is_number(values)) as_number(values) else suppressWarnings(as.double(as.character(values)))
}

# The values that belong to the keys in `group`, in the class of the label.
label_values <- function(group, label) take(label$values, match(as.character(group), label$keys))

# The column of a table that holds the label. NULL if the table has no such column, or several.
label_column <- function(x, label) {
  at <- which(names(x) == label$name)
  if (length(at) == 1) x[[at]]
}
