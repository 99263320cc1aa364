# Numbers with a unit: class "units" (package units) and "difftime". The coordinate is the number in the unit of the
# column that was read first.

#' @rdname column_kind
#' @export
column_unit <- function() {
  column_kind(
    "unit", reads = function(values) is.numeric(unclass(values)) && inherits(values, c("units", "difftime")),
    fit = kept_attributes,
    encode = function(values, state) in_unit(values, state$attributes$units),
    decode = function(z, state) give_attributes(z[, 1], state),
    description = function(state) sprintf("numbers in %s", unit_name(state$attributes$units)), numeric = TRUE
  )
}

unit_name <- function(units) {
  if (is.character(units)) return(units)
  below <- units$denominator
  paste(c(units$numerator, if (length(below)) paste0("/", below)), collapse = " ")
}

# The values as numbers in the unit `units`. Plain numbers count as numbers in that unit.
in_unit <- function(values, units) {
  own <- attr(values, "units")
  if (is.null(own) || identical(own, units)) return(as_number(unclass(values)))
  if (inherits(values, "difftime") && is.character(units)) return(as.double(values, units = units))
  if (!inherits(values, "units") || is.character(units)) {
    fail("Numbers of class \"%s\" cannot be read in the unit \"%s\".", class(values)[1], unit_name(units))
  }
  if (!requireNamespace("units", quietly = TRUE)) {
    fail("The package units is needed to bring numbers to the unit \"%s\"; install it.", unit_name(units))
  }
  as.double(units::set_units(values, units, mode = "standard"))
}
