# Multiple imputation: observed values never change, and the pooled answer is right.

quick <- function(x, ...) synthesise(x, ..., law = law_student(), flow = FALSE, quiet = TRUE)

set.seed(41)
n <- 80
holes <- data.frame(
  x = ifelse(runif(n) < 0.2, NA, rnorm(n)), f = factor(ifelse(runif(n) < 0.2, NA, sample(c("u", "v", "w"), n, TRUE))),
  k = ifelse(runif(n) < 0.2, NA, rpois(n, 3)), day = as.Date("2024-01-01") + ifelse(runif(n) < 0.2, NA, rpois(n, 30)),
  l = ifelse(runif(n) < 0.2, NA, runif(n) < 0.5),
  w = ifelse(runif(n) < 0.2, NA, sample(c("p", "q"), n, TRUE)), y = rnorm(n)
)

expect_filled <- function(table, of) {
  expect_false(anyNA(table))
  expect_identical(setdiff(class(table), "simulated_matrix"), class(of))
  expect_identical(dimnames(table), dimnames(of))
  for (j in seq_len(ncol(of))) {
    old <- if (is.data.frame(of)) of[[j]] else of[, j]
    new <- if (is.data.frame(table)) table[[j]] else table[, j]
    expect_identical(new[!is.na(old)], old[!is.na(old)])
    expect_identical(attributes(new), attributes(old))
    expect_identical(typeof(new), typeof(old))
  }
}

test_that("observed values never change, and classes and types are kept", {
  fit <- quick(holes)
  filled <- predict(fit, holes, type = "impute", m = 3, seed = 1)
  expect_s3_class(filled, "imputations")
  expect_length(filled, 3)
  for (table in filled) expect_filled(table, holes)
  expect_false(identical(filled[[1]], filled[[2]]))
  expect_identical(predict(fit, holes, type = "impute", m = 3, seed = 1), filled)
  expect_output(print(filled), sprintf("3 tables of %d rows, in which %d missing values", n, sum(is.na(holes))))
  # row names, another order of the columns, rows without holes, no rows
  named <- holes[7:1]
  rownames(named) <- paste0("r", seq_len(n))
  expect_filled(predict(fit, named, type = "impute", m = 1, seed = 1)[[1]], named)
  whole <- holes[stats::complete.cases(holes), ]
  expect_identical(predict(fit, whole, type = "impute", m = 2, seed = 1)[[2]], whole)
  expect_identical(predict(fit, holes[0, ], type = "impute", m = 1, seed = 1)[[1]], holes[0, ])
  one <- holes[1, ]
  one[1, ] <- NA
  expect_filled(predict(fit, one, type = "impute", m = 1, seed = 1)[[1]], one)
  # missing in a column that has no missing values in the table
  other <- replace(holes, cbind(3, 7), NA)
  expect_filled(predict(fit, other, type = "impute", m = 1, seed = 1)[[1]], other)
})

test_that("other classes of tables are filled", {
  numbers <- as.matrix(holes[c("x", "k", "y")])
  expect_filled(predict(quick(numbers), numbers, type = "impute", m = 1, seed = 1)[[1]], numbers)
  words <- as.matrix(holes[c("f", "w")])
  expect_filled(predict(quick(words), words, type = "impute", m = 1, seed = 1)[[1]], words)
  if (requireNamespace("tibble", quietly = TRUE)) {
    x <- tibble::as_tibble(holes)
    expect_filled(predict(quick(x), x, type = "impute", m = 1, seed = 1)[[1]], x)
  }
  if (requireNamespace("data.table", quietly = TRUE)) {
    x <- data.table::as.data.table(holes)
    before <- data.table::copy(x)
    filled <- predict(quick(x), x, type = "impute", m = 1, seed = 1)[[1]]
    expect_false(anyNA(filled))
    expect_s3_class(filled, "data.table")
    expect_identical(as.data.frame(x), as.data.frame(before))
  }
})

test_that("imputed values follow the rest of the row", {
  x <- separated_levels()
  x$rows$y[101:150] <- NA
  fit <- synthesise(x$rows, flow = FALSE, quiet = TRUE)
  filled <- predict(fit, x$rows, type = "impute", m = 1, seed = 1)[[1]]
  # a Gaussian copula, which fills the missing levels before the fit, knows the classes less well
  expect_gt(mean(as.character(filled$g[1:100]) == x$level[1:100]), 0.8)
  expect_gt(cor(filled$y[101:150], x$level[101:150] == "v"), 0.7)
})

test_that("a regression on imputed tables has its coefficient", {
  # y = 1 + 2 x + e; x is missing where y is large, so complete cases are biased (missing at random given y)
  set.seed(43)
  m <- 600
  x <- rnorm(m)
  y <- 1 + 2 * x + rnorm(m)
  gone <- runif(m) < plogis(1.5 * (y - 1))
  table <- data.frame(x = ifelse(gone, NA, x), y = y)
  filled <- predict(quick(table), table, type = "impute", m = 10, seed = 1)
  pooled <- mean(vapply(filled, function(one) coef(lm(y ~ x, one))[2], 0))
  full <- coef(lm(y ~ x))[2]
  complete <- coef(lm(y ~ x, table))[2]
  # the standard error with a third of the x lost is about 0.06: three of them
  expect_lt(abs(pooled - 2), 0.18)
  expect_lt(abs(pooled - full), abs(complete - full))
})

