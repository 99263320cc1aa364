# A column: how the values of one column of a table become coordinates, and how coordinates become values again.

#' Kinds of columns
#'
#' A *kind* of column says how the values of one column become numbers, and how numbers become values again. The numbers
#' are called coordinates. For example, `TRUE` and `FALSE` become normal scores below and above a limit.
#'
#' A function that takes a table asks each kind whether it reads a column: its function `reads` returns `TRUE` or
#' `FALSE`. If several kinds read it, the one with the highest `rank` is taken. A column that no kind reads is an error.
#' The functions ask the kinds of the package only. [synthesise()] takes other kinds, also those that you make with
#' `column_kind()`, by its argument `columns`.
#'
#' A kind is fitted to the values of a column. The result is the *state*, a list of numbers such as a unit. The other
#' functions of the kind are given this state, and depend on nothing else but their arguments. Below, `n` is the number
#' of values.
#'
#' @section Kinds by normal scores:
#' [synthesise()] reads columns by these kinds. The coordinate is the normal score of the value under a smooth estimate
#' of the distribution of the column, its *margin* (see [synthesise()]). Values that occur more often than their
#' neighbours, such as zeros or round numbers, have a probability of their own.
#'
#' * `column_continuous()` reads numbers of type double. If all values are multiples of a unit with at most six
#'   decimals, new values are so, too. If a share of the rows keeps to a coarser unit, such as whole numbers among
#'   tenths, about the same share of new rows does. If only values of the table can come out, such as 0 and 1, `print()`
#'   calls the column "of few values": there are at most two different values, or few that occur often.
#' * `column_count()` reads whole numbers: type integer, and the 64-bit integers of the package bit64.
#' * `column_quantity()` reads numbers with a unit: class `units` of the package units, and `difftime`.
#' * `column_date()` and `column_time()` read dates (`Date`) and times (`POSIXct`).
#' * `column_logical()`, `column_ordered()` and `column_nominal()` read `TRUE` and `FALSE`, ordered factors, and other
#'   factors and words. New values are among those of the table.
#' * `column_identifier()` is for columns that name the rows. They have no coordinate, and new rows get new names.
#'
#' @section Levels without order:
#' `column_nominal()` has two encodings. Both look at the means of the other columns within each level, shrunken as if
#' five rows of the mean of all rows were added. Their principal axes, weighted by the numbers of rows, are those of a
#' correspondence analysis. If the levels determine numbers, such as the distance between two places, or numbers are
#' part of a combination that `combine` asks for, the first axis is that of the normal scores of these numbers, and the
#' second one that of the means without their part along the first. Relations with other numbers stay strong so.
#'
#' * `"order"` makes one coordinate. The levels stand in the order of the first axis, so levels whose rows are alike
#'   stand side by side.
#' * `"tree"` makes two coordinates. The first axis puts the \eqn{L} levels into at most
#'   \eqn{\lceil\sqrt{L}\rceil}{ceiling(sqrt(L))} groups \eqn{g} of nearly equal probability. Within each group the
#'   second axis orders them. With uniform numbers \eqn{U_1} and \eqn{U_2},
#'   \deqn{z_1 = \Phi^{-1}\{F(g-) + U_1 P(g)\}, \qquad z_2 = \Phi^{-1}\{F_g(x-) + U_2 P_g(x)\},}{z_1 =
#'   Phi^(-1)(F(g-) + U_1 P(g)), z_2 = Phi^(-1)(F_g(x-) + U_2 P_g(x)),}
#'   where \eqn{F_g} and \eqn{P_g} are the distribution function and the probability within the group. So
#'   \eqn{P(x) = P(g) P_g(x)}. A level that is alone in its group has the whole line as its second cell, like a missing
#'   value. A factor with one or two levels, or without other columns, has one coordinate.
#'
#' `NULL` chooses between the two in each column. Levels with at least 5 % of the rows keep the order if they have half
#' of the rows together, because [law_trees()] gives such levels their probabilities in any order. Otherwise the
#' logarithm of \eqn{P(x | \mathrm{other\ columns})}{P(x | other columns)} is compared on two halves of at most 3000
#' rows. Each half is predicted by a probit regression for each coordinate, fitted to the other half, in which the axes
#' are found, too. The tree is taken if its mean is larger by more than two standard errors. A combination that
#' [synthesise()] is asked for in `combine` is encoded in the same way. A third way, one fit per
#' level, is only taken if you name the column in `group` of [synthesise()]. On twelve tables it had a larger held-out
#' log-likelihood than the order, by more than two standard errors, on one, and a smaller one on four.
#'
#' @section Kinds in the unit of the column:
#' [efs()], [gpa()], [integrate_data()] and the other functions whose particles move in the space of the data read
#' columns by these kinds.
#'
#' * `column_number()` reads numbers of type double. The coordinate is the number itself. A column whose largest
#'   absolute value lies beyond \eqn{2^{332}}{2^332} (about 1e100) or below \eqn{2^{-332}}{2^-332} is divided by a power
#'   of two first, so that squares of its values stay within the range of doubles. New values come back in the unit of
#'   the column.
#' * `column_integer()` reads whole numbers, which are columns of type integer. New values are rounded to the nearest
#'   integer.
#' * `column_integer64()` does the same for the 64-bit integers of the package bit64. Values beyond
#'   \eqn{2^{53}}{2^53} are an error if doubles do not hold them exactly.
#' * `column_unit()` reads numbers with a unit: class `units` of the package units, and `difftime`. New rows in another
#'   unit are converted to the unit of the column.
#' * `column_constant()` stands for a column whose values are all equal. It has no coordinate, and new rows have the
#'   same value. Its `reads()` returns `FALSE`: a table finds its constant columns itself.
#'
#' @param name Name of the kind, one word.
#' @param reads Function of the values of a column that returns `TRUE` if this kind reads such columns.
#' @param encode Function of values and state that returns the coordinates: a numeric vector of length `n`, or a matrix
#'   `[n, k]`. Another size is an error. If it has an argument `uniform`, this is a function of a whole number `k` that
#'   returns a matrix `[n, k]` of uniform random numbers, always the same ones.
#' @param decode Function of a matrix of coordinates `[n, k]` and the state that returns `n` values in the class of the
#'   column. Another number of values is an error.
#' @param fit Function of the values of the column that returns the state. [synthesise()] gives it the values that are
#'   not missing; other functions call it before they refuse missing values. If it has an argument `others`, this is a
#'   matrix of coordinates of the other columns, or `NULL`. If it has an argument `numbers`, this is a matrix of the
#'   normal scores of the numbers that the column determines, one column for each, or `NULL`.
#' @param margin `NULL`, or a function of values and state that returns a numeric vector of length `n`. The log-density
#'   of the values is that of the coordinates plus this vector. If the coordinate \eqn{z} is a smooth function of the
#'   value \eqn{x}, the vector is \eqn{\log |dz/dx|}{log |dz/dx|}. If single values have a positive probability, the
#'   sum must be the logarithm of this probability. `NULL`: 0 is added.
#' @param description Function of the state that returns a few words, which are printed.
#' @param numeric `TRUE` if the values are numbers. A column of this kind then also accepts plain numbers in new rows,
#'   and scores compare the column by distances between its values.
#' @param scores `TRUE` if the coordinates are normal scores, as [synthesise()] needs them: together they should follow
#'   the standard normal distribution.
#' @param cells `NULL`, or a function of values and state that returns a matrix `[n, 2 k]`: the lower and the upper ends
#'   of the coordinates that stand for each value. `decode` must return the value for all of them. Values with a
#'   positive probability have such cells; their likelihood is the integral over the cell. For other values both ends
#'   are the coordinate.
#' @param rank A number. Of several kinds that read a column, the one with the highest rank is taken.
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
#' # a kind for synthesise(): normal scores of weekdays, each with a seventh of the line as its cell
#' weekday <- column_kind(
#'   "weekday", reads = is.integer,
#'   encode = function(values, state, uniform) qnorm((values - 1 + uniform(1)[, 1]) / 7),
#'   decode = function(z, state) pmin(7L, 1L + as.integer(floor(7 * pnorm(z[, 1])))),
#'   cells = function(values, state) cbind(qnorm((values - 1) / 7), qnorm(values / 7)), scores = TRUE
#' )
#' visits <- data.frame(day = rep(1:7, 10), minutes = 30 + rep(1:7, 10) + 1:70 %% 4)
#' fit <- synthesise(visits, columns = list(day = weekday), law = law_student(), flow = FALSE)
#' simulate(fit, 3, seed = 1)
#' @export
column_kind <- function(name, reads, encode, decode, fit = function(values) list(), margin = NULL,
                        description = function(state) name, numeric = FALSE, rank = 1, scores = FALSE,
                        cells = NULL) {
  if (!is.character(name) || length(name) != 1 || is.na(name) || name == "") {
    fail("`name` must be one word, not %s.", describe(name))
  }
  check_hook(reads, "reads", "values")
  check_hook(encode, "encode", c("values", "state"), "uniform")
  check_hook(decode, "decode", c("z", "state"))
  check_hook(fit, "fit", "values", c("others", "numbers"))
  if (!is.null(cells)) check_hook(cells, "cells", c("values", "state"))
  check_hook(description, "description", "state")
  if (!is.null(margin)) check_hook(margin, "margin", c("values", "state"))
  structure(
    list(name = name, reads = reads, encode = encode, decode = decode, fit = fit, margin = margin,
         description = description,
         numeric = check_flag(numeric, "numeric"), rank = check_number(rank, "rank"),
         scores = check_flag(scores, "scores"), cells = cells),
    class = "column_kind"
  )
}

