# Kinds of columns of any table: what goes in comes out with its type, its levels and its attributes.

n <- 60
with_seed <- function(seed, code) {
  set.seed(seed)
  code
}

# Attributes that new values must have: all but those of single rows.
row_free <- function(values) {
  kept <- attributes(values)
  kept <- kept[setdiff(names(kept), c("names", "dim", "dimnames", "tsp"))]
  if (length(kept)) kept[order(names(kept))]
}

beside <- function(..., x = with_seed(1, rnorm(n))) data.frame(x = x, ..., check.names = FALSE)

levels3 <- with_seed(2, sample(c("a", "b", "c"), n, TRUE))
gone <- with_seed(3, runif(n) < 0.3)
awkward <- with_seed(4, list(
  numbers = beside(y = rnorm(n)), whole = beside(y = rpois(n, 4)), flags = beside(y = runif(n) > 0.4),
  factor = beside(f = factor(levels3)), empty_levels = beside(f = factor(levels3, c("z", "a", "b", "c", "q"))),
  one_level = beside(f = factor(rep("a", n))), ordered = beside(f = factor(levels3, ordered = TRUE)),
  ordered_empty = beside(f = factor(levels3, c("0", "a", "b", "c", "9"), ordered = TRUE)),
  label = beside(y = structure(rnorm(n), label = "Blood pressure")),
  label_na = beside(y = structure(ifelse(gone, NA, rnorm(n)), label = "Blood pressure")),
  label_flag = beside(y = structure(runif(n) > 0.5, label = "Died")),
  zone = beside(t = as.POSIXct("2020-01-01", tz = "America/New_York") + runif(n, 0, 1e7)),
  whole_time = beside(t = .POSIXct(sample(1e6L, n), tz = "UTC")),
  leap = beside(t = as.POSIXct("2016-12-31 23:59:59", tz = "UTC") + sample(0:2, n, TRUE)),
  date = beside(d = as.Date("2020-01-01") + sample(400, n, TRUE)),
  whole_date = beside(d = structure(sample(18000:19000, n, TRUE), class = "Date")),
  hours = beside(d = as.difftime(runif(n, 1, 50), units = "hours")),
  na_level = beside(f = addNA(factor(ifelse(gone, NA, levels3)))),
  na_factor = beside(f = factor(ifelse(gone, NA, levels3))),
  all_na = beside(y = NA), all_na_number = beside(y = NA_real_),
  all_na_factor = beside(f = factor(rep(NA, n), c("u", "v"))),
  words = beside(w = sample(c("ja", "nein", "\u00f6h"), n, TRUE)),
  no_words = beside(w = sample(c("", "a", NA), n, TRUE)),
  utf8 = setNames(beside(f = factor(sample(c("Z\u00fcrich", "\u6771\u4eac", "\u00e9"), n, TRUE))),
                  c("gr\u00f6\u00dfe", "\u540d")),
  twice = setNames(beside(y = rnorm(n)), c("x", "x")),
  words_of_code = setNames(beside(rnorm(n), factor(levels3), rpois(n, 3)), c("missing", "leader", ".imp", "state")),
  more_words = setNames(beside(factor(levels3), rnorm(n), x = ifelse(gone, NA, rnorm(n))), c("group", "all", "seed")),
  missing = beside(y = ifelse(gone, NA, rnorm(n)), z = ifelse(runif(n) < 0.3, NA, rpois(n, 3))),
  constant = beside(y = rep(3, n)), constant_or_na = beside(y = ifelse(gone, NA, 3)),
  one_column = data.frame(x = rnorm(n)), one_factor = data.frame(f = factor(levels3)), one_flag = data.frame(l = gone),
  many_levels = beside(f = factor(sample(40, n, TRUE))), as_is = beside(y = I(rnorm(n))),
  empty_name = beside(f = factor(levels3, labels = c("a", "", "c"))), tiny = beside(y = 1e-300 * rnorm(n)),
  huge = beside(y = 1e300 * rnorm(n)), smallest = beside(y = 5e-324 * sample(50, n, TRUE)),
  two_rows = data.frame(x = c(1, 2), f = c("a", "b")), three_rows = data.frame(x = c(1, 2, 5), f = c(TRUE, FALSE, NA)),
  contrasts = local({
    x <- beside(f = factor(levels3))
    contrasts(x$f) <- contr.sum(3)
    x
  }),
  row_names = local({
    x <- beside(f = factor(levels3))
    rownames(x) <- paste0("r", seq_len(n))
    x
  }),
  boxed = local({
    x <- beside(y = 0)
    x$y <- matrix(rnorm(n), n, dimnames = list(NULL, "inner"))
    x
  }),
  flags_matrix = matrix(runif(3 * n) > 0.5, n), whole_matrix = matrix(rpois(2 * n, 3), n),
  words_matrix = matrix(sample(c("a", "b", NA), 3 * n, TRUE), n, dimnames = list(NULL, c("p", "q", "r")))
))
# classes of packages that are not needed to read them
awkward <- c(awkward, list(
  hms = beside(y = structure(with_seed(31, round(runif(n, 0, 86399))), units = "secs", class = c("hms", "difftime"))),
  coded_words = beside(y = structure(with_seed(32, sample(c("M", "F"), n, TRUE)), labels = c(Male = "M", Female = "F"),
                                     label = "sex", class = c("haven_labelled", "vctrs_vctr", "character"))),
  named_factor = beside(y = structure(with_seed(33, factor(sample(c("x", "y"), n, TRUE))), label = "which")),
  named_gaps = beside(y = structure(with_seed(34, factor(sample(c("x", "y", NA), n, TRUE))), label = "which")),
  whole_dates = beside(y = structure(with_seed(35, 18000L + sample(100L, n, TRUE)), class = c("IDate", "Date"))),
  zone = beside(y = structure(with_seed(36, 1.5e9 + sample(1e5, n)), class = c("POSIXct", "POSIXt"),
                              tzone = "Europe/Berlin")),
  minus_zero = beside(y = with_seed(37, ifelse(runif(n) < 0.5, -0, rnorm(n))))
))
if (requireNamespace("tibble", quietly = TRUE)) awkward$tibble <- tibble::as_tibble(awkward$na_factor)
if (requireNamespace("data.table", quietly = TRUE)) awkward$data_table <- data.table::as.data.table(awkward$words)
if (requireNamespace("units", quietly = TRUE)) {
  awkward$metres <- beside(y = units::set_units(with_seed(5, rnorm(n)), "m"))
}
if (requireNamespace("bit64", quietly = TRUE)) {
  awkward$long <- beside(y = bit64::as.integer64(with_seed(6, sample(1e5, n))) * 10000000L)
}
# a law that is fitted at once; the choice of laws has tests of its own
quick <- function(x, ...) synthesise(x, ..., law = law_student(), flow = FALSE, quiet = TRUE)

