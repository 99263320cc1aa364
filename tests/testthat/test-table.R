small <- function(n = 40, seed = 1) {
  set.seed(seed)
  data.frame(a = rnorm(n), n = rpois(n, 9), b = rnorm(n, 50, 5))
}

# The columns of rows that a function of the package returns, without its attributes.
plain <- function(rows) lapply(seq_along(rows), function(j) rows[[j]])

test_that("a label comes back with its class and values, whatever classes are drawn", {
  labels <- list(
    c("T", "F"), c("01", "02"), c("1e3", "1e4"), c("", "(empty)"), c("a", "b"), c(0.1, 0.3), c(100000, 2e5),
    c(0.1 + 0.2, 0.3), 2:1, c(TRUE, FALSE), factor(c("x", "y"), levels = c("z", "y", "x")),
    factor(c("lo", "hi"), levels = c("lo", "hi"), ordered = TRUE), as.Date("2020-01-01") + 0:1,
    as.POSIXct(c("2020-10-25 01:30:00", "2020-10-25 02:30:00"), tz = "Europe/Berlin") + c(0.25, 0),
    as.difftime(c(1, 2), units = "mins")
  )
  for (label in labels) {
    x <- small()[c("a", "b")]
    x$k <- rep(label, 20)
    of_class <- function(found, rows) {
      expect_identical(attributes(found), attributes(x$k[1:2]))
      expect_identical(typeof(found), typeof(x$k))
      expect_true(all(found %in% rows))
    }
    column <- efs_by_rule(x, group = "k")
    keys <- column$table$group$keys
    of_class(simulate(column, 6, seed = 1)$k, label)
    # one class alone, and rows that are sent back
    for (i in 1:2) {
      one <- simulate(column, stats::setNames(3, keys[i]), seed = 1)
      expect_identical(plain(one)[[3]], rep(column$table$group$values[i], 3))
      expect_identical(names(one), names(x))
    }
    expect_equal(predict(column, x), predict(column), tolerance = tolerance$kernel)
    back <- predict(column, predict(column)[1:4, ], type = "data", group = x$k[1:4])
    expect_identical(back$k, x$k[1:4])
    expect_equal(interpolate(column, 1, 3, n = 2)$k, x$k[c(1, 3)])
    beside <- efs_by_rule(x[1:2], group = x$k)
    of_class(simulate(beside, 6, seed = 1)$group, label)
    expect_identical(nrow(predict(beside, simulate(beside, 6, seed = 1))), 6L)
    of_class(attr(simulate(efs_by_rule(as.matrix(x[1:2]), group = x$k), 6, seed = 1), "group"), label)
  }
})

test_that("labels are in the order of their values, and flows with them", {
  expect_identical(levels(read_label(list(value = c(10, 9, 10, 1e5), position = NA), 4, "group")$group),
                   c("9", "10", "100000"))
  expect_identical(levels(read_label(list(value = c("b", "a"), position = NA), 2, "group")$group), c("a", "b"))
  many <- factor(c("u", "w"), levels = c("w", "v", "u"))
  expect_identical(levels(read_label(list(value = many, position = NA), 2, "group")$group), c("w", "u"))
})

test_that("integer columns are integer from every function", {
  x <- small()
  y <- transform(small(seed = 2), n = n + 3L)
  moved <- gpa(x, y, n_steps = 3)
  both <- integrate_data(rbind(x, y), rep(1:2, each = 40), 1, n_steps = 3, seed = 1, compare = FALSE)
  fit <- efs_by_rule(x)
  rows <- list(
    moved$particles, predict(moved, x), predict(moved), simulate(moved, 5, seed = 1), both$data, predict(both, y, 2),
    simulate(fit, 5, seed = 1), predict(fit, predict(fit), type = "data"), interpolate(fit, 1, 2, n = 3),
    simulate(pushforward(x, "energy", n_steps = 3), 5, seed = 1),
    simulate(distill(fit, n_sample = 100, n_steps = 3), 5, seed = 1),
    simulate(distill(moved, n_sample = 100, n_steps = 3), 5, seed = 1)
  )
  for (one in rows) expect_identical(vapply(one, class, ""), vapply(x, class, ""))
  # not where the other table has fractions in the column
  expect_identical(class(gpa(x, transform(y, n = n + 0.5), n_steps = 3)$particles$n), "numeric")
  whole <- matrix(rpois(200, 50), 50)
  expect_identical(typeof(gpa(whole, whole + 5L, n_steps = 2)$particles), "integer")
  expect_identical(typeof(simulate(pushforward(whole, "energy", n_steps = 2), 3, seed = 1)), "integer")
})

