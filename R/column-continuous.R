# Numbers: the coordinate is the normal score of a smooth margin with atoms.

#' @rdname column_kind
#' @param lower,upper Ends of the values: numbers, or in `column_date()` and `column_time()` dates and times. No new
#'   value lies beyond them. Values of the table beyond them are an error. `NULL`: 0 if no value is negative. 1 if all
#'   values lie between 0 and 1. 100 if they lie between 0 and 100 and use both ends, as percentages do: the largest is
#'   at least 90, and the least is at most 10 or a tenth of the values is above 95. A value at which the numbers are cut
#'   off: the least or the largest value, if it occurs in at least four rows and in 1 % of them. Otherwise there is no
#'   end.
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