#' @rdname column_kind
#' @param x,... A kind; not used.
#' @export
print.column_kind <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat(sprintf("<column_kind> %s%s\n", x$name, if (x$numeric) ", numbers" else ""))
  invisible(x)
}

# The kinds that may read a column, the highest rank first. They are the values of the exported constructors column_x()
# of the package, called without arguments. A new kind needs only a file column-x.R that exports column_x().
column_kinds <- function(scores = FALSE) {
  space <- topenv()
  makers <- sort(grep("^column_", getNamespaceExports(space), value = TRUE), method = "radix")
  kinds <- lapply(setdiff(makers, "column_kind"), function(maker) get(maker, space)())
  names(kinds) <- vapply(kinds, `[[`, "", "name")
  kinds <- Filter(function(kind) kind$scores == scores, kinds)
  kinds[order(-vapply(kinds, `[[`, 0, "rank"))]
}

# The first of `kinds` that reads the values of one column, or NULL.
column_kind_of <- function(values, kinds) {
  if (length(dim(values)) > 1) return(NULL)
  for (kind in kinds) if (isTRUE(kind$reads(values))) return(kind)
  NULL
}

# A fitted column holds its state and the number of its coordinates. It holds the name of a kind of the package, and the
# whole code of any other kind.
fit_column <- function(kind, values, others = NULL, numbers = NULL) {
  state <- do.call(kind$fit, c(list(values), accepted(kind$fit, list(others = others, numbers = numbers))))
  column <- list(kind = if (is_own(kind)) kind$name else kind, state = state, dim = NA_integer_)
  class(column) <- "fitted_column"
  column
}