test_that("data tables can get new columns by reference, and tibbles come back without groups", {
  skip_if_not_installed("data.table")
  skip_if_not_installed("tibble")
  x <- cbind(small(), k = rep(c("u", "v"), 20))
  table <- data.table::as.data.table(x)
  groups <- structure(tibble::as_tibble(x), class = c("grouped_df", "tbl_df", "tbl", "data.frame"),
                      groups = data.frame(k = c("u", "v"), .rows = I(list(1:40, 1:40))))
  for (x in list(table, tibble::as_tibble(x), groups)) {
    kept <- setdiff(class(x), "grouped_df")
    fit <- efs_by_rule(x, group = "k")
    measured <- as.list(x)[1:3]
    measured <- if (inherits(x, "data.table")) data.table::as.data.table(measured) else tibble::as_tibble(measured)
    moved <- gpa(measured, measured, n_steps = 2)
    both <- integrate_data(x, "k", "u", n_steps = 2, seed = 1, compare = FALSE)
    rows <- list(simulate(fit, 5, seed = 1, log_density = TRUE), interpolate(fit, 1, 3, 4), moved$particles, both$data,
                 simulate(moved, 5, seed = 1), predict(both, x[5:8, ], "k"),
                 simulate(pushforward(measured, "energy", n_steps = 2), 5, seed = 1))
    for (one in rows) {
      expect_identical(class(one), kept)
      expect_null(attr(one, "groups"))
      if ("data.table" %in% kept) expect_silent(data.table::set(one, j = "z", value = 1))
    }
  }
  # the table that was given is not changed
  expect_identical(table$a, small()$a)
})

test_that("matrices of one column count as columns", {
  x <- small()
  x$a <- scale(x$a)
  x$b <- matrix(x$b, dimnames = list(NULL, "deep"))
  fit <- efs_by_rule(x)
  flat <- efs_by_rule(transform(small(), a = as.vector(x$a)))
  new <- simulate(fit, 4, seed = 1)
  expect_identical(as.matrix(new)[, 2], as.matrix(simulate(flat, 4, seed = 1))[, 2])
  expect_identical(dim(new$a), c(4L, 1L))
  expect_identical(new$a[, 1], simulate(flat, 4, seed = 1)$a)
  expect_identical(colnames(new$b), "deep")
  expect_equal(predict(fit, x), predict(fit), tolerance = tolerance$kernel)
  both <- integrate_data(x, rep(1:2, 20), 1, n_steps = 2, seed = 1, compare = FALSE)
  expect_identical(dim(both$data$a), c(40L, 1L))
  expect_error(efs(transform(x, a = I(matrix(1:80, 40)))),
               "column \"a\" is a matrix of 2 columns; make each a column of its own")
})

test_that("a measured column named group keeps its place beside a label", {
  x <- stats::setNames(small(), c("a", "n", "group"))
  fit <- efs_by_rule(x, group = rep(c("u", "v"), 20))
  new <- simulate(fit, 6, seed = 1)
  expect_identical(names(new), c("a", "n", "group", "group.1"))
  expect_true(all(abs(new$group - 50) < 40))
  expect_setequal(new$group.1, c("u", "v"))
  expect_identical(nrow(predict(fit, new)), 6L)
})

test_that("columns of one name are told apart by their place", {
  set.seed(1)
  x <- stats::setNames(data.frame(rnorm(60), rnorm(60, 50, 5)), c("a", "a"))
  fit <- efs_by_rule(x)
  expect_equal(predict(fit, x), predict(fit), tolerance = tolerance$kernel)
  expect_identical(names(simulate(fit, 2, seed = 1)), c("a", "a"))
  expect_gt(min(simulate(fit, 20, seed = 1)[[2]]), 25)
  moved <- gpa(x, x, n_steps = 2)
  expect_equal(predict(moved, x)[[2]], moved$particles[[2]], tolerance = tolerance$isometry)
  expect_gt(min(predict(moved, x)[[2]]), 25)
  shifted <- x
  shifted[[2]] <- shifted[[2]] + 30
  expect_match(fidelity(x, shifted)$verdict[["overall"]], "not close")
  expect_equal(novelty(shifted, x)$ratio, novelty(as.matrix(unname(shifted)), as.matrix(unname(x)))$ratio)
  grouped <- efs_by_rule(cbind(x, k = rep(1:2, 30)), group = "k")
  new <- simulate(grouped, 10, seed = 1)
  expect_identical(names(new), c("a", "a", "k"))
  expect_gt(min(new[[2]]), 25)
  expect_error(predict(fit, stats::setNames(x, c("a", "b"))), "`newdata` has the unknown column \"b\"", fixed = TRUE)
  expect_error(predict(fit, stats::setNames(x[c(1, 2, 1)], c("a", "a", "a"))),
               "in this order, because the name \"a\" occurs more than once")
  expect_error(efs(stats::setNames(x, c("k", "k")), group = "k"), "`x` has 2 columns of that name")
})