test_that("imputations have the shape that mice and mitools take", {
  filled <- predict(quick(holes[c("x", "f", "y")]), holes[c("x", "f", "y")], type = "impute", m = 3, seed = 1)
  long <- as.data.frame(filled)
  expect_equal(dim(long), c(4 * n, 5))
  expect_named(long, c(".imp", ".id", "x", "f", "y"))
  expect_identical(long[seq_len(n), 3:5], holes[c("x", "f", "y")], ignore_attr = TRUE)
  # what mitools::imputationList() takes: a plain list of data frames
  expect_true(is.list(filled) && all(vapply(filled, is.data.frame, NA)))
})

test_that("imputed values have the type of the column, and levels of the table", {
  set.seed(64)
  x <- data.frame(f = factor(sample(c("lo", "hi"), 100, TRUE)), y = rnorm(100),
                  day = as.Date("1960-01-01") + sample(900, 100, TRUE))
  fit <- quick(x)
  fill <- function(rows) predict(fit, rows, type = "impute", m = 1, seed = 1)[[1]]
  rows <- x[1:4, ]
  rows$f <- c("lo", NA, NA, NA)
  expect_true(is.character(fill(rows)$f) && all(fill(rows)$f %in% c("lo", "hi")))
  rows$f <- factor(c("lo", NA, NA, NA))
  expect_true(is.factor(fill(rows)$f) && !anyNA(fill(rows)$f))
  rows$f <- rows$day <- NA
  expect_identical(levels(fill(rows)$f), levels(x$f))
  expect_s3_class(fill(rows)$day, "Date")
})

test_that("a missing computed value is no contradiction", {
  set.seed(65)
  x <- data.frame(x = rnorm(200), y = rexp(200))
  x$z <- 2 * x$x + 1
  fit <- quick(x)
  rows <- x[1:3, ]
  rows$z[1] <- NA
  rows$x[2] <- NA
  value <- predict(fit, rows)
  expect_identical(is.na(value), c(FALSE, TRUE, FALSE), ignore_attr = TRUE)
  expect_equal(value[c(1, 3)], predict(fit, x[c(1, 3), ]), ignore_attr = TRUE, tolerance = tolerance$kernel)
  rows$z[3] <- 100
  expect_identical(predict(fit, rows)[3], -Inf)
})

test_that("missing words of a class are filled in, and the class and its attributes stay", {
  set.seed(71)
  x <- data.frame(a = rnorm(60))
  x$sex <- structure(sample(c("F", "M", NA), 60, TRUE, c(0.4, 0.4, 0.2)), labels = c(Male = "M", Female = "F"),
                     class = c("haven_labelled", "vctrs_vctr", "character"))
  fit <- synthesise(x, law = law_student(), flow = FALSE, quiet = TRUE)
  filled <- predict(fit, x, type = "impute", m = 1, seed = 1)[[1]]$sex
  expect_identical(attributes(filled), attributes(x$sex))
  expect_true(all(unclass(filled) %in% c("F", "M")))
  known <- !is.na(unclass(x$sex))
  expect_identical(unclass(filled)[known], unclass(x$sex)[known])
})

test_that("a missing part is what a known total or product leaves", {
  set.seed(5)
  n <- 120
  x <- data.frame(a = round(rexp(n, 0.1), 1), b = rpois(n, 30), z = rnorm(n), height = round(rnorm(n, 1.75, 0.1), 2),
                  weight = round(rnorm(n, 75, 10), 1))
  x$total <- x$a + x$b
  x$w <- exp(x$z)
  x$bmi <- round(x$weight / x$height^2, 1)
  fit <- quick(x)
  expect_setequal(vapply(fit$table$relations, function(one) names(x)[one$at], ""), c("total", "w", "bmi"))
  holes <- x
  holes$a[1:10] <- NA
  holes$b[11:20] <- NA
  holes$z[21:30] <- NA
  holes$w[1:5] <- NA
  holes$weight[31:40] <- NA
  holes$height[41:50] <- NA
  filled <- predict(fit, holes, type = "impute", m = 1, seed = 1)[[1]]
  expect_equal(filled[c("a", "b", "total", "z", "w")], x[c("a", "b", "total", "z", "w")])
  expect_identical(filled$bmi, x$bmi)
  expect_lt(max(abs(filled$weight - x$weight)), 0.05 * 1.9^2 + 0.05)
  expect_identical(sapply(filled, typeof), sapply(x, typeof))
  # with two missing parts nothing says how they share the total
  both <- replace(x, cbind(1:40, 1), NA)
  both$b[1:40] <- NA
  free <- predict(fit, both, type = "impute", m = 1, seed = 1)[[1]]
  expect_false(anyNA(free))
  expect_false(isTRUE(all.equal(free$a, x$a)))
})

test_that("an analysis runs in each imputed table", {
  fit <- quick(airquality)
  filled <- predict(fit, airquality, type = "impute", m = 3, seed = 1)
  from <- 2
  fits <- with(filled, lm(Ozone ~ I(Wind * from)))
  expect_length(fits, 3)
  for (i in 1:3) expect_equal(coef(fits[[i]]), coef(lm(Ozone ~ I(Wind * 2), filled[[i]])), ignore_attr = TRUE)
  expect_identical(vapply(fits, nobs, 0L), rep(153L, 3))
  expect_identical(nobs(fit), 153L)
  expect_identical(with(predict(quick(data.matrix(airquality)), data.matrix(airquality), type = "impute", m = 1,
                                seed = 1), sum(is.na(Ozone))), list(0L))
})
