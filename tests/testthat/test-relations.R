# Exact relations between columns: found where they hold, kept in new rows, and not found by chance.

# a law that is fitted at once
quick <- function(x, ...) synthesise(x, ..., law = law_student(), flow = FALSE, quiet = TRUE)

related <- local({
  set.seed(21)
  n <- 120
  a <- round(rexp(n, 0.01))
  b <- round(rnorm(n, 50, 9))
  height <- rnorm(n, 170, 8)
  region <- factor(sample(c("n", "s", "e", "w"), n, TRUE))
  data.frame(a = a, b = b, total = a + b, difference = a - 2 * b, height = height, inches = height / 2.54,
             log_height = log(height), age = (age <- c(18:90, sample(18:90, n - 73, TRUE))),
             band = cut(age, c(-Inf, 30, 50, Inf), c("young", "middle", "old")), region = region,
             code = match(region, c("e", "n", "s", "w")) * 10L, coast = region %in% c("n", "w"))
})

determined <- function(fit) sort(fit$table$names[vapply(fit$table$relations, `[[`, 0L, "at")])

holds_in <- function(x) {
  all(x$total == x$a + x$b, x$difference == x$a - 2 * x$b, abs(x$inches - x$height / 2.54) < 1e-8,
      abs(x$log_height - log(x$height)) < 1e-8, x$band == cut(x$age, c(-Inf, 30, 50, Inf), c("young", "middle", "old")),
      x$code == match(x$region, c("e", "n", "s", "w")) * 10L, x$coast == (x$region %in% c("n", "w")))
}

test_that("relations are found, and hold in every new row", {
  fit <- quick(related)
  # seven of twelve columns are determined by the others
  expect_length(determined(fit), 7)
  expect_true(all(c("total", "difference", "band", "coast") %in% determined(fit)))
  new <- simulate(fit, 1e5, seed = 1)
  expect_true(holds_in(new))
  expect_identical(lapply(new, class), lapply(related, class))
  expect_identical(levels(new$band), levels(related$band))
  expect_match(paste(format(fit), collapse = "\n"), "Computed from other columns")
})

test_that("the likelihood of a broken relation is 0, and of the others that without the determined columns", {
  fit <- quick(related)
  at <- predict(fit, related, draws = 4)
  expect_true(all(is.finite(at)))
  broken <- related
  broken$total[1] <- broken$total[1] + 1
  broken$band[2] <- rev(levels(broken$band))[as.integer(broken$band[2])]
  broken$log_height[3] <- 5
  broken$coast[4] <- !broken$coast[4]
  got <- predict(fit, broken, draws = 4)
  wrong <- which(got == -Inf)
  expect_true(all(c(1, 3, 4) %in% wrong) && all(wrong <= 4))
  expect_identical(got[-(1:4)], at[-(1:4)])
  kept <- related[setdiff(names(related), determined(fit))]
  expect_true(all(is.finite(predict(quick(kept), kept, draws = 4))))
})

test_that("relations are not found by chance", {
  # 100 tables of independent columns: each relation has a chance below 1e-6
  set.seed(22)
  found <- vapply(1:100, function(i) {
    n <- sample(c(12, 40, 200), 1)
    x <- data.frame(a = rnorm(n), b = rpois(n, 5), c = factor(sample(letters[1:4], n, TRUE)), d = runif(n) > 0.5,
                    e = factor(sample(letters, n, TRUE)), f = sample(1:3, n, TRUE), g = round(rexp(n), 1),
                    h = sample(n), i = rbinom(n, 1, 0.03))
    kinds <- mixed_kinds(x, names(x), list())
    length(find_relations(as.list(x), kinds))
  }, 0)
  expect_identical(sum(found), 0)
})