test_that("new rows are matched by name everywhere, by position without names", {
  x <- small()
  turned <- x[3:1]
  m <- as.matrix(x)
  fit <- efs_by_rule(x)
  moved <- gpa(x, x[3:1], n_steps = 2)
  both <- integrate_data(x, rep(1:2, 20), 1, n_steps = 2, seed = 1, compare = FALSE)
  for (new in list(turned, as.matrix(turned), unname(m))) {
    expect_identical(predict(fit, new), predict(fit, x))
    expect_identical(predict(fit, new, type = "log_density"), predict(fit, x, type = "log_density"))
    expect_identical(predict(moved, new), predict(moved, x))
    first <- if (is.null(colnames(new))) 1 else 3
    expect_identical(unname(as.matrix(predict(both, new, 2))[, 1]), unname(as.matrix(predict(both, x, 2))[, first]))
    other <- small(seed = 2)
    for (score in list(energy_distance, mmd, sliced_wasserstein, function(a, b) novelty(a, b)$ratio,
                       function(a, b) c2st(a, b, seed = 1)$auc,
                       prdc, wasserstein2, function(a, b) fidelity(a, b)$scores$all)) {
      set.seed(1)
      one <- score(other, new)
      set.seed(1)
      expect_equal(one, score(other, x))
    }
  }
  # without names in the first table the others go by position
  expect_error(fidelity(unname(m), x[1:2]), "`synthetic` has 2 columns; 3 are wanted")
  expect_identical(energy_distance(unname(m), turned), energy_distance(m, unname(as.matrix(turned))))
  set.seed(1)
  particles <- wgf(target_ring(dim = 3), start = m[, c("a", "b", "n")] / 50, n_steps = 2)
  expect_identical(predict(particles, m), predict(particles, m[, c("a", "b", "n")]))
  # a fit to a matrix with names
  expect_identical(predict(efs_by_rule(m), m[, 3:1]), predict(efs_by_rule(m), m))
  unknown <- stats::setNames(cbind(x, x), c("a", "n", LETTERS[1:4]))
  calls <- list(function(d) predict(fit, d), function(d) predict(moved, d), function(d) predict(both, d, 2),
                function(d) gpa(x, d), function(d) energy_distance(x, d), function(d) novelty(d, x),
                function(d) fidelity(x, d), function(d) c2st(x, d))
  for (call in calls) {
    expect_error(call(unknown), "lacks the column \"b\" and has the unknown columns \"A\", \"B\", \"C\", \"D\".",
                 fixed = TRUE)
    expect_error(call(x["a"]), "lacks the columns \"n\", \"b\"", fixed = TRUE)
    expect_error(call(m[, c("a", "n")]), "lacks the column \"b\"", fixed = TRUE)
    expect_error(call(unname(m[, 1:2])), "has 2 columns; 3 are wanted")
  }
  expect_error(predict(fit, stats::setNames(cbind(x, x, x), c("a", "n", "b", LETTERS[1:6]))),
               "unknown columns \"A\", \"B\", \"C\", \"D\", \"E\", ...", fixed = TRUE)
})

