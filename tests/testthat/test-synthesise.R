# The front door: likelihoods against exact sums and closed forms, seeds, threads.

quick <- function(x, ...) synthesise(x, ..., law = law_student(), flow = FALSE, quiet = TRUE)

set.seed(31)
n <- 200
a <- sample(c("a", "b", "c"), n, TRUE, c(0.5, 0.3, 0.2))
b <- ifelse(runif(n) < 0.7, match(a, c("a", "b", "c")), sample(3, n, TRUE))
factors <- data.frame(a = factor(a), b = factor(b, 1:3, c("I", "II", "III"), ordered = TRUE),
                      c = runif(n) < 0.2 + 0.2 * b)

every <- function(x) unique(expand.grid(lapply(x, unique)))

test_that("the probabilities of all combinations sum to 1, and are the frequencies of draws", {
  for (law in list(law_student(), NULL)) {
    fit <- synthesise(factors, law = law, flow = FALSE, quiet = TRUE)
    for (x in list(factors, factors[1:2])) {
      if (ncol(x) == 2) fit <- synthesise(x, law = law, flow = FALSE, quiet = TRUE)
      all <- every(x)
      p <- exp(as.vector(predict(fit, all, draws = 4000)))
      # an error of about 0.5 % of the sum, and of 1 to 3 % of each probability
      expect_equal(sum(p), 1, tolerance = 0.02)
      new <- simulate(fit, 1e5, seed = 1)
      hit <- table(factor(do.call(paste, new), do.call(paste, all)))
      # 18 cells at most: 4 standard errors of 1e5 draws (6e-5 each), and those of p
      expect_lt(max(abs(as.vector(hit) / 1e5 - p) - 4 * sqrt(p / 1e5) - 0.03 * p), 0)
    }
  }
})

test_that("one binary column beside a Gaussian: the probit closed form", {
  # z ~ N(0, R) with r; P(b | z1) = pnorm((threshold - r z1) / sqrt(1 - r^2))
  set.seed(32)
  m <- 1000
  z <- rnorm(m)
  x <- data.frame(y = 5 + 2 * z, b = 0.6 * z + 0.8 * rnorm(m) > 0.4)
  fit <- synthesise(x, law = law_student(), law_settings = list(components = 1, df = Inf), flow = FALSE, quiet = TRUE)
  density <- dnorm(x$y, 5, 2, log = TRUE)
  lower <- pnorm((0.4 - 0.6 * z) / 0.8, log.p = TRUE)
  upper <- pnorm((0.4 - 0.6 * z) / 0.8, lower.tail = FALSE, log.p = TRUE)
  truth <- density + ifelse(x$b, upper, lower)
  got <- as.vector(predict(fit, x, draws = 200))
  # a fit to 1000 rows: its mean falls short of the truth's by some parameters / 1000, and may exceed it in these rows
  expect_equal(mean(got), mean(truth), tolerance = 0.02)
  expect_lt(mean(abs(got - truth)), 0.15)
})

test_that("the law of scores that are Gaussian is integrated exactly", {
  # one Gaussian component with the correlations of the proposals
  root <- chol(matrix(c(1, 0.5, 0.5, 1), 2))
  low <- rbind(c(-1, 0), c(-Inf, 1), c(2, 2))
  high <- rbind(c(0.5, Inf), c(3, 2), c(4, 5))
  points <- matrix(NA_real_, 3, 2)
  log_mean <- vapply(1:3, function(i) {
    rows <- rep(i, 1000)
    log(mean(vapply(c(TRUE, FALSE), function(gaussian) {
      draw <- cell_draws(points[rows, ], low[rows, ], high[rows, ], crossprod(root), c(5L, 0L), gaussian)
      expect_true(all(draw$z >= low[rows, ] & draw$z <= high[rows, ]))
      q <- -log(2 * pi) - sum(log(diag(root))) - colSums(backsolve(root, t(draw$z), transpose = TRUE)^2) / 2
      mean(exp(q - draw$log))
    }, 0)))
  }, 0)
  exact <- vapply(1:3, function(i) {
    log(integrate(function(z) {
      dnorm(z) * (pnorm((high[i, 2] - 0.5 * z) / sqrt(0.75)) - pnorm((low[i, 2] - 0.5 * z) / sqrt(0.75)))
    }, low[i, 1], high[i, 1], rel.tol = 1e-10)$value)
  }, 0)
  # 2000 draws whose weights vary by some tenths: 1 %
  expect_equal(log_mean, exact, tolerance = 0.02)
})

