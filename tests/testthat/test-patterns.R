# Patterns of missing values: columns in a declared order, and values that are missing wherever another column says so.

quick <- function(x, ...) synthesise(x, ..., law = law_student(), flow = FALSE, quiet = TRUE)

patterns <- function(x) apply(is.na(x), 1, paste, collapse = " ")

# The largest difference of the shares of missing patterns, in standard errors of the two shares together. With four to
# eight patterns one is above 4 with a probability below 1e-3.
pattern_distance <- function(new, old) {
  all <- unique(c(patterns(new), patterns(old)))
  share <- function(x) prop.table(table(factor(patterns(x), all)))
  p <- share(old)
  max(abs(share(new) - p) / sqrt(pmax(p * (1 - p), 1 / nrow(old)) * (1 / nrow(old) + 1 / nrow(new))))
}

dates_with_gaps <- local({
  set.seed(71)
  n <- 400
  start <- as.Date("2020-01-01") + sample(300, n, TRUE)
  x <- data.frame(start = start, end = start + rpois(n, 6), y = rnorm(n))
  whole <- x
  x$start[runif(n) < 0.2] <- NA
  x$end[runif(n) < plogis(-1 + x$y)] <- NA
  list(rows = x, whole = whole)
})

test_that("an order holds wherever both columns are known, and every pattern of missing values comes out", {
  x <- dates_with_gaps$rows
  fit <- quick(x, constraints = ~ start <= end)
  new <- simulate(fit, 1e5, seed = 1)
  expect_identical(sum(new$start > new$end, na.rm = TRUE), 0L)
  expect_identical(lapply(new, class), lapply(x, class))
  expect_lt(pattern_distance(new, x), 4)
  # the values of `end` without `start` have the law of all of them: 70 against 400 rows, twice the 0.1 % limit
  alone <- new$end[is.na(new$start) & !is.na(new$end)]
  expect_lt(suppressWarnings(ks.test(as.numeric(alone), as.numeric(dates_with_gaps$whole$end))$statistic), 0.2)
  expect_true(all(is.finite(predict(fit, x, draws = 4))))
  expect_identical(predict(fit, data.frame(start = x$start[1], end = x$start[1] - 1, y = 0))[1], -Inf)
  expect_false(anyNA(simulate(fit, 500, seed = 1, missing = FALSE)))
  # the other form of the same order, and a condition on the computed column
  again <- simulate(quick(x, constraints = ~ end >= start), 1e5, seed = 1)
  expect_identical(again, new)
  late <- simulate(fit, 200, seed = 1, given = list(end = as.Date(c("2020-06-01", "2020-06-30"))))
  expect_true(all(late$end >= as.Date("2020-06-01") & late$end <= as.Date("2020-06-30")))
  expect_true(anyNA(late$start) && all(late$start <= late$end, na.rm = TRUE))
})

test_that("filled columns keep the order, and the gap has its law", {
  x <- dates_with_gaps$rows
  fit <- quick(x, constraints = ~ start <= end)
  for (filled in predict(fit, x, type = "impute", m = 3, seed = 1)) {
    expect_false(anyNA(filled))
    expect_true(all(filled$start <= filled$end))
    expect_identical(filled$end[!is.na(x$end)], x$end[!is.na(x$end)])
    expect_identical(filled$start[!is.na(x$start)], x$start[!is.na(x$start)])
    # each end in about 100 rows: four standard errors of the mean of a gap of mean 6 and variance 6
    for (rows in list(is.na(x$start) & !is.na(x$end), !is.na(x$start) & is.na(x$end))) {
      gap <- as.numeric(filled$end - filled$start)[rows]
      expect_lt(abs(mean(gap) - 6), 4 * sqrt(6) * sqrt(1 / sum(rows) + 1 / 215))
    }
  }
  # an end that no value goes beyond, and a chain of three columns
  set.seed(72)
  n <- 300
  x <- data.frame(a = (a <- rexp(n)), b = (b <- a + rexp(n)), c = b + rexp(n))
  for (j in 1:3) x[runif(n) < 0.3, j] <- NA
  fit <- quick(x, constraints = list(~ b <= c, ~ a <= b))
  for (filled in predict(fit, x, type = "impute", m = 3, seed = 1)) {
    expect_false(anyNA(filled))
    expect_true(all(filled$a <= filled$b & filled$b <= filled$c & filled$a >= 0))
    expect_identical(filled[!is.na(x)], x[!is.na(x)])
  }
  new <- simulate(fit, 1e5, seed = 1)
  expect_true(all(new$a <= new$b, na.rm = TRUE) && all(new$b <= new$c, na.rm = TRUE))
  expect_lt(pattern_distance(new, x), 4)
})

# All rows of small numbers a <= b and of the levels f.
all_rows <- function(from, to) {
  expand.grid(a = c(NA, from:to), b = c(NA, from:to), f = c("u", "v"), stringsAsFactors = FALSE)
}

ordered_counts <- function(n, keep) {
  set.seed(73)
  x <- data.frame(a = (a <- sample(0:2, n, TRUE)), b = a + sample(0:2, n, TRUE), f = sample(c("u", "v"), n, TRUE))
  x$a[runif(n) < 0.25] <- NA
  if (keep != "b") x$b[runif(n) < 0.3] <- NA
  if (keep == "nested") x$b[is.na(x$a)] <- NA
  x
}

test_that("the probabilities of all rows sum to 1, whatever the pattern", {
  grid <- all_rows(-2L, 9L)
  for (keep in c("all", "b", "nested")) {
    x <- ordered_counts(120, keep)
    fit <- quick(x, constraints = ~ a <= b)
    p <- exp(predict(fit, grid, draws = 2000))
    # five times the Monte Carlo error; mass beyond the grid is less than 1e-3
    expect_lt(abs(sum(p) - 1), 0.02)
    expect_identical(sum(p[which(grid$a > grid$b)]), 0)
    # frequencies of 1e5 new rows: errors of the draws, and four standard errors
    new <- simulate(fit, 1e5, seed = 1)
    share <- tabulate(match(do.call(paste, new), do.call(paste, grid)), nrow(grid)) / 1e5
    expect_lt(max(abs(share - p) - 4 * sqrt(p / 1e5)), 0.003)
    if (keep == "nested") expect_identical(sum(p[is.na(grid$a) & !is.na(grid$b)]), 0)
  }
})