test_that("numbers with a class are read with their meaning or refused", {
  x <- small()
  refused <- list(
    Date = as.Date("2020-01-01") + 1:40, POSIXct = Sys.time() + 1:40, factor = factor(x$n),
    haven_labelled = structure(x$a, labels = c(no = 1), class = c("haven_labelled", "vctrs_vctr", "double")),
    labelled = structure(x$a, labels = c(no = 1), class = "labelled"), odd = structure(x$a, class = "odd"),
    list = as.list(1:40), complex = as.complex(1:40)
  )
  for (class in names(refused)) {
    x$n <- refused[[class]]
    said <- sprintf("must have numeric columns only, but column \"n\" is of class \"%s\";", class)
    for (call in list(pushforward, function(d) gpa(d, d), function(d) integrate_data(d, rep(1:2, 20), 1),
                      function(d) efs(d, latent = "none"))) {
      expect_error(call(x), said, fixed = TRUE)
    }
    # efs() reads dates, times and factors too
    if (!class %in% c("Date", "POSIXct", "factor")) {
      expect_error(efs(x), "Column \"n\" of `x` is .*, which no kind of column reads", class = "particleflow_input")
    }
    # scores read dates, times and factors too
    if (class %in% c("Date", "POSIXct", "factor")) {
      expect_identical(novelty(x, x)$duplicates, 1)
    } else {
      expect_error(novelty(x, x), sprintf("logical values, but is of class \"%s\";", class), fixed = TRUE)
    }
  }
  expect_error(efs(transform(x, n = refused$Date), latent = "none"), "give as.numeric() of it", fixed = TRUE)
  expect_error(efs(transform(x, n = refused$haven_labelled)), "haven::as_factor() of it", fixed = TRUE)
  # what is not a number but in the unit of one
  x$n <- as.difftime(x$b, units = "hours")
  fit <- efs_by_rule(x)
  new <- simulate(fit, 5, seed = 1)
  expect_identical(attributes(new$n), attributes(x$n))
  minutes <- x
  units(minutes$n) <- "mins"
  expect_equal(predict(fit, minutes), predict(fit, x), tolerance = tolerance$kernel)
  expect_equal(energy_distance(x, minutes), 0)
  moved <- gpa(x, minutes, n_steps = 2)
  expect_identical(attributes(moved$particles$n), attributes(x$n))
  expect_equal(as.double(mean(moved$particles$n)), mean(x$b), tolerance = 0.05)
  expect_error(predict(efs_by_rule(small()), x), "column \"n\" is of class \"difftime\"", fixed = TRUE)
  both <- integrate_data(minutes, rep(1:2, 20), 1, n_steps = 2, seed = 1, compare = FALSE)
  expect_identical(attributes(both$data$n), attributes(minutes$n))
  expect_equal(as.double(predict(both, x, 2)$n, units = "mins")[2 * 1:20], as.double(both$data$n)[2 * 1:20],
               tolerance = tolerance$isometry)
})

test_that("integer64 and units of their packages come back", {
  skip_if_not_installed("bit64")
  x <- transform(small(), n = bit64::as.integer64(small()$n) - 9L)
  fit <- efs_by_rule(x)
  expect_identical(unname(predict(fit)), unname(predict(efs_by_rule(transform(small(), n = n - 9L)))))
  new <- simulate(fit, 5, seed = 1)
  expect_s3_class(new$n, "integer64")
  expect_identical(as.double(new$n), as.double(simulate(efs_by_rule(transform(small(), n = n - 9L)), 5, seed = 1)$n))
  expect_equal(energy_distance(x, transform(small(), n = n - 9L)), 0)
  expect_identical(class(gpa(x, x, n_steps = 2)$particles$n), "integer64")
  keyed <- efs_by_rule(small()[c(1, 3)], group = bit64::as.integer64(rep(c(-1, -2), 20)))
  expect_setequal(as.double(simulate(keyed, 6, seed = 1)$group), c(-1, -2))
  x$n[3] <- bit64::as.integer64("9007199254740993")
  expect_error(efs(x), "Column \"n\" of `x`: Numbers of class \"integer64\" that no double holds exactly", fixed = TRUE)
  skip_if_not_installed("units")
  x <- small()
  x$b <- units::set_units(x$b, "km")
  fit <- efs_by_rule(x)
  expect_identical(attributes(simulate(fit, 5, seed = 1)$b), attributes(x$b))
  metres <- x
  metres$b <- units::set_units(metres$b, "m")
  expect_equal(predict(fit, metres), predict(fit, x), tolerance = tolerance$kernel)
  expect_error(predict(fit, transform(x, b = as.difftime(as.double(b), units = "mins"))), "Column \"b\" of `newdata`",
               fixed = TRUE)
})

test_that("what is not a table is refused in one sentence", {
  setClass("particleflow_odd", representation(a = "numeric"), where = environment())
  odd <- list(sum, function(x) x, new("particleflow_odd", a = 1), new.env(), quote(x), NULL, 1:3, "a", list(1), y ~ x,
              array(1:8, c(2, 2, 2)), matrix("a", 2, 2), matrix(TRUE, 3, 2), factor("a"))
  x <- small()
  scores <- list(function(d) novelty(d, x), function(d) novelty(x, d), function(d) fidelity(x, d),
                 function(d) energy_distance(x, d))
  said <- "must be a numeric matrix or a data frame of numeric columns, not"
  for (one in odd) {
    for (call in list(pushforward, function(d) gpa(x, d), function(d) integrate_data(d, 1:2, 1))) {
      expect_error(call(one), said, class = "particleflow_input")
    }
    # scores and efs() read matrices of words too
    for (call in if (!is.matrix(one)) c(scores, efs)) {
      expect_error(call(one), "must be a matrix or a data frame, not", class = "particleflow_input")
    }
  }
  expect_error(efs(data.frame()), "`x` has no columns")
})

