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
    p <- exp(predict(fit, grid, draws = 1000))
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

# 110 patients: without a transplant (a number, 0 or 1) date and score are missing, the score in some other rows too
patients <- local({
  set.seed(74)
  n <- 110
  transplant <- as.double(runif(n) < 0.65)
  x <- data.frame(age = round(rnorm(n, 45, 10)), transplant = transplant, start = as.Date("1970-01-01") + 1:n,
                  side = factor(sample(c("left", "right"), n, TRUE)))
  x$date <- x$start + rpois(n, 20)
  x$score <- rexp(n)
  x$match <- sample(0:3, n, TRUE)
  x$date[transplant == 0] <- NA
  x[transplant == 0 | runif(n) < 0.07, c("score", "match")] <- NA
  x
})

test_that("missing values that a number tells follow it in every new row", {
  fit <- quick(patients)
  said <- gsub("\\s+", " ", paste(format(fit), collapse = " "))
  expect_match(said, "date where and only where transplant < 0.5; score, match where transplant < 0.5", fixed = TRUE)
  new <- simulate(fit, 1e5, seed = 1)
  expect_identical(is.na(new$date), new$transplant == 0)
  expect_true(all(is.na(new$score[new$transplant == 0])) && identical(is.na(new$score), is.na(new$match)))
  expect_lt(pattern_distance(new, patients), 4)
  expect_true(all(is.finite(predict(fit, patients, draws = 4))))
  # rows that break a rule: a score without a transplant, no date with one, a date without one
  broken <- patients[which(patients$transplant == 1 & !is.na(patients$score))[1:4], ]
  broken$transplant[1] <- 0
  broken$date[1:2] <- NA
  broken[3, c("transplant", "score", "match")] <- list(0, NA, NA)
  broken$transplant[4] <- NA
  expect_identical(predict(fit, broken, draws = 4)[1:4], c(-Inf, -Inf, -Inf, NA))
  # conditions
  known <- simulate(fit, 300, seed = 1, given = list(score = c(0, 5)))
  expect_true(all(known$transplant == 1) && !anyNA(known$score))
  lost <- simulate(fit, 2000, seed = 1, given = list(score = NA))
  expect_true(all(is.na(lost$score)))
  told <- mean(patients$transplant[is.na(patients$score)])
  # four standard errors of a share in 45 rows and in 2000
  expect_lt(abs(mean(lost$transplant) - told), 4 * sqrt(told * (1 - told) * (1 / 45 + 1 / 2000)))
  expect_false(anyNA(simulate(fit, 300, seed = 1, missing = FALSE)))
  filled <- predict(fit, patients, type = "impute", m = 1, seed = 1)[[1]]
  expect_false(anyNA(filled))
  # the order of the two dates goes with the rule
  ordered <- simulate(quick(patients, constraints = ~ start <= date), 1e4, seed = 1)
  expect_identical(is.na(ordered$date), ordered$transplant == 0)
  expect_true(all(ordered$start <= ordered$date, na.rm = TRUE))
})

test_that("the heart transplants of Stanford keep their missing values", {
  skip_if_not_installed("survival")
  x <- survival::jasa
  new <- simulate(quick(x, constraints = ~ accept.dt <= tx.date), 1e5, seed = 1)
  expect_identical(is.na(new$tx.date), new$transplant == 0)
  expect_identical(sum(!is.na(new$mscore) & new$transplant == 0), 0L)
  expect_true(all(new$accept.dt <= new$tx.date, na.rm = TRUE))
  told <- c("transplant", "tx.date", "mscore")
  expect_lt(pattern_distance(new[told], x[told]), 4)
})

test_that("missing values that a level tells follow it, and the probabilities sum to 1", {
  set.seed(75)
  n <- 160
  x <- data.frame(f = sample(c("u", "v", "w"), n, TRUE), g = runif(n) < 0.5, k = rpois(n, 1), l = sample(0:1, n, TRUE))
  x$k[x$f == "w" | runif(n) < 0.1] <- NA
  x$l[x$g] <- NA
  fit <- quick(x)
  said <- gsub("\\s+", " ", paste(format(fit), collapse = " "))
  expect_match(said, "k where f is w; l where and only where g is TRUE", fixed = TRUE)
  grid <- expand.grid(f = c("u", "v", "w"), g = c(FALSE, TRUE), k = c(NA, 0:12), l = c(NA, 0:1),
                      stringsAsFactors = FALSE)
  p <- exp(predict(fit, grid, draws = 1000))
  # five times the Monte Carlo error
  expect_lt(abs(sum(p) - 1), 0.02)
  new <- simulate(fit, 1e5, seed = 1)
  expect_true(all(is.na(new$k[new$f == "w"])) && identical(is.na(new$l), new$g))
  expect_gt(sum(is.na(new$k[new$f != "w"])), 0)
  share <- tabulate(match(do.call(paste, new), do.call(paste, grid)), nrow(grid)) / 1e5
  expect_lt(max(abs(share - p) - 4 * sqrt(p / 1e5)), 0.003)
  expect_identical(sum(p[share == 0 & p > 1e-3]), 0)
  # a condition of a missing value has the probability of its rows
  for (ask in list(list(k = NA), list(l = NA), list(k = c(0, 20)), list(k = NA, f = c("u", "v")))) {
    rows <- simulate(fit, 2000, seed = 1, given = ask)
    met <- if (is.na(ask[[1]][1])) is.na(new[[names(ask)[1]]]) else !is.na(new$k)
    if (!is.null(ask$f)) met <- met & new$f %in% ask$f
    expect_lt(abs(exp(attr(rows, "log_probability")) - mean(met)), 0.02)
    if (is.na(ask[[1]][1])) expect_true(all(is.na(rows[[names(ask)[1]]]))) else expect_false(anyNA(rows$k))
  }
})

test_that("rules of missing values are not found by chance", {
  # 200 tables of independent columns with shares of missing values up to 0.9: a rule has a chance below 1e-6
  set.seed(76)
  found <- vapply(1:200, function(i) {
    n <- sample(c(30, 100, 300), 1)
    x <- data.frame(f = sample(letters[1:4], n, TRUE), g = runif(n) < 0.1, h = rnorm(n), i = sample(letters, n, TRUE),
                    j = rpois(n, 1), a = rnorm(n), b = rnorm(n), c = rnorm(n))
    for (name in c("a", "b", "c", "f")) x[runif(n) < runif(1, 0, 0.9), name] <- NA
    kinds <- mixed_kinds(x, names(x), list(i = column_nominal()))
    flags <- lapply(x, is.na)
    sum(lengths(missing_rules(flags, as.list(x), kinds, same_missing(flags, integer()), seq_along(x))) > 0)
  }, 0)
  expect_identical(sum(found), 0)
  # 24 rows of 100 with a third of missing values are enough, 20 are not
  gone <- rep(c(TRUE, FALSE), c(33, 67))
  expect_null(level_rule(gone, rep(c("a", "b"), c(20, 80))))
  expect_identical(level_rule(gone, rep(c("a", "b"), c(28, 72)))$keys, "a")
  expect_identical(cut_rule(gone, c(1:33, 101:167)), list(cut = 70, above = FALSE, rows = 33L))
})
