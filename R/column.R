# A column: how the values of one column of a table become latent coordinates, and values again.

#' Kinds of columns
#'
#' How one column of a table is read and written. [efs()], [gpa()] and the other functions that take a table ask the
#' kinds of this page in turn, and each column is read by the kind of the highest `rank` whose `reads()` says `TRUE`. A
#' column that no kind reads is refused.
#'
#' A kind is fitted to the values of a column. What the fit returns, the *state*, is a list of numbers, and the other
#' functions of the kind depend on their arguments and on the state alone. In each of them `n` is the number of values.
#'
#' `column_number()` reads numbers: its coordinate is the number itself. A column whose largest absolute value lies
#' beyond \eqn{2^{332}}{2^332} (about 1e100) or below \eqn{2^{-332}}{2^-332} is divided by a power of two first, so that
#' squares of its values stay within the range of doubles; new values come back in the unit of the column.
#' `column_count()` reads whole numbers (columns of type integer): new values are rounded to the nearest integer.
#' `column_integer64()` does the same for the 64-bit integers of the package bit64. `column_unit()` reads numbers with a
#' unit: class `units` of the package units, and `difftime`. `column_constant()` stands for a column whose values are
#' all equal: it has no coordinate, and new rows have the same value.
#'
#' @param name Name of the kind.
#' @param reads Function of the values that says whether this kind reads such a column by itself.
#' @param encode Function of values and state that returns the coordinates: a numeric vector of length `n`, or a matrix
#'   `[n, k]`.
#' @param decode Function of coordinates, a matrix `[n, k]`, and state that returns `n` values in the class of the
#'   column.
#' @param fit Function of the values of the column that returns the state. It is called before missing values are
#'   refused.
#' @param margin `NULL`, or a function of values and state that returns for each value what is to be added to the
#'   log-density of its coordinates to get that of the value (for a value of positive probability, its
#'   log-probability): \eqn{\log |dz/dx|}{log |dz/dx|} where the coordinate is a function of the value. `NULL`: 0.
#' @param description Function of the state that returns a few words.
#' @param numeric Whether the values are numbers: then plain numbers are taken for them in new rows, and scores measure
#'   distances in the column.
#' @param rank Of several kinds that read a column, the one of the highest rank is taken.
#' @return An object of class `column_kind`: a list of the arguments.
#' @examples
#' column_count()
#' # TRUE and FALSE as 1 and 0
#' flag <- column_kind(
#'   "flag", reads = is.logical,
#'   encode = function(values, state) as.double(values),
#'   decode = function(z, state) z[, 1] >= 0.5
#' )
#' z <- flag$encode(c(TRUE, FALSE, TRUE), list())
#' flag$decode(cbind(z), list())
#' @export
column_kind <- function(name, reads, encode, decode, fit = function(values) list(), margin = NULL,
                        description = function(state) name, numeric = FALSE, rank = 1) {
  if (!is.character(name) || length(name) != 1 || is.na(name) || name == "") {
    fail("`name` must be one word, not %s.", describe(name))
  }
  for (what in c("reads", "encode", "decode", "fit", "description", if (!is.null(margin)) "margin")) {
    value <- get(what)
    if (!is.function(value)) fail("`%s` must be a function, not %s.", what, describe(value))
  }
  structure(
    list(name = name, reads = reads, encode = encode, decode = decode, fit = fit, margin = margin,
         description = description,
         numeric = check_flag(numeric, "numeric"), rank = check_number(rank, "rank")),
    class = "column_kind"
  )
}

#' @rdname column_kind
#' @param x,... A kind; not used.
#' @export
print.column_kind <- function(x, ...) {
  cat(sprintf("<column_kind> %s%s\n", x$name, if (x$numeric) ", numbers" else ""))
  invisible(x)
}

# The kinds that are asked for each column, the highest rank first: the exported constructors column_x() of the package,
# called without arguments. A file column-x.R that exports column_x() is all that a new kind needs.
column_kinds <- function() {
  space <- topenv()
  makers <- sort(grep("^column_", getNamespaceExports(space), value = TRUE), method = "radix")
  kinds <- lapply(setdiff(makers, "column_kind"), function(maker) get(maker, space)())
  names(kinds) <- vapply(kinds, `[[`, "", "name")
  kinds[order(-vapply(kinds, `[[`, 0, "rank"))]
}

