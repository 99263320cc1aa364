# Dates and times.

#' @rdname column_kind
#' @export
column_date <- function(lower = NULL, upper = NULL) {
  margin_kind("date", function(values) inherits(values, "Date"), number = function(values, state) as.double(values),
              back = function(x, state) {
                give_attributes(if (state$integer) whole_number(x) else x, state)
              },
              keep = function(values) c(list(integer = is.integer(values)), kept_attributes(values)),
              lower = time_end(lower, "lower", as.Date), upper = time_end(upper, "upper", as.Date),
              description = function(state) "dates", numeric = FALSE)
}

#' @rdname column_kind
#' @export
column_time <- function(lower = NULL, upper = NULL) {
  margin_kind("time", function(values) inherits(values, "POSIXct"), number = function(values, state) as.double(values),
              back = function(x, state) {
                give_attributes(if (state$integer) whole_number(x) else x, state)
              },
              keep = function(values) c(list(integer = is.integer(values)), kept_attributes(values)),
              lower = time_end(lower, "lower", as.POSIXct), upper = time_end(upper, "upper", as.POSIXct),
              description = function(state) "times", numeric = FALSE)
}

# Dates have no natural end.
time_end <- function(value, what, read) {
  if (is.null(value)) return(if (what == "lower") -Inf else Inf)
  end <- tryCatch(as.double(read(value)), error = function(e) NA)
  if (length(end) != 1 || is.na(end)) fail("`%s` must be one date or time, not %s.", what, describe(value))
  end
}
