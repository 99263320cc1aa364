# efs() on tables with columns of every kind: what is read, the flow and its inverse, the likelihood, every method.

as_scores <- function(x, ...) efs(x, ..., law = law_student(), s = 0, epsilon = 1, time = 0.5)

set.seed(51)
n <- 120
z <- rnorm(n)
visits <- data.frame(
  day = as.Date("2024-01-01") + round(40 + 15 * z), stage = factor(sample(c("I", "II", "III"), n, TRUE)),
  treated = z + rnorm(n) > 0, dose = ifelse(runif(n) < 0.15, NA, round(exp(z + rnorm(n) / 2), 2)),
  site = sample(c("north", "south"), n, TRUE)
)
fit <- as_scores(visits)

test_that("tables are read as numbers, or as scores, by their columns and by `latent`", {
  read_as_scores <- function(x, ...) inherits(efs(x, ..., calibrate = FALSE), "synthesis")
  set.seed(52)
  x <- data.frame(a = rnorm(40), b = rexp(40))
  expect_false(read_as_scores(x))
  expect_false(read_as_scores(as.matrix(x)))
  expect_false(read_as_scores(transform(x, c = rep(c("u", "v"), 20)), group = "c"))
  other <- list(factor(rep(1:4, 10)), rep(c("u", "v"), 20), rep(c(TRUE, FALSE), 20), as.Date("2024-01-01") + 1:40,
                Sys.time() + 1:40, replace(x$a, 3, NA), rep(0:1, 20), rep(c(2, 5), c(38, 2)), pmax(0, x$a - 0.1))
  for (values in other) expect_true(read_as_scores(cbind(x, c = values)))
  # whole numbers, three codes, and one row that is apart
  for (values in list(1:40, rep_len(1:3, 40), rep(1:2, c(39, 1)))) expect_false(read_as_scores(cbind(x, c = values)))
  codes <- cbind(x, c = rep(0:1, 20))
  expect_false(read_as_scores(codes, latent = "none"))
  expect_false(read_as_scores(codes, latent = latent_standardise()))
  expect_true(read_as_scores(x, latent = latent_scores()))
  # principal components of many columns
  expect_false(read_as_scores(matrix(rep(0:1, 40 * 15), 50)))
  expect_match(format(efs(codes, calibrate = FALSE)), "^Read as normal scores, because a column has", all = FALSE)
})

test_that("a flow is there, and print() says both likelihoods and their difference", {
  fit <- efs(visits, law = c("student", "global"), s = 0, time = 0.5)
  found <- fit$diagnostics
  expect_gt(found$steps, 0)
  chosen <- fit$calibration$all
  # the best row of each option in the table of the search
  none <- max(chosen$seen$log_density[!chosen$seen$flow])
  with <- max(chosen$seen$log_density[chosen$seen$flow])
  # a stack of the option without a flow is not in the table, and can only be better
  expect_lte(chosen$gain, with - none + tolerance$kernel)
  expect_equal(chosen$log_density, with, tolerance = tolerance$kernel)
  expect_true(chosen$gain_se > 0)
  line <- paste(trimws(format(fit)), collapse = " ")
  expect_match(line, sprintf("%.3f with the flow, %.3f without; the flow %s it by %.3f [(]standard error %.3f[)]",
                             found$log_density, found$log_density - found$gain,
                             if (found$gain < 0) "lowers" else "raises", abs(found$gain), found$gain_se))
  expect_match(format(fit)[1], "^<efs> 120 rows of 5 columns")
  still <- efs(visits, law = "student", time = 0)
  expect_identical(still$diagnostics$steps, 0L)
  expect_match(format(still), "no flow was tried", all = FALSE)
  # without settings a flow is there too, whatever it adds
  open <- efs(warpbreaks, law = c("student", "global"))
  expect_gt(open$diagnostics$steps, 0)
  expect_false(is.na(open$diagnostics$gain))
})

