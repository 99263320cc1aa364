# Caches: what a search computes once for several candidates, and what is made once in a session.

# `value`, computed once for each key of `memo`. `memo` is an environment, that of a search belongs to its points; or
# it is NULL.
remembered <- function(memo, key, value) {
  if (is.null(memo)) return(value)
  if (is.null(memo[[key]])) memo[[key]] <- value
  memo[[key]]
}

# A part of `memo` with its own keys.
memo_part <- function(memo, name) {
  if (!is.null(memo)) remembered(memo, paste("part", name), new.env(parent = emptyenv()))
}
