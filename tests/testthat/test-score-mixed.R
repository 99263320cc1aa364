# Scores of tables with columns of every kind and missing values.

# n rows of one law with a number, money with zeros, a factor, an ordered factor, words, a logical and a date.
mixed_law <- function(n, gone = 0.1) {
  z <- rnorm(n)
  x <- data.frame(
    age = round(50 + 10 * z), money = ifelse(runif(n) < 0.5, 0, exp(z + rnorm(n))),
    sex = factor(sample(c("F", "M"), n, TRUE)), stage = factor(pmin(3, pmax(1, round(2 + z))), 1:3, ordered = TRUE),
    city = sample(letters[1:4], n, TRUE), ok = z + rnorm(n) > 0, day = as.Date("2020-01-01") + round(100 * rnorm(n)),
    stringsAsFactors = FALSE
  )
  x$age[runif(n) < gone] <- NA
  x$city[runif(n) < gone] <- NA
  x
}
shuffle <- function(x) {
  x[] <- lapply(x, function(values) values[sample(length(values))])
  x
}
set.seed(21)
real <- mixed_law(150)
fresh <- mixed_law(150)
held <- mixed_law(100)

test_that("the squared distance of two rows is the sum over columns that the help page states", {
  pool <- data.frame(a = c(0, 1, 5, NA), g = c("u", "v", "w", NA), b = c(TRUE, FALSE, NA, TRUE))
  judged <- particleflow:::read_judged(list(x = pool, y = pool))
  points <- particleflow:::in_judged_units(judged$points, judged$layout, judged$points$x)$x
  found <- unname(as.matrix(dist(points))^2)
  known <- c(0, 1, 5)
  unit <- sqrt(2) * sd(pmin(pmax(known, quantile(known, 0.05)), quantile(known, 0.95)))
  wanted <- outer(1:4, 1:4, Vectorize(function(i, j) {
    a <- ifelse(is.na(pool$a), 1, pool$a) # the median
    words <- function(x) ifelse(is.na(x), "missing", as.character(x))
    ((a[i] - a[j]) / unit)^2 + (is.na(pool$a[i]) != is.na(pool$a[j])) +
      (words(pool$g)[i] != words(pool$g)[j]) + (words(pool$b)[i] != words(pool$b)[j])
  }))
  expect_equal(found, wanted, tolerance = tolerance$closed_form)
})

test_that("numbers far outside the 5 and 95 % quantiles count by the logarithm of their excess", {
  values <- c(1:100, 1e6, 1e300)
  place <- particleflow:::number_place(values)
  z <- particleflow:::place_numbers(values, place)
  ends <- quantile(values, c(0.05, 0.95), names = FALSE)
  unit <- sqrt(2) * sd(pmin(pmax(values, ends[1]), ends[2]))
  expect_equal(z[1:100], (1:100 - 51.5) / unit)
  high <- (ends[2] - 51.5) / unit + 1
  expect_equal(z[101], high + log(1 + (1e6 - 51.5) / unit - high))
  expect_true(is.finite(z[102]) && !is.unsorted(z, strictly = TRUE)) # different values stay different
})

test_that("an energy distance of a factor alone is its closed form", {
  x <- data.frame(g = rep(c("a", "b"), c(30, 10)))
  y <- data.frame(g = factor(rep(c("b", "a", "c"), c(10, 10, 20))))
  p <- c(3 / 4, 1 / 4, 0)
  q <- c(1 / 4, 1 / 4, 1 / 2)
  # E |X - Y| = P(X != Y)
  expect_equal(energy_distance(x, y), 2 * (1 - sum(p * q)) - (1 - sum(p^2)) - (1 - sum(q^2)),
               tolerance = tolerance$kernel)
})

test_that("tables of plain numbers are read as they always were", {
  x <- iris[1:40, 1:4]
  y <- transform(iris[60:99, 4:1], Petal.Width = 1L)
  judged <- particleflow:::read_judged(list(x = x, y = y))
  expect_null(judged$layout)
  expect_identical(judged$points, particleflow:::read_alike(list(x = x, y = y)))
  same <- as.matrix(x)
  expect_identical(particleflow:::read_judged(list(x = same))$points, particleflow:::read_alike(list(x = same)))
})