test_that("missing values are named by row and column", {
  x <- small()
  x$a[3] <- NA
  x$b[c(5, 9)] <- Inf
  expect_error(efs(x, latent = "none"),
               "`x` must not contain NA, NaN or infinite values, but rows 3, 5, 9 do, in columns \"a\", \"b\"; drop",
               fixed = TRUE)
  expect_error(efs(x), "Column \"b\" of `x`: 2 values are infinite", fixed = TRUE)
  expect_error(gpa(small(), x), "`target` must not contain NA, NaN or infinite values, but rows 3, 5, 9 do",
               fixed = TRUE)
  expect_error(efs(unname(as.matrix(x)), latent = "none"), "in columns 1, 3;", fixed = TRUE)
  expect_error(predict(efs_by_rule(small()), x),
               "`newdata` must not contain NA, NaN or infinite values, but rows 3, 5, 9", fixed = TRUE)
  x <- small()
  x$b[7] <- -Inf
  expect_error(novelty(small(), x),
               "`train` must not contain NA, NaN or infinite values, but row 7 does, in column \"b\"", fixed = TRUE)
  x$n[7] <- NA # missing values are read by scores, infinite ones are not
  expect_error(novelty(small(), x), "`train` must not contain infinite values, but row 7 does, in column \"b\"",
               fixed = TRUE)
})

test_that("names of any bytes are taken, and messages about them are messages", {
  x <- small()
  for (name in c("gr\u00f6\u00dfe", "\xff\xfe", "a b", "", NA)) {
    named <- stats::setNames(x, c("a", name, "b"))
    expect_identical(names(simulate(efs_by_rule(named), 2, seed = 1)), names(named))
    named[[2]] <- "k"
    expect_error(efs(named, latent = "none"), "is of class \"character\"", class = "particleflow_input")
    expect_error(predict(efs_by_rule(x), named), "lacks the column \"n\"", class = "particleflow_input")
  }
  expect_identical(dim(simulate(efs_by_rule(stats::setNames(x, NULL)), 2, seed = 1)), 2:3)
})

test_that("sparse, delayed and Bioconductor tables are read where they are small, or refused with what to do", {
  x <- as.matrix(small())
  skip_if_not_installed("Matrix")
  sparse <- methods::as(x, "CsparseMatrix")
  expect_identical(simulate(efs_by_rule(sparse), 3, seed = 1), simulate(efs_by_rule(x), 3, seed = 1))
  expect_identical(energy_distance(sparse, x), energy_distance(x, x))
  huge <- Matrix::sparseMatrix(1, 1, x = 1, dims = c(1e5, 1e5))
  expect_error(efs(huge), "would take 74.5 GB as a full matrix", class = "particleflow_size")
  skip_if_not_installed("DelayedArray")
  expect_identical(predict(efs_by_rule(x), DelayedArray::DelayedArray(x)), predict(efs_by_rule(x), x))
  skip_if_not_installed("S4Vectors")
  frame <- S4Vectors::DataFrame(small(), k = rep(1:2, 20))
  expect_identical(simulate(efs_by_rule(frame, group = "k"), 3, seed = 1),
                   simulate(efs_by_rule(cbind(small(), k = rep(1:2, 20)), group = "k"), 3, seed = 1))
  skip_if_not_installed("SummarizedExperiment")
  genes <- SummarizedExperiment::SummarizedExperiment(list(logcounts = t(x)))
  expect_error(efs(genes), "whose samples are columns; give it to synthesise")
  for (call in list(function(d) gpa(d, x), function(d) novelty(x, d))) {
    expect_error(call(genes), "whose samples are columns; give a matrix of samples x genes, such as t(as.matrix(",
                 fixed = TRUE)
  }
})

