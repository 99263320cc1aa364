# A fitted column and the coordinates of the values, as the reader makes them.
read_values <- function(values, kind = column_kind_of(values, column_kinds())) {
  column <- fit_column(kind, values)
  z <- matrix(encode_column(column, values), length(values))
  column$dim <- ncol(z)
  list(kind = kind$name, column = column, z = z)
}

test_that("each kind reads its class, and gives values back to the last bit", {
  labelled <- structure(c(1.5, 2, -3), label = "dose")
  cases <- list(
    number = c(0.1, -1e-300, 1e99, .Machine$double.xmin), number = c(0, 5e-324, -2^-1060), number = labelled,
    number = c(1e160, -3e155, 1), integer = c(-5L, .Machine$integer.max, 0L),
    integer = structure(1:3, label = "visits"),
    number = I(c(1, 2.5)), unit = as.difftime(c(1.5, 20), units = "hours")
  )
  for (i in seq_along(cases)) {
    read <- read_values(cases[[i]])
    expect_identical(read$kind, names(cases)[i])
    expect_identical(read$column$dim, 1L)
    expect_identical(decode_column(read$column, read$z), cases[[i]])
  }
})

test_that("column_number() brings extreme numbers into a range whose squares are numbers, and tells the volume", {
  for (scale in c(1e-200, 1e160, 1e-310)) {
    x <- scale * c(1, 2.5, -3)
    read <- read_values(x)
    expect_true(all(abs(read$z) < 8 & abs(read$z) > 0.1))
    # log|dz/dx| = log|z / x|
    expect_equal(column_margin(read$column, x), log(abs(read$z[, 1])) - log(abs(x)), tolerance = tolerance$closed_form)
  }
  expect_null(column_margin(read_values(c(1, 2))$column, c(1, 2)))
  expect_identical(encode_column(fit_column(column_number(rescale = FALSE), x), x), x)
  # what lies beyond the range of doubles becomes the largest number
  read <- read_values(c(1e308, 1e307))
  expect_identical(decode_column(read$column, matrix(c(-1e3, 1e3))), c(-1, 1) * .Machine$double.xmax)
})

test_that("column_integer() rounds, and stays within the range of integers", {
  column <- read_values(1:3)$column
  expect_identical(decode_column(column, matrix(c(1.4, 1.6, -1e300, 1e300))),
                   c(1L, 2L, -.Machine$integer.max, .Machine$integer.max))
})

test_that("column_constant() has no coordinate and keeps the class", {
  for (value in list(7, 7L, as.difftime(3, units = "mins"), structure(2, class = "units", units = "x"))) {
    column <- fit_column(column_constant(), rep(value, 3))
    expect_identical(encode_column(column, rep(value, 3)), numeric())
    expect_identical(decode_column(column, matrix(0, 2, 0)), rep(value, 2))
  }
  expect_output(print(fit_column(column_constant(), c(7, 7))), "always 7")
})

test_that("column_integer64() reads numbers, not bits", {
  skip_if_not_installed("bit64")
  x <- bit64::as.integer64(c(1, -5, 2^53))
  read <- read_values(x)
  expect_identical(read$kind, "integer64")
  expect_identical(read$z[, 1], c(1, -5, 2^53))
  expect_identical(decode_column(read$column, read$z), x)
  expect_error(read_values(bit64::as.integer64("9007199254740993")), "beyond 2\\^53")
})

test_that("column_unit() keeps the unit, and brings new values to it", {
  hours <- as.difftime(c(1, 2), units = "hours")
  read <- read_values(hours)
  expect_identical(encode_column(read$column, as.difftime(90, units = "mins")), 1.5)
  expect_identical(encode_column(read$column, 3), 3)
  expect_identical(format(read$column), "numbers in hours")
  skip_if_not_installed("units")
  km <- units::set_units(c(1, 2.5), "km")
  read <- read_values(km)
  expect_identical(decode_column(read$column, read$z), km)
  expect_equal(encode_column(read$column, units::set_units(1500, "m")), 1.5)
  expect_error(encode_column(read$column, hours), "cannot be read in the unit \"km\"")
})

test_that("every exported column_x() is a kind, found by itself, and a kind of the user needs nothing else", {
  expect_true(all(c("constant", "integer", "integer64", "number", "unit") %in% names(column_kinds())))
  expect_true(all(vapply(column_kinds(), inherits, NA, "column_kind")))
  # two coordinates for one value
  angle <- column_kind(
    "angle", reads = function(values) inherits(values, "angle"),
    encode = function(values, state) cbind(cos(unclass(values)), sin(unclass(values))),
    decode = function(z, state) structure(atan2(z[, 2], z[, 1]), class = "angle"), rank = 5
  )
  x <- structure(c(0.5, -3, 2), class = "angle")
  read <- read_values(x, angle)
  expect_identical(dim(read$z), c(3L, 2L))
  expect_equal(decode_column(read$column, read$z), x, tolerance = tolerance$closed_form)
  expect_output(print(angle), "<column_kind> angle")
  # its code goes along with the column; that of the package does not
  expect_s3_class(read$column$kind, "column_kind")
  expect_identical(fit_column(column_number(), 1)$kind, "number")
  expect_error(column_kind(3), "`name` must be one word, not 3")
  expect_error(column_kind("a", reads = 1), "`reads` must be a function, not 1")
  short <- column_kind("short", is.numeric, function(values, state) 1:2, function(z, state) 1)
  expect_error(encode_column(fit_column(short, 1:3), 1:3),
               "`encode` of the column kind \"short\" must return 3 rows of numbers")
  expect_error(decode_column(fit_column(short, 1:3), matrix(1:3)), "must return 3 values")
})

test_that("the functions of a kind take the arguments that they are given", {
  expect_error(column_kind("a", is.logical, function(values) 1, function(z, state) 1),
               "`encode` must be a function of 2 arguments (values, state), not function(values)", fixed = TRUE)
  expect_error(column_kind("a", is.logical, function(values, state) 1, function(z) 1),
               "`decode` must be a function of 2 arguments")
})
