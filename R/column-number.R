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

# For numbers between 2^-332 and 2^332, squares and sums of squares stay within the range of doubles.
largest_power <- 332

# list(power) if the largest number lies outside of 2^-332 .. 2^332, otherwise NULL. The column is divided by 2^power.
number_power <- function(values) {
  largest <- max(abs(values[is.finite(values)]), 0)
  power <- if (largest > 0) floor(log2(largest)) else 0
  if (abs(power) > largest_power) list(power = power)
}

# TRUE if a column of the template is divided by a power of two.
is_rescaled <- function(template) any(vapply(template$columns, function(column) !is.null(column$state$power), NA))

# x * 2^(sign * power), exact unless the result is below the least normal double. x itself if power is NULL.
times_power <- function(x, power, sign = 1) {
  if (is.null(power)) return(x)
  half <- trunc(power / 2)
  x * 2^(sign * half) * 2^(sign * (power - half))
}

within_range <- function(x) {
  largest <- .Machine$double.xmax
  if (any(is.infinite(x))) pmin(pmax(x, -largest), largest) else x
}