test_that("columns of extreme numbers are fitted in a unit of their own", {
  x <- as.matrix(iris[1:60, 1:3])
  plain <- efs_by_rule(x)
  set.seed(1)
  moved <- gpa(x, x[31:60, ] + 1, n_steps = 3)
  for (scale in c(1e-200, 1e160, 1e-310, 1e300)) {
    fit <- efs_by_rule(x * scale)
    few <- tolerance$isometry
    expect_equal(matrix(simulate(fit, 5, seed = 1), 5) / scale, matrix(simulate(plain, 5, seed = 1), 5),
                 tolerance = few)
    # the density of a multiple
    expect_equal(predict(fit, (x[1:5, ] + 0.01) * scale, type = "log_density"),
                 predict(plain, x[1:5, ] + 0.01, type = "log_density") - 3 * log(scale), tolerance = few)
    new <- simulate(fit, 5, seed = 1, log_density = TRUE)
    wanted <- attr(simulate(plain, 5, seed = 1, log_density = TRUE), "log_density") - 3 * log(scale)
    expect_equal(attr(new, "log_density"), wanted, tolerance = few)
    one <- x
    one[, 2] <- one[, 2] * scale
    expect_equal(simulate(efs_by_rule(one), 5, seed = 1)[, 2] / scale, simulate(plain, 5, seed = 1)[, 2],
                 tolerance = few)
    set.seed(1)
    expect_equal(gpa(x * scale, (x[31:60, ] + 1) * scale, n_steps = 3)$particles / scale, moved$particles,
                 tolerance = few)
  }
  set.seed(1)
  pushed <- simulate(pushforward(x, "energy", n_steps = 3), 5, seed = 1)
  set.seed(1)
  expect_equal(simulate(pushforward(x * 1e160, "energy", n_steps = 3), 5, seed = 1) / 1e160, pushed, tolerance = few,
               ignore_attr = TRUE)
  expect_error(pushforward(x * 1e160, bounds = c(0, 1e161)),
               "`bounds` must be left out where `x` has columns of numbers beyond")
  batch <- rep(1:2, 30)
  expect_equal(integrate_data(x * 1e-200, batch, 1, n_steps = 2, seed = 1)$data / 1e-200,
               integrate_data(x, batch, 1, n_steps = 2, seed = 1)$data, tolerance = few)
  # the held-out likelihood too
  in_small_units <- efs(x * 1e-200, particles = 0)$diagnostics$log_density
  expect_equal(in_small_units, efs(x, particles = 0)$diagnostics$log_density + 3 * 200 * log(10), tolerance = 1e-9)
})

test_that("options that change how numbers are written change no result", {
  before <- options(scipen = 0, digits = 7, OutDec = ".")
  on.exit(options(before))
  x <- cbind(small(), k = rep(c(1, 1e5), 20))
  wanted <- simulate(efs_by_rule(x, group = "k"), 6, seed = 1)
  set.seed(1)
  moved <- gpa(x[1:3], x[1:3], n_steps = 2)$particles
  for (changed in list(list(scipen = -10), list(scipen = 100), list(digits = 1), list(OutDec = ","))) {
    options(changed)
    fit <- efs_by_rule(x, group = "k")
    expect_identical(simulate(fit, 6, seed = 1), wanted)
    expect_identical(simulate(fit, c("100000" = 2), seed = 1)$k, c(1e5, 1e5))
    expect_identical(nrow(predict(fit, x[1:3, ])), 3L)
    set.seed(1)
    expect_identical(gpa(x[1:3], x[1:3], n_steps = 2)$particles, moved)
    expect_error(efs(replace(x, 1, NA_real_), latent = "none"), "rows 1, 2, 3, 4, 5, ... do", fixed = TRUE)
    options(before)
  }
})

test_that("a kind may have several coordinates, and they go through reading and writing", {
  angle <- column_kind(
    "angle", reads = function(values) inherits(values, "angle"),
    encode = function(values, state) cbind(cos(unclass(values)), sin(unclass(values))),
    decode = function(z, state) structure(atan2(z[, 2], z[, 1]), class = "angle"),
    margin = function(values, state) rep(0.5, length(values))
  )
  x <- small()
  x$phase <- structure(stats::runif(40, -3, 3), class = "angle")
  read <- read_tables(list(x = x[c(1, 4, 2)]), 2L, kinds = c(list(angle = angle), column_kinds()))
  expect_identical(colnames(read$points$x), c("a", "phase.1", "phase.2", "n"))
  expect_identical(read$template$dims, c(1L, 2L, 1L))
  expect_identical(read$margin, rep(0.5, 40))
  expect_equal(write_table(read$points$x, read$template), x[c(1, 4, 2)], tolerance = tolerance$closed_form)
  expect_identical(point_margin(read$points$x, read$template), rep(0.5, 40))
  new <- encode_rows(x[c(2, 4, 1)], read$template)
  expect_identical(new$points, read$points$x)
  expect_identical(new$margin, rep(0.5, 40))
  x$phase <- 1
  expect_error(read_new_rows(x[c(1, 2, 4)], read$template),
               "Column \"phase\" of `newdata` must be of the kind \"angle\", not plain numbers", fixed = TRUE)
})