columns_of <- function(x) lapply(seq_len(ncol(x)), function(j) if (is.data.frame(x)) x[[j]] else x[, j])

# What is written of the scores that were read.
there_and_back <- function(x) {
  table <- read_mixed(x, NULL)
  z <- table$points
  z[is.na(z)] <- 0
  write_table(z, table$template)
}

test_that("awkward tables are read and written exactly", {
  for (name in names(awkward)) {
    x <- awkward[[name]]
    back <- there_and_back(x)
    for (j in seq_len(ncol(x))) {
      old <- as.vector(unlist(columns_of(x)[[j]]))
      new <- as.vector(unlist(columns_of(back)[[j]]))
      expect_identical(is.na(new), is.na(old), label = name)
      if (is.double(old) && !inherits(old, "integer64")) {
        expect_true(all(abs(new - old) <= tolerance$closed_form * abs(old), na.rm = TRUE), label = name)
      } else {
        expect_identical(new, old, label = name)
      }
    }
  }
})

test_that("new rows of awkward tables have their classes, types, levels and attributes", {
  # `$` matches names partially; a hit of another field would be a fault
  matching <- options(warnPartialMatchDollar = TRUE)
  on.exit(options(matching))
  for (name in names(awkward)) {
    x <- awkward[[name]]
    expect_no_warning(fit <- quick(x))
    for (m in c(40, 1, 0)) {
      new <- simulate(fit, m, seed = 1)
      expect_identical(nrow(new), as.integer(m), label = name)
      expect_identical(setdiff(class(new), "simulated_matrix"), class(x), label = name)
      expect_identical(colnames(new), colnames(x), label = name)
      for (j in seq_len(ncol(x))) {
        old <- columns_of(x)[[j]]
        values <- columns_of(new)[[j]]
        expect_identical(typeof(values), typeof(old), label = name)
        expect_identical(row_free(values), row_free(old), label = name)
        if (!anyNA(old)) expect_false(anyNA(values), label = name)
        if (is.factor(old) || is.character(old)) expect_true(all(values %in% old), label = name)
      }
    }
    at_rows <- predict(fit, x, draws = 5)
    expect_true(all(is.finite(at_rows)), label = name)
    # the fit holds its own draws possible
    at_draws <- predict(fit, simulate(fit, 40, seed = 2), draws = 5)
    expect_false(anyNA(at_draws), label = name)
    expect_true(all(at_draws > -Inf), label = name)
    expect_equal(as.vector(predict(fit, x[1, , drop = FALSE], draws = 5)), at_rows[1], label = name)
    expect_length(predict(fit, x[0, , drop = FALSE]), 0)
    expect_output(print(fit))
  }
})

