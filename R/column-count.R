# Whole numbers: the coordinate is the normal score of a margin on the whole numbers.

#' @rdname column_kind
#' @export
column_count <- function(lower = NULL, upper = NULL) {
  ends <- check_ends(lower, upper)
  margin_kind("count", function(values) (is.integer(values) && is_plain(values)) || is_integer64(values),
              number = function(values, state) as_number(values), back = whole_back, keep = whole_attributes,
              lower = ends$lower, upper = ends$upper, description = function(state) "whole numbers", rank = 2)
}

whole_attributes <- function(values) {
  if (is_integer64(values)) list(long = TRUE) else c(list(double = is.double(values)), kept_attributes(values))
}

whole_back <- function(x, state) {
  if (isTRUE(state$long)) {
    need_bit64()
    return(bit64::as.integer64(pmin(pmax(round(x), -largest_exact), largest_exact)))
  }
  give_attributes(if (state$double) round(x) else whole_number(x), state)
}