test_that("a template is small, also of a wide table", {
  set.seed(1)
  x <- matrix(rnorm(20 * 5000), 20)
  x[, 1:1000] <- 0
  read <- read_table(x, NULL)
  expect_identical(dim(read$points), c(20L, 4000L))
  expect_identical(length(read$template$columns), 2L)
  expect_lt(as.double(utils::object.size(read$template)), 2e5)
  expect_identical(unname(unclass(write_table(read$points, read$template))), x)
})

test_that("bounds reflect what is outside by less than the width of the range, and set the rest to the nearer end", {
  x <- matrix(c(-1.5, -0.5, 0, 0.5, 1, 1.25, 2, 2.5, 100, -100))
  expect_identical(particleflow:::reflect_into(x, matrix(c(0, 1))), matrix(c(0, 0.5, 0, 0.5, 1, 0.75, 0, 1, 1, 0)))
})

test_that("a fit keeps its names when the user's data.table changes in place, and time series are read as numbers", {
  skip_if_not_installed("data.table")
  x <- data.table::data.table(a = as.double(1:40), b = sin(1:40))
  fit <- efs(x, calibrate = FALSE)
  before <- simulate(fit, 2, seed = 1)
  data.table::set(x, j = "extra", value = 1L)
  data.table::setnames(x, "a", "A")
  expect_equal(simulate(fit, 2, seed = 1), before, ignore_attr = TRUE)
  expect_identical(names(simulate(fit, 2, seed = 1)), c("a", "b"))
  m <- as.matrix(iris[1:40, 1:2])
  expect_equal(as.matrix(simulate(efs(ts(m), calibrate = FALSE), 2, seed = 1)),
               as.matrix(simulate(efs(m, calibrate = FALSE), 2, seed = 1)), ignore_attr = TRUE)
  expect_no_error(simulate(efs(data.frame(a = ts(m[, 1]), b = m[, 2]), calibrate = FALSE), 2))
})

test_that("plain columns that are read and written together are read and written as one by one", {
  odd <- column_kind("odd", reads = function(values) FALSE, encode = function(values, state) values,
                     decode = function(z, state) z)
  kinds <- column_kinds()
  expect_true(all(c("number", "integer") %in% kinds_by_class))
  by_one <- c(list(odd = odd), kinds) # an unknown kind is asked about every column
  set.seed(1)
  x <- data.frame(a = rnorm(20), n = 1:20, same = 3, huge = rnorm(20) * 1e200, six = 6L, b = rnorm(20), other = 3,
                  tiny = rnorm(20) * 1e-120, lab = I(rnorm(20)), zero = 0)
  y <- x[7:1, 10:1]
  y$n <- y$n + 0.5 # integers in one table only are numbers
  wide <- matrix(rnorm(60), 3, dimnames = list(NULL, letters[1:20]))
  long <- matrix(1:40, 20)
  pairs <- list(list(x = x), list(x = x, y = y), list(x = wide), list(x = wide, y = -wide[, 20:1]), list(x = long))
  for (tables in pairs) {
    together <- read_tables(tables, 2L)
    expect_identical(together, read_tables(tables, 2L, by_one))
    expect_identical(read_new_rows(tables$x, together$template), together$points$x)
    expect_equal(write_table(together$points$x, together$template), tables$x, tolerance = tolerance$closed_form)
  }
  wide[2, 5] <- NA
  expect_error(read_tables(list(x = wide), 2L), "row 2 does, in column \"e\"", fixed = TRUE)
})