test_that("a grouped tibble comes back as a tibble", {
  x <- structure(awkward$factor, class = c("grouped_df", "tbl_df", "tbl", "data.frame"))
  new <- simulate(quick(x), 5, seed = 1)
  expect_s3_class(new, "tbl_df")
  expect_identical(levels(new$f), levels(x$f))
})

test_that("what cannot be read is refused in one sentence", {
  x <- beside(f = factor(levels3))
  expect_error(quick(beside(y = c(Inf, rnorm(n - 1)))), "Column \"y\" of `x`: 1 value is infinite.", fixed = TRUE,
               class = "particleflow_input")
  listed <- x
  listed$l <- as.list(seq_len(n))
  expect_error(quick(listed), "Column \"l\" of `x` is a list, which no kind of column reads",
               class = "particleflow_input")
  expect_error(quick(beside(y = complex(real = rnorm(n)))), "complex", class = "particleflow_input")
  fit <- quick(x)
  other <- data.frame(x = 1, f = factor("new"))
  expect_error(predict(fit, other, type = "impute"), fixed = TRUE, class = "particleflow_input",
               "Column \"f\" of `newdata`: The level \"new\" is not among those of the table.")
  expect_warning(expect_identical(as.vector(predict(fit, other)), -Inf), "\"new\" of column \"f\"")
  expect_error(predict(fit, data.frame(x = "a", f = "a")), "Column \"x\" of `newdata` must hold numbers, not",
               class = "particleflow_input")
  expect_error(predict(fit, data.frame(x = 1)), "lacks the column", class = "particleflow_input")
  expect_error(quick(data.frame(x = rep(1, 5))), "no column that varies", class = "particleflow_input")
  expect_error(quick(x[1, ]), "at least 2 are needed", class = "particleflow_input")
})

