# The call that a fit records.

# An argument larger than this many bytes, some 35 numbers in words, holds data and not only their names.
most_argument_bytes <- 4000

# The call of the function `name` without data: do.call(gpa, list(x, y)) has the rows themselves in its call, where
# they would be kept with the fit and printed by its summary. Each value that is no name, call or short constant is
# replaced by a word that says what it was, and so is a whole argument that is still too large.
record_call <- function(call, name) {
  if (!is.name(call[[1]]) && !is.call(call[[1]])) call[[1]] <- as.name(name)
  for (i in seq_along(call)[-1]) {
    argument <- without_data(call[[i]])
    if (utils::object.size(argument) > most_argument_bytes) argument <- as.name("<a long expression>")
    call[i] <- list(argument)
  }
  call
}

# A word in place of each value in an expression that is neither a name nor a call nor at most four numbers or strings.
without_data <- function(expression) {
  if (is.function(expression)) return(as.name("<a function>"))
  if (is.call(expression)) {
    # function(arguments) body, and where it was written, which holds a copy of the whole script
    if (identical(expression[[1]], quote(`function`))) {
      expression[[3]] <- without_data(expression[[3]])
      return(expression[1:3])
    }
    for (i in seq_along(expression)) {
      if (!identical(expression[[i]], quote(expr = ))) expression[i] <- list(without_data(expression[[i]]))
    }
    return(expression)
  }
  short <- is.atomic(expression) && is.null(attributes(expression)) && length(expression) <= 4
  if (short || is.name(expression)) return(expression)
  size <- if (is.null(dim(expression))) length(expression) else paste(dim(expression), collapse = " x ")
  as.name(sprintf("<%s, %s>", class(expression)[1], size))
}
