# Identifiers: a column whose values name the rows. It has no coordinate, and new rows get new names.

#' @rdname column_kind
#' @export
column_identifier <- function() {
  column_kind(
    "identifier", reads = function(values) FALSE,
    fit = function(values) {
      numbers <- is_number(values)
      last <- if (numbers && length(values)) max(as_number(values), 0, na.rm = TRUE) else 0
      c(list(last = last, integer = is.integer(values), numbers = numbers, levels = is.factor(values),
             known = if (!numbers) as_words(values)),
        if (!is.factor(values)) kept_attributes(values))
    },
    encode = function(values, state) numeric(),
    decode = function(z, state) new_identifiers(nrow(z), state),
    description = function(state) "new identifiers", scores = TRUE
  )
}

# Numbers continue after the largest one. Words are "new1", "new2", ..., without those that are known. state$before: how
# many new names there are already.
new_identifiers <- function(n, state) {
  at <- seq_len(n) + if (is.null(state$before)) 0 else state$before
  if (state$numbers) {
    x <- state$last + at
    return(give_attributes(if (state$integer) whole_number(x) else x, state))
  }
  known <- grep("^new[1-9][0-9]{0,14}$", state$known, value = TRUE)
  taken <- sort(unique(as.numeric(sub("new", "", known, fixed = TRUE))))
  # taken[k] - k numbers below taken[k] are free
  words <- sprintf("new%.0f", at + findInterval(at - 1, taken - seq_along(taken)))
  if (state$levels) factor(words, words) else give_attributes(words, state)
}

# Whether the values name the rows: words of which more than half occur once.
names_rows <- function(values) {
  if (!(is.character(values) || is.factor(values))) return(FALSE)
  words <- as_words(values)[!is.na(values)]
  length(words) >= 20 && sum(table(words) == 1) > 0.5 * length(words)
}

# Whether the values number the rows: whole numbers that occur once each and are more than half of those between the
# least and the largest, as in a random half of a table and more.
numbers_rows <- function(values) {
  n <- length(values)
  if (n < 20 || !is_number(values) || anyNA(values)) return(FALSE)
  x <- as_number(values)
  all(x == round(x)) && !anyDuplicated(x) && n > (max(x) - min(x) + 1) / 2
}