test_that("chains of relations are computed in order", {
  set.seed(23)
  n <- 200
  x <- data.frame(x = rnorm(n))
  x$y <- 2 * x$x
  x$z <- exp(x$y)
  x$city <- factor(sample(c("Graz", "Linz", "Wien", "Bern"), n, TRUE))
  x$country <- factor(ifelse(x$city == "Bern", "CH", "AT"))
  x$money <- ifelse(x$country == "CH", "CHF", "EUR")
  fit <- quick(x)
  expect_length(determined(fit), 4)
  new <- simulate(fit, 1000, seed = 1)
  expect_equal(new$y, 2 * new$x)
  expect_equal(new$z, exp(new$y))
  expect_true(all((new$city == "Bern") == (new$country == "CH")))
  expect_true(all((new$country == "CH") == (new$money == "CHF")))
  # whichever column is the free one, a relation refers to columns that come earlier in the order of computation
  done <- setdiff(seq_along(x), vapply(fit$table$relations, `[[`, 0L, "at"))
  for (relation in fit$table$relations) {
    expect_true(all(relation$from %in% done))
    done <- c(done, relation$at)
  }
})

test_that("recoded copies and missing values are kept together", {
  set.seed(24)
  n <- 150
  sex <- factor(sample(c("f", "m", NA), n, TRUE))
  x <- data.frame(y = rnorm(n), sex = sex, male = sex == "m", size = ifelse(runif(n) < 0.2, NA, rlnorm(n)))
  x$log_size <- log(x$size)
  fit <- quick(x)
  expect_length(determined(fit), 2)
  new <- simulate(fit, 2000, seed = 1)
  expect_identical(new$male, new$sex == "m")
  expect_equal(new$log_size, log(new$size))
  expect_gt(sum(is.na(new$sex)), 0)
  full <- simulate(fit, 500, seed = 1, missing = FALSE)
  expect_false(anyNA(full))
  expect_identical(full$male, full$sex == "m")
  # imputed values obey, too
  filled <- predict(fit, x, type = "impute", m = 1, seed = 1)[[1]]
  expect_false(anyNA(filled))
  expect_identical(filled$male, filled$sex == "m")
  expect_equal(filled$log_size, log(filled$size))
})

test_that("columns that are missing in the same rows stay so", {
  set.seed(25)
  n <- 100
  gone <- runif(n) < 0.3
  x <- data.frame(a = rnorm(n), b = ifelse(gone, NA, rnorm(n)), c = factor(ifelse(gone, NA, sample(3, n, TRUE))))
  new <- simulate(quick(x), 1000, seed = 1)
  expect_identical(is.na(new$b), is.na(new$c))
  # three standard errors of a share of 1000 and of 100
  expect_lt(abs(mean(is.na(new$b)) - mean(gone)), 0.15)
})

test_that("constraints hold in every new row, and the likelihood knows them", {
  set.seed(26)
  n <- 150
  start <- as.Date("2020-01-01") + sample(300, n, TRUE)
  x <- data.frame(start = start, end = start + rpois(n, 3), low = (low <- rnorm(n)), high = low + rexp(n))
  fit <- quick(x, constraints = list(~ start <= end, ~ high >= low))
  new <- simulate(fit, 1e5, seed = 1)
  expect_true(all(new$start <= new$end) && all(new$low <= new$high))
  expect_s3_class(new$end, "Date")
  expect_true(all(is.finite(predict(fit, x, draws = 4))))
  broken <- x[1:2, ]
  broken$end[1] <- broken$start[1] - 1
  expect_identical(predict(fit, broken, draws = 4)[1], -Inf)
  expect_error(quick(x, constraints = ~ end <= start), "`constraints` asks for end <= start",
               class = "particleflow_input")
  expect_error(quick(x, constraints = ~ start + end), "`constraints` must be formulas", class = "particleflow_input")
  expect_error(quick(x, constraints = ~ start <= finish), "no such column", class = "particleflow_input")
  expect_error(quick(x, constraints = list(~ start <= end, ~ start <= end)), "upper end", class = "particleflow_input")
  expect_error(quick(x, constraints = ~ low <= end), "\"low\" is a number and \"end\" a date",
               class = "particleflow_input")
  words <- data.frame(a = letters[1:3], b = 1:3)[rep(1:3, 20), ]
  expect_error(quick(words, constraints = ~ a <= b), "`constraints`", class = "particleflow_input")
})

