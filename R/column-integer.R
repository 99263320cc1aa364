# Whole numbers: columns of type integer.

#' @rdname column_kind
#' @export
column_integer <- function() {
  column_kind(
    "integer", reads = function(values) is.integer(values) && is_plain(values),
    fit = kept_attributes,
    encode = function(values, state) as_number(values),
    decode = function(z, state) give_attributes(whole_number(z[, 1]), state),
    description = function(state) "whole numbers", numeric = TRUE
  )
}

# The nearest integer. Numbers beyond the range of integers become the nearest end of this range.
whole_number <- function(x) {
  largest <- .Machine$integer.max
  as.integer(pmin(pmax(round(x), -largest), largest))
}
