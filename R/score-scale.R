# Numbers far from 1. Squares of numbers above 1e154 or below 1e-154 leave the range of doubles.

# The same tables, shifted together and divided by `unit`, a power of two, so that no square leaves the range of
# doubles. Distances are then `unit` times smaller. Tables of ordinary size come back as they are, with the unit 1.
moderate <- function(tables) {
  size <- largest_number(tables)
  if (size == 0 || (size > 2^-300 && size < 2^300)) return(list(tables = tables, unit = 1))
  unit <- binary_unit(size)
  tables <- lapply(tables, function(x) if (!is.null(x)) x / unit)
  origin <- tables[[1]][1, ] # a large number that is the same in all rows is no distance
  tables <- lapply(tables, function(x) if (!is.null(x)) sweep(x, 2, origin))
  rest <- largest_number(tables)
  if (rest == 0) return(list(tables = tables, unit = unit))
  second <- min(binary_unit(rest), 2^1023 / unit)
  list(tables = lapply(tables, function(x) if (!is.null(x)) x / second), unit = unit * second)
}

# The tables with column j divided by spread[j]. Numbers beyond 1e300 units are set to that, because distances between
# them would leave the range of doubles.
in_units <- function(tables, spread) {
  lapply(tables, function(x) if (!is.null(x)) within_units(sweep(x, 2, spread, "/")))
}

most_units <- 1e300

within_units <- function(x) {
  far <- abs(x) > most_units
  if (any(far)) x[far] <- sign(x[far]) * most_units
  x
}

largest_number <- function(tables) max(vapply(tables, function(x) if (length(x)) max(abs(x)) else 0, 0))

# The power of two at or below `size`; the smallest of full precision at least.
binary_unit <- function(size) 2^max(floor(log2(size)), -1022)

# A width in the new unit. Beyond 1e-100 and 1e100 times the largest number no kernel can tell it from these. Tables of
# ordinary size have a wider range, in which the square of a width stays in the range of doubles.
moderate_width <- function(width, unit) {
  most <- if (unit == 1) largest_length else 1e100
  min(max(width / unit, 1 / most), most)
}
