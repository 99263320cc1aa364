# The call that a fit records.

# An argument of more bytes than this (about 35 numbers in words) contains data and not only their names.
most_argument_bytes <- 4000

# The call of the function `name` without data. do.call(gpa, list(x, y)) has the rows themselves in its call. They
# would be stored with the fit and printed by its summary. So each value that is neither a name nor a call nor a short
# constant is replaced by a word that describes it. An argument that is still too large is replaced as a whole.
record_call <- function(call, name) {
  # dispatch names the method, which a user cannot call by its name
  method <- is.name(call[[1]]) && grepl(".", as.character(call[[1]]), fixed = TRUE)
  if (method || (!is.name(call[[1]]) && !is.call(call[[1]]))) call[[1]] <- as.name(name)
  for (i in seq_along(call)[-1]) {
    argument <- without_data(call[[i]])
    if (utils::object.size(argument) > most_argument_bytes) argument <- as.name("<a long expression>")
    call[i] <- list(argument)
  }
  call
}

# Replaces by a word each value in an expression that is neither a name nor a call nor at most four numbers or strings.
without_data <- function(expression) {
  if (is.function(expression)) return(as.name("<a function>"))
  if (is.call(expression)) {
    # function(arguments) body; the last element, a reference to the source, holds a copy of the whole script
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

# The function of this name that the attached package masks, NULL if there is none.
masked_function <- function(name) {
  place <- match("package:particleflow", search())
  if (is.na(place)) return(NULL)
  for (other in search()[-seq_len(place)]) {
    found <- get0(name, as.environment(other), mode = "function", inherits = FALSE)
    if (!is.null(found)) return(found)
  }
}

# The value of a call as if it had named this function.
eval_call <- function(fun, call, envir) {
  call[[1]] <- fun
  eval(call, envir)
}
