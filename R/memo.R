# A cache of what a search computes once for several candidates.

# `value`, computed once for each key of `memo`. `memo` is an environment that belongs to the points of a search, or
# NULL.
remembered <- function(memo, key, value) {
  if (is.null(memo)) return(value)
  if (is.null(memo[[key]])) memo[[key]] <- value
  memo[[key]]
}

# A part of `memo` with its own keys.
memo_part <- function(memo, name) {
  if (!is.null(memo)) remembered(memo, paste("part", name), new.env(parent = emptyenv()))
}