test_that("forward and backward return the rows, and the methods work", {
  ends <- predict(fit, visits)
  expect_equal(predict(fit, ends, type = "data"), visits, ignore_attr = "row.names")
  # the training rows, whose scores were settled within their cells
  expect_equal(predict(fit, predict(fit), type = "data"), visits, ignore_attr = "row.names")
  points <- last_frame(fit$trajectory)
  expect_equal(efs_backward(fit$trajectory, points), fit$trajectory$frames[, , 1], tolerance = tolerance$inverse)
  expect_identical(dim(efs_augment(fit$trajectory, 7)), c(7L, fit$latent$dim))
  expect_identical(predict(fit), unname(points))
  new <- simulate(fit, 200, seed = 1)
  expect_identical(lapply(new, class), lapply(visits, class))
  expect_true(anyNA(new$dose) && !anyNA(simulate(fit, 200, seed = 1, missing = FALSE)))
  some <- simulate(fit, 40, seed = 1, given = list(stage = "II", treated = TRUE))
  expect_true(all(some$stage == "II" & some$treated))
  filled <- predict(fit, visits, type = "impute", m = 2, seed = 1)
  expect_false(anyNA(filled[[1]]))
  expect_identical(filled[[1]]$dose[!is.na(visits$dose)], visits$dose[!is.na(visits$dose)])
  path <- interpolate(fit, 3, 40, n = 5)
  expect_equal(path[c(1, 5), ], visits[c(3, 40), ], ignore_attr = TRUE)
  expect_identical(nrow(tidy(fit)), dim(fit$trajectory$frames)[3])
  expect_equal(glance(fit)$n, n)
  expect_s3_class(summary(fit), "summary.efs")
  expect_output(print(summary(fit)), "normal scores of the columns")
  expect_equal(as.numeric(logLik(fit, visits[1:9, ])), sum(predict(fit, visits[1:9, ], type = "log_density")))
  longer <- resume(fit$trajectory, 1)
  expect_identical(n_steps(longer), n_steps(fit$trajectory) + 1L)
  report <- fidelity(visits, new, scores = fidelity_scores()[1], n_permutations = 99, splits = 2, seed = 1)
  expect_s3_class(report, "fidelity")
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  for (type in c("trajectory", "latent", "energy")) expect_error(plot(fit, type = type), NA)
})

test_that("tables that come with R and survival go forward and back", {
  tables <- list(airquality, warpbreaks, esoph[1:3])
  if (requireNamespace("survival", quietly = TRUE)) tables <- c(tables, list(survival::pbc[1:150, c(2:5, 7, 11, 14)]))
  for (x in tables) {
    fit <- as_scores(x)
    expect_gt(fit$diagnostics$steps, 0)
    back <- predict(fit, predict(fit), type = "data")
    expect_equal(back, x, ignore_attr = "row.names")
    expect_identical(lapply(simulate(fit, 5, seed = 1), attributes), lapply(x, attributes))
  }
})

test_that("groups, checkpoints, bounds and a plan of steps", {
  each <- as_scores(visits, group = "site", keep = "checkpoints", threads = 2)
  expect_identical(names(each$trajectory), c("north", "south"))
  expect_equal(predict(each, predict(each, visits), type = "data", group = visits$site), visits, ignore_attr = TRUE)
  expect_identical(simulate(each, 20, seed = 1), simulate(as_scores(visits, group = "site"), 20, seed = 1))
  within <- simulate(as_scores(visits, bounds = TRUE), 500, seed = 1)
  expect_true(all(within$day >= min(visits$day) & within$day <= max(visits$day)))
  kept <- as_scores(visits, latent = latent_scores(columns = list(dose = column_continuous(0, 50)), id = "site"))
  expect_false(anyDuplicated(simulate(kept, 30, seed = 1)$site) > 0)
})

test_that("probabilities of all cells of a 2 x 3 table sum to 1 with a flow, and are the frequencies of draws", {
  set.seed(53)
  x <- data.frame(a = factor(sample(c("u", "v"), 150, TRUE, c(0.7, 0.3))), b = factor(sample(3, 150, TRUE)))
  x$b[x$a == "v" & runif(150) < 0.6] <- "1"
  fit <- as_scores(x, density_floor = 0)
  expect_gt(fit$diagnostics$steps, 0)
  all <- unique(expand.grid(lapply(x, unique)))
  # 60 rows per cell of 40 draws each: 2400 draws per cell, an error of about 0.5 % of the sum
  p <- exp(as.vector(predict(fit, all[1:6, ], type = "log_density", draws = 2400)))
  expect_equal(sum(p), 1, tolerance = 0.02)
  new <- simulate(fit, 2e4, seed = 1)
  hit <- table(factor(do.call(paste, new), do.call(paste, all))) / 2e4
  # 6 cells, 4 standard errors of the draws, and those of p: a false alarm in 1 of 2500 seeds
  expect_lt(max(abs(as.vector(hit) - p) - 4 * sqrt(p / 2e4) - 0.03 * p), 0)
})

test_that("a Gaussian with one binary column: the density of the fit is that of its draws", {
  set.seed(54)
  x <- data.frame(y = rnorm(150), b = NA)
  x$b <- x$y + rnorm(150) > 0.3
  fit <- as_scores(x, density_floor = 0)
  # the density over a grid of y, summed over b, integrates to 1
  y <- seq(-7, 7, length.out = 281)
  grid <- rbind(data.frame(y = y, b = TRUE), data.frame(y = y, b = FALSE))
  density <- matrix(exp(predict(fit, grid, type = "log_density", draws = 60)), 281)
  # the grid, and 60 draws per point
  expect_equal(sum(density) * (y[2] - y[1]), 1, tolerance = 0.02)
  share <- sum(density[, 1]) / sum(density)
  new <- simulate(fit, 1e4, seed = 1)
  # 4 standard errors of 1e4 draws (0.005 each): a false alarm in 1 of 16,000 seeds
  expect_lt(abs(mean(new$b) - share), 0.02 + 0.01)
  above <- sum(density[y > 0.5, 1]) / sum(density)
  expect_lt(abs(mean(new$b & new$y > 0.5) - above), 0.02 + 0.01)
})