test_that("truncated normal numbers are within, and right, far out too", {
  u <- ppoints(101)
  for (box in list(c(-1, 2), c(5, 6), c(-9, -8), c(30, 31), c(-Inf, 0), c(3, Inf), c(-Inf, Inf))) {
    z <- truncated_normal(rep(box[1], 101), rep(box[2], 101), u)
    expect_true(all(is.finite(z)) && all(z >= box[1] & z <= box[2]))
    tail <- box[1] > 0
    p <- pnorm(z, lower.tail = !tail, log.p = TRUE)
    ends <- pnorm(if (tail) rev(box) else box, lower.tail = !tail, log.p = TRUE)
    share <- (exp(p - ends[2]) - exp(ends[1] - ends[2])) / (1 - exp(ends[1] - ends[2]))
    expect_equal(sort(share), u, tolerance = tolerance$six_digits)
    expect_equal(log_interval(box[1], box[2]), ends[2] + log1p(-exp(ends[1] - ends[2])), tolerance = tolerance$kernel)
  }
  expect_identical(log_interval(2, 2), -Inf)
})

test_that("missing values are integrated out", {
  x <- factors
  x$y <- rnorm(n) + match(a, letters)
  fit <- quick(x)
  for (one in list(data.frame(a = NA, b = "II", c = TRUE, y = 1.5), data.frame(a = "b", b = "I", c = NA, y = 0))) {
    gone <- names(one)[is.na(one)]
    full <- one[rep(1, length(unique(x[[gone]]))), ]
    full[[gone]] <- sort(unique(x[[gone]]))
    sum_over <- log(sum(exp(predict(fit, full, draws = 2000))))
    expect_equal(as.vector(predict(fit, one, draws = 2000)), sum_over, tolerance = 0.02)
  }
})

test_that("a fit says the same of rows whatever the threads, and its draws are as many as the rows said", {
  x <- factors
  x$y <- rnorm(n)
  fits <- lapply(1:2, function(threads) quick(x, threads = threads))
  expect_identical(predict(fits[[1]], x, draws = 3, threads = 1), predict(fits[[2]], x, draws = 3, threads = 2))
  expect_identical(simulate(fits[[1]], 300, seed = 1, threads = 2), simulate(fits[[2]], 300, seed = 1, threads = 1))
  given <- list(a = "b", y = c(0, 1))
  expect_identical(simulate(fits[[1]], 50, seed = 1, given = given, threads = 2),
                   simulate(fits[[2]], 50, seed = 1, given = given, threads = 1))
  expect_equal(attr(predict(fits[[1]], x, draws = 3), "draws"), 3)
  expect_length(predict(fits[[1]], x[0, ]), 0)
})

test_that("the random numbers of R are left alone", {
  set.seed(33)
  before <- .Random.seed
  fit <- quick(factors)
  predict(fit, factors, draws = 2)
  simulate(fit, 5, seed = 7)
  simulate(fit, 5, seed = 7, given = list(a = "a"))
  predict(fit, replace(factors, cbind(1, 1), NA), type = "impute", m = 2, seed = 7)
  expect_identical(.Random.seed, before)
  expect_identical(quick(factors)$flows, fit$flows)
  set.seed(1)
  first <- simulate(fit, 20)
  set.seed(1)
  expect_identical(simulate(fit, 20), first)
  expect_false(identical(simulate(fit, 20), first))
})