test_that("only combinations that occur come out", {
  set.seed(27)
  n <- 200
  x <- data.frame(y = rnorm(n), stage = factor(sample(c("I", "II", "III"), n, TRUE)), grade = sample(1:3, n, TRUE))
  x <- x[!(x$stage == "I" & x$grade == 3), ]
  fit <- quick(x, combine = c("stage", "grade"))
  new <- simulate(fit, 1e5, seed = 1)
  expect_true(all(paste(new$stage, new$grade) %in% paste(x$stage, x$grade)))
  # 8 shares of 1e5 rows: the fit knows them up to a few per cent of a share
  old_share <- prop.table(table(x$stage, x$grade))
  new_share <- prop.table(table(new$stage, new$grade))
  expect_lt(max(abs(old_share - new_share)), 0.03)
  expect_true(all(is.finite(predict(fit, x, draws = 4))))
  expect_identical(predict(fit, data.frame(y = 0, stage = "I", grade = 3), draws = 4)[1], -Inf)
  expect_error(quick(x, combine = "stage"), "`combine`", class = "particleflow_input")
  expect_error(quick(x, combine = c("stage", "size")), "no such column", class = "particleflow_input")
  expect_error(quick(x, combine = list(c("stage", "grade"), c("stage", "y"))), "part of one combination",
               class = "particleflow_input")
})

test_that("totals of small counts are kept", {
  set.seed(62)
  x <- data.frame(a = rpois(100, 5), b = rpois(100, 3))
  x$total <- x$a + x$b
  new <- simulate(synthesise(x, law = law_student(), flow = FALSE, quiet = TRUE), 1000, seed = 1)
  expect_true(all(new$total == new$a + new$b))
  both <- data.frame(a = sample(c("u", "v", "w"), 50, TRUE), b = sample(c("x", "y"), 50, TRUE))
  fit <- synthesise(both, combine = c("a", "b"), quiet = TRUE)
  expect_true(all(do.call(paste, simulate(fit, 200, seed = 1)) %in% do.call(paste, both)))
  expect_error(synthesise(both, id = "nosuch"), "`id` names \"nosuch\", but `x` has no such column.", fixed = TRUE)
})

test_that("differences of dates and times are found, in any unit", {
  set.seed(63)
  n <- 150
  start <- as.Date("2020-01-01") + sample(900, n, TRUE)
  stay <- rpois(n, 9)
  dates <- data.frame(start = start, end = start + stay, stay = stay, span = (start + stay) - start, y = rnorm(n))
  fit <- quick(dates)
  expect_length(determined(fit), 2)
  new <- simulate(fit, 1e4, seed = 1)
  expect_true(all(new$end - new$start == new$span) && all(new$stay == new$span) && all(new$end >= new$start))
  expect_identical(lapply(new, class), lapply(dates, class))
  expect_true(all(is.finite(predict(fit, dates, draws = 4))))
  broken <- dates[1:2, ]
  broken$end[1] <- broken$end[1] + 1
  expect_identical(is.finite(predict(fit, broken, draws = 4)), c(FALSE, TRUE))
  from <- as.POSIXct("2020-01-01", tz = "Europe/Vienna") + sample(3e7, n)
  times <- data.frame(from = from, to = from + 60 * rpois(n, 500))
  times$hours <- as.numeric(difftime(times$to, times$from, units = "hours"))
  fit <- quick(times)
  expect_length(determined(fit), 1)
  new <- simulate(fit, 1e4, seed = 1)
  # seconds since 1970 are recorded to the second
  expect_true(all(abs(as.numeric(new$to) - as.numeric(new$from) - 3600 * new$hours) < 1))
})

