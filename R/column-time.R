# Dates and times.

#' @rdname column_kind
#' @export
column_date <- function(lower = NULL, upper = NULL) clock_kind("date", "Date", lower, upper, as.Date)

#' @rdname column_kind
#' @export
column_time <- function(lower = NULL, upper = NULL) clock_kind("time", "POSIXct", lower, upper, as.POSIXct)

# read: turns an end that the user gives into a value of the class.
clock_kind <- function(name, class, lower, upper, read) {
  margin_kind(
    name, function(values) inherits(values, class), number = function(values, state) as.double(values),
    back = function(x, state) give_attributes(if (state$integer) whole_number(x) else x, state),
    keep = function(values) c(list(integer = is.integer(values)), kept_attributes(values)),
    lower = time_end(lower, "lower", read), upper = time_end(upper, "upper", read),
    description = function(state) paste0(name, "s"), numeric = FALSE
  )
}

# Dates have no natural end.
time_end <- function(value, what, read) {
  if (is.null(value)) return(if (what == "lower") -Inf else Inf)
  end <- tryCatch(as.double(read(value)), error = function(e) NA)
  if (length(end) != 1 || is.na(end)) fail("`%s` must be one date or time, not %s.", what, describe(value))
  end
}