test_that("kinds can be chosen", {
  x <- beside(age = with_seed(7, sample(18:90, n, TRUE)), code = with_seed(8, sample(4, n, TRUE)))
  fit <- quick(x, columns = list(age = column_count(lower = 18, upper = 90), code = column_nominal()))
  expect_identical(column_code(fit$table$columns[[2]])$name, "count")
  new <- simulate(fit, 2000, seed = 1)
  expect_true(all(new$age >= 18 & new$age <= 90))
  expect_type(new$age, "integer")
  expect_setequal(unique(new$code), 1:4)
  expect_type(new$code, "integer")
  expect_error(quick(x, columns = list(age = column_count(lower = 30))),
               "Column \"age\" of `x`: The values lie between", class = "particleflow_input")
  expect_error(quick(x, columns = list(weight = column_count())), "no such column", class = "particleflow_input")
  expect_error(quick(x, columns = list(age = "count")), "must hold kinds", class = "particleflow_input")
  expect_error(quick(x, columns = column_count()), "`columns`", class = "particleflow_input")
  expect_error(column_continuous(3, 2), "`lower` must be below `upper`", class = "particleflow_input")
  expect_error(column_date(lower = "no day"), "`lower`", class = "particleflow_input")
})

test_that("each kind reads what it says", {
  read_by <- function(values) column_kind_of(values, column_kinds(scores = TRUE))$name
  expect_identical(read_by(1.5), column_continuous()$name)
  expect_identical(read_by(2L), column_count()$name)
  expect_identical(read_by(TRUE), column_logical()$name)
  expect_identical(read_by(factor("a")), column_nominal()$name)
  expect_identical(read_by("a"), column_nominal()$name)
  expect_identical(read_by(factor("a", ordered = TRUE)), column_ordered()$name)
  expect_identical(read_by(Sys.Date()), column_date()$name)
  expect_identical(read_by(Sys.time()), column_time()$name)
  expect_identical(read_by(as.difftime(3, units = "days")), column_quantity()$name)
  # whoever wants new identifiers says so
  expect_false(column_identifier()$reads("a"))
  # hours given for a column in days
  days <- beside(d = as.difftime(with_seed(13, runif(n, 1, 9)), units = "days"))
  fit <- quick(days)
  hours <- days
  units(hours$d) <- "hours"
  expect_equal(predict(fit, hours, draws = 1), predict(fit, days, draws = 1))
  # times with ends
  first <- as.POSIXct("2024-01-01", tz = "UTC")
  times <- beside(t = first + with_seed(14, runif(n, 0, 3600)))
  fit <- quick(times, columns = list(t = column_time(lower = first, upper = first + 3600)))
  new <- simulate(fit, 5000, seed = 1)$t
  expect_true(all(new >= first & new <= first + 3600))
})

test_that("a kind of the user takes part", {
  plain <- column_kind(
    "cube root", is.double, fit = function(values) list(s = sd(values)^(1 / 3)),
    encode = function(values, state) sign(values) * abs(values)^(1 / 3) / state$s,
    decode = function(z, state) (z[, 1] * state$s)^3,
    margin = function(values, state) -log(3 * state$s) - 2 / 3 * log(abs(values)), numeric = TRUE
  )
  x <- beside(y = with_seed(9, rnorm(n)^3), f = factor(levels3))
  fit <- quick(x, columns = list(y = plain))
  # the share of positive values of 500 draws, whose standard error is 0.022, and of 60 rows: 0.065
  expect_equal(mean(simulate(fit, 500, seed = 1)$y > 0), mean(x$y > 0), tolerance = 0.25)
  expect_true(all(is.finite(predict(fit, x, draws = 5))))
  # the density of the column alone integrates to 1
  alone <- quick(x["y"], columns = list(y = plain))
  grid <- seq(-4, 4, length.out = 4001)^3
  middle <- (grid[-1] + grid[-4001]) / 2
  expect_equal(sum(exp(predict(alone, data.frame(y = middle))) * diff(grid)), 1, tolerance = 0.02)
  # with cells: faces of a die, each a sixth of the line
  die <- column_kind(
    "die", is.integer, encode = function(values, state, uniform) qnorm((values - 1 + uniform(1)[, 1]) / 6),
    decode = function(z, state) pmin(6L, 1L + as.integer(floor(6 * pnorm(z[, 1])))),
    cells = function(values, state) cbind(qnorm((values - 1) / 6), qnorm(values / 6))
  )
  x <- beside(face = with_seed(10, sample(6L, n, TRUE)))
  fit <- quick(x, columns = list(face = die))
  expect_setequal(simulate(fit, 500, seed = 1)$face, 1:6)
  alone <- quick(x["face"], columns = list(face = die))
  expect_equal(sum(exp(predict(alone, data.frame(face = 1:6), draws = 2000))), 1, tolerance = 0.02)
})

