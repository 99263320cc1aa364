# What the search for relations asks of columns: their kinds, the words of their values, and the chance of agreement.

can_relate <- function(kind) !is.null(kind$cells)

# Numbers, dates and times.
is_measured <- function(kind) !is.null(kind[["number"]]) && !has_levels(kind)

has_levels <- function(kind) kind$name %in% c("nominal", "ordered", "logical")

# Agreement by chance alone must be less likely than this.
most_chance <- 1e-6

# Whether rows that share a value of the source could share a value of the target by chance. same: the number of rows
# that must agree with an earlier one; shares: those of the target's values.
is_no_chance <- function(same, shares) same * -log(sum(shares^2)) > -log(most_chance)

# Words of values; a missing value is a word of its own.
value_words <- function(values) {
  words <- if (is.numeric(values)) as_text(values, 17L) else as_words(values)
  words[is.na(values)] <- NA
  words
}

# The words of one column, or those of two as one word.
joined_words <- function(words) {
  if (length(words) == 1) words[[1]] else do.call(paste, c(words, sep = "\r"))
}

# Few rows refute most relations.
probe_rows <- function(n) unique(round(seq(1, n, length.out = 200)))
