# Numbers with a unit.

#' @rdname column_kind
#' @export
column_quantity <- function(lower = NULL, upper = NULL) {
  ends <- check_ends(lower, upper)
  margin_kind("quantity", function(values) is.numeric(unclass(values)) && inherits(values, c("units", "difftime")),
              number = function(values, state) in_unit(values, state$attributes$units),
              back = function(x, state) give_attributes(if (state$integer) whole_number(x) else x, state),
              keep = function(values) c(list(integer = is.integer(values)), kept_attributes(values)),
              lower = ends$lower, upper = ends$upper,
              description = function(state) sprintf("numbers in %s", unit_name(state$attributes$units)))
}
