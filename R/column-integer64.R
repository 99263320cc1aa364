# The 64-bit integers of the package bit64.

#' @rdname column_kind
#' @export
column_integer64 <- function() {
  column_kind(
    "integer64", reads = is_integer64,
    encode = function(values, state) as_number(values),
    decode = function(z, state) {
      need_bit64()
      bit64::as.integer64(pmin(pmax(round(z[, 1]), -largest_exact), largest_exact))
    },
    description = function(state) "whole numbers of 64 bits", numeric = TRUE
  )
}