test_that("a fit that was saved is the same in another session", {
  skip_on_cran()
  x <- factors
  x$day <- as.Date("2024-02-28") + rpois(n, 3)
  x$y <- ifelse(runif(n) < 0.2, NA, rexp(n))
  fit <- quick(x)
  folder <- tempfile()
  dir.create(folder)
  before <- setwd(folder)
  on.exit({
    setwd(before)
    unlink(folder, recursive = TRUE)
  })
  saveRDS(list(fit = fit, x = x, path = .libPaths()), file.path(folder, "fit.rds"))
  code <- c(
    "all <- readRDS('fit.rds')", ".libPaths(all$path)", "library(particleflow)",
    "out <- list(simulate(all$fit, 30, seed = 4), predict(all$fit, all$x, draws = 3),",
    "            simulate(all$fit, 10, seed = 4, given = list(c = TRUE)))", "saveRDS(out, 'out.rds')"
  )
  writeLines(code, file.path(folder, "run.R"))
  program <- file.path(R.home("bin"), "Rscript")
  system2(program, c("--vanilla", "run.R"), stdout = FALSE, stderr = FALSE)
  expect_identical(readRDS(file.path(folder, "out.rds")),
                   list(simulate(fit, 30, seed = 4), predict(fit, x, draws = 3),
                        simulate(fit, 10, seed = 4, given = list(c = TRUE))))
})

test_that("means, spreads and dependence come back", {
  set.seed(34)
  z <- rnorm(400)
  x <- data.frame(age = round(50 + 12 * z), money = pmax(0, round(1000 * exp(0.5 * z + rnorm(400)) - 600)),
                  sick = factor(ifelse(z + rnorm(400) > 0.5, "yes", "no")))
  new <- simulate(quick(x), 5000, seed = 1)
  expect_true(all(new$money >= 0))
  # standard errors of 400 rows: 0.6 years, 0.025 of a share, 0.05 of a correlation; three of each
  expect_equal(mean(new$age), mean(x$age), tolerance = 0.04)
  expect_lt(abs(mean(new$money == 0) - mean(x$money == 0)), 0.08)
  expect_lt(abs(mean(new$sick == "yes") - mean(x$sick == "yes")), 0.08)
  expect_lt(abs(cor(new$age, new$money, method = "spearman") - cor(x$age, x$money, method = "spearman")), 0.15)
  expect_lt(abs(cor(new$age, new$sick == "yes") - cor(x$age, x$sick == "yes")), 0.15)
})

test_that("arguments are checked before all work", {
  expect_error(synthesise(factors, flow = TRUE), "`flow` must be NULL or FALSE", class = "particleflow_input")
  expect_error(synthesise(factors, quiet = NA), "`quiet`", class = "particleflow_input")
  expect_error(synthesise(1:5), "`x`", class = "particleflow_input")
  expect_error(synthesise(factors, flaw = 3), class = "particleflow_input")
  fit <- quick(factors)
  expect_error(predict(fit), "`newdata`", class = "particleflow_input")
  expect_error(predict(fit, factors, draws = 0), "`draws`", class = "particleflow_input")
  expect_error(predict(fit, factors, type = "impute", m = 0), "`m`", class = "particleflow_input")
  expect_error(simulate(fit, 3, missing = "no"), "`missing`", class = "particleflow_input")
  expect_error(simulate(fit, -1), "`nsim`", class = "particleflow_input")
  expect_identical(class(synthesize(factors, law = law_student(), flow = FALSE, quiet = TRUE)), class(fit))
})

test_that("one new row, and the rows of groups, are as many as were asked for", {
  set.seed(61)
  x <- data.frame(a = rnorm(90), b = rpois(90, 2), g = rep(c("p", "q", "r"), c(50, 25, 15)))
  one <- synthesise(x, law = law_trees(), flow = FALSE, quiet = TRUE)
  expect_identical(simulate(one, 1, seed = 2), simulate(one, 4, seed = 2)[1, ], ignore_attr = TRUE)
  grouped <- synthesise(x, group = "g", law = law_student(), flow = FALSE, quiet = TRUE)
  for (n in c(0:5, 90)) expect_identical(nrow(simulate(grouped, n, seed = n)), as.integer(n))
  first <- vapply(1:200, function(seed) as.character(simulate(grouped, 1, seed = seed)$g), "")
  # the share of p is 50 / 90; false alarm 1e-6 (4.9 standard errors)
  expect_lt(abs(mean(first == "p") - 50 / 90), 4.9 * sqrt(0.25 / 200))
})

test_that("the number of a row determines no other column of a sorted table", {
  set.seed(62)
  x <- data.frame(id = 1:120, y = sort(rnorm(120)), low = rep(c("a", "b"), each = 60))
  fit <- synthesise(x, law = law_student(), flow = FALSE, quiet = TRUE)
  expect_false(any(grepl("from id", format(fit))))
  expect_true(any(grepl("low from y", format(fit))))
})
