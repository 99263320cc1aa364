# The time limit of a search, and what it leaves out. A search without a limit has NULL in its place.

# A limit that begins now. `said` collects what is left out.
search_limit <- function(seconds) {
  if (is.null(seconds) || seconds == Inf) return(NULL)
  list(ends = seconds_now() + seconds, said = new.env(parent = emptyenv()))
}

is_late <- function(limit) !is.null(limit) && seconds_now() >= limit$ends

# Remembers what is left out, in the order in which it was left out.
leave_out <- function(limit, what) {
  limit$said$what <- unique(c(limit$said$what, what))
  NULL
}

left_out <- function(limit) if (is.null(limit)) character() else as.character(limit$said$what)

# The seconds of each class: its share of what is left after the table was read.
seconds_of_class <- function(seconds, began, classes) {
  if (is.null(seconds)) Inf else max(0, seconds - (seconds_now() - began)) / classes
}

# The order in which candidates are scored while there is a limit: the first ones of all laws, then the second ones.
by_promise <- function(specs) {
  law <- vapply(specs, `[[`, "", "law")
  order(stats::ave(seq_along(law), law, FUN = seq_along))
}

# What the fit of a search says. seconds: the limit. keys: what was left out.
limit_words <- function(seconds, keys) {
  if (!length(keys)) return(NULL)
  words <- c(laws = "settings of laws", folds = "folds", units = "the whitened unit", flows = "flows",
             weights = "weights of the mixture from all rows")
  sprintf("the search met its limit of %s second%s and left out: %s", format(seconds), plural(seconds),
          toString(words[intersect(names(words), keys)]))
}
