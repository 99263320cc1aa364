# A condition per row, computed columns, rows near others, laws of every kind, and levels that were never seen.

set.seed(71)
n <- 240
z <- rnorm(n)
parts <- data.frame(
  age = round(pmin(90, pmax(18, 50 + 14 * z))), sex = factor(sample(c("F", "M"), n, TRUE)),
  stage = factor(c("I", "II", "III")[findInterval(z + rnorm(n), c(-0.5, 0.7)) + 1], ordered = TRUE),
  size = rexp(n, exp(-0.5 * z)), marker = ifelse(runif(n) < 0.25, NA, rnorm(n) + z)
)
fits <- list(
  gaussian = synthesise(parts, law = law_student(), flow = FALSE, quiet = TRUE),
  trees = synthesise(parts, law = law_trees(), flow = FALSE, quiet = TRUE),
  stack = synthesise(parts, law = law_stack(list(law_trees(), law_student())), flow = FALSE, quiet = TRUE)
)

in_condition <- function(x) x$stage %in% c("II", "III") & x$age >= 50 & x$age <= 70 & x$size >= 0.5 & x$size <= 3
condition <- list(stage = c("II", "III"), age = c(50, 70), size = c(0.5, 3))

test_that("draws of three laws agree with rejection, and so do the probabilities", {
  for (name in names(fits)) {
    free <- simulate(fits[[name]], 6000, seed = 1)
    kept <- free[in_condition(free), ]
    new <- simulate(fits[[name]], 300, seed = 2, given = condition)
    expect_true(all(in_condition(new)), label = name)
    p <- exp(attr(new, "log_probability"))
    # 4 standard errors: 6e-5 in each fit
    expect_lt(abs(p - nrow(kept) / 6000), 4 * sqrt(p / 6000 + (p * attr(new, "standard_error"))^2), label = name)
    # level 0.01 in each of three fits: a false alarm in 3 % of all seeds, and this seed is fixed
    few <- utils::head(kept, 300)
    few$marker <- ifelse(is.na(few$marker), -9, few$marker)
    new$marker <- ifelse(is.na(new$marker), -9, new$marker)
    expect_gt(energy_test(as.data.frame(new), few, n_permutations = 199, seed = 3)$p.value, 0.01, label = name)
  }
})

test_that("a data frame has one condition per row, and missing cells ask for nothing", {
  given <- data.frame(sex = c("F", "M", NA, "F", "F"), age = c(40, NA, NA, 40, 60))
  for (fit in fits) {
    new <- simulate(fit, seed = 1, given = given)
    expect_identical(nrow(new), 5L)
    expect_identical(as.character(new$sex)[c(1, 2, 4, 5)], c("F", "M", "F", "F"))
    expect_identical(new$age[c(1, 4, 5)], c(40, 40, 60))
    logs <- attr(new, "log_probability")
    expect_length(logs, 5)
    expect_identical(logs[1], logs[4])
    expect_equal(logs[3], 0, tolerance = tolerance$kernel)
    # probabilities by row are those of each condition alone, within 4 standard errors
    alone <- simulate(fit, 500, seed = 2, given = list(sex = "F", age = 60))
    error <- sqrt(attr(alone, "standard_error")^2 + attr(new, "standard_error")[5]^2)
    expect_lt(abs(logs[5] - attr(alone, "log_probability")), 4 * error + 0.02)
  }
  # ranges, sets and missing values in list columns
  ranges <- data.frame(sex = c("F", "M"))
  ranges$age <- list(c(30, 40), NULL)
  ranges$marker <- list(NULL, NA)
  new <- simulate(fits$gaussian, seed = 1, given = ranges)
  expect_true(new$age[1] >= 30 && new$age[1] <= 40 && is.na(new$marker[2]))
})

test_that("the number of rows follows the conditions, and the rule is said", {
  two <- data.frame(sex = c("F", "M"))
  expect_identical(nrow(simulate(fits$gaussian, 2, seed = 1, given = two)), 2L)
  expect_error(simulate(fits$gaussian, 5, given = two), "which is 2", class = "particleflow_input")
  expect_error(simulate(fits$gaussian, 5, near = parts[1:2, ]), "which is 2", class = "particleflow_input")
  expect_identical(nrow(simulate(fits$gaussian, seed = 1, near = parts[1:7, ])), 7L)
  expect_error(simulate(fits$gaussian, given = two, near = parts[1, ]), "together", class = "particleflow_input")
  expect_error(simulate(fits$gaussian, given = two[0, , drop = FALSE]), "at least one row",
               class = "particleflow_input")
  impossible <- data.frame(size = c(1, 1e9))
  impossible$size <- list(c(0, 1), c(1e6, 2e6))
  expect_error(simulate(fits$gaussian, given = impossible), "impossible", class = "particleflow_error")
})