test_that("synthesise() says the likelihoods with and without the flow that was tried", {
  set.seed(55)
  x <- data.frame(a = rnorm(60), b = sample(c("p", "q"), 60, TRUE))
  tried <- synthesise(x, law = law_student(), quiet = TRUE)
  line <- paste(trimws(format(tried)), collapse = " ")
  expect_match(line, "without a flow|with the flow, .* without")
  expect_match(line, "lowers it by|raises it by")
  gain <- tried$diagnostics$gain
  shown <- capture.output(print(summary(tried)))
  expect_match(shown, "^gain: the log-likelihood with the flow less that without one", all = FALSE)
  # a flow that was given up after the first fold has no standard error, and the summary says so
  expect_identical(any(grepl("^gain without a standard error: on the first fold", shown)),
                   is.na(tried$diagnostics$gain_se))
  expect_match(grep("held-out", format(synthesise(x, law = law_student(), flow = FALSE, quiet = TRUE)), value = TRUE),
               "no flow was tried")
})

test_that("Ctrl-C stops the search within a second, and the next fit is the same", {
  skip_on_os("windows") # no signal can be sent to oneself there
  expect_lt(least_delay(repeat efs(visits, law = c("student", "global"), s = 0)), 1)
  expect_identical(as_scores(visits)$flows, fit$flows)
})

test_that("bad input is refused in one sentence", {
  input <- "particleflow_input"
  expect_error(efs(visits, latent = latent_standardise()), "`x` must have numeric columns only", class = input)
  expect_error(gpa(visits[4], visits[4], latent = latent_scores()), "`latent` cannot be latent_scores\\(\\) here",
               class = input)
  expect_error(efs(visits, latent = latent_scores(id = "no")), "`id` names \"no\"", class = input)
  expect_error(efs(cbind(visits, k = as.complex(1:n))), "Column \"k\" of `x` is of class \"complex\"", class = input)
  expect_error(efs(transform(visits, dose = Inf)), "Column \"dose\" of `x`: 120 values are infinite", class = input)
  expect_error(efs(visits, s = -3), "`s` must lie above -2", class = input)
  expect_error(simulate(fit, 3, given = list(stage = "IV")), "stage", class = input)
})

test_that("the stream of R is left alone, and equal calls give equal fits", {
  set.seed(1)
  before <- .Random.seed
  again <- as_scores(visits, threads = 1)
  expect_identical(.Random.seed, before)
  expect_identical(again$diagnostics, fit$diagnostics)
  expect_identical(again$flows, fit$flows)
})

test_that("only a table of numbers is said to be read because of codes", {
  set.seed(63)
  x <- data.frame(code = rep(0:1, 20), y = rnorm(40))
  expect_match(paste(format(efs(x, calibrate = FALSE)), collapse = " "), "two different values")
  expect_no_match(paste(format(efs(cbind(x, f = rep(c("u", "v"), 20)), calibrate = FALSE)), collapse = " "),
                  "two different values")
})

test_that("efs_tune() takes the tables of efs(), and scores them in the same way", {
  search <- efs_tune(visits, s = 0, softening = c(4, 16, 64, 256), time = 0.5, law = "student")
  expect_true(all(is.finite(search$table$log_density)))
  still <- search$table[!search$table$flow, ]
  expect_identical(still$place, "as_is")
  # the same rows, folds, cells and law as in efs() without a flow
  expect_equal(still$log_density, efs(visits, law = "student", time = 0)$diagnostics$log_density,
               tolerance = tolerance$kernel)
  moved <- search$table[search$table$flow, ]
  seen <- efs(visits, law = "student", s = 0, time = 0.5)
  seen <- transform(seen$calibration$all$seen, unit = seen$diagnostics$log_density - seen$calibration$all$log_density)
  same <- merge(moved, seen[seen$flow & seen$law == "student", ], by = c("place", "s", "softening", "time", "settings"))
  expect_gt(nrow(same), 0)
  expect_equal(same$log_density.x, same$log_density.y + same$unit, tolerance = tolerance$kernel)
  expect_s3_class(do.call(efs, c(list(visits), search$best)), "synthesis")
  # missing values, and numbers that efs() reads as normal scores
  expect_gt(nrow(efs_tune(airquality[1:60, ], s = 0, softening = 16, time = 1, law = "student")$table), 1)
  coded <- data.frame(a = rep(c(0, 1), 30), b = sin(1:60))
  expect_true("as_is" %in% efs_tune(coded, s = 0, softening = 16, time = 1, law = "student")$table$place)
})
