# Numbers: the coordinate is the normal score of a smooth margin with atoms.

#' @rdname column_kind
#' @param lower,upper Ends of the values: numbers, or in `column_date()` and `column_time()` dates and times. No new
#'   value lies beyond them. Values of the table beyond them are an error. `NULL`: 0 if no value is negative. 1 if all
#'   values lie between 0 and 1. 100 if they lie between 0 and 100, and the counts from 90 to 95 and from 95 to 100 let
#'   expect at least seven beyond it. A value at which the numbers are cut off: the least or the largest value, if it
#'   occurs in at least four rows and in 1 % of them, and at least half as often as the next three values do on
#'   average. Otherwise there is no end. An end other than 0 that the values show is not sure. Values of other rows
#'   beyond it have the likelihood of the outermost value times \eqn{e^{-d/s}/n}{exp(-d/s) / n}, where \eqn{d} is the
#'   distance from the end, \eqn{s} the standard deviation and \eqn{n} the number of values. If the outermost value has
#'   a probability, this is divided by \eqn{s}. `-0` and `0` are one value, and both come back with the same sign.
#' @export
column_continuous <- function(lower = NULL, upper = NULL) {
  ends <- check_ends(lower, upper)
  margin_kind("continuous", function(values) is.double(values) && is_plain(values),
              number = function(values, state) as_number(values),
              back = function(x, state) give_attributes(within_range(x), state),
              lower = ends$lower, upper = ends$upper, description = describe_number)
}

describe_number <- function(state) {
  unit <- state$margin$unit
  if (is.null(unit)) return("numbers")
  if (unit$digits == 0) "whole numbers" else sprintf("numbers of %d decimals", unit$digits)
}
