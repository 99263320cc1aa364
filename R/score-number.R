# A number that is printed with what is known of it: its standard error, or how it was computed.

new_score_number <- function(value, ...) structure(as.double(value), ..., class = "score_number")

# What stands beside the number, "" if there is nothing to say.
number_notes <- function(x) {
  error <- attr(x, "standard_error")
  blur <- attr(x, "blur")
  notes <- c(
    if (!is.null(error) && !identical(error, 0)) {
      c(paste("standard error", if (is.na(error)) "unknown" else format(signif(error, 2))),
        count_of(attr(x, "directions"), "direction"))
    },
    if (!is.null(blur) && blur > 0) {
      c(paste("blur", format(signif(blur, 3))), count_of(attr(x, "iterations"), "iteration"))
    },
    if (isFALSE(attr(x, "converged"))) "not converged"
  )
  paste(notes, collapse = ", ")
}

count_of <- function(n, what) sprintf("%d %s%s", n, what, if (n == 1) "" else "s")

# The digits that the standard error leaves, two of them uncertain.
#' @export
format.score_number <- function(x, digits = NULL, ...) {
  error <- attr(x, "standard_error")
  value <- as.double(x)
  if (is.null(digits)) {
    digits <- getOption("digits")
    if (!is.null(error) && is.finite(error) && error > 0) {
      digits <- min(digits, max(1, floor(log10(max(abs(value), error))) - floor(log10(error)) + 2))
    }
  }
  format(signif(value, digits), digits = digits, ...)
}

#' @export
print.score_number <- function(x, digits = NULL, ...) {
  check_dots("print()", ..., allowed = print_settings)
  notes <- number_notes(x)
  cat(format(x, digits), if (nzchar(notes)) sprintf(" (%s)", notes), "\n", sep = "")
  invisible(x)
}

# Whatever is computed from it is a plain number.
#' @export
Ops.score_number <- function(e1, e2) {
  bare <- function(e) if (inherits(e, "score_number")) as.double(e) else e
  if (nargs() == 1) get(.Generic)(bare(e1)) else get(.Generic)(bare(e1), bare(e2))
}

#' @export
Math.score_number <- function(x, ...) get(.Generic)(as.double(x), ...)

#' @export
Summary.score_number <- function(..., na.rm = FALSE) {
  do.call(.Generic, c(lapply(list(...), as.vector), na.rm = na.rm))
}

#' @export
as.data.frame.score_number <- function(x, ...) as.data.frame(as.double(x), ...)

#' @export
`[.score_number` <- function(x, i) as.double(x)[i]

#' @export
`[[.score_number` <- function(x, i) as.double(x)[[i]]