is_own <- function(kind) {
  home <- environment(kind$encode)
  !is.null(home) && identical(topenv(home), topenv())
}

column_code <- function(column) {
  if (!is.character(column$kind)) return(column$kind)
  remembered(own_kinds, column$kind, get(paste0("column_", column$kind), topenv())())
}

# The kinds of the package that were made so far, because to make one takes longer than to decode a few values.
own_kinds <- new.env(parent = emptyenv())

# The coordinates of n values as one vector: n numbers for each of the column$dim coordinates.
encode_column <- function(column, values, code = column_code(column), uniform = NULL) {
  z <- do.call(code$encode, c(list(values, column$state), accepted(code$encode, list(uniform = uniform))))
  n <- length(values)
  if (!is.numeric(z) || (n > 0 && length(z) %% n != 0) || (!is.na(column$dim) && length(z) != n * column$dim)) {
    fail("`encode` of the column kind \"%s\" must return %d rows of numbers, not %s.", code$name, n, describe(z))
  }
  as.double(z)
}

# fill: whether missing values get values, too.
decode_column <- function(column, coordinates, code = column_code(column), fill = FALSE) {
  gone <- rep(FALSE, nrow(coordinates))
  if (!is.null(column$missing)) {
    gone <- margin_values(column$missing, coordinates[, ncol(coordinates)]) >= 0.5
    coordinates <- coordinates[, -ncol(coordinates), drop = FALSE]
  }
  values <- code$decode(coordinates, column$state)
  if (length(values) != nrow(coordinates)) {
    fail("`decode` of the column kind \"%s\" must return %d values, not %s.", code$name, nrow(coordinates),
         describe(values))
  }
  if (any(gone) && !fill) is.na(values) <- which(gone)
  values
}

# [n]: what is added to the log-density of the coordinates. NULL stands for 0.
column_margin <- function(column, values, code = column_code(column)) {
  if (!is.null(code$margin)) code$margin(values, column$state)
}

# TRUE if a fitted column can read these values of new rows: those that its kind reads, and plain numbers if the kind is
# numeric.
takes_values <- function(values, code) (code$numeric && is_number(values)) || isTRUE(code$reads(values))

#' @export
format.fitted_column <- function(x, ...) {
  check_dots("format()", ...)
  column_code(x)$description(x$state)
}

#' @export
print.fitted_column <- function(x, ...) {
  check_dots("print()", ..., allowed = print_settings)
  cat("<column> ", format(x), "\n", sep = "")
  invisible(x)
}

# Entries of a vector with the class of the vector, even if the package that defines the class is not installed.
take <- function(values, at) {
  taken <- values[at]
  if (is.object(values) && !is.object(taken)) {
    kept <- attributes(values)[setdiff(names(attributes(values)), c("names", "dim", "dimnames", "tsp"))]
    kept$class <- setdiff(kept$class, "ts") # a part of a time series is none
    attributes(taken) <- kept[lengths(kept) > 0]
  }
  taken
}

# Numbers without a unit: doubles, integers and 64-bit integers.
is_number <- function(values) (is.numeric(values) && is_plain(values)) || is_integer64(values)

as_number <- function(values) if (is_integer64(values)) integer64_number(values) else as.double(values)

# TRUE if the values have no class, or only classes that do not change the meaning of the numbers.
is_plain <- function(values) {
  if (!is.object(values)) return(TRUE)
  all(class(values) %in% c("AsIs", "ts", "numeric", "integer", if (is.null(attr(values, "labels"))) "labelled"))
}

# list(attributes): attributes that new numbers get too, such as a label or a unit. NULL if there are none.
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

# The class of the package bit64. It stores 64-bit integers in the bits of doubles.
is_integer64 <- function(values) inherits(values, "integer64")

# Doubles hold every whole number up to this one exactly.
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