test_that("tables without rows are tables", {
  x <- data.frame(a = sin(1:40), n = 1:40)
  none <- data.frame(a = numeric(), n = integer())
  empty <- matrix(0, 0, 2)
  named <- matrix(0, 0, 2, dimnames = list(NULL, c("a", "n")))
  fit <- efs(x, calibrate = FALSE)
  expect_identical(predict(fit, none), empty)
  expect_identical(predict(fit, as.matrix(none)), empty) # a logical matrix
  expect_identical(predict(fit, none, type = "log_density"), numeric())
  expect_identical(predict(fit, empty, type = "data"), none)
  expect_identical(as.double(logLik(fit, none)), 0)
  expect_equal(simulate(fit, 0), none, ignore_attr = c("seed", "dropped"))
  flow <- gpa(x, x, n_steps = 1)
  expect_identical(predict(flow, none), none)
  expect_identical(predict(flow, none, type = "latent"), empty)
  flow <- gpa(function(n) matrix(rnorm(2 * n), n), as.matrix(x), n_steps = 1)
  expect_identical(dim(simulate(flow, 0)), c(0L, 2L)) # matrix(numeric(), 0) has no columns
  generator <- pushforward(x, n_steps = 1)
  expect_identical(predict(generator, empty), none)
  expect_identical(predict(generator, as.data.frame(empty)), none)
  expect_identical(predict(pushforward(as.matrix(x), n_steps = 1), empty), named)
  moved <- integrate_data(x, rep(1:2, 20), 1, n_steps = 1, compare = FALSE)
  expect_identical(predict(moved, none, batch = 2), none)
  for (target in list(target_ring(), wgf(target_ring(), n = 20, n_steps = 1))) {
    expect_identical(predict(target, none, type = "log_density"), numeric())
    expect_identical(predict(target, empty, type = "log_density"), numeric())
  }
  expect_identical(predict(target_ring(), none, type = "gradient"), empty)
})

test_that("standard deviations of many columns are those of each", {
  set.seed(1)
  for (n in c(2, 60, 501)) for (p in c(1, 8, 19)) {
    x <- matrix(rnorm(n * p, 1e3), n, dimnames = list(NULL, paste0("x", 1:p)))
    expect_identical(column_deviations(x), apply(x, 2, stats::sd))
  }
  x <- cbind(c(1, 2, 3) * 1e200, 1, c(1, 2, 4) * 1e-200)
  expect_equal(column_deviations(x), c(1e200, 0, stats::sd(c(1, 2, 4)) * 1e-200), tolerance = tolerance$closed_form)
})

test_that("names come back as they were given, also empty and missing ones, in every class of table", {
  x <- data.frame(a = sin(1:40), b = cos(1:40))
  forms <- list(matrix = as.matrix, data.frame = identity, tibble = function(x) shape_table(x, names(x), 40, "tibble"))
  if (requireNamespace("data.table", quietly = TRUE)) forms$data.table <- data.table::as.data.table
  forms$grouped <- function(x) structure(forms$tibble(x), class = c("grouped_df", "tbl_df", "tbl", "data.frame"))
  for (form in forms) for (names in list(c("", ""), c(NA_character_, NA), c("a", ""), c("a", NA), c("a", "NA"))) {
    given <- form(x)
    attr(given, if (is.matrix(given)) "dimnames" else "names") <- if (is.matrix(given)) list(NULL, names) else names
    fit <- efs(given, calibrate = FALSE)
    expect_identical(names_as_given(simulate(fit, 2)), names)
    expect_identical(names_as_given(predict(fit, predict(fit)[1:2, ], type = "data")), names)
    expect_identical(names_as_given(gpa(given, given, n_steps = 0)$particles), names)
    expect_identical(names_as_given(simulate(pushforward(given, n_steps = 0), 2)), names)
    moved <- integrate_data(given, rep(1:2, 20), 1, n_steps = 0, compare = FALSE)
    expect_identical(names_as_given(moved$data), names)
  }
  # a label beside columns without names
  fit <- efs(unname(x), group = rep(1:2, 20), calibrate = FALSE)
  expect_identical(names(simulate(fit, 2)), c("", "", "group"))
})

test_that("an array of one dimension is read as a vector", {
  x <- data.frame(a = sin(1:40), b = cos(1:40))
  y <- x
  y$a <- array(x$a, 40)
  expect_identical(simulate(efs(y, calibrate = FALSE), 3, seed = 1)$a,
                   simulate(efs(x, calibrate = FALSE), 3, seed = 1)$a)
})

test_that("raw bytes are no group, and a matrix is no column of a second table", {
  x <- matrix(sin(1:40), 20)
  said <- "must hold numbers, texts or levels of a factor, not raw bytes."
  expect_error(efs(x, group = as.raw(rep(1:2, 10))), said)
  expect_error(plot(efs_forward(x, n_steps = 2), group = as.raw(rep(1:2, 10))), said)
  second <- data.frame(a = 1:20)
  second$m <- cbind(1:20, 2)
  expect_error(energy_distance(x, second), "column \"m\" is a matrix of 2 columns|column 2 is a matrix of 2 columns")
})