test_that("identifiers are left out, or made anew", {
  x <- beside(patient = paste0("p", seq_len(n)), number = 100L + seq_len(n),
              word = with_seed(11, sample(letters[1:3], n, TRUE)))
  expect_message(fit <- synthesise(x, law = law_student(), flow = FALSE), "name the rows: \"patient\"")
  expect_named(simulate(fit, 2, seed = 1), c("x", "number", "word"))
  expect_true(all(is.finite(predict(fit, x, draws = 2))))
  fit <- quick(x, id = c("patient", "number"))
  new <- simulate(fit, 3, seed = 1)
  expect_named(new, names(x))
  expect_identical(new$number, 161:163)
  expect_false(any(new$patient %in% x$patient))
  expect_identical(anyDuplicated(new$patient), 0L)
  expect_identical(nrow(simulate(fit, 0, seed = 1)), 0L)
  expect_error(quick(x, id = "nobody"), "no such column", class = "particleflow_input")
  expect_error(quick(x, id = 3), "`id`", class = "particleflow_input")
  expect_error(quick(x["patient"]), "hardly occur twice", class = "particleflow_input")
  # a matrix of words of which one column names the rows
  words <- cbind(id = paste0("p", seq_len(n)), w = levels3)
  expect_identical(colnames(simulate(quick(words), 2, seed = 1)), "w")
  factor_id <- beside(who = factor(paste0("p", seq_len(n))))
  expect_s3_class(simulate(quick(factor_id, id = "who"), 3, seed = 1)$who, "factor")
})

test_that("groups are fitted one by one", {
  x <- beside(y = with_seed(12, rpois(n, 3)), g = rep(c("u", "v", "w"), each = n / 3))
  fit <- quick(x, group = "g")
  new <- simulate(fit, c(u = 3, v = 0, w = 2), seed = 1)
  expect_identical(new$g, c("u", "u", "u", "w", "w"))
  expect_named(new, names(x))
  expect_true(all(is.finite(predict(fit, x, draws = 2))))
  filled <- predict(fit, replace(x, cbind(1:2, 2L), NA), type = "impute", m = 1, seed = 1)[[1]]
  expect_identical(filled[-(1:2), ], x[-(1:2), ])
})

test_that("column_ordered() takes whole numbers and words as levels", {
  x <- data.frame(month = rep(5:9, 20), word = rep(c("b", "a"), 50), y = sin(1:100))
  new <- simulate(quick(x, columns = list(month = column_ordered(), word = column_ordered())), 300, seed = 1)
  expect_identical(sort(unique(new$month)), 5:9)
  expect_identical(sort(unique(new$word)), c("a", "b"))
})

