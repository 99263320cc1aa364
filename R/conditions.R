# What the package says when it stops: one place where errors are made.

fail <- function(...) {
  stop(sprintf(...), call. = FALSE)
}

# "3 (rows 2, 5, 9)": how many and the first few.
some <- function(index) {
  shown <- paste(utils::head(index, 5), collapse = ", ")
  if (length(index) > 5) paste0(shown, ", ...") else shown
}

describe <- function(x) {
  if (is.null(x)) return("NULL")
  if (is.atomic(x) && length(x) == 1) {
    return(if (is.character(x)) sprintf('"%s"', x) else format(x))
  }
  size <- if (is.null(dim(x))) length(x) else paste(dim(x), collapse = " x ")
  sprintf("an object of class \"%s\" and size %s", class(x)[1], size)
}

quoted <- function(names) some(paste0("\"", names, "\""))

join <- function(words) {
  if (length(words) < 2) return(unname(words))
  paste(paste(words[-length(words)], collapse = ", "), "and", words[length(words)])
}
