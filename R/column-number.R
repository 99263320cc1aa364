# Numbers: the coordinate is the number itself.

#' @rdname column_kind
#' @param rescale Whether columns beyond \eqn{2^{332}}{2^332} or below \eqn{2^{-332}}{2^-332} are divided by a power of
#'   two.
#' @export
column_number <- function(rescale = TRUE) {
  check_flag(rescale, "rescale")
  column_kind(
    "number", reads = function(values) is.double(values) && is_plain(values),
    fit = function(values) c(if (rescale) number_power(values), kept_attributes(values)),
    encode = function(values, state) times_power(as_number(values), state$power, -1),
    decode = function(z, state) give_attributes(within_range(times_power(z[, 1], state$power)), state),
    margin = function(values, state) if (!is.null(state$power)) rep(-state$power * log(2), length(values)),
    description = function(state) "numbers", numeric = TRUE
  )
}

# TRUE if a column of the template is divided by a power of two.
is_rescaled <- function(template) any(vapply(template$columns, function(column) !is.null(column$state$power), NA))