test_that("conditions on computed columns reach their sources", {
  set.seed(72)
  x <- data.frame(a = rexp(n), b = round(rexp(n), 2), c = round(rexp(n), 2), d = rnorm(n))
  x$total <- x$b + x$c
  x$inverse <- 1 / x$a
  x$square <- 3 * x$d^2
  x$start <- as.Date("2024-01-01") + rpois(n, 50)
  x$end <- x$start + rpois(n, 9)
  fit <- synthesise(x, constraints = ~ start <= end, law = law_student(), flow = FALSE, quiet = TRUE)
  free <- simulate(fit, 6000, seed = 1)
  asked <- list(total = c(2, 2.5), inverse = c(0.5, 2), square = c(1, 4), end = as.Date(c("2024-02-20", "2024-03-05")))
  for (name in names(asked)) {
    new <- simulate(fit, 200, seed = 2, given = asked[name])
    ends <- asked[[name]]
    near <- if (inherits(ends, "Date")) 0 else 1e-9
    expect_true(all(new[[name]] >= ends[1] - near & new[[name]] <= ends[2] + near), label = name)
    p <- exp(attr(new, "log_probability"))
    hit <- mean(free[[name]] >= ends[1] & free[[name]] <= ends[2])
    # 4 standard errors: 6e-5 in each of four conditions
    expect_lt(abs(p - hit), 4 * sqrt(hit / 6000 + (p * attr(new, "standard_error"))^2), label = name)
  }
  expect_setequal(sign(simulate(fit, 60, seed = 3, given = list(square = c(1, 4)))$d), c(-1, 1))
  expect_true(all(abs(simulate(fit, 20, seed = 3, given = list(inverse = 2))$a - 0.5) < 1e-9))
  expect_error(simulate(fit, 5, given = list(total = c(90, 91))), "draws", class = "particleflow_unsolved")
  expect_error(simulate(fit, 5, given = list(square = c(-4, -1))), "impossible", class = "particleflow_input")
  expect_error(simulate(fit, 5, given = list(total = NA)), "missing \"total\"", class = "particleflow_input")
})

test_that("near rows: the row itself at 0, the whole law at 1, and further away in between", {
  rows <- parts[rowSums(is.na(parts)) == 0, ][1:60, ]
  for (name in names(fits)) {
    fit <- fits[[name]]
    at <- function(spread) simulate(fit, seed = 4, near = rows, spread = spread)
    expect_equal(as.data.frame(at(0)), rows, ignore_attr = TRUE, tolerance = tolerance$kernel, label = name)
    gower <- function(new) {
      d <- mean(abs(new$age - rows$age)) / diff(range(parts$age)) + mean(new$sex != rows$sex) +
        mean(abs(as.integer(new$stage) - as.integer(rows$stage))) / 2 +
        mean(abs(new$size - rows$size)) / diff(range(parts$size))
      d / 4
    }
    # distances at 0.1, 0.5 and 1 are about 0.04, 0.2 and 0.3, with standard errors of 0.01 over 60 rows
    expect_false(is.unsorted(vapply(c(0, 0.1, 0.5, 1), function(spread) gower(at(spread)), 0)), label = name)
  }
  # spread 1 is plain simulation: level 0.01, so a false alarm in 1 % of all seeds, and this seed is fixed
  whole <- simulate(fits$stack, 300, seed = 5, near = rows[1, ], spread = 1)
  plain <- simulate(fits$stack, 300, seed = 6)
  keep <- c("age", "sex", "stage", "size")
  expect_gt(energy_test(as.data.frame(whole)[keep], as.data.frame(plain)[keep], n_permutations = 199,
                        seed = 7)$p.value, 0.01)
})