test_that("the order and the names of levels, and factors or words, change nothing", {
  other <- function(x) {
    x$sex <- factor(as.character(x$sex), c("M", "F", "none"))
    x$city <- factor(x$city, c("d", "b", "a", "c"))
    x
  }
  renamed <- function(x) {
    x$city <- unname(c(a = "z", b = "y", c = "x", d = "w")[x$city])
    x
  }
  for (score in list(energy_distance, mmd, prdc, function(x, y) novelty(x, y)$ratio,
                     function(x, y) c2st(x, y, "both", seed = 1)$auc)) {
    expect_identical(score(other(real), fresh), score(real, fresh))
    expect_equal(score(renamed(real), renamed(fresh)), score(real, fresh), tolerance = tolerance$kernel)
  }
})

test_that("scores of a table and itself: 0, or those of a copy", {
  expect_equal(energy_distance(real, real), 0, tolerance = tolerance$kernel)
  expect_equal(as.numeric(sliced_wasserstein(real, real[150:1, ], seed = 1)), 0, tolerance = tolerance$kernel)
  expect_equal(as.numeric(wasserstein2(real, real, blur = 1)), 0, tolerance = sqrt(tolerance$transport)) # a root
  expect_equal(characteristic_distance(real, real, seed = 1), 0, tolerance = tolerance$kernel)
  expect_identical(prdc(real, real)[["recall"]], 1)
  copied <- novelty(real, real, held)
  expect_identical(copied$ratio, 0)
  expect_identical(copied$duplicates, 1)
})

test_that("two samples of one mixed law are not told apart", {
  # 40 tests at level 0.05 are exact permutation tests: 7 or more alarms have a probability of 0.3 %
  set.seed(22)
  p <- replicate(40, energy_test(mixed_law(40), mixed_law(40), n_permutations = 99)$p.value)
  expect_lt(sum(p <= 0.05), 7)
  # an interval at 99.9 % misses 0.5 in about 0.1 % of all cases
  found <- c2st(real, fresh, "both", level = 0.999, seed = 1)$interval
  expect_true(found[["lower"]] < 0.5 && found[["upper"]] > 0.5)
  ratio <- novelty(fresh, real, held)$ratio
  expect_true(ratio > 0.75 && ratio < 1.33)
})

test_that("shuffled columns, missing values and unknown levels are found", {
  set.seed(23)
  many <- mixed_law(600)
  expect_lt(energy_test(many, shuffle(many), n_permutations = 199, seed = 1)$p.value, 0.05)
  expect_gt(c2st(many, shuffle(many), "quadratic", seed = 1)$interval[["lower"]], 0.6)
  expect_gt(c2st(real, shuffle(real), "knn", seed = 1)$interval[["lower"]], 0.5)
  full <- real
  full$age[is.na(full$age)] <- 50
  expect_gt(energy_distance(real, full), 0)
  unknown <- transform(real, city = "elsewhere")
  # each row has distance 1 at least from each real row
  expect_gte(min(novelty(unknown, real)$distance$synthetic), 1 - tolerance$rounding)
  stage <- transform(real, stage = factor("4", ordered = TRUE))
  expect_gte(min(novelty(stage, real)$distance$synthetic), 1 - tolerance$rounding)
})

test_that("what cannot be compared is refused in one sentence, and row names are left out with a message", {
  expect_error(energy_distance(real, transform(fresh, ok = 1)),
               "Column \"ok\" holds TRUE and FALSE in `x` but numbers in `y`; it must have the same type in both\\.")
  expect_error(novelty(transform(real, day = as.numeric(day)), real), "\"day\" holds dates in `train` but numbers")
  expect_error(c2st(transform(real, money = Inf), fresh), "`real` must not contain infinite values, but rows 1, 2, 3")
  expect_error(prdc(transform(real, l = I(as.list(money))), transform(fresh, l = I(as.list(money)))),
               "Column \"l\" of `real` must hold numbers, dates, .*, but is of class \"AsIs\"; leave it out")
  expect_error(energy_distance(real, fresh[-1]), "`y` lacks the column \"age\"")
  named <- function(x) cbind(x, id = paste0("row", seq_len(nrow(x))))
  expect_message(found <- energy_distance(named(real), named(fresh)), "Left out.*\"id\"")
  expect_identical(found, energy_distance(real, fresh))
  expect_message(expect_identical(energy_distance(named(real), fresh), found), "\"id\"")
  gone <- transform(real, sex = NA)
  expect_true(is.finite(energy_distance(real, gone))) # only missing values: of every type
  whole <- transform(real, age = as.integer(age))
  expect_identical(energy_distance(whole, fresh), energy_distance(real, fresh))
})

