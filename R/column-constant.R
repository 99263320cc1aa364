# A column whose values are all equal.

#' @rdname column_kind
#' @export
column_constant <- function() {
  column_kind(
    # the reader of tables finds the constant columns: it reads them by their own kind first, then replaces that kind
    "constant", reads = function(values) FALSE,
    fit = function(values) list(value = take(values, 1L)),
    encode = function(values, state) numeric(),
    decode = function(z, state) take(state$value, rep(1L, nrow(z))),
    description = function(state) sprintf("always %s", format(state$value))
  )
}