test_that("the law near a row is the one that the help page states", {
  # two independent normal scores: mean (1 - t^2) z0, standard deviation t
  set.seed(73)
  x <- data.frame(a = rnorm(400), b = rnorm(400))
  fit <- synthesise(x, law = law_student(components = 1, df = Inf), flow = FALSE, quiet = TRUE)
  score <- function(rows) predict(fit, rows, type = "latent")
  row <- data.frame(a = 1.5)
  new <- score(as.data.frame(simulate(fit, 2000, seed = 1, near = row, spread = 0.5)))
  z0 <- score(data.frame(a = 1.5, b = 0))[1, 1]
  # standard errors 0.011 and 0.008, the variance of the fitted law within 3 % of 1; b, which is absent, stays free
  expect_lt(abs(mean(new[, 1]) - 0.75 * z0), 0.08)
  expect_lt(abs(sd(new[, 1]) - 0.5), 0.04)
  expect_lt(abs(mean(new[, 2])), 0.2)
  expect_lt(abs(sd(new[, 2]) - 1), 0.12)
  expect_error(simulate(fit, near = list(a = 1)), "data frame", class = "particleflow_input")
  expect_error(simulate(fit, near = data.frame(q = 1)), "no such column", class = "particleflow_input")
  expect_error(simulate(fit, near = row, spread = 2), "spread", class = "particleflow_input")
})

test_that("conditions hold under a flow", {
  flowing <- synthesise(parts[c("age", "sex", "size")], law = law_student(), flow = FALSE, quiet = TRUE)
  # a flow of the scores, in the place of the option without one
  points <- particleflow:::settle_table(particleflow:::read_mixed(parts[c("age", "sex", "size")], NULL),
                                        parts[c("age", "sex", "size")])$points
  run <- efs(unname(points), n_steps = 10, epsilon = 0.5, law = "student", calibrate = FALSE)
  flowing$trajectory <- run$trajectory
  flowing$flows <- run$flows
  flowing <- particleflow:::seal(flowing)
  expect_gt(particleflow:::n_steps(flowing$trajectory), 0)
  free <- simulate(flowing, 4000, seed = 1)
  kept <- free[free$age >= 45 & free$age <= 65 & free$sex == "F", ]
  new <- simulate(flowing, 200, seed = 2, given = list(age = c(45, 65), sex = "F"))
  expect_true(all(new$age >= 45 & new$age <= 65 & new$sex == "F"))
  p <- exp(attr(new, "log_probability"))
  # 4 standard errors: 6e-5
  expect_lt(abs(p - nrow(kept) / 4000), 4 * sqrt(p / 4000 + (p * attr(new, "standard_error"))^2))
  # level 0.01: a false alarm in 1 % of all seeds, and this seed is fixed
  expect_gt(energy_test(as.data.frame(new)[c("age", "size")], utils::head(kept[c("age", "size")], 200),
                        n_permutations = 199, seed = 3)$p.value, 0.01)
})

test_that("a level that no row has gets -Inf and a warning, and is an error elsewhere", {
  rows <- parts[1:4, ]
  rows$sex <- as.character(rows$sex)
  rows$sex[2] <- "X"
  expect_warning(value <- predict(fits$gaussian, rows), "\"X\" of column \"sex\"")
  expect_identical(is.finite(value), c(TRUE, FALSE, TRUE, TRUE), ignore_attr = TRUE)
  expect_identical(value[2], -Inf)
  expect_equal(value[c(1, 3, 4)], predict(fits$gaussian, parts[1:4, ])[c(1, 3, 4)], tolerance = tolerance$kernel)
  expect_error(predict(fits$gaussian, rows, type = "impute"), "X", class = "particleflow_input")
})

test_that("a binary column that a number separates is imputed by the law", {
  x <- separated_levels()
  fit <- synthesise(x$rows[151:400, ], law = law_trees(min_leaf = 5), flow = FALSE, quiet = TRUE)
  filled <- predict(fit, x$rows, type = "impute", m = 1, seed = 1)[[1]]
  # the smoothing of the law adds to the overlap of the classes
  expect_gt(mean(as.character(filled$g[1:100]) == x$level[1:100]), 0.95)
})

test_that("Ctrl-C stops synthesise() within a second", {
  skip_on_os("windows") # no signal can be sent to oneself there
  set.seed(74)
  long <- as.data.frame(matrix(rnorm(3000 * 10), 3000))
  long$f <- factor(sample(letters[1:4], 3000, TRUE))
  expect_lt(least_delay(repeat synthesise(long, quiet = TRUE, flow = FALSE)), 1)
})

test_that("`near` refuses what cannot be", {
  set.seed(66)
  x <- data.frame(y = rexp(100), f = factor(sample(letters[1:3], 100, TRUE)))
  fit <- synthesise(x, law = law_student(), flow = FALSE, quiet = TRUE)
  expect_error(simulate(fit, near = data.frame(y = -3)), "holds impossible, in row 1", class = "particleflow_input")
  grouped <- synthesise(x, group = "f", law = law_student(), flow = FALSE, quiet = TRUE)
  expect_error(simulate(grouped, near = x[1, "y", drop = FALSE]), "`near` needs the column \"f\"")
})