test_that("further awkward columns come back exactly, with their types, classes and attributes", {
  further <- with_seed(20, list(
    smallest = beside(y = 1e-300 * sample(40, n, TRUE)), exact = beside(y = 2^53 - sample(50, n, TRUE)),
    largest_integer = beside(y = .Machine$integer.max - sample(50L, n, TRUE)),
    both_ends = beside(y = sample(c(-1L, 1L), n, TRUE) * .Machine$integer.max),
    digits = beside(y = runif(n) / 3 + 0.1), all_true = beside(y = rep(TRUE, n)),
    one_word = beside(w = rep("a", n)), two_values = beside(y = as.double(runif(n) > 0.4)),
    negative_zero = beside(y = c(-0, rnorm(n - 1))),
    far_dates = beside(d = as.Date("9999-12-01") + sample(30, n, TRUE)),
    old_dates = beside(d = as.Date("0001-01-01") + sample(30, n, TRUE)),
    summer_time = beside(t = as.POSIXct("2021-03-28 01:30:00", tz = "Europe/Vienna") + 600 * sample(12, n, TRUE)),
    winter_time = beside(t = as.POSIXct("2021-10-31 02:30:00", tz = "Europe/Vienna") + 600 * sample(12, n, TRUE)),
    no_zone = beside(t = .POSIXct(1.6e9 + runif(n, 0, 1e5))),
    seconds = beside(d = as.difftime(runif(n), units = "secs")),
    weeks = beside(d = as.difftime(rpois(n, 5), units = "weeks")),
    spaces = setNames(beside(y = rnorm(n), f = factor(levels3)), c(" a b", "a  b", "`c`")),
    internal = setNames(beside(y = rnorm(n), f = factor(levels3)), c("points", "z", "row.names")),
    wide = as.data.frame(matrix(rnorm(200 * 30), 30)),
    blank_words = beside(w = sample(c("", " ", "NA"), n, TRUE)),
    ordered_na = beside(f = factor(ifelse(gone, NA, levels3), ordered = TRUE)),
    flags_na = beside(y = ifelse(gone, NA, runif(n) > 0.5)), whole_na = beside(y = ifelse(gone, NA, rpois(n, 2))),
    dates_na = beside(d = as.Date(ifelse(gone, NA, 18000 + sample(99, n, TRUE)), origin = "1970-01-01")),
    labelled = beside(y = structure(as.double(sample(3, n, TRUE)), label = "Stage", units = "none"))
  ))
  for (name in names(further)) {
    x <- further[[name]]
    back <- there_and_back(x)
    fit <- quick(x)
    new <- simulate(fit, 5, seed = 1)
    expect_identical(nrow(simulate(fit, 0, seed = 1)), 0L, label = name)
    for (j in seq_along(x)) {
      old <- x[[j]]
      known <- !is.na(old)
      # smooth numbers come back up to the last digits, all others exactly
      if (is.double(old) && is.null(fit_margin(as.double(old[known]))$unit) && length(unique(old)) > 2) {
        expect_equal(as.double(back[[j]])[known], as.double(old)[known], tolerance = tolerance$closed_form,
                     label = name)
      } else {
        expect_identical(as.vector(back[[j]])[known], as.vector(old)[known], label = name)
      }
      expect_identical(typeof(new[[j]]), typeof(old), label = name)
      expect_identical(row_free(new[[j]]), row_free(old), label = name)
    }
    expect_identical(names(new), names(x), label = name)
  }
})

test_that("columns that no kind reads are refused in one sentence", {
  add <- function(values) {
    x <- beside(f = factor(levels3))
    x$y <- values
    x
  }
  bad <- list(raw = as.raw(sample(9, n, TRUE)), complex = complex(real = 1:n), list = as.list(1:n),
              matrix = matrix(rnorm(2 * n), n), infinite = c(-Inf, rnorm(n - 1)),
              long_time = as.POSIXlt(Sys.time() + 1:n))
  for (name in names(bad)) {
    e <- tryCatch(quick(add(bad[[name]])), error = identity)
    expect_s3_class(e, "particleflow_input")
    expect_match(conditionMessage(e), "^Column \"y\" of `x`[^\n]*[.]$", label = name)
  }
})

test_that("doubles of 0 and 1 stay so, and numbers can be levels", {
  x <- beside(flag = as.double(with_seed(21, runif(n)) > 0.7), code = with_seed(22, sample(c(10, 20.5, 7), n, TRUE)),
              word = levels3)
  fit <- quick(x, columns = list(code = column_nominal(), word = column_ordered()))
  new <- simulate(fit, 2000, seed = 1)
  expect_identical(sort(unique(new$flag)), c(0, 1))
  expect_identical(sort(unique(new$code)), c(7, 10, 20.5))
  expect_identical(sort(unique(new$word)), c("a", "b", "c"))
})

