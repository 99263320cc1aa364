# Powers of two, by which very large and very small columns are divided.

# For numbers between 2^-332 and 2^332, squares and sums of squares stay within the range of doubles.
largest_power <- 332

# list(power) if the largest number lies outside of 2^-332 .. 2^332, otherwise NULL. The column is divided by 2^power.
number_power <- function(values) {
  largest <- max(abs(values[is.finite(values)]), 0)
  power <- if (largest > 0) floor(log2(largest)) else 0
  if (abs(power) > largest_power) list(power = power)
}

# x * 2^(sign * power), exact unless the result is below the least normal double. x itself if power is NULL.
times_power <- function(x, power, sign = 1) {
  if (is.null(power)) return(x)
  half <- trunc(power / 2)
  x * 2^(sign * half) * 2^(sign * (power - half))
}

within_range <- function(x) {
  if (is.finite(sum(x))) return(x)
  largest <- .Machine$double.xmax
  if (any(is.infinite(x))) pmin(pmax(x, -largest), largest) else x
}
