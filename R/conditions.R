# Conditions: all errors of the package are made here.

# Each error has the class "particleflow_error" and a class that says which kind it is:
#   particleflow_input     the user gave something wrong
#   particleflow_unfit     something cannot be fitted to these rows; a search goes on without it
#   particleflow_unsolved  an iteration did not converge, or numbers left the range of doubles
#   particleflow_size      the work would need too much memory or too much time
#   particleflow_daemon    another process did not do its task
#   particleflow_file      a file could not be written
stop_class <- function(class, message, ...) {
  stop(structure(class = c(class, "particleflow_error", "error", "condition"),
                 list(message = message, call = NULL, ...)))
}

fail <- function(...) stop_class("particleflow_input", sprintf(...))
stop_unfit <- function(...) stop_class("particleflow_unfit", sprintf(...))
stop_unsolved <- function(...) stop_class("particleflow_unsolved", sprintf(...))
stop_size <- function(...) stop_class("particleflow_size", sprintf(...))

# The result of `value`. NULL: it cannot be fitted to these rows. Other errors are mistakes and end the call.
unless_unfit <- function(value) tryCatch(value, particleflow_unfit = function(e) NULL)

# The first five entries as one string: "2, 5, 9".
some <- function(index) {
  shown <- utils::head(index, 5)
  if (is.numeric(shown)) shown <- as_text(shown)
  shown <- paste(shown, collapse = ", ")
  if (length(index) > 5) paste0(shown, ", ...") else shown
}

# Words without their class, because as.character() of a class such as "haven_labelled" fails where only a part of its
# packages is loaded.
as_words <- function(x) if (is.character(x)) as.vector(unclass(x)) else as.character(x)

# The text of numbers, whatever options() says about digits and the exponent.
as_text <- function(x, digits = 15L) {
  if (is.integer(x)) sprintf("%d", x) else sprintf(paste0("%.", digits, "g"), x)
}

describe <- function(x) {
  if (is.null(x)) return("NULL")
  if (is.atomic(x) && length(x) == 1) {
    return(if (is.character(x)) sprintf('"%s"', x) else format(x))
  }
  size <- if (is.null(dim(x))) length(x) else paste(dim(x), collapse = " x ")
  sprintf("an object of class \"%s\" and size %s", class(x)[1], size)
}

plural <- function(n) if (n == 1) "" else "s"
columns_words <- function(count) sprintf("%d column%s", count, plural(count))

quoted <- function(names) some(paste0("\"", names, "\""))

join <- function(words) {
  if (length(words) < 2) return(unname(words))
  paste(paste(words[-length(words)], collapse = ", "), "and", words[length(words)])
}