test_that("products, ratios and sums are found up to the recorded rounding", {
  set.seed(64)
  n <- 200
  x <- data.frame(kg = round(rnorm(n, 75, 12), 1), cm = round(rnorm(n, 172, 9)), cases = 1 + rpois(n, 30),
                  people = round(rlnorm(n, 8, 1)) + 50, price = round(rlnorm(n, 2), 2), left = round(rexp(n), 3),
                  right = round(rexp(n), 3))
  x$bmi <- round(x$kg / (x$cm / 100)^2, 1)
  x$rate <- 1000 * x$cases / x$people
  x$worth <- x$price * x$cases
  x$both <- round(x$left + x$right, 2)
  fit <- quick(x)
  expect_length(determined(fit), 4)
  expect_true(all(c("bmi", "both") %in% determined(fit)))
  new <- simulate(fit, 1e4, seed = 1)
  expect_true(all(abs(new$bmi - new$kg / (new$cm / 100)^2) < 0.0501))
  expect_equal(new$rate, 1000 * new$cases / new$people, tolerance = 1e-8)
  expect_true(all(abs(new$worth - new$price * new$cases) < 0.00501))
  expect_true(all(abs(new$both - new$left - new$right) < 0.00501))
  expect_true(all(is.finite(predict(fit, x, draws = 4))))
  # the share of one column in another stays a share
  x <- data.frame(all = 20 + rpois(n, 50), y = rnorm(n))
  x$some <- rbinom(n, x$all, 0.8)
  x$share <- x$some / x$all
  new <- simulate(quick(x), 1e4, seed = 1)
  expect_true(all(new$share <= 1 & new$share >= 0))
})

test_that("a relation of a column with a constraint is found", {
  set.seed(65)
  n <- 150
  x <- data.frame(age = round(runif(n, 30, 70), 3), day = (day <- rpois(n, 400)), last = day + rpois(n, 300))
  x$age_at_visit <- x$age + x$day / 365.25
  x$rest <- x$last - x$day
  fit <- quick(x, constraints = ~ day <= last)
  expect_setequal(determined(fit), c("last", "age_at_visit", "rest"))
  new <- simulate(fit, 1e4, seed = 1)
  expect_equal(new$age_at_visit, new$age + new$day / 365.25)
  expect_true(all(new$day <= new$last) && all(new$rest == new$last - new$day))
  # constraints in a chain may stand in any order, but not in a circle
  x <- data.frame(a = (a <- rnorm(n)), b = (b <- a + rexp(n)), c = b + rexp(n))
  new <- simulate(quick(x, constraints = list(~ b <= c, ~ a <= b)), 1e4, seed = 1)
  expect_true(all(new$a <= new$b & new$b <= new$c))
  same <- data.frame(a = a, b = a)
  expect_error(quick(same, constraints = list(~ a <= b, ~ b <= a)), "`constraints` go in a circle",
               class = "particleflow_input")
})

test_that("ends of computed columns hold, or a warning says that they do not", {
  set.seed(66)
  n <- 150
  x <- data.frame(a = rpois(n, 20), b = rpois(n, 20))
  x$total <- x$a + x$b
  ends <- list(total = column_count(0, max(x$total)))
  expect_warning(quick(x, columns = ends), "The ends that `columns` gives for \"total\" are not kept", fixed = TRUE)
  expect_silent(quick(x, columns = list(total = column_count(0))))
  # `from` has no end, so it can be computed from `to`, which then keeps its ends
  from <- as.Date("2020-01-01") + sample(900, n, TRUE)
  stay <- data.frame(from = from, days = (days <- rpois(n, 9)), to = from + days)
  expect_silent(fit <- quick(stay, columns = list(to = column_date(upper = max(stay$to)))))
  expect_identical(determined(fit), "from")
  new <- simulate(fit, 1e4, seed = 1)
  expect_true(all(new$to <= max(stay$to)) && all(new$to - new$from == new$days))
  expect_warning(quick(stay[-2], columns = list(to = column_date(upper = max(stay$to))), constraints = ~ from <= to),
                 "for \"to\" are not kept, because it is computed from from, to - from", fixed = TRUE)
})

test_that("a logarithm is computed from the recorded number, not the number from the logarithm", {
  set.seed(67)
  n <- 200
  x <- data.frame(weight = round(rnorm(n, 75, 12), 1), height = round(rnorm(n, 172, 9)), age = rpois(n, 50),
                  y = rnorm(n))
  x$lw <- log(x$weight)
  x$bmi <- round(x$weight / (x$height / 100)^2, 1)
  for (order in list(seq_along(x), rev(seq_along(x)))) {
    fit <- quick(x[order])
    expect_identical(determined(fit), c("bmi", "lw"))
    new <- simulate(fit, 1e4, seed = 1)
    expect_equal(new$lw, log(new$weight))
    expect_true(all(abs(new$bmi - new$weight / (new$height / 100)^2) < 0.0501))
  }
})