test_that("a random forest: the same bits for any number of threads, and it finds what it should", {
  skip_if_not_installed("ranger") # suggested
  set.seed(24)
  mixed <- shuffle(real)
  one <- c2st(real, mixed, seed = 1, threads = 1)
  expect_identical(one$classifier, "forest")
  expect_identical(c2st(real, mixed, seed = 1, threads = 2), one)
  expect_gt(one$interval[["lower"]], 0.6)
  # a factor of 60 levels without any difference: held-out folds see no labels; an AUC of 0.5 +- 4 standard errors
  x <- data.frame(g = sample(60, 200, TRUE), a = rnorm(200))
  x$g <- factor(x$g)
  even <- c2st(x[1:100, ], x[101:200, ], "forest", level = 0.9999, seed = 1)
  expect_true(even$interval[["lower"]] < 0.5 && even$interval[["upper"]] > 0.5)
  expect_identical(c2st(iris[1:40, 1:4], iris[60:99, 1:4], seed = 1)$classifier, "both")
})

test_that("fidelity() judges mixed tables: fresh rows, a copy, shuffled columns, shares of missing values", {
  # the verdict on fresh rows is wrong in at most 5 % of all cases; this seed is a right one
  report <- fidelity(real, fresh, held, splits = 2, n_permutations = 99)
  expect_identical(report$verdict[["overall"]], "close and new")
  expect_identical(report$columns$column, c("age", "age (missing)", "money", "stage", "day"))
  expect_setequal(report$shares$column, c("sex", "city", "ok"))
  scaled <- particleflow:::read_samples_alike(list(x = real, y = fresh))
  value <- setNames(report$scores$all, report$scores$score)
  expect_equal(value[["energy_distance"]], energy_distance(scaled$x, scaled$y))
  expect_equal(value[["energy_distance"]], energy_distance(real, fresh))
  expect_equal(report$novelty$ratio, novelty(fresh, real, held)$ratio)
  copy <- fidelity(real, real, held, splits = 2, n_permutations = 99)
  expect_identical(copy$verdict[["overall"]], "a copy of the real rows")
  set.seed(25)
  report <- fidelity(real, shuffle(real), splits = 2, n_permutations = 99)
  expect_match(report$verdict[["overall"]], "the joint law is wrong")
  gone <- transform(fresh, age = replace(age, 1:60, NA))
  report <- fidelity(real, gone, splits = 2, n_permutations = 99)
  expect_false(report$columns$agrees[report$columns$column == "age (missing)"])
  levels <- fidelity(real[c("sex", "ok")], fresh[c("sex", "ok")], splits = 2, n_permutations = 99)
  expect_identical(levels$columns$column, c("sex=M", "ok=TRUE"))
  expect_equal(levels$columns$mean_real, c(mean(real$sex == "M"), mean(real$ok)))
  pair <- data.frame(x1 = as.character(real$sex), x2 = as.character(real$ok))
  words <- as.matrix(pair)
  few <- list(splits = 2, n_permutations = 99)
  expect_identical(do.call(fidelity, c(list(unname(words), unname(words[150:1, ])), few))$scores,
                   do.call(fidelity, c(list(pair, words[150:1, ]), few))$scores)
  expect_error(fidelity(real, fresh, classifier = "tree"), "`classifier` must be one of")
})

test_that("a column without any known value is no trouble, of whatever type", {
  set.seed(67)
  for (none in list(NA_character_, factor(NA), NA, NA_real_)) {
    x <- data.frame(a = rnorm(40), b = rnorm(40), s = none)
    expect_true(is.finite(novelty(x[1:20, ], x[21:40, ])$ratio))
    expect_identical(nrow(associations(x[1:20, ], x[21:40, ])), 3L)
  }
})