# The first of `kinds` that reads the values of one column, or NULL.
column_kind_of <- function(values, kinds) {
  if (length(dim(values)) > 1) return(NULL)
  for (kind in kinds) if (isTRUE(kind$reads(values))) return(kind)
  NULL
}

# A fitted column holds its state and the number of its coordinates. A kind whose code is that of the package is named;
# the code of any other goes along.
fit_column <- function(kind, values) {
  column <- list(kind = if (is_own(kind)) kind$name else kind, state = kind$fit(values), dim = NA_integer_)
  class(column) <- "fitted_column"
  column
}

is_own <- function(kind) {
  home <- environment(kind$encode)
  !is.null(home) && identical(topenv(home), topenv())
}

column_code <- function(column) {
  if (is.character(column$kind)) get(paste0("column_", column$kind), topenv())() else column$kind
}

# Coordinates: n numbers for each of column$dim.
encode_column <- function(column, values, code = column_code(column)) {
  z <- code$encode(values, column$state)
  n <- length(values)
  if (!is.numeric(z) || (n > 0 && length(z) %% n != 0) || (!is.na(column$dim) && length(z) != n * column$dim)) {
    fail("`encode` of the column kind \"%s\" must return %d rows of numbers, not %s.", code$name, n, describe(z))
  }
  as.double(z)
}

decode_column <- function(column, coordinates, code = column_code(column)) {
  values <- code$decode(coordinates, column$state)
  if (length(values) != nrow(coordinates)) {
    fail("`decode` of the column kind \"%s\" must return %d values, not %s.", code$name, nrow(coordinates),
         describe(values))
  }
  values
}

# [n], what is added to the log-density of the coordinates; NULL for 0.
column_margin <- function(column, values, code = column_code(column)) {
  if (!is.null(code$margin)) code$margin(values, column$state)
}

# Values of new rows that a fitted column can read: those that its kind reads, and plain numbers for numbers.
takes_values <- function(values, code) (code$numeric && is_number(values)) || isTRUE(code$reads(values))

#' @export
format.fitted_column <- function(x, ...) column_code(x)$description(x$state)

#' @export
print.fitted_column <- function(x, ...) {
  cat("<column> ", format(x), "\n", sep = "")
  invisible(x)
}

# Entries of a vector with its class, also where the package that knows the class is not there.
take <- function(values, at) {
  taken <- values[at]
  if (is.object(values) && !is.object(taken)) {
    attributes(taken) <- attributes(values)[setdiff(names(attributes(values)), c("names", "dim", "dimnames"))]
  }
  taken
}

# Numbers without a unit: doubles, integers and 64-bit integers.
is_number <- function(values) (is.numeric(values) && is_plain(values)) || is_integer64(values)

as_number <- function(values) if (is_integer64(values)) integer64_number(values) else as.double(values)

# Without a class, or with one that does not change what the numbers mean.
is_plain <- function(values) {
  if (!is.object(values)) return(TRUE)
  all(class(values) %in% c("AsIs", "ts", "numeric", "integer", if (is.null(attr(values, "labels"))) "labelled"))
}

# list(attributes) that new numbers get too, such as a label or a unit; NULL where there are none.
kept_attributes <- function(values) {
  kept <- attributes(values)
  if (is.null(kept)) return(NULL)
  kept <- kept[setdiff(names(kept), c("names", "dim", "dimnames", "tsp"))]
  if (!is.null(kept$class)) kept$class <- setdiff(kept$class, "ts")
  kept <- kept[lengths(kept) > 0]
  if (length(kept)) list(attributes = kept)
}

give_attributes <- function(values, state) {
  if (!is.null(state$attributes)) attributes(values) <- state$attributes
  values
}

# The class of the package bit64, whose numbers stand in the bits of doubles.
is_integer64 <- function(values) inherits(values, "integer64")

# Doubles hold whole numbers up to here.
largest_exact <- 2^53

integer64_number <- function(values) {
  need_bit64()
  number <- suppressWarnings(as.double(values))
  if (any(bit64::as.integer64(number) != values, na.rm = TRUE)) {
    fail("Numbers of class \"integer64\" that no double holds exactly (beyond 2^53) cannot be read; %s.",
         "give as.numeric() of them or leave them out")
  }
  number
}

need_bit64 <- function() {
  if (!requireNamespace("bit64", quietly = TRUE)) {
    fail("Numbers of class \"integer64\" need the package bit64; install it, or give as.numeric() of them.")
  }
}