test_that("numbers that name the rows are pointed at", {
  x <- beside(row = seq_len(n), mixed = with_seed(23, as.double(sample(n))), age = with_seed(24, sample(90, n, TRUE)))
  expect_message(synthesise(x, law = law_student(), flow = FALSE), "once each: \"?row\"?,? .*mixed")
  expect_no_message(suppressWarnings(quick(x)))
  expect_identical(read_mixed(x, NULL, id = c("row", "mixed"))$template$row_numbers, character())
})

test_that("no draw is impossible", {
  set.seed(66)
  m <- 200
  x <- data.frame(money = ifelse(runif(m) < 0.3, 0, round(rlnorm(m, 5), 2)), rate = rbeta(m, 1, 9),
                  percent = round(100 * rbeta(m, 0.7, 0.7)), month = sample(12L, m, TRUE), count = rpois(m, 1))
  new <- simulate(quick(x, columns = list(month = column_count(1, 12))), 1e5, seed = 1)
  expect_identical(sum(new$money < 0 | new$money != round(new$money, 2)), 0L)
  expect_identical(sum(new$rate < 0 | new$rate > 1) + sum(new$percent < 0 | new$percent > 100), 0L)
  expect_identical(sum(!new$month %in% 1:12) + sum(new$count < 0), 0L)
})

test_that("columns that no kind reads are refused in one sentence that says what to do", {
  x <- beside(y = rnorm(n))
  x$y <- NULL
  labelled <- structure(as.double(rep(1:3, n)[seq_len(n)]), labels = c(low = 1, high = 3),
                        class = c("haven_labelled", "vctrs_vctr", "double"))
  long <- as.POSIXlt("2020-01-01", tz = "UTC") + 3600 * seq_len(n)
  cases <- list(
    list(value = labelled, says = "is of class \"haven_labelled\", .*haven::as_factor\\(\\) of it"),
    list(value = as.POSIXlt(long), says = "is of class \"POSIXlt\", .*as.POSIXct\\(\\) of it"),
    list(value = lapply(seq_len(n), identity), says = "is a list, .*leave it out"),
    list(value = I(lapply(seq_len(n), identity)), says = "is a list, .*leave it out"),
    list(value = matrix(0.5, n, 2), says = "is a matrix of 2 columns[,;] .*make each .*column"),
    list(value = data.frame(u = seq_len(n), v = 1), says = "is a table of 2 columns[,;] .*make each .*column"),
    list(value = structure(runif(n), class = "yearmon"), says = "is of class \"yearmon\", .*as.numeric\\(\\) of it")
  )
  for (one in cases) {
    y <- x
    y[["y"]] <- 1
    y <- unclass(y)
    y$y <- one$value
    class(y) <- "data.frame"
    for (call in list(synthesise, efs)) {
      error <- expect_error(call(y), class = "particleflow_input")
      expect_match(conditionMessage(error), paste0("[Cc]olumn \"y\".* ", one$says))
      expect_identical(lengths(gregexpr("[.]$|[.] [A-Z]", conditionMessage(error))), 1L)
    }
  }
})

test_that("tables come back in their class, without a key or a specification that new rows do not obey", {
  read <- structure(list(a = rnorm(n), b = rep(c("u", "v"), n / 2)), class = c("spec_tbl_df", "tbl_df", "tbl",
                                                                               "data.frame"),
                    row.names = .set_row_names(n), spec = "cols()")
  new <- simulate(quick(read), 5, seed = 1)
  expect_identical(class(new), c("tbl_df", "tbl", "data.frame"))
  expect_null(attr(new, "spec"))
  skip_if_not_installed("data.table")
  keyed <- data.table::data.table(a = rnorm(n), b = rep(c("u", "v"), n / 2), key = "b")
  new <- simulate(quick(keyed), 5, seed = 1)
  expect_identical(class(new), c("data.table", "data.frame"))
  expect_null(data.table::key(new))
  expect_silent(data.table::set(new, j = "z", value = 1)) # by reference, without a copy
})
